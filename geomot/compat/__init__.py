"""Interfaces of other packages, for scripts that were written for them.

`geomot.compat.pysdot` has the names, signs and units of pysdot.
"""

from __future__ import annotations

from geomot.compat import pysdot

__all__ = ["pysdot"]
