"""Processes whose arithmetic is changed before geomot tests it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import geomot

# Each mode is set, tested and taken back. The control register of x86 holds all of them: two bits
# for the rounding, one that flushes results to zero, and one that ignores small operands.
MODES = """
#include <xmmintrin.h>
void set_mode(unsigned bits) { _mm_setcsr(0x1f80 | bits); }
"""
BITS = {"down": 0x2000, "up": 0x4000, "to zero": 0x6000, "flush": 0x8000, "ignore": 0x0040}

# A library like this one, linked with -ffast-math, sets two bits when it is loaded.
FAST = "int fast(void) { return 0; }"

CODE = """
import ctypes, json, sys
import geomot, geomot.diagnostics

def tested():
    report = geomot.self_test(strict=False)
    return report.passed, [c.name for c in report.checks if not c.passed], str(report)

geomot.self_test()
set_mode = ctypes.CDLL(sys.argv[1]).set_mode
found = {}
for name, bits in json.loads(sys.argv[3]).items():
    set_mode(bits)
    found[name] = tested()
    set_mode(0)
c_library = ctypes.CDLL(None)
if sys.platform == "linux" and hasattr(c_library, "fesetround"):
    c_library.fesetround(0x800)
    found["fesetround"] = tested()
    c_library.fesetround(0)
assert geomot.self_test().passed
ctypes.CDLL(sys.argv[2])
found["library"] = tested()
print(json.dumps(found))
"""


def compiled(folder, name, source, *flags):
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("needs gcc")
    (folder / f"{name}.c").write_text(source)
    done = subprocess.run(
        [compiler, "-shared", "-fPIC", *flags, "-o", f"{name}.so", f"{name}.c"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"needs gcc for x86: {done.stderr}")
    return str(folder / f"{name}.so")


@pytest.fixture(scope="module")
def under_modes(tmp_path_factory):
    """For each mode: whether the self-test passed there, names of failed checks, and the report."""
    folder = tmp_path_factory.mktemp("modes")
    libraries = compiled(folder, "modes", MODES), compiled(folder, "fast", FAST, "-ffast-math")
    done = subprocess.run(
        [sys.executable, "-c", CODE, *libraries, json.dumps(BITS)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(geomot.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
