"""The command stipple: dots, files, one line per complaint."""

from __future__ import annotations

import re

import numpy as np
import pytest
from commands import complaint, refusal

from geomot.cli import main

Image = pytest.importorskip("PIL.Image")


@pytest.fixture
def picture(folder):
    # dark at the left, white at the right
    grey = np.tile(np.linspace(0, 255, 40), (20, 1)).astype(np.uint8)
    Image.fromarray(grey).save("ramp.png")
    return grey


def points_of(path):
    return np.loadtxt(path, delimiter=",", skiprows=1)


def test_dots_follow_the_darkness(picture, capsys):
    assert main(["stipple", "ramp.png", "-n", "200", "-o", "dots.csv"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert re.fullmatch(
        r"dots\.csv: 200 dots, \d+ steps, \S+ % of a cell's radius from centroids, \S+ s\n", out
    )
    points = points_of("dots.csv")
    assert points.shape == (200, 2)
    assert (points > 0).all() and (points < [40, 20]).all()
    # the darkness falls linearly from 1 to 0
    expected = 200 * (1 - (1 - np.array([0.25, 0.5, 0.75])) ** 2)
    found = [np.sum(points[:, 0] < 40 * share) for share in (0.25, 0.5, 0.75)]
    np.testing.assert_allclose(found, expected, atol=6)


def test_inverted_dots_follow_the_light(picture):
    assert main(["stipple", "ramp.png", "-n", "100", "-o", "dots.csv", "--invert"]) == 0
    assert np.median(points_of("dots.csv")[:, 0]) > 24


def test_pictures_stand_upright(folder):
    grey = np.full((30, 30), 255, np.uint8)
    grey[:10, 20:] = 0
    Image.fromarray(grey).save("corner.png")
    assert main(["stipple", "corner.png", "-n", "20", "-o", "dots.csv"]) == 0
    points = points_of("dots.csv")
    assert (points >= 20).all()
    assert main(["stipple", "corner.png", "-n", "20", "-o", "dots.svg"]) == 0
    text = (folder / "dots.svg").read_text()
    below = [float(y) for y in re.findall(r'cy="([^"]+)"', text)]
    assert len(below) == 20
    assert max(below) <= 10
    # the dots have as much ink as the picture
    radius = float(re.search(r'r="([^"]+)"', text)[1])
    assert 20 * np.pi * radius**2 == pytest.approx(100, rel=1e-2)


def test_transparent_pixels_are_white(folder):
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:, :4, 3] = 255
    Image.fromarray(pixels).save("half.png")
    assert main(["stipple", "half.png", "-n", "10", "-o", "dots.csv"]) == 0
    assert (points_of("dots.csv")[:, 0] <= 4).all()


def test_sixteen_bits(folder):
    Image.fromarray(np.full((8, 8), 40000, np.uint16)).save("deep.png")
    assert main(["stipple", "deep.png", "-n", "10", "-o", "dots.svg", "--size", "2"]) == 0
    radius = float(re.search(r'r="([^"]+)"', (folder / "dots.svg").read_text())[1])
    assert 10 * np.pi * radius**2 == pytest.approx(4 * 64 * (1 - 40000 / 65535), rel=1e-2)


@pytest.mark.parametrize("suffix", ["svg", "pdf", "png"])
@pytest.mark.parametrize("invert", [False, True])
def test_files_are_the_same_each_time(picture, folder, suffix, invert):
    pytest.importorskip("matplotlib")
    options = ["--invert"] if invert else []
    for name in ("a", "b"):
        argv = ["stipple", "ramp.png", "-n", "30", "-o", f"{name}.{suffix}", *options]
        assert main([*argv, "--width", "2"]) == 0
    assert (folder / f"a.{suffix}").read_bytes() == (folder / f"b.{suffix}").read_bytes()
    if suffix == "png":
        pixels = np.asarray(Image.open("a.png").convert("L"))
        assert pixels.shape == (300, 600)
        ink = np.mean(pixels < 128)
        assert ink == pytest.approx(0.5, abs=0.1)


def test_not_converged(picture, capsys):
    line = complaint(
        capsys, ["stipple", "ramp.png", "-n", "50", "-o", "dots.svg", "--max-iter", "0"], 3
    )
    assert "not converged (max_iter): tolerance 0.02; the picture was written" in line


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["missing.png", "-o", "dots.svg"], "missing.png: No such file"),
        (["text.png", "-o", "dots.svg"], "text.png: is not a picture"),
        (["ramp.png", "-o", "dots.gif"], "dots.gif: must end in .svg, .pdf, .png or .csv"),
        (["ramp.png", "-o", "ramp.png"], "ramp.png: is an input file"),
        (["ramp.png", "-o", "dots.svg", "-n", "0"], "-n must be at least 1"),
        (["ramp.png", "-o", "dots.svg", "--size", "0"], "--size must be positive"),
        (["ramp.png", "-o", "dots.svg", "--width", "99"], "--width must lie between"),
        (["ramp.png", "-o", "dots.svg", "--seed", "-1"], "--seed must not be negative"),
        (["ramp.png", "-o", "dots.svg", "--tol", "-1"], "--tol must be"),
        (["white.png", "-o", "dots.svg"], "white.png: is white everywhere"),
        (["black.png", "-o", "dots.svg", "--invert"], "black.png: is black everywhere"),
    ],
)
def test_refusals(picture, folder, capsys, argv, message):
    (folder / "text.png").write_text("no picture")
    for name, value in (("white", 255), ("black", 0)):
        Image.fromarray(np.full((4, 4), value, np.uint8)).save(f"{name}.png")
    assert message in refusal(capsys, "stipple", *argv)
