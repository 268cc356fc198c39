"""The command sample."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from commands import complaint

from geomot.cli import main


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
