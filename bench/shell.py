"""Standard streams and exit codes: what is written to them, and what an error comes to.

Every line that the product says leaves by `say`, `write_out` or a console of `make_console`: there
no name, reason or path is more than text.
"""

import contextlib
import errno
import io
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import UsageError, short_line
from results.text import visible, visible_lines

if TYPE_CHECKING:
    import typer
    from rich.console import Console, RenderableType

MOST_NOTES = 6  # lines below a table
WIDTH_OFF_TERMINAL = 120  # rich's own 80 would hide half of the columns in a CI log

READER_GONE = {errno.EPIPE, errno.EIO}  # a pipe's; a terminal's

REMEDIES = {  # of what the system may refuse at any place
    errno.ENOSPC: "make room and run it again",
    errno.EDQUOT: "make room and run it again",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.ELOOP: "name another place",
}


def run_main(main: Callable[..., None], name: str, arguments: Sequence[str]) -> int:
    """Run a command line of one command and return its exit code; see `run_app`."""
    import typer

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command()(paths_from_home(main))
    return run_app(app, list(arguments), name)


def run_app(app: "typer.Typer", arguments: list[str], name: str) -> int:
    """Run a command line and return its exit code; a mistake of the user's becomes one line."""
    import typer

    from data_pipeline import DataError
    from fmnist_models import ModelError
    from results.errors import NotComparable, ResultsError

    try:
        _check_directory()
        code: int = app(arguments, standalone_mode=False, prog_name=name) or 0
        sys.stdout.flush()
        return code
    except typer.Abort:  # what typer makes of Ctrl-C
        return 130
    except BrokenPipeError:  # `fmnist-bench --help | head`
        silence(sys.stdout.fileno())
        return 0
    except NotComparable as error:
        code, line = 4, str(error)
    except (UsageError, DataError, ModelError, ResultsError) as error:
        code, line = 2, str(error)
    except _usage_errors() as error:
        code, line = 2, error.format_message()  # type: ignore[attr-defined]
    except OSError as error:
        if error.errno not in REMEDIES:
            raise
        silence(sys.stdout.fileno())
        what = error.filename or "cannot write"
        code, line = 2, f"{what}: {error.strerror}; {REMEDIES[error.errno]}"
    say(f"fmnist-bench: {short_line(line)}")
    return code


def _check_directory() -> None:
    """Refuse to work in a directory that was removed: torch dies there without a word of ours."""
    try:
        Path.cwd()
    except OSError:
        raise UsageError("the working directory is gone; go to one that exists") from None


def from_home(path: str) -> str:
    """Put the home in place of a `~`; where nobody has that name the path stays as it is."""
    return os.path.expanduser(path)  # noqa: PTH111 - Path's own raises there


def paths_from_home(command: Callable[..., None]) -> Callable[..., None]:
    """Let the paths that a command is given begin with `~`: no shell puts the home into --out=~/x.

    Raises:
        UsageError: there is no such home, and no file of that name either.
    """

    def expanded(value: Any) -> Any:  # noqa: ANN401 - of any option
        if isinstance(value, list):
            return [*map(expanded, value)]
        if not isinstance(value, Path):
            return value
        try:
            return value.expanduser()
        except RuntimeError:
            if value.exists():  # ~draft.png
                return value
        raise UsageError(f"{value}: there is no such home here; name the path in full")

    @wraps(command)
    def with_homes(**values: Any) -> None:  # noqa: ANN401 - what the options say
        command(**{name: expanded(value) for name, value in values.items()})

    return with_homes


def _usage_errors() -> type[Exception]:
    """What an unknown option raises: click's exception, which newer typers carry inside."""
    import typer

    kinds = typer.BadParameter.__mro__
    return next(kind for kind in kinds if kind.__name__ in {"ClickException", "TyperException"})


def say(line: str) -> None:
    """Write one line to stderr, characters that nobody sees as escapes."""
    sys.stderr.write(f"{visible(line)}\n")


def settle_streams() -> None:
    """Open the standard streams that were closed, and let no write to stderr fail.

    A file opened later would get the number of a closed stream, and with it what is said there.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
            os.set_inheritable(number, True)
            stream = open(number, "r" if number == 0 else "w", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
    if sys.stderr is sys.__stderr__:  # not a test's
        outlast_reader("stderr")


def outlast_reader(name: str) -> None:
    """Replace stdout or stderr by a stream whose writes never fail."""
    stream = getattr(sys, name)
    if isinstance(stream, io.TextIOWrapper):
        buffer = io.BufferedWriter(_Lasting(stream.fileno(), "wb", closefd=False))
        lasting = io.TextIOWrapper(buffer, stream.encoding, stream.errors, line_buffering=True)
        setattr(sys, name, lasting)


class _Lasting(io.FileIO):
    """A file that goes to /dev/null once it takes no more."""

    def write(self, content: Any, /) -> int:  # noqa: ANN401 - bytes of any kind
        written = None
        with contextlib.suppress(OSError):
            written = super().write(content)
        if written is None:  # refused, or full and of the kind that does not wait for its reader
            silence(self.fileno())
            written = super().write(content)
        return written


def silence(number: int) -> None:
    """Redirect a broken pipe to /dev/null, for the interpreter's own flush at its exit too."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, number)
    os.close(nothing)


def write_out(content: str | bytes, *, is_drawn: bool = False) -> None:
    """Write to stdout; a reader that has gone, as in `table | head -1`, is no failure.

    Args:
        content: Text, of which characters that nobody sees are written as escapes, or bytes.
        is_drawn: Whether the text holds escapes of its own, and names that are visible already.

    Raises:
        UsageError: stdout takes no more for another reason, such as a full disk, or only some
            characters, and there are others in the content.
    """
    try:
        if isinstance(content, bytes):
            sys.stdout.buffer.write(content)
        else:
            sys.stdout.write(content if is_drawn else visible_lines(content))
        sys.stdout.flush()
    except UnicodeEncodeError:
        what = f"stdout takes {sys.stdout.encoding} only, and there is more to write"
        raise UsageError(f"{what}; set PYTHONIOENCODING=utf-8") from None
    except OSError as error:
        silence(sys.stdout.fileno())  # Python would stumble over it again when it exits
        if error.errno not in READER_GONE:
            raise UsageError(f"cannot write to stdout: {error.strerror}") from error


def terminal_width() -> int:
    """How many characters fit on a line of stdout."""
    return shutil.get_terminal_size((WIDTH_OFF_TERMINAL, 24)).columns


def make_console(**options: Any) -> "Console":  # noqa: ANN401 - what rich takes
    """Make the one kind of console that there is: on it a name is a name, and nothing else.

    Neither `[bold]` nor `:locked:` is markup, and what steers a terminal is drawn as text, whatever
    a table was made of.
    """
    from rich.console import Console, ConsoleOptions
    from rich.segment import Segment
    from rich.text import Text

    class PlainConsole(Console):
        def render_str(self, text: str, **options: Any) -> Text:  # noqa: ANN401 - as above
            return super().render_str(visible_lines(text), **options)  # before it is laid out

        def render(
            self, renderable: "RenderableType", options: ConsoleOptions | None = None
        ) -> Iterator[Segment]:
            for text, style, control in super().render(renderable, options):
                yield Segment(text if control else visible_lines(text), style, control)

    return PlainConsole(markup=False, emoji=False, highlight=False, **options)


def print_rich(
    table: "RenderableType",
    notes: Sequence[str],
    above: Sequence[str] = (),
    *,
    all_notes: bool = False,
    again: str = "",
) -> None:
    """Write a table to stdout, lines above it and notes below it, the most important first.

    At most six notes are written unless the option `--notes` asks for `all_notes`. `again` is a
    command as the last line, never wrapped; it counts as one of the six.
    """
    is_terminal = sys.stdout.isatty()
    drawn = io.TextIOWrapper(io.BytesIO(), sys.stdout.encoding or "utf-8", errors="replace")
    console = make_console(file=drawn, width=terminal_width(), force_terminal=is_terminal)
    for line in [*above, *([""] if above else [])]:
        console.print(visible(line), soft_wrap=not is_terminal)
    console.print(table)
    console.print()
    for line in first_notes(notes, len(notes) if all_notes else MOST_NOTES - bool(again)):
        console.print(visible(line), soft_wrap=not is_terminal)
    if again:
        console.print(visible(again), soft_wrap=True)
    drawn.seek(0)
    write_out(drawn.read(), is_drawn=is_terminal)


def first_notes(notes: Sequence[str], most: int = MOST_NOTES) -> list[str]:
    """Keep the first notes on at most so many lines; the last one says how many are left out."""
    if len(notes) <= most:
        return list(notes)
    return [*notes[: most - 1], f"{len(notes) - most + 1} more notes: add --notes"]
