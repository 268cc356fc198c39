"""The scripts in examples/ and the code in the README and in docs/ run as they stand."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import geomot

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("plot_*.py"))

# Pages whose code runs from top to bottom, as one script.
PAGES = ("comparing.md", "judging.md", "reading.md", "regions.md")

# Commands that take hours, or name files that readers have.
NOT_RUN = re.compile("geomot compare .*")


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


def run_page(path, folder):
    """Run the Python code of a page as one script."""
    text = path.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.S | re.M)
    assert blocks
    script = folder / "page.py"
    script.write_text("\n".join(blocks), encoding="utf-8")
    result = run([str(script)], folder)
    assert result.returncode == 0, result.stderr
    return result


def test_examples_are_found():
    assert len(EXAMPLES) >= 4


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_figures_of_examples_fit_a_page(path):
    text = path.read_text(encoding="utf-8")
    assert "with plotting.style(width=7):" in text
    assert set(re.findall(r"figsize=\((\d+\.?\d*),", text)) <= {"7"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path, tmp_path):
    text = path.read_text(encoding="utf-8")
    if re.search("torch|Autoencoder", text) and find_spec("torch") is None:
        pytest.skip("needs torch")
    result = run([str(path)], tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""


def test_code_of_readme(tmp_path):
    result = run_page(ROOT / "README.md", tmp_path)
    # the output that the first example shows
    shown = re.findall(
        r"^```text\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S | re.M
    )
    numbers = re.compile(r"largest relative error of a cell \S+")
    assert numbers.sub("", result.stdout).startswith(numbers.sub("", shown[0]))
    assert (tmp_path / "map.npz").exists()


@pytest.mark.parametrize("name", PAGES)
def test_code_of_pages(name, tmp_path):
    path = ROOT / "docs" / name
    run_page(path, tmp_path)
    for block in re.findall(r"^```sh\n(.*?)^```", path.read_text(encoding="utf-8"), re.S | re.M):
        for command in filter(lambda line: not NOT_RUN.match(line), block.splitlines()):
            program, *arguments = shlex.split(command, comments=True)
            assert program == "geomot"
            result = run(["-m", "geomot", *arguments], tmp_path)
            assert result.returncode == 0, result.stderr


def test_readme_marks_its_commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in ("demo", "test"):
        assert len(re.findall(rf"<!-- {name}-command -->\n```sh\n[^\n]+\n```", text)) == 1
