"""`python -m lrnet clip.mp4`: what `lrnet` runs, which is `classify.py`."""

import sys

from .commands.classify import run

if __name__ == "__main__":
    sys.argv[0] = "lrnet"
    sys.exit(run())
