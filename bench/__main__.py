"""`python -m bench` and `fmnist-bench`: runs the command line, turns mistakes into one line.

What lies in the working directory does not matter to `fmnist-bench`. `python -m` puts that folder
before everything else: plain folders do not matter there either, but a module `results.py` or
`json.py` does, as it does to every program; `python -P -m bench` ignores it.
"""

import gc
import sys

from bench.shell import run_app, settle_streams


def main() -> None:
    """Run the command line and exit with its code."""
    settle_streams()
    gc.set_threshold(1_000_000, 50, 50)  # records are millions of objects, and hold no cycles
    try:
        from bench.cli import app
        from bench.machine.cache import name_compile_folder_in_full

        name_compile_folder_in_full()
        code = run_app(app, sys.argv[1:] or ["--help"], "fmnist-bench")
    except KeyboardInterrupt:  # here, so that it is caught during the imports too
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
