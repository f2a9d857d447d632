"""`python -m bench` and `fmnist-bench`: runs the command line, turns mistakes into one line.

What lies in the working directory does not matter to `fmnist-bench`. `python -m` puts that folder
before everything else: plain folders do not matter there either, but a module `results.py` or
`json.py` does, as it does to every program; `python -P -m bench` ignores it.
"""

import errno
import sys
from typing import TYPE_CHECKING

from bench.streams import settle_streams, silence

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
    settle_streams()
    try:
        from bench.cli import app

        code = run_app(app, sys.argv[1:] or ["--help"], "fmnist-bench")
    except KeyboardInterrupt:  # here, so that it is caught during the imports too
        code = 130
    sys.exit(code)


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
        silence(sys.stdout.fileno())
        code = 0
    except OSError as error:
        if error.errno not in REMEDIES:
            raise
        silence(sys.stdout.fileno())
        what = error.filename or "cannot write"
        code = _complain(f"{what}: {error.strerror}; {REMEDIES[error.errno]}", 2)
    return code


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
