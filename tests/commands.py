"""How tests run commands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import geomot
from geomot.cli import main

# Processes use the geomot that is tested, installed or not.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(geomot.__file__).parents[1])}


def complaint(capsys, argv, code=2):
    """Run, check the exit code, and return the one line on stderr."""
    assert main(argv) == code
    out, err = capsys.readouterr()
    assert err.endswith("\n")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    if code == 2:
        assert out == ""
    return err


def geomot_process(*argv):
    return subprocess.run(
        [sys.executable, "-m", "geomot", *argv],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=ENVIRONMENT,
    )


def fit(*options):
    return main(["fit", *options, "-o", "map.npz"])


def refusal(capsys, *argv):
    """Run, and return the one line of a refusal."""
    assert main(list(argv)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1 and err.endswith("\n")
    return err.removesuffix("\n")
