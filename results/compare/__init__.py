"""Two sets of records against each other."""
