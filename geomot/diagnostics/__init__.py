"""What a bug report needs: whether this machine computes exactly, and which versions are installed.

`self_test` checks in a second that exact signs are exact on this machine, in this process:
arithmetic rounds to nearest, keeps small numbers, and was compiled as written. `show_versions`
prints the versions of geomot, of Python, and of the packages that geomot uses.

Examples
--------
>>> import geomot
>>> geomot.self_test().passed
True
"""

from geomot.diagnostics.checks import self_test
from geomot.diagnostics.report import Check, SelfTest
from geomot.diagnostics.versions import show_versions

__all__ = ["Check", "SelfTest", "self_test", "show_versions"]
