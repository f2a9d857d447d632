"""The command `list` names everything that `run` knows by name."""

from bench import RECIPES
from bench.commands.listing import listing
from bench.spec.budget import UNITS
from bench.spec.plan import TOKENS
from fmnist_models import list_models, model_info


def test_every_name_begins_a_line_with_its_meaning() -> None:
    lines = [line.split(maxsplit=1) for line in listing().splitlines() if line.startswith("  ")]
    meanings = {words[0]: words[1] for words in lines}
    names = {*list_models(), *RECIPES, *UNITS, *TOKENS, "auto", "threads:N"}
    assert names <= meanings.keys()
    assert all(meanings[name].strip() for name in names)


def test_a_variant_says_of_what() -> None:
    line = next(line for line in listing().splitlines() if line.startswith("  v1_fixed"))
    assert line.endswith("[variant of v1]")
    assert f"28x28  {model_info('v1_fixed').summary}" in line


def test_all_means_the_first_nine() -> None:
    assert "all = the first nine" in listing()
    assert len(list_models(variants=False)) == 9
    assert list_models()[:9] == list_models(variants=False)
