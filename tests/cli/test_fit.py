"""The command line: results, exit codes, one line per complaint."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

import geomot
from geomot import datasets
from geomot.cli import main

# Processes use the geomot that is tested, installed or not.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(geomot.__file__).parents[1])}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def sites(folder):
    points = datasets.u2d(40)
    np.save("sites.npy", points)
    return points


@pytest.fixture
def fitted(sites, capsys):
    assert main(["fit", "sites.npy", "-o", "map.npz"]) == 0
    capsys.readouterr()
    return geomot.load("map.npz")


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


# ---------------------------------------------------------------------------------------------
# fit
# ---------------------------------------------------------------------------------------------


def test_fit_is_solve(sites, capsys):
    assert main(["fit", "sites.npy", "-o", "map.npz", "--threads", "1", "--tol", "1e-10"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith("map.npz: 40 sites, mass error ")
    assert geomot.load("map.npz") == geomot.solve(sites, tol=1e-10)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("plain.csv", "0.25,0.5\n0.75,0.5\n"),
        ("header.csv", "x,y\n0.25,0.5\n0.75,0.5\n"),
        ("quoted.csv", '"x","y"\r\n0.25,0.5\r\n0.75,0.5\r\n'),
        ("mark.csv", "\ufeffx,y\n0.25,0.5\n0.75,0.5\n"),
        ("semicolon.csv", "0.25;0.5\n0.75;0.5\n"),
        ("tabs.tsv", "0.25\t0.5\n0.75\t0.5\n"),
        ("blanks.txt", "# two sites\n\n  0.25   0.5\n0.75 5e-1\n"),
    ],
)
def test_text_files(folder, name, text):
    (folder / name).write_bytes(text.encode())
    assert main(["fit", name, "-o", "map.npz"]) == 0
    assert geomot.load("map.npz").sites.tolist() == [[0.25, 0.5], [0.75, 0.5]]


def test_npz_files(sites, capsys):
    np.savez("one.npz", anything=sites)
    np.savez_compressed("named.npz", sites=sites, other=np.zeros(3))
    np.savez("several.npz", a=sites, b=sites + 1)
    assert main(["fit", "one.npz", "-o", "map.npz"]) == 0
    assert main(["fit", "named.npz", "-o", "map.npz"]) == 0
    assert main(["fit", "several.npz", "--array", "b", "-o", "map.npz"]) == 0
    np.testing.assert_array_equal(geomot.load("map.npz").sites, sites + 1)
    capsys.readouterr()
    line = complaint(capsys, ["fit", "several.npz", "-o", "map.npz"])
    assert "choose an array with --array: a, b" in line
    assert "--array applies to npz" in complaint(
        capsys, ["fit", "sites.npy", "--array", "a", "-o", "map.npz"]
    )


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


@pytest.mark.parametrize(
    ("spec", "area"),
    [
        ("unit", 1.0),
        ("box:0,0,2,3", 6.0),
        ("box:-1,-1,1,1", 4.0),
        ("polygon:0,0,2,0,0,2", 2.0),
        ("polygon:triangle.csv", 2.0),
        ("regular:4", 2.0),
        ("regular:4,1,1,2", 8.0),
    ],
)
def test_domains(sites, spec, area):
    with open("triangle.csv", "w") as file:
        file.write("0,0\n0,2\n2,0\n")
    assert main(["fit", "sites.npy", "-o", "map.npz", "--domain", spec]) == 0
    assert geomot.load("map.npz").source.area == pytest.approx(area, rel=1e-12)


def test_domain_of_the_sites(sites):
    assert main(["fit", "sites.npy", "-o", "map.npz", "--domain", "bounds"]) == 0
    expected = [sites.min(axis=0), sites.max(axis=0)]
    np.testing.assert_array_equal(geomot.load("map.npz").source.bounds, expected)


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "square",
        "unit:2",
        "box:0,0,1",
        "box:0,0,0,1",
        "box:a,b,c,d",
        "regular:2.5",
        "regular:2",
        "regular:5,0,0",
        "regular:5,0,0,-1",
        "polygon:0,0,1",
        "polygon:0,0,1,1,1,0,0,1",
        "polygon:0,0,1,1,nan,0",
        "polygon:missing.csv",
        "polygon:",
    ],
)
def test_bad_domains(sites, capsys, spec):
    complaint(capsys, ["fit", "sites.npy", "-o", "map.npz", "--domain", spec])
    assert not os.path.exists("map.npz")


def test_not_converged(folder, capsys):
    np.save("sites.npy", datasets.clust2d(500))
    line = complaint(capsys, ["fit", "sites.npy", "-o", "map.npz", "--max-iter", "1"], 3)
    assert "not converged (max_iter)" in line
    solution = geomot.load("map.npz")
    assert not solution.converged
    assert solution.status == "max_iter"


# ---------------------------------------------------------------------------------------------
# Bad input
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"# nothing\n\n",
        b"x,y\n",
        b"x,y\nfoo,bar\n",
        b"1,2\n3\n",
        b"a,b,c\n1,2\n",
        b"1,nan\n",
        b"1,inf\n",
        b"\xff\xfe\x00\x00\x80",
        b"\x93NUMPY\x01\x00",
    ],
)
def test_bad_text(folder, capsys, content):
    (folder / "bad.csv").write_bytes(content)
    complaint(capsys, ["fit", "bad.csv", "-o", "map.npz"])
    assert not (folder / "map.npz").exists()


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((0, 2)),
        np.zeros((2, 0)),
        np.zeros((4, 3, 2)),
        np.zeros(4),
        np.array(1.0),
        np.array([["a", "b"]]),
        np.array([[1j, 2]]),
        np.array([[True, False]]),
        np.array([[np.nan, 0.0]]),
    ],
)
def test_bad_arrays(folder, capsys, array):
    np.save("bad.npy", array)
    complaint(capsys, ["fit", "bad.npy", "-o", "map.npz"])
    np.savez("bad.npz", sites=array)
    complaint(capsys, ["fit", "bad.npz", "-o", "map.npz"])


def test_nothing_is_unpickled(folder, capsys):
    class Trap:
        def __reduce__(self):
            return (open, ("sprung", "w"))

    np.save("trap.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    np.savez("trap.npz", sites=np.array([Trap()], dtype=object), allow_pickle=True)
    for name in ("trap.npy", "trap.npz"):
        complaint(capsys, ["fit", name, "-o", "map.npz"])
        complaint(capsys, ["info", name])
    assert not os.path.exists("sprung")


def test_claimed_sizes_are_not_believed(folder, capsys):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 2), }"
    head = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + header.ljust(117) + b"\n"
    (folder / "huge.npy").write_bytes(head + bytes(32))
    with zipfile.ZipFile("huge.npz", "w") as archive:
        archive.writestr("sites.npy", head + bytes(32))
    with zipfile.ZipFile("bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "sites.npy", head.replace(b"1000000000000", b"10000000     ") + bytes(160 << 20)
        )
    for name in ("huge.npy", "huge.npz", "bomb.npz"):
        complaint(capsys, ["fit", name, "-o", "map.npz"])


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
        ["fit", "sites.npy", "-o", "map.npz", "--method", "newton", "--domain", "normal"],
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


# ---------------------------------------------------------------------------------------------
# sample, plot, info
# ---------------------------------------------------------------------------------------------


def test_sample(fitted, capsys):
    assert main(["sample", "map.npz", "-n", "100", "-o", "out.npy", "--seed", "7"]) == 0
    points = fitted.source.sample(100, 7)
    images = fitted.sites[fitted.assign(points)]
    np.testing.assert_array_equal(np.load("out.npy"), images)
    assert main(["sample", "map.npz", "-n", "100", "-o", "out.csv", "--seed", "7"]) == 0
    np.testing.assert_array_equal(np.loadtxt("out.csv", delimiter=",", skiprows=1), images)
    assert main(["sample", "map.npz", "-n", "100", "-o", "p.csv", "--seed", "7", "--pairs"]) == 0
    table = np.genfromtxt("p.csv", delimiter=",", names=True)
    np.testing.assert_array_equal(np.column_stack([table["x1"], table["x2"]]), points)
    np.testing.assert_array_equal(table["site"], fitted.assign(points))
    assert main(["sample", "map.npz", "-n", "0", "-o", "out.npy"]) == 0
    assert np.load("out.npy").shape == (0, 2)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "argv",
    [
        ["sample", "map.npz", "-n", "9", "-o", "out.npy"],
        ["sample", "map.npz", "-n", "9", "-o", "out.csv"],
        ["plot", "map.npz", "-o", "out.png"],
        ["fit", "sites.npy", "-o", "out.npz"],
    ],
)
def test_an_output_that_cannot_be_finished_leaves_the_old_file(fitted, capsys, monkeypatch, argv):
    before = sorted(os.listdir())
    Path(argv[-1]).write_text("old")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert f"{argv[-1]}: No space left on device" in complaint(capsys, argv)
    assert Path(argv[-1]).read_text() == "old"
    assert sorted(os.listdir()) == sorted([*before, argv[-1]])


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_plot_suffixes(fitted, capsys, suffix):
    for name in ("a", "b"):
        assert main(["plot", "map.npz", "-o", f"{name}.{suffix}", "--color", "masses"]) == 0
    with open(f"a.{suffix}", "rb") as a, open(f"b.{suffix}", "rb") as b:
        assert a.read() == b.read()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "options",
    [
        ["--triangulation", "--no-sites"],
        ["--kind", "potential"],
        ["--kind", "potential", "--color", "weights"],
        ["--kind", "contours"],
        ["--kind", "map", "--samples", "30", "--seed", "2"],
        ["--kind", "sites", "--color", "costs"],
        ["--kind", "convergence", "--title", "Newton"],
        ["--kind", "masses"],
        ["--color", "classes.csv"],
        ["--color", "named.csv"],
        ["--color", "values.npy", "--dpi", "50"],
    ],
)
def test_plot_kinds(fitted, capsys, options):
    np.save("values.npy", np.linspace(0, 1, 40))
    with open("classes.csv", "w") as file:
        file.writelines(f"{k % 3}\n" for k in range(40))
    with open("named.csv", "w") as file:
        file.writelines(["kind\n", *("ab"[k % 2] + "\n" for k in range(40))])
    assert main(["plot", "map.npz", "-o", "figure.png", *options]) == 0
    assert os.path.getsize("figure.png") > 1000
    assert capsys.readouterr() == ("", "")


def test_info(fitted, capsys):
    assert main(["info", "map.npz"]) == 0
    lines = capsys.readouterr().out.splitlines()
    facts = dict(line.split(maxsplit=1) for line in lines)
    assert facts["sites"] == "40"
    assert facts["status"] == "converged"
    assert main(["info", "map.npz", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["W2^2"] == fitted.cost
    assert facts["bracket"] == list(fitted.bracket)


def test_demo(folder, capsys):
    assert main(["demo", "-o", "out", "--no-torch"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out == (folder / "out" / "summary.txt").read_text(encoding="utf-8")


def test_help_and_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"geomot {geomot.__version__}\n"
    assert main(["fit", "--help"]) == 0
    assert "regular:N" in capsys.readouterr().out


def test_interrupt_gives_130(sites, capsys, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(geomot, "solve", interrupted)
    line = complaint(capsys, ["fit", "sites.npy", "-o", "map.npz"], 130)
    assert line == "geomot fit: interrupted\n"


# ---------------------------------------------------------------------------------------------
# Any dimension
# ---------------------------------------------------------------------------------------------


@pytest.fixture
def cloud(folder):
    points = np.random.default_rng(0).standard_normal((100, 5)) * [1, 2, 3, 4, 5] + 1.0
    np.save("cloud.npy", points)
    return points


@pytest.fixture
def sampled(cloud, capsys):
    argv = [
        "fit",
        "cloud.npy",
        "-o",
        "map.npz",
        "--domain",
        "match",
        "--tol",
        "0.08",
        "--seed",
        "3",
    ]
    assert main(argv) == 0
    capsys.readouterr()
    return geomot.load("map.npz")


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


def sources_in_space():
    matrix = [[2.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 1.0]]
    normal = geomot.Gaussian([1.0, 2.0, 3.0], matrix)
    return {
        "unit": geomot.UniformBox.unit(3),
        "box:-1,0,0,1,2,3": geomot.UniformBox([-1, 0, 0], [1, 2, 3]),
        "ball:0,0,1,2.5": geomot.UniformBall([0, 0, 1], 2.5),
        "normal": geomot.Gaussian(np.zeros(3), 1.0),
        "gaussian:normal.npz": normal,
        "gaussian:normal.csv": normal,
        "gaussian:variances.npz": geomot.Gaussian(np.zeros(3), [1.0, 2.0, 3.0]),
        "samples:points.npy": geomot.Samples(np.random.default_rng(1).random((500, 3))),
        "grid:grid.npy": geomot.GridDensity(np.arange(24.0).reshape(2, 3, 4)),
    }


@pytest.mark.parametrize("spec", sources_in_space())
def test_domains_in_space(folder, spec):
    matrix = [[2.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 1.0]]
    np.savez("normal.npz", mean=[1.0, 2.0, 3.0], cov=matrix)
    np.savetxt("normal.csv", [[1.0, 2.0, 3.0], *matrix], delimiter=",")
    np.savez("variances.npz", mean=np.zeros(3), cov=[1.0, 2.0, 3.0])
    np.save("points.npy", np.random.default_rng(1).random((500, 3)))
    np.save("grid.npy", np.arange(24.0).reshape(2, 3, 4))
    np.save("sites.npy", np.random.default_rng(0).random((30, 3)))
    argv = ["fit", "sites.npy", "-o", "map.npz", "--domain", spec, "--max-iter", "1"]
    assert main([*argv, "--tol", "0.9", "--seed", "0"]) in (0, 3)
    assert geomot.load("map.npz").source == sources_in_space()[spec]


def test_domains_of_the_sites(cloud):
    argv = ["fit", "cloud.npy", "-o", "map.npz", "--tol", "0.1", "--seed", "0", "--domain"]
    assert main([*argv, "bounds"]) == 0
    expected = [cloud.min(axis=0), cloud.max(axis=0)]
    np.testing.assert_array_equal(geomot.load("map.npz").source.bounds, expected)
    assert main([*argv, "match"]) == 0
    source = geomot.load("map.npz").source
    np.testing.assert_allclose(source.mean, cloud.mean(axis=0))
    np.testing.assert_allclose(source.covariance, np.cov(cloud.T, bias=True))
    # With masses, the moments of the weighted sites.
    masses = np.arange(1.0, 101.0)
    np.save("masses.npy", masses)
    assert main([*argv, "match", "--masses", "masses.npy", "--normalize"]) == 0
    source = geomot.load("map.npz").source
    np.testing.assert_allclose(source.mean, np.average(cloud, axis=0, weights=masses))
    expected = np.cov(cloud.T, bias=True, aweights=masses)
    np.testing.assert_allclose(source.covariance, expected)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("box:0,0,1,1", "--domain box must have 10 numbers for sites with 5 column(s), got 4"),
        ("box:0,0,0,0,0,1,1,1,1,0", "upper must exceed lower"),
        ("ball:0,0,1", "--domain ball must have 6 numbers"),
        ("ball:0,0,0,0,0,-1", "--domain ball:0,0,0,0,0,-1: radius must be positive"),
        ("ball:", "--domain must be unit, bounds"),
        ("normal:1", "--domain must be unit, bounds"),
        ("match:x", "not a list of numbers"),
        ("gaussian:", "--domain must be unit, bounds"),
        ("gaussian:missing.npz", "missing.npz: No such file"),
        ("gaussian:cloud.npy", "must hold the mean and below it the covariance matrix"),
        ("gaussian:lacking.npz", "lacking.npz: there is no array cov, only: mean"),
        ("gaussian:singular.npz", "cov must be positive definite"),
        ("gaussian:plane.npz", "has 2 dimension(s), and the sites have 5 column(s)"),
        ("samples:missing.csv", "missing.csv: No such file"),
        ("samples:grid.npy", "points must have shape (n, d)"),
        ("samples:plane.csv", "has 2 dimension(s), and the sites have 5 column(s)"),
        ("grid:missing.npy", "missing.npy: No such file"),
        ("grid:grid.npy", "has 3 dimension(s), and the sites have 5 column(s)"),
        ("grid:negative.npy", "values must be finite and not negative"),
        ("regular:5", "has 2 dimension(s), and the sites have 5 column(s)"),
        ("polygon:plane.csv", "has 2 dimension(s), and the sites have 5 column(s)"),
    ],
)
def test_bad_domains_in_five_dimensions(cloud, capsys, spec, message):
    np.savez("lacking.npz", mean=np.zeros(5))
    np.savez("singular.npz", mean=np.zeros(5), cov=np.ones((5, 5)))
    np.savez("plane.npz", mean=np.zeros(2), cov=np.eye(2))
    np.savetxt("plane.csv", [[0, 0], [1, 0], [0, 1]], delimiter=",")
    np.save("grid.npy", np.ones((2, 2, 2)))
    np.save("negative.npy", -np.ones(5 * (2,)))
    line = complaint(capsys, ["fit", "cloud.npy", "-o", "map.npz", "--domain", spec])
    assert message in line
    assert not os.path.exists("map.npz")


def test_flat_sites_have_no_matching_normal(folder, capsys):
    flat = np.random.default_rng(0).random((50, 3))
    for column in (0.1 * np.ones(50), flat[:, 0] - 2 * flat[:, 1]):
        flat[:, 2] = column
        np.save("flat.npy", flat)
        line = complaint(capsys, ["fit", "flat.npy", "-o", "map.npz", "--domain", "match"])
        assert "--domain match: the sites must vary in all directions" in line


def test_sampled_map_that_did_not_converge(cloud, capsys):
    argv = ["fit", "cloud.npy", "-o", "map.npz", "--max-iter", "2", "--seed", "0"]
    assert main(argv) == 3
    warning, line = capsys.readouterr().err.splitlines()
    assert warning.startswith("geomot fit: warning: all 100 sites lie outside the domain")
    assert "not converged (max_iter): total variation 0." in line
    assert "wanted 0.01; the map was written" in line
    assert geomot.load("map.npz").status == "max_iter"


def test_sample_in_five_dimensions(sampled):
    argv = ["sample", "map.npz", "-n", "20", "--seed", "7"]
    points = sampled.source.sample(20, 7)
    index = sampled.assign(points)
    assert main([*argv, "-o", "out.csv", "--pairs"]) == 0
    header = Path("out.csv").read_text().splitlines()[0]
    assert header == "x1,x2,x3,x4,x5,y1,y2,y3,y4,y5,site"
    table = np.loadtxt("out.csv", delimiter=",", skiprows=1)
    np.testing.assert_array_equal(table, np.column_stack([points, sampled.sites[index], index]))
    assert main([*argv, "-o", "out.csv"]) == 0
    assert Path("out.csv").read_text().startswith("y1,y2,y3,y4,y5\n")
    assert main([*argv, "-o", "out.npy"]) == 0
    np.testing.assert_array_equal(np.load("out.npy"), sampled.sites[index])


@pytest.mark.parametrize(
    "options",
    [
        ["--kind", "convergence"],
        ["--kind", "masses"],
        ["--kind", "sites"],
        ["--kind", "sites", "--color", "weights"],
    ],
)
def test_plot_kinds_in_five_dimensions(sampled, capsys, options):
    assert main(["plot", "map.npz", "-o", "figure.png", *options]) == 0
    assert os.path.getsize("figure.png") > 1000
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("kind", ["diagram", "potential", "contours", "map"])
def test_cells_need_the_plane(sampled, capsys, kind):
    line = complaint(capsys, ["plot", "map.npz", "-o", "figure.png", "--kind", kind])
    assert f"--kind {kind} needs sites in the plane, and map.npz has 5 dimension(s)" in line
    assert not os.path.exists("figure.png")


def test_costs_need_the_plane(sampled, capsys):
    argv = ["plot", "map.npz", "-o", "figure.png", "--kind", "sites", "--color", "costs"]
    assert "must lie in the plane" in complaint(capsys, argv)


def test_map_of_a_normal_source_in_the_plane(sites, capsys):
    argv = ["fit", "sites.npy", "-o", "map.npz", "--domain", "match", "--tol", "0.1"]
    assert main([*argv, "--seed", "0"]) == 0
    capsys.readouterr()
    assert main(["plot", "map.npz", "-o", "figure.png", "--kind", "map"]) == 0
    assert os.path.getsize("figure.png") > 1000
    line = complaint(capsys, ["plot", "map.npz", "-o", "other.png", "--kind", "diagram"])
    assert "source must be a UniformBox or UniformPolygon" in line


def test_info_in_five_dimensions(sampled, capsys):
    assert main(["info", "map.npz", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    estimate = sampled.estimate
    expected = {
        "sites": 100,
        "dimensions": 5,
        "method": "montecarlo",
        "total variation": estimate.tv,
        "total variation interval": list(estimate.tv_interval),
        "chi^2": estimate.chi2,
        "chi^2 standard error": estimate.chi2_standard_error,
        "samples fitted": estimate.n_fit_samples,
        "samples tested": estimate.n_samples,
        "mass error standard error": estimate.mass_error_standard_error,
        "W2^2 standard error": estimate.cost_standard_error,
        "bracket": list(sampled.bracket),
        "level of each bound": 0.975,
    }
    assert {key: facts[key] for key in expected} == expected
    assert main(["info", "map.npz"]) == 0
    out = capsys.readouterr().out
    for key in facts:
        assert f"\n{key} " in "\n" + out
    low, high = estimate.tv_interval
    assert f"[{low:.15g}, {high:.15g}]\n" in out


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
    for kind in ("sites", "masses", "convergence"):
        assert main(["plot", "map.npz", "-o", "figure.png", "--kind", kind]) == 0
    capsys.readouterr()
    complaint(capsys, ["plot", "map.npz", "-o", "figure.png", "--kind", "diagram"])


# ---------------------------------------------------------------------------------------------
# As a process
# ---------------------------------------------------------------------------------------------


def geomot_process(*argv):
    return subprocess.run(
        [sys.executable, "-m", "geomot", *argv],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=ENVIRONMENT,
    )


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
