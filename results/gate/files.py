"""What a gate leaves behind: verdict.json, summary.md, and what GitHub shows of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from results.errors import ResultsError
from results.gate.markdown import summary_markdown
from results.gate.tables import troubles
from results.gate.verdict import Verdict
from results.gate.words import claim, described, headline, name_of
from results.records.appending import write_whole
from results.text import json_text, one_line

VERDICT_FILE, SUMMARY_FILE = "verdict.json", "summary.md"
STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
MOST_ANNOTATIONS = 10  # of a kind that GitHub shows for a step


def write_verdict(verdict: Verdict, folder: Path, shown: Verdict | None = None) -> None:
    """Write verdict.json and summary.md, each whole or not at all.

    Args:
        verdict: What verdict.json keeps.
        folder: Is made where there is none.
        shown: The same with the names that a person reads, where those are others.

    Raises:
        ResultsError: the disk refused it.
    """
    contents = {
        VERDICT_FILE: verdict_json(verdict),
        SUMMARY_FILE: summary_markdown(shown or verdict).encode(),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            write_whole(folder / name, content)
    except OSError as error:
        raise ResultsError(f"cannot write to {folder}: {error.strerror}") from error


def verdict_json(verdict: Verdict) -> bytes:
    """Return the content of verdict.json; bytes of a name that are no UTF-8 become `?`."""
    return json_text(_sound(verdict.as_plain())).encode()


def append_step_summary(text: str, environ: Mapping[str, str]) -> str | None:
    """Add the text to the summary of the step on GitHub, where this is one.

    Where that fails, the line of warning is returned: the verdict stands without it.
    """
    path = environ.get(STEP_SUMMARY)
    if not path:
        return None
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text.rstrip("\n") + "\n")
    except (OSError, ValueError) as error:
        return f"warning: no summary for GitHub: cannot write to ${STEP_SUMMARY}: {error}"
    return None


def annotations(verdict: Verdict) -> list[str]:
    """Return the commands that make GitHub show troubles, errors first, at most ten of a kind."""
    if not verdict.findings:
        return [annotation("error", "gate", ": ".join(headline(verdict)))]
    lines: dict[str, list[str]] = {"error": [], "warning": []}
    for finding in troubles(verdict):
        kind = "warning" if finding.outcome == "unclear" else "error"
        said = claim(finding) if finding.outcome == "worse" else name_of(finding)
        lines[kind].append(annotation(kind, f"gate, {finding.outcome}: {said}", described(finding)))
    for kind, found in lines.items():
        if (num_left_out := len(found) - MOST_ANNOTATIONS + 1) > 1:
            rest = f"{num_left_out:,} more; verdict.json has them all"
            found[MOST_ANNOTATIONS - 1 :] = [annotation(kind, "gate", rest)]
    return [*lines["error"], *lines["warning"]]


def annotation(kind: str, title: str, message: str) -> str:
    """Return the command that makes GitHub show an `error` or a `warning` beside the run.

    Nothing in title or message starts a command of its own, or steers a terminal.
    """
    title, message = (one_line(text).replace("%", "%25") for text in (title, message))
    return f"::{kind} title={title.replace(':', '%3A').replace(',', '%2C')}::{message}"


def _sound(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Replace what no JSON holds: bytes that were no UTF-8 where they came from."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_sound(key): _sound(content) for key, content in value.items()}
    return [_sound(content) for content in value] if isinstance(value, list | tuple) else value
