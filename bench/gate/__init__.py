"""The gate: two commits measured in interleaved turns, and held against each other."""
