"""`python -m bench.counts`; see `check.py`."""

import sys

from bench.counts.check import main
from bench.shell import run_main

if __name__ == "__main__":
    sys.exit(run_main(main, "bench.counts", sys.argv[1:]))
