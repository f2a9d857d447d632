"""The one error that a user of this package may meet."""


class DataError(Exception):
    """A mistake or a lack that the user can mend: one line that names the remedy."""
