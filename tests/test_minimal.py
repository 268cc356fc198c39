"""What an installation must do with its required packages alone, as a check of a wheel.

    python -m pytest tests/test_minimal.py -p no:cacheprovider

Nothing here needs torch, POT, shapely, hypothesis, or another file of tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import geomot


def python(*arguments, cwd):
    """Run an interpreter that imports the geomot under test; its standard output."""
    path = os.pathsep.join(
        [str(Path(geomot.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    )
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_loads_neither_torch_nor_matplotlib(tmp_path):
    code = "import sys, json, geomot; dir(geomot); print(json.dumps(sorted(sys.modules)))"
    modules = set(json.loads(python("-c", code, cwd=tmp_path)))
    assert "geomot" in modules
    assert not modules & {"torch", "matplotlib"}


def test_diagram():
    diagram = geomot.PowerDiagram([(0.25, 0.5), (0.5, 0.5), (0.75, 0.5)], [0.0, 1.0 / 16, 0.0])
    np.testing.assert_allclose(diagram.masses, [0.25, 0.5, 0.25], rtol=1e-14)
    assert diagram.facets.sites.tolist() == [[0, 1], [1, 2]]
    assert diagram.locate([(0.1, 0.9), (0.5, 0.1), (0.9, 0.5)]).tolist() == [0, 1, 2]


def test_solve_in_the_plane():
    solution = geomot.solve([(0.25, 0.5), (0.75, 0.5)], [0.3, 0.7])
    assert solution.converged
    assert solution.cost == pytest.approx(0.12416666666666666, rel=1e-12)
    assert solution.weights[0] - solution.weights[1] == pytest.approx(-0.2, rel=1e-9)


def test_solve_on_the_line():
    # sites at the midpoints of ten equal intervals: each moves the mass of its own
    solution = geomot.solve(np.arange(0.05, 1.0, 0.1)[:, None])
    assert solution.converged
    assert solution.cost == pytest.approx(1 / 1200, rel=1e-12)


def test_solve_by_samples():
    sites = np.random.default_rng(0).standard_normal((20, 4))
    source = geomot.Gaussian(np.zeros(4), 1.0)
    solution = geomot.solve(sites, source=source, tol=0.1, random_state=0)
    assert solution.converged and solution.method == "montecarlo"
    points = source.sample(20_000, 1)
    shares = np.bincount(solution.assign(points), minlength=20) / 20_000
    # the tolerance, and the error of as many samples, some 0.013
    assert 0.5 * np.abs(shares - 1 / 20).sum() <= 0.1 + 0.03


@pytest.mark.parametrize("d", [1, 2, 3])
def test_save_and_load(d, tmp_path):
    sites = np.random.default_rng(d).random((15, d))
    solution = geomot.solve(sites, tol=0.1, random_state=0)
    solution.save(tmp_path / "map.npz")
    loaded = geomot.load(tmp_path / "map.npz")
    assert loaded == solution
    assert loaded.weights_exact.tobytes() == solution.weights_exact.tobytes()


def test_command_line(tmp_path):
    assert python("-m", "geomot", "--version", cwd=tmp_path).split()[1] == geomot.__version__
    np.savetxt(tmp_path / "sites.csv", np.random.default_rng(0).random((30, 2)), delimiter=",")
    python("-m", "geomot", "fit", "sites.csv", "-o", "map.npz", cwd=tmp_path)
    solution = geomot.load(tmp_path / "map.npz")
    assert solution.converged
    np.testing.assert_allclose(solution.masses, 1 / 30, rtol=1.01e-9)


def test_figure_of_a_diagram(tmp_path):
    code = (
        "import matplotlib; matplotlib.use('Agg'); import numpy as np, geomot\n"
        "from geomot import plotting\n"
        "diagram = geomot.PowerDiagram(np.random.default_rng(0).random((30, 2)))\n"
        "plotting.power_diagram(diagram).figure.savefig('diagram.png')\n"
    )
    python("-c", code, cwd=tmp_path)
    assert (tmp_path / "diagram.png").read_bytes().startswith(b"\x89PNG")


def test_signs_are_exact_here(tmp_path):
    assert "All checks passed" in python("-m", "geomot", "self-test", cwd=tmp_path)
