"""``python -m geomot``: the command line."""

from __future__ import annotations

import sys

from geomot.cli import main

if __name__ == "__main__":
    sys.exit(main())
