"""Tables as input: names, numbers and masses, and advice in the words of the command line."""

from __future__ import annotations

import gzip
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from airports import AIRPORTS
from commands import fit, refusal

import geomot
from geomot.cli._shared import BadInput
from geomot.cli._tables import read_points, read_values

TWO = [[0.25, 0.5], [0.75, 0.5]]


@pytest.mark.parametrize(
    "raw",
    [
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"\x80\x05\x95\x0f\0\0\0\0\0\0\0}",
        b"1,2\n3,4\x01\n",
        gzip.compress(b"1,2\n" * 1000, mtime=0)[:-12],
        b"\x1f\x8bnot a gzip file",
        b"\xff\xfe1",
    ],
)
def test_other_files_are_refused(folder, capsys, raw):
    Path("points.csv").write_bytes(raw)
    line = refusal(capsys, "fit", "points.csv", "-o", "map.npz")
    assert line.startswith("geomot fit: error: points.csv: it is ")


def test_packed_files_do_not_fill_the_memory(folder):
    with gzip.open("bomb.csv.gz", "wb") as file:
        for _ in range(100):
            file.write(b"0.5,0.5\n" * 2**17)
    assert os.path.getsize("bomb.csv.gz") < 2**20
    with pytest.raises(BadInput, match="unpacks to far more than its size"):
        read_points("bomb.csv.gz")


def test_workbooks_are_named(folder, capsys):
    with zipfile.ZipFile("table.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    line = refusal(capsys, "fit", "table.xlsx", "-o", "map.npz")
    assert "table.xlsx: is an Excel workbook: save the table as csv" in line
    with zipfile.ZipFile("points.csv.zip", "w") as archive:
        archive.writestr("points.csv", "1,2\n")
    assert "unpack it first" in refusal(capsys, "fit", "points.csv.zip", "-o", "map.npz")


# ---------------------------------------------------------------------------------------------
# Names of columns
# ---------------------------------------------------------------------------------------------


def test_numbers_that_pandas_writes_as_names(folder, capsys):
    Path("points.csv").write_text("0,1\n0.25,0.5\n0.75,0.5\n")
    assert fit("points.csv") == 0
    assert geomot.load("map.npz").sites.tolist() == TWO
    assert capsys.readouterr().err == (
        "geomot fit: warning: points.csv: the first row, 0,1, was read as a header: add "
        "--no-header if it is a point\n"
    )
    assert fit("points.csv", "--header") == 0
    assert geomot.load("map.npz").sites.tolist() == TWO
    assert fit("points.csv", "--no-header") == 0
    assert geomot.load("map.npz").sites.tolist() == [[0.0, 1.0], *TWO]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        # Other whole numbers beside broken ones are not pandas' spelling.
        ("0,1\n0.5,0.25\n1,0.75\n", [[0, 1], [0.5, 0.25], [1, 0.75]]),
        ("0,2\n0.5,0.25\n", [[0, 2], [0.5, 0.25]]),
        ("0.0,1.0\n0.5,0.25\n", [[0, 1], [0.5, 0.25]]),
        ("0\n1\n2\n", [[0], [1], [2]]),
        ("5,7\n", [[5, 7]]),
        ("0,1\n", [[0, 1]]),
    ],
)
def test_points_are_not_taken_for_names(folder, text, rows):
    Path("points.csv").write_text(text)
    assert read_points("points.csv")[0].tolist() == rows


@pytest.mark.parametrize("text", ["0,1\n3,4\n5,6\n", "0\n0.5\n0.75\n", "a,2019\nb,0.5\nc,0.25\n"])
def test_a_first_row_of_either_kind_is_asked_about(folder, text):
    Path("points.csv").write_text(text)
    drop = "1" if text.startswith("a") else None
    with pytest.raises(
        BadInput, match="the first row may be a header or a point: add --header or --no-header"
    ):
        read_points("points.csv", drop=drop)
    n = text.count("\n")
    for header in (True, False):
        assert len(read_points("points.csv", drop=drop, header=header)[0]) == n - header


def test_masses_of_other_files(folder, capsys):
    Path("points.csv").write_text("0.25,0.5\n0.75,0.5\n")
    Path("m.csv").write_text("place,mass\na,0.25\nb,0.75\n")
    np.savez("m.npz", masses=[0.25, 0.75], other=np.zeros(3))
    np.savez("n.npz", a=[0.25, 0.75], b=np.zeros(3))
    Path("comma.csv").write_text("mass\n0,25\n0,75\n")
    for spec in ("m.csv:mass", "m.csv:2", "m.npz", "m.npz:masses", "n.npz:a"):
        assert read_points("points.csv", masses=spec)[1].tolist() == [0.25, 0.75]
    Path("p.csv").write_text("0,25;0,5\n0,75;0,5\n")
    assert read_points("p.csv", masses="comma.csv", decimal=",")[1].tolist() == [0.25, 0.75]
    for spec, message in (
        ("m.csv", "has place, mass: choose one as m.csv:COLUMN"),
        ("n.npz", "choose an array as n.npz:NAME: a, b"),
        ("m.csv:weight", "has no column 'weight'"),
        ("m.csv:place", "column place of m.csv holds text"),
    ):
        line = refusal(capsys, "fit", "points.csv", "--masses", spec, "-o", "map.npz")
        assert message in line


def test_colours_from_a_column(folder):
    Path("airports.csv").write_text(AIRPORTS, encoding="utf-8")
    countries = ["United Kingdom", "Brazil", "Canada", "Japan"]
    assert read_values("airports.csv:country", 4).tolist() == countries
    assert read_values("airports.csv:passengers", 4).tolist() == [79, 41, 1, 79]
    with pytest.raises(BadInput, match=r"has 5 columns: choose one as airports\.csv:COLUMN"):
        read_values("airports.csv", 4)
    np.save("names.npy", np.array(countries))
    assert read_values("names.npy", 4).tolist() == countries
    np.savez("data.npz", kind=countries, x=np.zeros(4))
    assert read_values("data.npz:kind", 4).tolist() == countries
    for text in ("Rio, Brazil\nYork, UK\n", "\ufeffNew York\nRio\n", '"a"\n"b"\n'):
        Path("words.txt").write_text(text, encoding="utf-16")
        assert len(read_values("words.txt", 2)) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--tol", "-1"], "--tol must be positive"),
        (["--threads", "0"], "--threads must be at least 1"),
        (["--max-iter", "-1"], "--max-iter must be at least 0"),
        (
            ["--masses", "3"],
            "--masses must sum to 1, got 60.0: add --normalize to divide by the",
        ),
        (["--masses", "4", "--normalize"], "--masses must not be negative"),
        (
            ["--columns", "1,2,4,5", "--method", "newton"],
            "--method montecarlo works in any dim",
        ),
        (["--device", "cuda"], "--device must be None for method newton"),
        (["--method", "quantile"], "sites must have shape (n, 1) for method quantile"),
    ],
)
def test_advice_is_in_the_words_of_the_command_line(folder, capsys, options, words):
    Path("a.csv").write_text("0.1,0.2,20,-1,0.5\n0.5,0.7,40,1,0.5\n")
    columns = [] if "--columns" in options else ["--columns", "1,2"]
    line = refusal(capsys, "fit", "a.csv", "-o", "map.npz", *columns, *options)
    assert words in line
    assert "=" not in line


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (
            ["plot", "map.npz", "-o", "a.png", "--kind", "map", "--samples", "-1"],
            "--samples must be",
        ),
        (
            ["generate", "a.npz", "-o", "out", "--no-torch"],
            "choose the array of the images with --ar",
        ),
        (
            ["generate", "b.npy", "-o", "out", "--array", "x", "--no-torch"],
            "b.npy: --array applies",
        ),
        (
            ["generate", "b.npy", "-o", "out", "--size", "3"],
            "--size applies only to folders of pictures",
        ),
    ],
)
def test_advice_of_other_commands(folder, capsys, argv, words):
    geomot.solve([[0.25, 0.5], [0.75, 0.5]]).save("map.npz")
    np.savez("a.npz", one=np.zeros((5, 8, 8)), two=np.zeros((5, 8, 8)))
    np.save("b.npy", np.zeros((5, 8, 8)))
    assert words in refusal(capsys, *argv)
