"""`python -m lrnet clip.mp4`, the same as `lrnet` and `classify.py`."""

import sys

from .commands.classify import run

if __name__ == "__main__":
    sys.argv[0] = "lrnet"
    sys.exit(run())
