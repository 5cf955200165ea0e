#!/usr/bin/env python3
"""Videos -> landmark files. See README.md, or run with -h."""

import sys

from utils.commands.extract_landmarks import NAME, main
from utils.console import run_script

if __name__ == "__main__":
    sys.exit(run_script(NAME, main))
