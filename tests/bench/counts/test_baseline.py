"""The file of counts: written, read back, and compared in lines that a reviewer understands."""

from pathlib import Path

import pytest

from bench.counts.baseline import Baseline, Rows, differences, without_stack
from bench.errors import UsageError

HERE, ELSEWHERE = "torch 2.14 on cpu", "torch 2.13 on cpu"
FOUND: Rows = {
    "v0": {"parameters": 7960, "flops": 255_680, "kept_bytes": 0, "operators": 50},
    "resnet8": {"parameters": 77_754, "flops": 9, "kept_bytes": 0, "operators": 790},
    "v0, plan compile": {"graphs": 2, "later_graphs": 0},
    "epoch": {"images": 896, "most_record_bytes": 3200},
}


def noted(found: Rows = FOUND) -> Baseline:
    return Baseline().renewed(found, HERE)


def lines(found: Rows, baseline: Baseline | None = None) -> list[str]:
    return list(differences((baseline or noted()).rows_for(HERE), found))


def changed(row: str, **counts: int) -> Rows:
    return FOUND | {row: FOUND[row] | counts}


def test_the_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "counts.toml"
    path.write_text(noted().as_toml(), encoding="utf-8")
    assert Baseline.read(path) == noted()
    text = path.read_text(encoding="utf-8")
    assert "v0      = { parameters = 7_960, flops = 255_680, kept_bytes = 0 }\n" in text
    assert f'["{HERE}"]\n' in text
    assert '"v0, plan compile" = { graphs = 2, later_graphs = 0 }\n' in text
    assert all(line.count("=") != 1 for line in text.splitlines() if "{" in line)  # a line a row


WITHOUT = {name: row for name, row in FOUND.items() if name != "resnet8"}
RENAMED = "resnet9: new, and counts as resnet8 did, which is gone: renamed"
COMPILED = "v0, plan compile"


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (FOUND, []),
        (changed("resnet8", operators=812), ["resnet8: operators a step 812, was 790"]),
        (changed("resnet8", operators=700), ["resnet8: operators a step 700, was 790"]),
        (
            changed("v0", parameters=8000, flops=1_000_000),
            ["v0: parameters 8,000, was 7,960", "v0: FLOPs a step 1,000,000, was 255,680"],
        ),
        (
            changed(COMPILED, later_graphs=3),
            [f"{COMPILED}: graphs compiled in the second epoch 3, was 0"],
        ),
        (FOUND | {"v9": {"parameters": 1}}, ["v9: new"]),
        (WITHOUT, ["resnet8: gone"]),
        (WITHOUT | {"resnet9": FOUND["resnet8"]}, [RENAMED]),
        (
            WITHOUT | {"resnet9": FOUND["resnet8"] | {"operators": 812}},
            [RENAMED, "resnet9: operators a step 812, was 790"],
        ),
        (  # without portable counts, a row is never called renamed
            {(f"{k}!" if "plan" in k else k): v for k, v in FOUND.items()},
            [f"{COMPILED}!: new", f"{COMPILED}: gone"],
        ),
        (changed("v0", peak_bytes=5), ["v0: peak bytes of a step 5, was not counted"]),
        (
            FOUND | {COMPILED: {"graphs": 2}},
            [f"{COMPILED}: graphs compiled in the second epoch not counted, was 0"],
        ),
    ],
)
def test_each_difference_is_a_line_with_row_quantity_and_both_values(
    found: Rows, told: list[str]
) -> None:
    assert lines(found) == told


def test_the_size_of_a_record_has_a_bound_somewhat_above_it() -> None:
    bound = noted().portable["epoch"]["most_record_bytes"]
    assert 3200 + 128 < bound <= 3200 + 256
    assert lines(changed("epoch", most_record_bytes=bound)) == []
    assert lines(changed("epoch", most_record_bytes=1000)) == []
    assert lines(changed("epoch", most_record_bytes=bound + 1)) == [
        f"epoch: bytes of a record {bound + 1:,}, at most {bound:,}"
    ]


@pytest.mark.parametrize("size", range(3100, 3300, 20))
def test_the_bound_stays_while_it_fits(size: int) -> None:
    again = noted().renewed(changed("epoch", most_record_bytes=size), HERE)
    assert again.portable["epoch"]["most_record_bytes"] in {3456, 3328, 3584}
    assert again.portable["epoch"]["most_record_bytes"] > size
    if 3200 - 128 <= size <= 3200 + 128:
        assert again == noted()


def test_another_version_of_torch_has_counts_of_its_own() -> None:
    both = noted().renewed(changed("resnet8", operators=800), ELSEWHERE)
    assert both.stacks.keys() == {HERE, ELSEWHERE}
    assert lines(FOUND, both) == []
    assert list(differences(both.rows_for(ELSEWHERE), FOUND)) == [
        "resnet8: operators a step 790, was 800"
    ]


def test_on_an_unknown_stack_what_is_the_same_everywhere_is_compared() -> None:
    expected = noted().rows_for(ELSEWHERE)
    assert "v0, plan compile" not in expected
    found = changed("resnet8", operators=1, flops=10)
    assert list(differences(expected, without_stack(found))) == ["resnet8: FLOPs a step 10, was 9"]


@pytest.mark.parametrize(
    "text",
    [
        "[any",
        "[other]\n",
        "any = 3\n",
        "[any]\nv0 = 3\n",
        "[any]\nv0 = { parameters = 'many' }\n",
        "[any]\nv0 = { parameters = true }\n",
        "[any]\nv0 = { colour = 3 }\n",
    ],
)
def test_a_file_that_is_none_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "counts.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"is no file of counts.*make counts"):
        Baseline.read(path)


def test_no_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*: No such file.*make counts"):
        Baseline.read(tmp_path / "none.toml")
