"""`python -m bench` and `fmnist-bench`: runs the command line, turns mistakes into one line."""

import errno
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import typer

REMEDIES = {  # of what the system may refuse at any place
    errno.ENOSPC: "make room and run it again",
    errno.EDQUOT: "make room and run it again",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.ELOOP: "name another place",
}


def main() -> None:
    """Runs the command line and exits with its code."""
    _open_closed_streams()
    try:
        from bench.cli import app

        code = run_app(app, sys.argv[1:] or ["--help"], "fmnist-bench")
    except KeyboardInterrupt:  # here, so that it is caught during the imports too
        code = 130
    sys.exit(code)


def _open_closed_streams() -> None:
    """Of a stream that the caller has closed Python makes None, which nothing can write to."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115


def run_app(app: "typer.Typer", arguments: list[str], name: str) -> int:
    """Runs a command line and gives its exit code; what a user did wrong becomes one line."""
    import typer

    from bench.errors import UsageError
    from data_pipeline import DataError
    from fmnist_models import ModelError
    from results.errors import NotComparable, ResultsError

    try:
        code: int = app(arguments, standalone_mode=False, prog_name=name) or 0
        sys.stdout.flush()
    except NotComparable as error:
        code = _complain(error, 4)
    except (UsageError, DataError, ModelError, ResultsError) as error:
        code = _complain(error, 2)
    except _usage_errors() as error:
        code = _complain(error.format_message(), 2)  # type: ignore[attr-defined]
    except typer.Abort:  # what typer makes of Ctrl-C
        code = 130
    except BrokenPipeError:  # `fmnist-bench --help | head`
        _end_stdout()
        code = 0
    except OSError as error:
        if error.errno not in REMEDIES:
            raise
        _end_stdout()
        what = error.filename or "cannot write"
        code = _complain(f"{what}: {error.strerror}; {REMEDIES[error.errno]}", 2)
    return code


def _end_stdout() -> None:
    """Lets Python write nothing more to stdout when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _usage_errors() -> type[Exception]:
    """What an unknown option raises: click's exception, which newer typers carry inside."""
    import typer

    kinds = typer.BadParameter.__mro__
    return next(kind for kind in kinds if kind.__name__ in {"ClickException", "TyperException"})


def _complain(error: object, code: int) -> int:
    from bench.errors import complaint

    print(f"fmnist-bench: {complaint(error)}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
