"""The command line as a program: help, signals, pipes, processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from commands import complaint, geomot_process

import geomot
from geomot import datasets
from geomot.cli import main

# Processes use the geomot that is tested, installed or not.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(geomot.__file__).parents[1])}


def test_help_and_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith(f"geomot {geomot.__version__}\n  Python")
    assert main(["fit", "--help"]) == 0
    assert "regular:N" in capsys.readouterr().out


def test_interrupt_gives_130(sites, capsys, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(geomot, "solve", interrupted)
    line = complaint(capsys, ["fit", "sites.npy", "-o", "map.npz"], 130)
    assert line == "geomot fit: interrupted\n"


def test_processes(sites):
    result = geomot_process("fit", "sites.npy", "-o", "map.npz")
    assert (result.returncode, result.stderr) == (0, "")
    result = geomot_process("info", "map.npz")
    assert (result.returncode, result.stderr) == (0, "")
    result = geomot_process("fit", "missing.npy", "-o", "map.npz")
    assert result.returncode == 2
    assert result.stderr == "geomot fit: error: missing.npy: No such file or directory\n"
    result = geomot_process("fit")
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1


def test_a_closed_pipe_is_no_error(fitted):
    command = f'"{sys.executable}" -m geomot info map.npz | true'
    result = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
    )
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.skipif(sys.platform == "win32", reason="signals differ there")
def test_control_c(folder):
    np.save("sites.npy", datasets.clust2d(100_000))
    keep = ("--checkpoint", "last.npz")
    process = subprocess.Popen(
        [sys.executable, "-m", "geomot", "fit", "sites.npy", "-o", "map.npz", *keep],
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    # The solve is under way as soon as it has something to keep.
    while not os.path.exists("last.npz") and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == "geomot fit: interrupted\n"
    assert not os.path.exists("map.npz")
