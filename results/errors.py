"""What a user of the results can do wrong, each said in one line that names the remedy."""


class ResultsError(Exception):
    """One clear line for the user; the command line prints it and exits with 2."""


class RecordError(ResultsError):
    """A record, or a file of records, that cannot be written or read."""


class NotComparable(ResultsError):  # noqa: N818 - the name is part of the public interface
    """Records that must not stand side by side; the command line may exit with 4."""
