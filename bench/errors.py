"""What can be wrong with a request, and what can happen to a run."""

from results.text import one_line

MOST_CHARS = 1_000  # of a message; an exception may hold a whole tensor


class UsageError(Exception):
    """Bad input: one line that names the remedy. The command line prints it and exits with 2."""


class RunError(Exception):
    """A run that ends without an answer: a row with a status, never a reason to stop the sweep."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def short_line(message: object) -> str:
    """Put a message on one line; of a very long one keep the begin, and the end with the remedy.

    The line holds nothing that would steer a terminal, and nothing that JSON cannot hold.
    """
    text, half = str(message), MOST_CHARS // 2
    if len(text) > 20 * MOST_CHARS:  # a gigabyte of it takes no time
        text = text[: 10 * MOST_CHARS] + text[-10 * MOST_CHARS :]
    line = one_line(text.encode("utf-8", "backslashreplace").decode())
    return line if len(line) <= MOST_CHARS else f"{line[:half]} ... {line[-half:]}"
