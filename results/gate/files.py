"""What a gate leaves behind: verdict.json, summary.md, and what GitHub shows of it."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import orjson

from results.errors import ResultsError
from results.gate.headline import headline
from results.gate.summary import summary_markdown
from results.gate.tables import troubles
from results.gate.verdict import SCHEMA_VERSION, Check, Commit, Finding, Outcome, Verdict
from results.gate.words import claim, described, name_of
from results.text import one_line

VERDICT_FILE, SUMMARY_FILE = "verdict.json", "summary.md"
STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
MOST_ANNOTATIONS = 10  # of a kind that GitHub shows for a step


def write_verdict(verdict: Verdict, folder: Path) -> list[Path]:
    """Writes verdict.json and summary.md, each whole or not at all, and returns their paths.

    Raises:
        ResultsError: the disk refused it.
    """
    contents = {
        VERDICT_FILE: verdict_json(verdict),
        SUMMARY_FILE: summary_markdown(verdict).encode(),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [_write(folder / name, content) for name, content in contents.items()]
    except OSError as error:
        raise ResultsError(f"cannot write to {folder}: {error.strerror}") from error


def verdict_json(verdict: Verdict) -> bytes:
    """The verdict as verdict.json holds it; bytes of a name that are no UTF-8 become `?`."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS
    return orjson.dumps(_sound(verdict.as_plain()), option=options)


def read_verdict(path: Path) -> Verdict:
    """The verdict that a file holds.

    Raises:
        ResultsError: there is no such file, or it is none of this version.
    """
    try:
        content = orjson.loads(path.read_bytes())
        version = content["schema_version"]
        if version != SCHEMA_VERSION:
            raise ResultsError(
                f"{path} has schema_version {version!r}, this is {SCHEMA_VERSION}; "
                "read it with the version of fmnist-bench that wrote it"
            )
        return _verdict(content)
    except OSError as error:
        raise ResultsError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ResultsError(
            f"{path} is no verdict ({error!r}); run `fmnist-bench gate` again"
        ) from error


def append_step_summary(text: str, environ: Mapping[str, str]) -> str | None:
    """Adds the text to the summary of the step on GitHub, where this is one.

    Returns:
        A line of warning where that failed: the verdict stands without it.
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
    """Commands that make GitHub show what is in trouble, errors first, at most ten of a kind."""
    if not verdict.findings:
        return [annotation("error", "gate", str(headline(verdict)))]
    lines: dict[str, list[str]] = {"error": [], "warning": []}
    for finding in troubles(verdict):
        kind = "warning" if finding.outcome == "unclear" else "error"
        said = claim(finding) if finding.outcome == "worse" else name_of(finding)
        lines[kind].append(annotation(kind, f"gate, {finding.outcome}: {said}", described(finding)))
    return [line for kind, found in lines.items() for line in _most(kind, found)]


def annotation(kind: str, title: str, message: str) -> str:
    """The command that makes GitHub show a line beside the run.

    Nothing in title or message starts a command of its own, or steers a terminal.

    Args:
        kind: error or warning.
        title: what it is about.
        message: the line.
    """
    title = _of_command(title).replace(":", "%3A").replace(",", "%2C")
    return f"::{kind} title={title}::{_of_command(message)}"


def _most(kind: str, lines: list[str]) -> list[str]:
    if len(lines) <= MOST_ANNOTATIONS:
        return lines
    shown = lines[: MOST_ANNOTATIONS - 1]
    rest = f"{len(lines) - len(shown):,} more; verdict.json has them all"
    return [*shown, annotation(kind, "gate", rest)]


def _of_command(text: str) -> str:
    return one_line(text).replace("%", "%25")


def _sound(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The value without what no JSON holds: bytes that were no UTF-8 where they came from."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_sound(key): _sound(content) for key, content in value.items()}
    return [_sound(content) for content in value] if isinstance(value, list | tuple) else value


def _write(path: Path, content: bytes) -> Path:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _verdict(content: Mapping[str, Any]) -> Verdict:
    return Verdict(
        base=Commit(**content["base"]),
        head=Commit(**content["head"]),
        findings=tuple(_findings(content["findings"])),
        command=content["command"],
        environment=content["environment"],
        rule=content["rule"],
        measured=content["measured"],
        notes=tuple(content["notes"]),
        seconds=content["seconds"],
    )


def _findings(content: Any) -> Iterator[Finding]:  # noqa: ANN401 - whatever the file says
    for fields in content:
        finding = Finding(**fields)
        if finding.check not in get_args(Check) or finding.outcome not in get_args(Outcome):
            raise ValueError(f"unknown check or outcome: {finding.check}, {finding.outcome}")
        yield finding
