"""Tables in files: how they are spelled, and what is refused."""

from __future__ import annotations

import csv
import gzip
import io
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


# ---------------------------------------------------------------------------------------------
# Spellings of text files
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "0.25,0.5,\n0.75,0.5,\n",
        "x,y,\n0.25,0.5,\n0.75,0.5,\n",
        "x,y\n0.25,0.5,\n0.75,0.5,\n",
        "x,y,,,\n0.25,0.5,,,\n0.75,0.5\n,,,,\n",
        '"0.25","0.5"\n"0.75","0.5"\n',
        '"x";"y"\n"0.25";"0.5"\n"0.75";"0.5"\n',
        '0.25, "0.5"\n0.75, "0.5"\n',
        "0.25|0.5\n0.75|0.5\n",
        "sep=;\n0.25;0.5\n0.75;0.5\n",
        "\n\n# comment\nx;y\n\n0.25;0.5\n# 9;9\n;\n0.75;0.5\n",
        "# x,y\n0.25,0.5\n0.75,0.5\n",
        "0.25\t0.5\r\n0.75\t0.5\r\n",
        "  0.25   0.5  \n 0.75\t0.5\n",
        "x,y\r0.25,0.5\r0.75,0.5\r",
        "+0.25,5e-1\n0.75,.5",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("packed", [False, True])
def test_spellings(folder, text, encoding, packed):
    raw = text.encode(encoding)
    Path("points.csv").write_bytes(gzip.compress(raw, mtime=0) if packed else raw)
    assert read_points("points.csv")[0].tolist() == TWO


@pytest.mark.parametrize(
    "text",
    [
        "0,25;0,5\n0,75;0,5\n",
        "x\ty\n0,25\t0,5\n0,75\t0,5\n",
        '"0,25","0,5"\n"0,75","0,5"\n',
        'x,y\n"0,25","0,5"\n"0,75","0,5"\n',
        "0,25 0,5\n0,75 0,5\n",
        "x;y;\n2,5e-1;0,5;\n0,75;5e-1;\n",
    ],
)
def test_decimal_commas(folder, text):
    Path("points.csv").write_text(text)
    assert read_points("points.csv", decimal=",")[0].tolist() == TWO


@pytest.mark.parametrize(
    ("text", "decimal", "message"),
    [
        (
            "0,25;0,5\n0,75;0,5\n",
            ".",
            "holds decimal commas ('0,25' in line 1): add --decimal ,",
        ),
        (
            "x;y\n0.25;1\n0.75;2\n",
            ",",
            "x holds decimal points ('0.25' in line 2): leave out --",
        ),
        ("x;y\n0,25;1.000\n0,75;1\n0,5;2\n", ",", "line 2: column y holds '1.000', not a number"),
        (
            "x\n0,25\n0,75\n",
            ".",
            "names for 2 columns: add --decimal , if the commas mark decimals",
        ),
        ("x,y\n0.1,1_0\n1,2\n2,3\n", ".", "line 2: column y holds '1_0', not a number"),
        ("x,y\n0.1,\n1,2\n", ".", "line 2: column y is empty"),
        ("x,y\n0.1,n/a\n1,2\n3,4\n", ".", "line 2: column y holds 'n/a', not a number"),
        ("0.1,n/a\n1,2\n3,4\n", ".", "line 1: column 2 holds 'n/a', not a number"),
        ("0.1,oops\n0.3,2\n3,4\n", ".", "line 1: column 2 holds 'oops', not a number"),
        ("x,y\n0.1,1\n1,2,3\n", ".", "line 3 has 3 columns instead of 2"),
        ("x,y\n0.1,1\n1\n", ".", "line 3 has 1 columns instead of 2"),
        ("a,b,c\n1,2\n", ".", "3 column names for 2 columns"),
        ("a,b\n1,2,3\n", ".", "2 column names for 3 columns"),
        ("", ".", "holds no numbers"),
        (
            "x,y,z\n1,2,\n3,4,\n",
            ".",
            "column z is empty: choose columns with --columns x,y, or",
        ),
    ],
)
def test_faults_have_their_place(folder, text, decimal, message):
    Path("points.csv").write_text(text)
    with pytest.raises(BadInput) as error:
        read_points("points.csv", decimal=decimal)
    assert message in str(error.value)


def test_a_column_too_many_moves_no_number(folder):
    # The comma in the name moves lat to lon's place: numpy's reader alone would not notice.
    Path("a.csv").write_text("name,lat,lon,n\nRome,41.9,12.5,1\nParis, 5,48.8,2.3,1\n")
    with pytest.raises(BadInput, match="line 3 has 5 columns instead of 4"):
        read_points("a.csv", columns="lat,lon")


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


def test_random_tables_in_random_spellings(folder):
    names = ["London Heathrow", "São Paulo", "Gander, NL", 'The "Big" one', "A;B", "Area 51", "7"]
    for seed in range(300):
        rng = np.random.default_rng(seed)
        n, d, t = rng.integers(1, 30), rng.integers(1, 4), rng.integers(0, 3)
        separator, decimal = str(rng.choice(list(",;\t|"))), str(rng.choice([".", ","]))
        pattern = str(rng.choice(["%.17g", "%.3f", "%r"]))
        cells = [
            [(pattern % float(x)).replace(".", decimal) for x in row]
            + [str(rng.choice([*names, ["#1 place", "two\nlines"][seed % 2]]))
               for _ in range(t)]
            for row in rng.normal(size=(n, d)) * 10.0 ** rng.integers(-3, 5)
        ]  # fmt: skip
        expected = [[float(x.replace(",", ".")) for x in row[:d]] for row in cells]
        order = rng.permutation(d + t)
        header = [f"x{k}" for k in range(d)] + ["t0", "t1"][:t]
        named = bool(rng.integers(2))
        text = io.StringIO(newline="")
        quoting = int(rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
        writer = csv.writer(text, delimiter=separator, quoting=quoting)
        for row in [header] * named + cells:
            writer.writerow([row[k] for k in order] + [""] * (seed % 3 == 0))
        raw = text.getvalue().encode(["utf-8", "utf-16", "cp1252"][seed % 3])
        Path("points.csv").write_bytes(gzip.compress(raw, mtime=0) if seed % 5 == 0 else raw)
        places = [str(order.tolist().index(k) + 1) for k in range(d)]
        chosen = header[:d] if named else places
        points, _ = read_points("points.csv", columns=",".join(chosen), decimal=decimal)
        assert points.tolist() == expected, seed


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
            ["--columns", "1,2,5", "--method", "newton"],
            "--method montecarlo works in any dim",
        ),
        (["--device", "cuda"], "--device must be None for method newton"),
        (["--method", "quantile"], "sites must have shape (n, 1) for quantiles"),
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
            "--size applies to folders of pictures",
        ),
    ],
)
def test_advice_of_other_commands(folder, capsys, argv, words):
    geomot.solve([[0.25, 0.5], [0.75, 0.5]]).save("map.npz")
    np.savez("a.npz", one=np.zeros((5, 8, 8)), two=np.zeros((5, 8, 8)))
    np.save("b.npy", np.zeros((5, 8, 8)))
    assert words in refusal(capsys, *argv)
