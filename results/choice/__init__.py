"""Choose a model: the best by an objective within limits."""
