"""What can be wrong with a request, and what can happen to a run."""

from results.text import one_line

MAX_REASON_CHARS = 1_000  # an exception may hold a whole tensor
MOST_CHARS = 1_200  # of a line; what a user typed may be longer, and stands in it


class UsageError(Exception):
    """Bad input: one line that names the remedy. The command line prints it and exits with 2."""


class RunError(Exception):
    """A run that ends without an answer: a row with a status, never a reason to stop the sweep."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def complaint(error: object) -> str:
    """What an error says, on one line; of a very long one the begin, and the end with the remedy.

    Nothing in it steers a terminal.
    """
    line, half = one_line(str(error)), MOST_CHARS // 2
    return line if len(line) <= MOST_CHARS else f"{line[:half]} ... {line[-half:]}"


def short_line(text: str) -> str:
    """A reason on one line of at most `MAX_REASON_CHARS`; nothing in it steers a terminal."""
    text = text[: 10 * MAX_REASON_CHARS]
    text = text.encode("utf-8", "backslashreplace").decode()  # file names may hold what JSON cannot
    line = one_line(text)
    return line if len(line) <= MAX_REASON_CHARS else f"{line[:MAX_REASON_CHARS]} ..."
