"""What can be wrong with a request, and what can happen to a run."""

from results.text import one_line

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
