"""Arrays and text in files; nothing is unpickled, and no input is overwritten."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from commands import complaint, fit, refusal

import geomot
from geomot.cli import main
from geomot.cli._shared import BadInput
from geomot.cli._tables import read_points


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


TWO = [[0.25, 0.5], [0.75, 0.5]]


def test_npz_of_several_arrays(folder, capsys):
    rng = np.random.default_rng(0)
    coords, pop = rng.random((20, 2)), rng.random(20)
    np.savez("data.npz", coords=coords, pop=pop, lon=coords[:, 0], lat=coords[:, 1], names=["a"])
    line = refusal(capsys, "fit", "data.npz", "-o", "map.npz")
    assert "choose an array with --array: coords, pop, lon, lat, names" in line
    argv = ("data.npz", "--masses", "pop")
    line = refusal(capsys, "fit", *argv, "--array", "coords", "-o", "map.npz")
    assert "--masses must sum to 1" in line and "add --normalize" in line
    for options in (("--array", "coords"), ("--columns", "lon,lat")):
        assert fit(*argv, "--normalize", *options) == 0
        solution = geomot.load("map.npz")
        np.testing.assert_array_equal(solution.sites, coords)
        np.testing.assert_allclose(solution.target_masses, pop / pop.sum(), rtol=1e-14)
    assert fit("data.npz", "--array", "coords", "--columns", "2,1") == 0
    np.testing.assert_array_equal(geomot.load("map.npz").sites, coords[:, ::-1])
    capsys.readouterr()
    for options, message in (
        (("--array", "coords", "--masses", "names"), "array names must hold real numbers"),
        (("--array", "coords", "--masses", "coords"), "must hold one number per site, got shape"),
        (("--array", "coords", "--masses", "mass"), "neither a file nor in data.npz, which"),
        (("--array", "pop"), "must hold a table of rows and columns, got shape (20,)"),
        (("--columns", "lon,names"), "array names must hold real numbers"),
    ):
        assert message in refusal(capsys, "fit", "data.npz", *options, "-o", "map.npz")


def test_structured_arrays_have_names(folder):
    dtype = [("name", "U4"), ("x", float), ("y", np.float32)]
    np.save("table.npy", np.array([("a", 0.25, 0.5), ("b", 0.75, 0.5)], dtype))
    assert read_points("table.npy", columns="x,y")[0].tolist() == TWO
    assert read_points("table.npy", drop="name", masses="x")[0].tolist() == [[0.5], [0.5]]
    with pytest.raises(BadInput, match="column name holds text: choose columns with --columns x,y"):
        read_points("table.npy")


def test_the_input_is_never_overwritten(folder, capsys):
    Path("points.csv").write_text("0.25,0.5,1\n0.75,0.5,1\n0.5,0.25,2\n")
    Path("masses.txt").write_text("0.5\n0.25\n0.25\n")
    Path("ring.csv").write_text("0,0\n1,0\n0,1\n")
    os.symlink("points.csv", "link.csv")
    os.link("points.csv", "hard.csv")
    os.mkdir("sub")
    before = {path: path.read_bytes() for path in Path().glob("*.*")}
    fits = [("points.csv", output) for output in ("points.csv", "./points.csv", "link.csv")]
    fits += [
        ("points.csv", "hard.csv"),
        ("link.csv", "points.csv"),
        ("points.csv", "sub/../points.csv"),
    ]
    fits += [("points.csv", str(folder / "points.csv"))]
    for file, output in fits:
        line = refusal(capsys, "fit", file, "-o", output)
        assert f"{output}: is an input file ({file}): choose another output" in line
    others = ("--masses", "masses.txt", "--domain", "polygon:ring.csv")
    for option, file in (("-o", "masses.txt"), ("-o", "ring.csv"), ("--checkpoint", "points.csv")):
        output = () if option == "-o" else ("-o", "map.npz")
        assert "is an input file" in refusal(
            capsys, "fit", "points.csv", *others, *output, option, file
        )
    assert {path: path.read_bytes() for path in before} == before
    assert fit("points.csv", "--masses", "3", "--normalize") == 0
    os.symlink("map.npz", "figure.png")
    os.symlink("map.npz", "samples.npy")
    Path("colours.png").write_text("1\n2\n3\n")
    before = Path("map.npz").read_bytes()
    capsys.readouterr()
    for argv in (
        ("fit", "map.npz", "-o", "./map.npz"),
        ("plot", "map.npz", "-o", "figure.png"),
        ("plot", "map.npz", "--color", "colours.png", "-o", "colours.png"),
        ("sample", "map.npz", "-n", "3", "-o", "samples.npy"),
    ):
        assert "is an input file" in refusal(capsys, *argv)
    assert Path("map.npz").read_bytes() == before


def test_output_folders_keep_their_inputs(folder, capsys):
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8), dtype=np.uint8)
    os.mkdir("out")
    np.savez("out/samples.npz", images=images)
    Path("out/table.csv").write_text("x,y\n0.5,0.25\n0.1,0.2\n")
    before = {path: path.read_bytes() for path in Path("out").glob("*")}
    argv = ("generate", "out/samples.npz", "--no-torch", "-o", "out")
    assert "is an input file" in refusal(capsys, *argv)
    argv = ("compare", "--data", "out/table.csv", "--methods", "BrenierMap", "-o", "out")
    assert "is an input file" in refusal(capsys, *argv)
    os.mkdir("pictures")
    argv = ("generate", "pictures", "--no-torch", "-o", "./pictures/")
    assert "is the folder of the input images" in refusal(capsys, *argv)
    assert {path: path.read_bytes() for path in before} == before
