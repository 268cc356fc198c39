"""The command plot."""

from __future__ import annotations

import os

import numpy as np
import pytest
from commands import complaint

from geomot.cli import main


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
