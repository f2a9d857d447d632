"""The plans of a model measured against each other, in turns."""
