"""Make the tests run against the installed package, whichever way pytest is started.

`python -m pytest` puts the checkout first on the module path, and there `geomot/` has no compiled
core unless a developer has built it in place. Without such a build the checkout is taken off the
path again, here and in the processes that tests start.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

ROOT = Path(__file__).resolve().parent

built_in_place = any((ROOT / "geomot" / f"_power{s}").exists() for s in EXTENSION_SUFFIXES)
if not built_in_place:
    sys.path[:] = [p for p in sys.path if Path(p or os.curdir).resolve() != ROOT]
    os.environ["PYTHONSAFEPATH"] = "1"
