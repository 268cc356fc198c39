"""The scripts in examples/ and the code in the README run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import geomot

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("plot_*.py"))


def run(arguments, folder):
    # The geomot that is tested, installed or not.
    package = str(Path(geomot.__file__).parents[1])
    environment = {**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": package}
    # Showing a figure is the one thing that Agg cannot do, and says so.
    warnings = ["-W", "error", "-W", "ignore:FigureCanvasAgg is non-interactive:UserWarning"]
    return subprocess.run(
        [sys.executable, *warnings, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_examples_are_found():
    assert len(EXAMPLES) >= 4


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path, tmp_path):
    text = path.read_text(encoding="utf-8")
    if re.search("torch|Autoencoder", text) and find_spec("torch") is None:
        pytest.skip("needs torch")
    result = run([str(path)], tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""


def test_readme_example(tmp_path):
    blocks = re.findall(
        r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S | re.M
    )
    assert len(blocks) == 3
    script = tmp_path / "readme.py"
    script.write_text("\n".join(blocks), encoding="utf-8")
    result = run([str(script)], tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("converged ")
    assert (tmp_path / "map.npz").exists()


def test_readme_marks_its_commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in ("demo", "test"):
        assert len(re.findall(rf"<!-- {name}-command -->\n```sh\n[^\n]+\n```", text)) == 1
