"""Files of real life on the command line: what is read from them, and what is refused."""

from __future__ import annotations

import csv
import gzip
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

import geomot
from geomot.cli import main
from geomot.cli._shared import BadInput
from geomot.cli._tables import read_points, read_table, read_values, read_vector

TWO = [[0.25, 0.5], [0.75, 0.5]]
AIRPORTS = """\
name,country,lat,lon,passengers
London Heathrow,United Kingdom,51.4706,-0.4619,79
São Paulo,Brazil,-23.4356,-46.4731,41
"Gander, NL",Canada,48.9369,-54.5681,1
Tokyo Haneda,Japan,35.5523,139.78,79
"""
LON_LAT = [[-0.4619, 51.4706], [-46.4731, -23.4356], [-54.5681, 48.9369], [139.78, 35.5523]]
PASSENGERS = [79.0, 41.0, 1.0, 79.0]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fit(*options):
    return main(["fit", *options, "-o", "map.npz"])


def complaint(capsys, *argv):
    """Run, and return the one line of a refusal."""
    assert main(list(argv)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1 and err.endswith("\n")
    return err.removesuffix("\n")


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
    Path("points.csv").write_bytes(gzip.compress(raw) if packed else raw)
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
        gzip.compress(b"1,2\n" * 1000)[:-12],
        b"\x1f\x8bnot a gzip file",
        b"\xff\xfe1",
    ],
)
def test_other_files_are_refused(folder, capsys, raw):
    Path("points.csv").write_bytes(raw)
    line = complaint(capsys, "fit", "points.csv", "-o", "map.npz")
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
    line = complaint(capsys, "fit", "table.xlsx", "-o", "map.npz")
    assert "table.xlsx: is an Excel workbook: save the table as csv" in line
    with zipfile.ZipFile("points.csv.zip", "w") as archive:
        archive.writestr("points.csv", "1,2\n")
    assert "unpack it first" in complaint(capsys, "fit", "points.csv.zip", "-o", "map.npz")


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
        Path("points.csv").write_bytes(gzip.compress(raw) if seed % 5 == 0 else raw)
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


def test_the_count_tells_a_name_above_masses(folder):
    Path("masses.csv").write_text("0\n0.25\n0.75\n")  # pandas' Series.to_csv(index=False)
    assert read_vector("masses.csv", 2).tolist() == [0.25, 0.75]
    assert read_vector("masses.csv", 3).tolist() == [0.0, 0.25, 0.75]


def test_airports(folder, capsys):
    Path("airports.csv").write_text(AIRPORTS, encoding="utf-8")
    assert complaint(capsys, "fit", "airports.csv", "-o", "map.npz") == (
        "geomot fit: error: airports.csv: column name holds text ('London Heathrow' in line 2), "
        "column country holds text ('United Kingdom' in line 2): choose columns with --columns "
        "lat,lon,passengers, or leave out with --drop name,country"
    )
    bounds = ("--domain", "bounds")
    for columns in ("lon,lat", "4,3", '"lon",lat', " lon , 3 "):
        assert fit("airports.csv", "--columns", columns, *bounds) == 0
        assert geomot.load("map.npz").sites.tolist() == LON_LAT
    assert fit("airports.csv", "--columns", "3-4", *bounds) == 0
    assert geomot.load("map.npz").sites.tolist() == [[y, x] for x, y in LON_LAT]
    argv = ("airports.csv", "--masses", "passengers", "--normalize", *bounds)
    for options in (("--columns", "lon,lat"), ("--drop", "name,2")):
        assert fit(*argv, *options) == 0
        solution = geomot.load("map.npz")
        np.testing.assert_allclose(solution.target_masses, np.array(PASSENGERS) / 200, rtol=1e-15)
    assert solution.sites.tolist() == [[y, x] for x, y in LON_LAT]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--columns", "lon,latitude"],
            "has no column 'latitude', but name, country, lat, lon",
        ),
        (["--columns", "lon,lon"], "--columns names column lon twice"),
        (["--columns", "0"], "has no column '0'"),
        (["--columns", "6"], "has no column '6'"),
        (["--columns", ""], "--columns must name a column"),
        (["--columns", "name,lat"], "--columns: column name of airports.csv holds text"),
        (["--drop", "1-5"], "has no column left for the sites"),
        (["--columns", "1", "--drop", "2"], "not allowed with argument"),
        (["--columns", "lon,lat", "--masses", "name"], "--masses: column name of airports.csv hol"),
        (["--columns", "lon,lat", "--masses", "weight"], "neither a file nor part of airports.csv"),
        (["--columns", "lon,lat", "--array", "x"], "--array applies to npz files"),
        (["--columns", "lon,lat", "--decimal", "x"], "--decimal"),
    ],
)
def test_columns_that_are_not_there(folder, capsys, options, message):
    Path("airports.csv").write_text(AIRPORTS, encoding="utf-8")
    assert message in complaint(capsys, "fit", "airports.csv", "-o", "map.npz", *options)


def test_names_that_occur_twice_need_a_number(folder):
    Path("a.csv").write_text("x,y,x\n1,2,3\n")
    with pytest.raises(BadInput, match="has 2 columns named x: give a number, 1 and 3"):
        read_points("a.csv", columns="x,y")
    assert read_points("a.csv", columns="3,y")[0].tolist() == [[3, 2]]


def test_names_of_numbers_count_before_places(folder):
    Path("a.csv").write_text("0,1,2\n0.5,1.5,2.5\n")
    with pytest.warns(UserWarning, match="was read as a header"):
        assert read_points("a.csv", columns="1,2")[0].tolist() == [[1.5, 2.5]]
    with pytest.warns(UserWarning, match="was read as a header"):
        points, masses = read_points("a.csv", masses="2")
    assert (points.tolist(), masses.tolist()) == ([[0.5, 1.5]], [2.5])


def test_names_in_the_comment_of_savetxt(folder):
    np.savetxt("a.csv", [[1.5, 2.5], [3.5, 4.5]], delimiter=",", header="lon,lat")
    assert read_points("a.csv", columns="lat")[0].tolist() == [[2.5], [4.5]]
    Path("a.csv").write_text("# lon,lat\n1.5,2.5\n# id,n\n3.5,4.5\n")
    assert read_points("a.csv", columns="lat")[0].tolist() == [[2.5], [4.5]]


def test_rows_that_begin_with_a_hash_are_no_comments_beside_text(folder):
    Path("a.csv").write_text("# gates\nname,x\n#1 Gate,0.5\nGate 2,0.75\n# the end\n")
    assert read_points("a.csv", columns="x")[0].tolist() == [[0.5], [0.75]]
    Path("b.csv").write_text("x,name\n0.5,Gate #1\n#0.6,Gate\n0.75,\n")
    assert read_points("b.csv", columns="x")[0].tolist() == [[0.5], [0.75]]


# ---------------------------------------------------------------------------------------------
# Index columns
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            ",x,y\n0,0.25,0.5\n1,0.75,0.5\n",
            "column 1 has no name, like the index that pandas",
        ),
        (
            ",x,y\n7,0.25,0.5\n3,0.75,0.5\n",
            "choose columns with --columns x,y, or leave out with",
        ),
        (",0,1\n0,0.25,0.5\n1,0.75,0.5\n", "column 1 has no name"),
        ('"","x","y"\n"1",0.25,0.5\n"2",0.75,0.5\n', "--drop 1"),
        ('"x" "y"\n"1" 0.25 0.5\n"2" 0.75 0.5\n', "column 1 has no name"),  # R's write.table
        ("Unnamed: 0,x,y\n0,0.25,0.5\n1,0.75,0.5\n", "column Unnamed: 0 has no name"),
        ("id,x,y\n512,0.25,0.5\n34,0.75,0.5\n", "column id holds whole numbers, like an index"),
        ("osm_id,x,y\n512,0.25,0.5\n34,0.75,0.5\n", "column osm_id holds whole numbers"),
        ("a,0.25,0.5\nb,0.75,0.5\n", "column 1 holds text ('a' in line 1)"),
    ],
)
def test_an_index_is_refused_or_left_out(folder, capsys, text, message):
    Path("points.csv").write_text(text)
    assert message in complaint(capsys, "fit", "points.csv", "-o", "map.npz")
    columns = "0,1" if ",0,1" in text else "2,3"
    assert read_points("points.csv", columns=columns)[0].tolist() == TWO
    if ",0,1" not in text:
        assert read_points("points.csv", drop="1")[0].tolist() == TWO


def test_rows_that_are_counted_without_a_name(folder, capsys):
    for start in (0, 1):
        rows = "".join(f"{start + k},0.{k + 1},0.5\n" for k in range(4))
        Path("points.csv").write_text(rows)
        line = complaint(capsys, "fit", "points.csv", "-o", "map.npz")
        assert f"column 1 numbers the rows from {start}, like an index" in line
        assert "--columns 2,3, or leave out with --drop 1" in line
    Path("points.csv").write_text("103,0.5\n101,0.25\n102,0.75\n")  # shuffled
    assert "numbers the rows from 101" in complaint(capsys, "fit", "points.csv", "-o", "map.npz")
    Path("points.csv").write_text("".join(f"{k},{k * k}\n" for k in range(10)))
    assert "numbers the rows from 0" in complaint(capsys, "fit", "points.csv", "-o", "map.npz")
    # Whole numbers may be places; two rows count by chance; names say what numbers are.
    for text in ("0,5\n1,7\n2,8\n", "0,0.5\n1,0.25\n", "t,x\n0,0.5\n1,0.25\n2,0.75\n"):
        Path("points.csv").write_text(text)
        assert read_points("points.csv")[0].shape == (text.count("\n") - text.count("t"), 2)


def test_an_index_can_be_chosen(folder):
    Path("points.csv").write_text("id,x\n512,0.25\n34,0.75\n")
    assert read_points("points.csv", columns="id,x")[0].tolist() == [[512, 0.25], [34, 0.75]]


def test_an_index_in_a_file_of_a_domain(folder, capsys):
    Path("points.csv").write_text("0.25,0.5\n0.75,0.5\n")
    Path("ring.csv").write_text(",x,y\n0,0,0\n1,1,0\n2,0,1\n")
    line = complaint(capsys, "fit", "points.csv", "--domain", "polygon:ring.csv", "-o", "map.npz")
    assert "ring.csv: column 1 has no name, like the index that pandas writes: remove it" in line
    Path("ring.csv").write_text("x;y\n0;0\n1,5;0\n0;1,5\n")
    assert read_table("ring.csv", decimal=",").tolist() == [[0, 0], [1.5, 0], [0, 1.5]]


def test_pandas_files_are_read(folder):
    pandas = pytest.importorskip("pandas")
    points = np.random.default_rng(0).random((30, 2))
    frame = pandas.DataFrame(points, columns=["lon", "lat"])
    frame.insert(0, "name", [f"place {k}" for k in range(30)])
    for options in (
        {},
        {"index": False},
        {"sep": ";", "decimal": ","},
        {"encoding": "utf-16", "sep": "\t"},
        {"quoting": csv.QUOTE_ALL},
    ):
        for name in ("a.csv", "a.csv.gz"):
            frame.to_csv(name, **options)
            read = read_points(name, columns="lon,lat", decimal=options.get("decimal", "."))
            np.testing.assert_array_equal(read[0], points)


# ---------------------------------------------------------------------------------------------
# npz and npy files
# ---------------------------------------------------------------------------------------------


def test_npz_of_several_arrays(folder, capsys):
    rng = np.random.default_rng(0)
    coords, pop = rng.random((20, 2)), rng.random(20)
    np.savez("data.npz", coords=coords, pop=pop, lon=coords[:, 0], lat=coords[:, 1], names=["a"])
    line = complaint(capsys, "fit", "data.npz", "-o", "map.npz")
    assert "choose an array with --array: coords, pop, lon, lat, names" in line
    argv = ("data.npz", "--masses", "pop")
    line = complaint(capsys, "fit", *argv, "--array", "coords", "-o", "map.npz")
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
        (("--array", "coords", "--masses", "mass"), "neither a file nor part of data.npz, which"),
        (("--array", "pop"), "must hold a table of rows and columns, got shape (20,)"),
        (("--columns", "lon,names"), "array names must hold real numbers"),
    ):
        assert message in complaint(capsys, "fit", "data.npz", *options, "-o", "map.npz")


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
        line = complaint(capsys, "fit", "points.csv", "--masses", spec, "-o", "map.npz")
        assert message in line


def test_structured_arrays_have_names(folder):
    dtype = [("name", "U4"), ("x", float), ("y", np.float32)]
    np.save("table.npy", np.array([("a", 0.25, 0.5), ("b", 0.75, 0.5)], dtype))
    assert read_points("table.npy", columns="x,y")[0].tolist() == TWO
    assert read_points("table.npy", drop="name", masses="x")[0].tolist() == [[0.5], [0.5]]
    with pytest.raises(BadInput, match="column name holds text: choose columns with --columns x,y"):
        read_points("table.npy")


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


# ---------------------------------------------------------------------------------------------
# Outputs, domains, words
# ---------------------------------------------------------------------------------------------


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
        line = complaint(capsys, "fit", file, "-o", output)
        assert f"{output}: is an input file ({file}): choose another output" in line
    others = ("--masses", "masses.txt", "--domain", "polygon:ring.csv")
    for option, file in (("-o", "masses.txt"), ("-o", "ring.csv"), ("--checkpoint", "points.csv")):
        output = () if option == "-o" else ("-o", "map.npz")
        assert "is an input file" in complaint(
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
        assert "is an input file" in complaint(capsys, *argv)
    assert Path("map.npz").read_bytes() == before


def test_output_folders_keep_their_inputs(folder, capsys):
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8), dtype=np.uint8)
    os.mkdir("out")
    np.savez("out/samples.npz", images=images)
    Path("out/table.csv").write_text("x,y\n0.5,0.25\n0.1,0.2\n")
    before = {path: path.read_bytes() for path in Path("out").glob("*")}
    argv = ("generate", "out/samples.npz", "--no-torch", "-o", "out")
    assert "is an input file" in complaint(capsys, *argv)
    argv = ("compare", "--data", "out/table.csv", "--methods", "BrenierMap", "-o", "out")
    assert "is an input file" in complaint(capsys, *argv)
    os.mkdir("pictures")
    argv = ("generate", "pictures", "--no-torch", "-o", "./pictures/")
    assert "is the folder of the images" in complaint(capsys, *argv)
    assert {path: path.read_bytes() for path in before} == before


def test_the_convex_hull_as_domain(folder, capsys):
    points = np.random.default_rng(0).normal(size=(50, 2))
    np.save("sites.npy", points)
    assert fit("sites.npy", "--domain", "hull") == 0
    assert geomot.load("map.npz").source == geomot.UniformPolygon.hull(points)
    np.save("line.npy", points[:, :1])
    assert fit("line.npy", "--domain", "hull") == 0
    ends = [[points[:, 0].min()], [points[:, 0].max()]]
    assert geomot.load("map.npz").source.bounds.tolist() == ends
    np.save("space.npy", np.zeros((5, 3)))
    np.save("flat.npy", np.outer(np.arange(5.0), [1, 2]))
    capsys.readouterr()
    for name, message in (("space", "needs sites with 1 or 2 columns"), ("flat", "one line")):
        line = complaint(capsys, "fit", f"{name}.npy", "--domain", "hull", "-o", "map.npz")
        assert "--domain hull needs sites" in line and message in line


@pytest.mark.parametrize(
    ("sites", "said"),
    [
        ([[40.0, 20.0], [50.0, 30.0]], "all 2 sites lie outside the domain, --domain unit: "),
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
    assert err.endswith("for their bounding box use --domain bounds\n")
    assert fit("sites.npy", "--domain", "bounds" if len(sites) > 2 else "normal") in (0, 3)


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
    line = complaint(capsys, "fit", "a.csv", "-o", "map.npz", *columns, *options)
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
    assert words in complaint(capsys, *argv)
