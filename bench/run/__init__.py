"""The story of one run. Read `seed.py` first: it goes from set-up to findings."""
