"""Exact counts of models, compiled steps and an epoch, held against tests/counts.toml."""
