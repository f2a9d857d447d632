"""What can be wrong with a request, and what can happen to a run."""


class UsageError(Exception):
    """Bad input: one line that names the remedy. The command line prints it and exits with 2."""


class RunError(Exception):
    """A run that ends without an answer: a row with a status, never a reason to stop the sweep."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
