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
        ["--kind", "contours", "--cmap", "cividis", "--label", "u"],
        ["--kind", "density"],
        ["--names", "named.csv", "--links"],
        ["--kind", "sites", "--names", "table.csv:name", "--color", "table.csv:size"],
        ["--color", "table.csv:size", "--cmap", "magma", "--label", "people", "--size", "3.3"],
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
    with open("table.csv", "w") as file:
        file.writelines(["name,size\n", *(f"town {k},{k}.5\n" for k in range(40))])
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
    assert f"--kind {kind} needs sites " in line
    assert "in the plane" in line and ", and map.npz has 5 dimension(s)" in line
    assert not os.path.exists("figure.png")


def test_costs_need_the_plane(sampled, capsys):
    argv = ["plot", "map.npz", "-o", "figure.png", "--kind", "sites", "--color", "costs"]
    assert "must lie on the line, in the plane or in space" in complaint(capsys, argv)


@pytest.fixture(params=[30, 130])
def in_space(request, folder, capsys):
    np.save("space.npy", np.random.default_rng(0).random((request.param, 3)))
    assert main(["fit", "space.npy", "-o", "map.npz"]) == 0
    capsys.readouterr()


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--color", "masses", "--title", "grains"],
        ["--cut", "x=0.3", "--color", "costs", "--size", "4"],
        ["--cut", "z"],
        ["--explode", "0.1", "--color", "weights", "--cmap", "magma"],
        ["--kind", "sites"],
        ["--kind", "convergence"],
    ],
)
def test_plot_kinds_in_space(in_space, capsys, options):
    assert main(["plot", "map.npz", "-o", "figure.png", "--dpi", "50", *options]) == 0
    assert os.path.getsize("figure.png") > 1000
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--cut", "u"], "--cut must be x, y or z"),
        (["--cut", "y=2"], "the place must be a number between 0 and 1"),
        (["--cut", "y=a"], "the place must be a number between 0 and 1"),
        (["--cut", "x", "--explode", "0.2"], "--cut and --explode exclude each other"),
        (["--explode", "-1"], "explode must not be negative"),
        (["--triangulation"], "--triangulation does not apply to --kind diagram in space"),
        (["--kind", "sites", "--cut", "x"], "--cut does not apply to --kind sites"),
        (["--kind", "potential"], "--kind potential needs sites on the line or in the plane"),
    ],
)
def test_what_does_not_apply_in_space(folder, capsys, options, words):
    np.save("space.npy", np.random.default_rng(0).random((5, 3)))
    assert main(["fit", "space.npy", "-o", "map.npz"]) == 0
    capsys.readouterr()
    assert words in complaint(capsys, ["plot", "map.npz", "-o", "figure.png", *options])
    assert not os.path.exists("figure.png")


def test_cuts_need_space(fitted, capsys):
    argv = ["plot", "map.npz", "-o", "figure.png", "--cut", "x"]
    assert "--cut and --explode apply to maps in space" in complaint(capsys, argv)


@pytest.mark.parametrize(
    "options",
    [
        ["--names", "names.txt", "--color", "masses"],
        ["--kind", "potential"],
        ["--kind", "map"],
        ["--kind", "density"],
        ["--kind", "distribution"],
        ["--kind", "sites"],
        ["--kind", "masses"],
        ["--kind", "convergence"],
    ],
)
def test_plot_kinds_on_the_line(folder, capsys, options):
    np.save("line.npy", np.random.default_rng(0).random((9, 1)))
    with open("names.txt", "w") as file:
        file.writelines(f"n{k}\n" for k in range(9))
    assert main(["fit", "line.npy", "-o", "map.npz"]) == 0
    capsys.readouterr()
    assert main(["plot", "map.npz", "-o", "figure.png", *options]) == 0
    assert os.path.getsize("figure.png") > 1000
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--kind", "contours", "--color", "masses"], "--color does not apply to --kind contours"),
        (["--kind", "masses", "--triangulation"], "--triangulation does not apply"),
        (
            ["--kind", "map", "--no-sites"],
            "--no-sites does not apply to --kind map",
        ),
        (["--samples", "10"], "--samples does not apply to --kind diagram, only to map"),
        (["--seed", "0"], "--seed does not apply"),
        (["--kind", "convergence", "--cmap", "magma"], "--cmap does not apply"),
        (["--kind", "potential", "--names", "named.csv"], "--names does not apply"),
        (["--kind", "sites", "--no-links"], "--links does not apply"),
        (["--cmap", "magma"], "--cmap applies to a diagram with --color"),
        (["--label", "people"], "--label applies to a diagram with --color"),
        (["--color", "named.csv", "--cmap", "magma"], "--cmap applies to numbers"),
        (["--color", "masses", "--cmap", "rainbow9"], "--cmap must be a colormap of matplotlib"),
        (["--size", "wide"], "--size must be a width in inches"),
        (["--size", "3x400"], "--size must be a width in inches"),
        (["--names", "short.txt"], "short.txt: must hold 40 values, got shape (2,)"),
        (["--kind", "distribution"], "--kind distribution needs sites on the line"),
    ],
)
def test_options_that_do_not_apply_are_refused(fitted, capsys, options, words):
    with open("named.csv", "w") as file:
        file.writelines(["kind\n", *("ab"[k % 2] + "\n" for k in range(40))])
    with open("short.txt", "w") as file:
        file.write("a\nb\n")
    assert words in complaint(capsys, ["plot", "map.npz", "-o", "figure.png", *options])
    assert not os.path.exists("figure.png")


def size_of(path):
    from PIL import Image

    with Image.open(path) as image:
        return image.size


def test_figures_fit_the_domain(folder, capsys):
    """A domain four times as wide as high has a wide figure."""
    np.save("wide.npy", np.random.default_rng(0).random((30, 2)) * [4, 1])
    assert main(["fit", "wide.npy", "-o", "map.npz", "--domain", "box:0,0,4,1"]) == 0
    for options, expected in (
        (["--size", "4"], (400, None)),
        (["--size", "4x3"], (400, 300)),
        (["--size", "4", "--kind", "convergence"], (400, 300)),
    ):
        argv = ["plot", "map.npz", "-o", "figure.png", "--dpi", "100", *options]
        assert main(argv) == 0
        width, height = size_of("figure.png")
        assert width == expected[0]
        if expected[1] is None:
            assert height < 0.45 * width
        else:
            assert height == expected[1]


def test_an_input_is_not_overwritten(fitted, capsys):
    with open("names.png", "w") as file:
        file.writelines(f"n{k}\n" for k in range(40))
    argv = ["plot", "map.npz", "-o", "names.png", "--names", "names.png"]
    assert "is an input file" in complaint(capsys, argv)
