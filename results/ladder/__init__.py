"""Plans of a model against each other, as rows and tables."""
