"""Sources that --domain names."""

from __future__ import annotations

import os

import numpy as np
import pytest
from commands import complaint, fit, refusal

import geomot
from geomot.cli import main


@pytest.mark.parametrize(
    ("spec", "area"),
    [
        ("unit", 1.0),
        ("box:0,0,2,3", 6.0),
        ("box:-1,-1,1,1", 4.0),
        ("torus", 1.0),
        ("torus:-1,-1,1,1", 4.0),
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
        "torus:0,0,1",
        "torus:missing.npy",
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


def sources_in_space():
    matrix = [[2.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 1.0]]
    normal = geomot.Gaussian([1.0, 2.0, 3.0], matrix)
    return {
        "unit": geomot.UniformBox.unit(3),
        "box:-1,0,0,1,2,3": geomot.UniformBox([-1, 0, 0], [1, 2, 3]),
        "torus:-1,0,0,1,2,3": geomot.UniformBox([-1, 0, 0], [1, 2, 3], periodic=True),
        "ball:0,0,1,2.5": geomot.UniformBall([0, 0, 1], 2.5),
        "normal": geomot.Gaussian(np.zeros(3), 1.0),
        "gaussian:normal.npz": normal,
        "gaussian:normal.csv": normal,
        "gaussian:variances.npz": geomot.Gaussian(np.zeros(3), [1.0, 2.0, 3.0]),
        "samples:points.npy": geomot.Samples(np.random.default_rng(1).random((500, 3))),
        "grid:grid.npy": geomot.GridDensity(np.arange(24.0).reshape(2, 3, 4)),
        "torus:grid.npy": geomot.GridDensity(np.arange(24.0).reshape(2, 3, 4), periodic=True),
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


def test_ellipses_and_meshes(sites):
    square = [(0, 0), (1, 0), (1, 1), (0, 1)]
    np.savez("mesh.npz", points=square, simplices=[(0, 1, 2), (0, 2, 3)], values=[0, 1, 1, 0])
    for spec, covariance in (
        ("ball:0,0,2", np.eye(2)),
        ("ellipse:0,0,2,4", np.diag([1.0, 4.0])),
        ("ellipse:0,0,2,4,90", np.diag([4.0, 1.0])),
        ("mesh:mesh.npz", np.diag([1.0 / 18.0, 1.0 / 12.0])),
    ):
        assert main(["fit", "sites.npy", "-o", "map.npz", "--domain", spec]) == 0
        solution = geomot.load("map.npz")
        assert solution.method == "newton"
        np.testing.assert_allclose(solution.source.covariance, covariance, atol=1e-14)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("mesh:missing.npz", "missing.npz: No such file"),
        ("ellipse:0,0,1,0", "--domain ellipse must have positive half axes"),
        ("ellipse:0,0,1", "--domain must be unit, bounds"),
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


def test_the_convex_hull_as_domain(folder, capsys):
    points = np.random.default_rng(0).normal(size=(50, 2))
    np.save("sites.npy", points)
    assert fit("sites.npy", "--domain", "hull") == 0
    assert geomot.load("map.npz").source == geomot.UniformPolygon.hull(points)
    np.save("line.npy", points[:, :1])
    assert fit("line.npy", "--domain", "hull") == 0
    ends = [[points[:, 0].min()], [points[:, 0].max()]]
    assert geomot.load("map.npz").source.bounds.tolist() == ends
    solid = np.random.default_rng(1).normal(size=(20, 3))
    np.save("solid.npy", solid)
    np.save("corners.npy", solid[:10])
    assert fit("solid.npy", "--domain", "hull") == 0
    assert geomot.load("map.npz").source == geomot.UniformPolyhedron(solid)
    assert fit("solid.npy", "--domain", "polyhedron:corners.npy") == 0
    assert geomot.load("map.npz").source == geomot.UniformPolyhedron(solid[:10])
    np.save("high.npy", np.zeros((5, 4)))
    np.save("level.npy", np.zeros((5, 3)))
    np.save("flat.npy", np.outer(np.arange(5.0), [1, 2]))
    capsys.readouterr()
    refused = (("high", "up to 3 columns"), ("level", "one plane"), ("flat", "one line"))
    for name, message in refused:
        line = refusal(capsys, "fit", f"{name}.npy", "--domain", "hull", "-o", "map.npz")
        assert "--domain hull needs sites" in line and message in line


@pytest.mark.parametrize(
    ("sites", "said"),
    [
        ([[40.0, 20.0], [50.0, 30.0]], "all 2 sites lie outside the domain (unit): "),
        ([[0.5, 0.5], *([9.0, float(k)] for k in range(10))], "10 of 11 sites"),
        ([[0.5, 0.5], [40.0, 20.0]], ""),
        ([[0.0, 1.0], [1.0, 0.0]], ""),
    ],
)
def test_sites_outside_the_domain(folder, capsys, sites, said):
    np.save("sites.npy", sites)
    assert fit("sites.npy") == 0
    err = capsys.readouterr().err
    if not said:
        assert err == ""
        return
    assert err.startswith(f"geomot fit: warning: {said}") and err.count("\n") == 1
    assert err.endswith("--domain bounds takes their bounding box\n")
    assert fit("sites.npy", "--domain", "bounds" if len(sites) > 2 else "normal") in (0, 3)
