"""Files in a folder of the test's own."""

from __future__ import annotations

import numpy as np
import pytest

import geomot
from geomot import datasets
from geomot.cli import main


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
