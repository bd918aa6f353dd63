"""``python -m spike_engine.cli``."""

import sys

from spike_engine.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
