"""`python -m backpack`: the command line."""

import sys

from backpack.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
