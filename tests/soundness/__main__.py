"""Compares what `router check` says of many configs with what happens to their messages: `make soundness`."""

import sys

from tests.soundness.run import main

if __name__ == "__main__":
    sys.exit(main())
