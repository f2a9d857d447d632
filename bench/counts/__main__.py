"""`python -m bench.counts`; see `check.py`."""

import sys

from bench.counts.check import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
