"""The workflows of GitHub: their commands exist, nothing of an event gets into a shell, they lint.

What they run is taken out of the YAML and run here, with an interpreter that only answers.
"""

import os
import re
import shlex
import shutil
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from bench.cli import app
from bench.sweep.checked import check_options
from bench.sweep.request import Request
from tests.command_line import REPOSITORY, Finished, finish, git
from tests.project.test_ci_keep import keep, write_run

FOLDER = REPOSITORY / ".github" / "workflows"
WORKFLOWS = {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.yml"))}
OPERATORS = set("();<>|&")
EXIT = '#!/bin/sh\necho "$@" > asked\nexit {code}\n'
REAL = "#!/bin/sh\nPYTHONPATH='{repository}' exec '{python}' \"$@\"\n"


def run_blocks(text: str) -> Iterator[str]:
    """The shell scripts of a workflow: one line behind `run:`, or the lines indented below it."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        found = re.fullmatch(r"( *)(- )?run: *(.*)", line)
        if found is None:
            continue
        if found[3] != "|":
            yield found[3]
            continue
        depth = len(found[1] + (found[2] or ""))
        end = number + 1
        while end < len(lines) and re.match(rf"( {{{depth + 1},}}|$)", lines[end]):
            end += 1
        yield textwrap.dedent("\n".join(lines[number + 1 : end]))


def bench_calls(script: str) -> Iterator[list[str]]:
    """What stands behind each `-m bench` of a script, up to the end of that command."""
    for line in script.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = list(lexer)
        for start in range(len(words) - 1):
            if words[start : start + 2] == ["-m", "bench"]:
                rest = words[start + 2 :]
                ends = [n for n, word in enumerate(rest) if set(word) <= OPERATORS]
                yield rest[: ends[0] if ends else None]


def parse(call: list[str]) -> dict[str, Any]:
    """The options that the command line takes a call for; fails where it has no such option."""
    command: Any = typer.main.get_command(app)
    context = command.commands[call[0]].make_context(call[0], call[1:])
    params: dict[str, Any] = context.params
    return params


def script_with(name: str, words: str) -> str:
    """The one script of a workflow that holds some words."""
    (script,) = [script for script in run_blocks(WORKFLOWS[name]) if words in script]
    return script


def run_script(script: str, folder: Path, python: str, **environment: str) -> Finished:
    """Runs a script as GitHub does with `shell: bash`, with some text as .venv/bin/python."""
    interpreter = folder / ".venv" / "bin" / "python"
    interpreter.parent.mkdir(parents=True, exist_ok=True)
    interpreter.write_text(python, encoding="utf-8")
    interpreter.chmod(0o755)
    shell = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script)
    return finish(*shell, cwd=folder, env={"PATH": os.environ["PATH"], **environment})


@pytest.fixture
def merge(tmp_path: Path) -> tuple[str, str]:
    """The first parent and the hash of a merge commit, in a repository in `tmp_path`."""

    def run_git(words: str) -> str:
        return git(tmp_path, *words.split())

    run_git("init --quiet --initial-branch=main")
    run_git("commit --quiet --allow-empty -m root")
    run_git("checkout --quiet -b change")
    run_git("commit --quiet --allow-empty -m change")
    run_git("checkout --quiet main")
    run_git("commit --quiet --allow-empty -m base")
    base = run_git("rev-parse HEAD")
    run_git("merge --quiet --no-ff -m merge change")
    return base, run_git("rev-parse HEAD")


@pytest.mark.parametrize(
    ("name", "commands"),
    [
        ("ci", []),
        ("gate", ["gate"]),
        ("nightly", ["run", "table", "report"]),
        ("docs/ci.md", ["gate", "run", "table", "report"]),
    ],
)
def test_the_command_line_takes_every_call(name: str, commands: list[str]) -> None:
    if name in WORKFLOWS:
        scripts = list(run_blocks(WORKFLOWS[name]))
    else:
        text = (REPOSITORY / name).read_text(encoding="utf-8")
        scripts = re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    calls = [call for script in scripts for call in bench_calls(script)]
    assert [call[0] for call in calls] == commands
    for call in calls:
        parse(call)


def test_a_renamed_option_would_be_seen() -> None:
    (call,) = bench_calls("python -m bench run --seeds 3 \\\n  --modles all --out x || code=$?")
    assert call == ["run", "--seeds", "3", "--modles", "all", "--out", "x"]
    with pytest.raises(Exception, match="--modles"):
        parse(call)


def test_what_the_nightly_asks_for_can_be_had() -> None:
    (call,) = bench_calls(script_with("nightly", "bench run"))
    asked = parse(call)
    words = ("models", "budget", "seeds", "plan", "device")
    checked = check_options(Request(**{word: asked[word] for word in words}))
    assert (len(checked.models), checked.seed_list("cpu")) == (9, [0, 1, 2])
    assert checked.request.device == "cpu"
    assert {str(entry.budget) for entry in checked.trainings} == {"500steps"}
    assert asked["out"] == Path("$night")


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_can_only_read_and_takes_nothing_of_an_event_into_a_shell(name: str) -> None:
    text = WORKFLOWS[name]
    assert [script for script in run_blocks(text) if "${{" in script] == []
    permissions = re.findall(r"^ *permissions:.*\n((?: +.*\n)*)", text, re.MULTILINE)
    assert permissions == ["  contents: read\n"]
    code = re.sub("#.*", "", text)
    assert [word for word in ("pull_request_target", "secrets") if word in code] == []
    minutes = re.findall(r"timeout-minutes: (\d+)", text)  # no job runs for hours
    assert len(minutes) == text.count("runs-on:") > 0
    assert max(map(int, minutes)) <= 120


def test_actionlint_finds_nothing() -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    actionlint = shutil.which("actionlint", path=path)
    if actionlint is None:
        pytest.skip("no actionlint on the PATH; ci.yml runs its own image")
    # shellcheck lies beside it
    env = os.environ | {"PATH": path}
    done = finish(actionlint, "-no-color", *FOLDER.glob("*.yml"), env=env)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.parametrize(
    ("code", "green", "annotation"),
    [
        (0, True, ""),
        (1, False, ""),
        (2, False, ""),
        (3, True, "::warning title=gate: inconclusive::"),
        (4, False, "::error title=gate: nothing to compare with::"),
        (143, False, ""),
    ],
)
def test_the_gate_fails_the_check_but_for_an_inconclusive_one(
    tmp_path: Path, merge: tuple[str, str], code: int, green: bool, annotation: str
) -> None:
    base, head = merge
    script = script_with("gate", "bench gate")
    done = run_script(script, tmp_path, EXIT.format(code=code), GITHUB_SHA=head, OUT="out")
    assert done.returncode == (0 if green else code)
    assert done.stdout.startswith(annotation)
    assert done.stdout.count("\n") == bool(annotation)
    wanted = f"-m bench gate --base {base} --head {head} --models all --out out\n"
    assert (tmp_path / "asked").read_text(encoding="utf-8") == wanted


def test_the_nightly_shows_the_nights_of_its_kind_of_machine(tmp_path: Path) -> None:
    history = tmp_path / "history"
    keep(write_run(tmp_path / "1", "a", 1, 0.91), history)
    keep(write_run(tmp_path / "2", "b", 2, 0.99, device="other"), history)
    write_run(tmp_path / "night", "c", 3, 0.92)
    (tmp_path / ".ci").symlink_to(REPOSITORY / ".ci")
    summary = tmp_path / "summary.md"
    python = REAL.format(repository=REPOSITORY, python=sys.executable)
    done = run_script(
        script_with("nightly", "keep.py"),
        tmp_path,
        python,
        NIGHT="night",
        HISTORY="history",
        GITHUB_STEP_SUMMARY=str(summary),
    )
    assert done.returncode == 0, done.stderr
    shown = summary.read_text(encoding="utf-8")
    assert shown == done.stdout
    assert shown.startswith("```\n")
    assert shown.endswith("```\n")
    assert re.findall(r"\b(aaaaaaaaaa|bbbbbbbbbb|cccccccccc)\b.*\b(91|99|92)\.", shown) == [
        ("aaaaaaaaaa", "91"),
        ("cccccccccc", "92"),
    ]


def test_the_audit_takes_no_package_that_could_not_be_looked_up_for_a_pass() -> None:
    words = shlex.split(script_with("ci", "pip-audit"))
    assert {"--strict", "--no-deps"} < set(words)
    assert (REPOSITORY / words[words.index("-r") + 1]).is_file()
