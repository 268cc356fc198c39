"""The command fit: results, exit codes, one line per complaint."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import complaint

import geomot
from geomot import datasets
from geomot.cli import main

# ---------------------------------------------------------------------------------------------
# fit
# ---------------------------------------------------------------------------------------------


def test_fit_is_solve(sites, capsys):
    assert main(["fit", "sites.npy", "-o", "map.npz", "--threads", "1", "--tol", "1e-10"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith("map.npz: 40 sites, mass error ")
    assert geomot.load("map.npz") == geomot.solve(sites, tol=1e-10)


def test_a_map_can_be_fitted_again(fitted):
    assert main(["fit", "map.npz", "-o", "again.npz"]) == 0
    assert geomot.load("again.npz") == fitted


@pytest.mark.parametrize("spec", ["3", "mass", "masses.npy", "masses.csv"])
def test_masses(folder, spec):
    (folder / "sites.csv").write_text("x,y,mass\n0.25,0.5,0.3\n0.75,0.5,0.7\n")
    (folder / "two.csv").write_text("0.25,0.5\n0.75,0.5\n")
    np.save("masses.npy", [0.3, 0.7])
    (folder / "masses.csv").write_text("0.3\n0.7\n")
    file = "two.csv" if spec.startswith("masses.") else "sites.csv"
    assert main(["fit", file, "--masses", spec, "-o", "map.npz"]) == 0
    solution = geomot.load("map.npz")
    np.testing.assert_allclose(solution.masses, [0.3, 0.7], rtol=1e-9)
    assert solution.cost == pytest.approx(0.12416666666666666, rel=1e-12)


def test_masses_are_normalised_on_request_only(folder, capsys):
    (folder / "s.csv").write_text("0.25,0.5,30\n0.75,0.5,70\n")
    line = complaint(capsys, ["fit", "s.csv", "--masses", "3", "-o", "map.npz"])
    assert "--masses must sum to 1, got 100.0: add --normalize to divide by the sum" in line
    assert main(["fit", "s.csv", "--masses", "3", "--normalize", "-o", "map.npz"]) == 0
    np.testing.assert_allclose(geomot.load("map.npz").target_masses, [0.3, 0.7])
    capsys.readouterr()
    complaint(capsys, ["fit", "s.csv", "--normalize", "-o", "map.npz"])


def test_not_converged(folder, capsys):
    np.save("sites.npy", datasets.clust2d(500))
    line = complaint(capsys, ["fit", "sites.npy", "-o", "map.npz", "--max-iter", "1"], 3)
    assert "not converged (max_iter)" in line
    solution = geomot.load("map.npz")
    assert not solution.converged
    assert solution.status == "max_iter"


@pytest.mark.parametrize(
    "argv",
    [
        ["fit", "missing.npy", "-o", "map.npz"],
        ["fit", "missing.csv", "-o", "map.npz"],
        ["fit", ".", "-o", "map.npz"],
        ["fit", "sites.npy"],
        ["fit", "sites.npy", "-o", "no/such/folder/map.npz"],
        ["fit", "sites.npy", "-o", "."],
        ["fit", "sites.npy", "-o", "map.npz", "--tol", "0"],
        ["fit", "sites.npy", "-o", "map.npz", "--tol", "nan"],
        ["fit", "sites.npy", "-o", "map.npz", "--tol", "small"],
        ["fit", "sites.npy", "-o", "map.npz", "--threads", "0"],
        ["fit", "sites.npy", "-o", "map.npz", "--max-iter", "-1"],
        ["fit", "sites.npy", "-o", "map.npz", "--method", "magic"],
        [
            "fit",
            "sites.npy",
            "-o",
            "map.npz",
            "--method",
            "newton",
            "--domain",
            "samples:sites.npy",
        ],
        ["fit", "sites.npy", "-o", "map.npz", "--seed", "-1"],
        ["fit", "sites.npy", "-o", "map.npz", "--seed", "x"],
        ["fit", "sites.npy", "-o", "map.npz", "--masses", "7"],
        ["fit", "sites.npy", "-o", "map.npz", "--masses", "0"],
        ["fit", "sites.npy", "-o", "map.npz", "--masses", "missing"],
        ["fit", "sites.npy", "-o", "map.npz", "--masses", "sites.npy"],
        ["sample", "sites.npy", "-n", "3", "-o", "out.npy"],
        ["sample", "map.npz", "-n", "-3", "-o", "out.npy"],
        ["sample", "map.npz", "-n", "many", "-o", "out.npy"],
        ["sample", "map.npz", "-n", "3", "-o", "out.xlsx"],
        ["sample", "map.npz", "-n", "3", "-o", "out.npy", "--seed", "-1"],
        ["plot", "map.npz", "-o", "figure.bmp"],
        ["plot", "map.npz", "-o", "figure"],
        ["plot", "map.npz", "-o", "figure.png", "--kind", "pie"],
        ["plot", "map.npz", "-o", "figure.png", "--color", "missing.csv"],
        ["plot", "map.npz", "-o", "figure.png", "--color", "sites.npy"],
        ["plot", "map.npz", "-o", "figure.png", "--kind", "map", "--color", "masses"],
        ["plot", "map.npz", "-o", "figure.png", "--kind", "masses", "--color", "masses"],
        ["plot", "map.npz", "-o", "figure.png", "--dpi", "1e9"],
        ["plot", "map.npz", "-o", "figure.png", "--kind", "map", "--samples", "-1"],
        ["info", "missing.npz"],
        ["info", "sites.npy"],
        ["demo", "--seed", "-1"],
        ["demo", "-o", "sites.npy"],
        ["frobnicate"],
        [],
    ],
)
def test_bad_arguments(fitted, capsys, argv):
    before = sorted(os.listdir())
    complaint(capsys, argv)
    assert sorted(os.listdir()) == before


def test_fit_in_five_dimensions_is_solve(cloud, capsys):
    argv = [
        "fit",
        "cloud.npy",
        "-o",
        "map.npz",
        "--domain",
        "normal",
        "--tol",
        "0.08",
        "--seed",
        "3",
    ]
    assert main(argv) == 0
    out, err = capsys.readouterr()
    assert err == ""
    source = geomot.Gaussian(np.zeros(5), 1.0)
    solution = geomot.solve(cloud, source=source, tol=0.08, random_state=3)
    assert geomot.load("map.npz") == solution
    estimate = solution.estimate
    low, high = estimate.tv_interval
    lower, upper = solution.bracket
    assert out.startswith(
        f"map.npz: 100 sites in 5 dimensions, total variation {estimate.tv:.2g} in "
        f"[{low:.2g}, {high:.2g}] (95 %), {estimate.n_fit_samples} samples fitted and "
        f"{estimate.n_samples} tested, W2^2 in [{lower:.6g}, {upper:.6g}] (97.5 % each), "
    )
    assert out.endswith(" s\n")


def test_a_seed_gives_the_same_file(cloud):
    argv = ["fit", "cloud.npy", "--domain", "normal", "--tol", "0.1"]
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert main([*argv, "-o", f"{name}.npz", "--seed", seed]) == 0
    a, b, c = (Path(f"{name}.npz").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_methods(sites):
    assert main(["fit", "sites.npy", "-o", "map.npz", "--method", "newton"]) == 0
    assert geomot.load("map.npz").estimate is None
    argv = ["fit", "sites.npy", "-o", "map.npz", "--method", "montecarlo", "--seed", "0"]
    assert main([*argv, "--tol", "0.05"]) == 0
    solution = geomot.load("map.npz")
    assert (solution.method, solution.tol) == ("montecarlo", 0.05)
    assert main([*argv, "--domain", "regular:6,0.5,0.5,1"]) == 0
    assert geomot.load("map.npz").tol == 0.01


def test_sampled_map_that_did_not_converge(cloud, capsys):
    argv = ["fit", "cloud.npy", "-o", "map.npz", "--max-iter", "2", "--seed", "0"]
    assert main(argv) == 3
    warning, line = capsys.readouterr().err.splitlines()
    assert warning.startswith("geomot fit: warning: all 100 sites lie outside the domain")
    assert "not converged (max_iter): total variation 0." in line
    assert "tolerance 0.01; the map was written" in line
    assert geomot.load("map.npz").status == "max_iter"


def test_map_of_a_normal_source_in_the_plane(sites, capsys):
    assert main(["fit", "sites.npy", "-o", "map.npz", "--domain", "match"]) == 0
    assert geomot.load("map.npz").method == "newton"
    capsys.readouterr()
    for kind in ("map", "diagram"):
        assert main(["plot", "map.npz", "-o", f"{kind}.png", "--kind", kind]) == 0
        assert os.path.getsize(f"{kind}.png") > 1000


def test_map_of_a_source_without_cells_in_the_plane(sites, capsys):
    np.save("points.npy", np.random.default_rng(4).random((500, 2)))
    argv = ["fit", "sites.npy", "-o", "map.npz", "--domain", "samples:points.npy", "--tol", "0.1"]
    assert main([*argv, "--seed", "0"]) == 0
    capsys.readouterr()
    assert main(["plot", "map.npz", "-o", "figure.png", "--kind", "map"]) == 0
    assert os.path.getsize("figure.png") > 1000
    line = complaint(capsys, ["plot", "map.npz", "-o", "other.png", "--kind", "diagram"])
    assert "for exact diagrams" in line


def test_progress_shows_the_error(cloud, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    argv = ["fit", "cloud.npy", "-o", "map.npz", "--domain", "normal", "--tol", "0.05"]
    assert main([*argv, "--seed", "0"]) == 0
    err = capsys.readouterr().err
    assert "Monte Carlo to 0.05: " in err
    tv = geomot.load("map.npz").history.residual[-1]
    assert f"tv={tv:.3g}]" in err


def test_fit_on_the_line(folder, capsys):
    (folder / "line.csv").write_text("y\n0.3\n0.9\n0.1\n")
    assert main(["fit", "line.csv", "-o", "map.npz"]) == 0
    assert "mass error" in capsys.readouterr().out
    solution = geomot.load("map.npz")
    np.testing.assert_allclose(solution.masses, 1 / 3, rtol=1e-9)
    assert main(["sample", "map.npz", "-n", "9", "-o", "out.csv", "--pairs", "--seed", "0"]) == 0
    assert (folder / "out.csv").read_text().startswith("x1,y1,site\n")
    assert main(["fit", "line.csv", "-o", "map.npz", "--method", "quantile"]) == 0
    for kind in ("diagram", "sites", "masses", "convergence"):
        assert main(["plot", "map.npz", "-o", "figure.png", "--kind", kind]) == 0
    capsys.readouterr()
    complaint(capsys, ["plot", "map.npz", "-o", "figure.png", "--kind", "contours"])
