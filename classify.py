#!/usr/bin/env python3
"""Videos or landmark files -> label and score. See README.md, or run with -h."""

import sys

from utils.commands.classify import NAME, main
from utils.console import run_script

if __name__ == "__main__":
    sys.exit(run_script(NAME, main))
