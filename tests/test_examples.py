"""The scripts in examples/ and the code in the README and in docs/ run as they stand."""

from __future__ import annotations

import math
import os
import re
import runpy
import shlex
import subprocess
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

import geomot

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("plot_*.py"))

# Pages whose code runs from top to bottom, as one script.
PAGES = (
    "coming_from.md",
    "comparing.md",
    "judging.md",
    "pysdot.md",
    "reading.md",
    "regions.md",
    "space.md",
)

# Pages that show all that their code prints.
TUTORIALS = [ROOT / "docs" / "start.md", *sorted((ROOT / "docs" / "tutorials").glob("[!i]*.md"))]

# How far printed numbers may be from those shown, relatively and absolutely: samples and training
# differ from one kind of processor to another, and so do errors that are rounding.
SAMPLED = ("estimate", "noise_to_images", "start", "torch_loss")
NUMBER = re.compile(r"\d+\.?\d*(?:e[-+]\d+)?")

# What takes long in the examples, and less of it that shows as well that they run. With --slow they
# run as they stand.
SMALLER = {
    "plot_any_dimension": {"= digits()": "= (part[:500] for part in digits())"},
    "plot_assignment": {"else 2000": "else 300"},
    "plot_compare_digits": {
        '"VAE", "potential regression",\n          "fluid flow", "flow matching")': '"VAE")'
    },
    "plot_crowd": {
        "= 150\n": "= 40\n",
        "watch=(0.0, 5.0, 12.5, 20.0)": "watch=(0.0, 2.0, 4.0, 6.0)",
    },
    "plot_coupling": {
        "gaussian_modes(2000": "gaussian_modes(200",
        "range(600)": "range(10)",
        "n_batches=600": "n_batches=10",
        "AnnealingLR(optimizer, 600)": "AnnealingLR(optimizer, 10)",
        "standard_normal((1000, 2))": "standard_normal((200, 2))",
    },
    "plot_digits_latent": {
        "epochs=100": "epochs=3",
        "= digits()": "= (part[:500] for part in digits())",
    },
    "plot_early_universe": {"default=10_648": "default=512"},
    "plot_eight_gaussians": {'"max_steps": 200': '"max_steps": 10'},
    "plot_fluid_flow": {
        '"MTGN": 120, "GAN": 160': '"MTGN": 20, "GAN": 20',
        "else 256": "else 64",
        "standard_normal((2000, 2))": "standard_normal((300, 2))",
    },
    "plot_gaussian_quantisation": {"geomspace(1, 400, 16)": "geomspace(1, 40, 6)"},
    "plot_grains": {"N, ROUNDS = 5000, 4": "N, ROUNDS = 300, 1"},
    "plot_image_folder": {'"epochs": 25': '"epochs": 1', "each=120": "each=30"},
    "plot_incompressible_fluid": {"= 600, 50,": "= 150, 10,"},
    "plot_latent_generation": {
        '"epochs": 12': '"epochs": 1',
        "order[:1000]": "order[:400]",
        "else 3, random_state": "else 1, random_state",
    },
    "plot_latent_space_3d": {"= digits()": "= (part[:500] for part in digits())"},
    "plot_polytopes": {"N = 120": "N = 40"},
    "plot_polycrystal": {"N = 400": "N = 100", "range(40)": "range(5)"},
    "plot_proximal_flows": {'"max_steps": 45': '"max_steps": 5', "else 500": "else 100"},
    "plot_stippling": {"default=20_000": "default=1000", "m = 1000": "m = 200"},
    "plot_scanned_grains": {"= 64, 400, 3": "= 24, 40, 1"},
    "plot_shapes": {"quantize(annulus, 1000": "quantize(annulus, 150"},
    "plot_shapes_in_space": {"N = 4000": "N = 500"},
    "plot_two_gaussians": {
        '"max_steps": 120': '"max_steps": 10',
        '"max_steps": 200': '"max_steps": 10',
    },
}

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


def smaller(path):
    """Return the code of an example with less of what takes long."""
    text = path.read_text(encoding="utf-8")
    for much, less in SMALLER.get(path.stem, {}).items():
        assert much in text, much
        text = text.replace(much, less)
    return text


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path, tmp_path, request, monkeypatch, capfd):
    text = path.read_text(encoding="utf-8")
    if re.search("torch|Autoencoder", text) and find_spec("torch") is None:
        pytest.skip("needs torch")
    script = tmp_path / path.name
    script.write_text(text if request.config.getoption("--slow") else smaller(path), "utf-8")
    monkeypatch.setattr(sys, "argv", [str(script)])
    monkeypatch.chdir(tmp_path)
    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.extend(plt.get_fignums()))
    plt.close("all")
    with mpl.rc_context({"backend": "Agg"}), warnings.catch_warnings():
        warnings.simplefilter("error")
        runpy.run_path(str(script), run_name="__main__")
        for number in shown:
            plt.figure(number).canvas.draw()
    assert shown
    assert capfd.readouterr().err == ""
    plt.close("all")


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
    if "from ot import" in path.read_text(encoding="utf-8") and find_spec("ot") is None:
        pytest.skip("needs POT")
    run_page(path, tmp_path)
    for block in re.findall(r"^```sh\n(.*?)^```", path.read_text(encoding="utf-8"), re.S | re.M):
        for command in filter(lambda line: not NOT_RUN.match(line), block.splitlines()):
            program, *arguments = shlex.split(command, comments=True)
            assert program == "geomot"
            result = run(["-m", "geomot", *arguments], tmp_path)
            assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_code_of_tutorials(path, tmp_path):
    text = path.read_text(encoding="utf-8")
    if "import torch" in text and find_spec("torch") is None:
        pytest.skip("needs torch")
    printed = run_page(path, tmp_path).stdout
    shown = "".join(re.findall(r"^```text\n(.*?)^```", text, re.S | re.M))
    assert NUMBER.sub("#", shown) == NUMBER.sub("#", printed)
    relative, absolute = (0.25, 0.01) if path.stem in SAMPLED else (0.01, 1e-8)
    for a, b in zip(NUMBER.findall(shown), NUMBER.findall(printed), strict=True):
        assert math.isclose(float(a), float(b), rel_tol=relative, abs_tol=absolute), (a, b)


def test_readme_marks_its_commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in ("demo", "test"):
        assert len(re.findall(rf"<!-- {name}-command -->\n```sh\n[^\n]+\n```", text)) == 1
