"""Tools for developers of fmnist-bench; they are not shipped."""
