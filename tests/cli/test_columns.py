"""Which columns of a table are taken."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from airports import AIRPORTS, LON_LAT, PASSENGERS
from commands import fit, refusal

import geomot
from geomot.cli._shared import BadInput
from geomot.cli._tables import read_points, read_table, read_vector

TWO = [[0.25, 0.5], [0.75, 0.5]]


def test_the_count_tells_a_name_above_masses(folder):
    Path("masses.csv").write_text("0\n0.25\n0.75\n")  # pandas' Series.to_csv(index=False)
    assert read_vector("masses.csv", 2).tolist() == [0.25, 0.75]
    assert read_vector("masses.csv", 3).tolist() == [0.0, 0.25, 0.75]


def test_airports(folder, capsys):
    Path("airports.csv").write_text(AIRPORTS, encoding="utf-8")
    assert refusal(capsys, "fit", "airports.csv", "-o", "map.npz") == (
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
            "has no column 'latitude', only name, country, lat, lon",
        ),
        (["--columns", "lon,lon"], "--columns names column lon twice"),
        (["--columns", "0"], "has no column '0'"),
        (["--columns", "6"], "has no column '6'"),
        (["--columns", ""], "--columns must name a column"),
        (["--columns", "name,lat"], "--columns: column name of airports.csv holds text"),
        (["--drop", "1-5"], "has no column left for the sites"),
        (["--columns", "1", "--drop", "2"], "not allowed with argument"),
        (["--columns", "lon,lat", "--masses", "name"], "--masses: column name of airports.csv hol"),
        (["--columns", "lon,lat", "--masses", "weight"], "neither a file nor in airports.csv"),
        (["--columns", "lon,lat", "--array", "x"], "--array applies to npz files"),
        (["--columns", "lon,lat", "--decimal", "x"], "--decimal"),
    ],
)
def test_columns_that_are_not_there(folder, capsys, options, message):
    Path("airports.csv").write_text(AIRPORTS, encoding="utf-8")
    assert message in refusal(capsys, "fit", "airports.csv", "-o", "map.npz", *options)


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
    assert message in refusal(capsys, "fit", "points.csv", "-o", "map.npz")
    columns = "0,1" if ",0,1" in text else "2,3"
    assert read_points("points.csv", columns=columns)[0].tolist() == TWO
    if ",0,1" not in text:
        assert read_points("points.csv", drop="1")[0].tolist() == TWO


def test_rows_that_are_counted_without_a_name(folder, capsys):
    for start in (0, 1):
        rows = "".join(f"{start + k},0.{k + 1},0.5\n" for k in range(4))
        Path("points.csv").write_text(rows)
        line = refusal(capsys, "fit", "points.csv", "-o", "map.npz")
        assert f"column 1 numbers the rows from {start}, like an index" in line
        assert "--columns 2,3, or leave out with --drop 1" in line
    Path("points.csv").write_text("103,0.5\n101,0.25\n102,0.75\n")  # shuffled
    assert "numbers the rows from 101" in refusal(capsys, "fit", "points.csv", "-o", "map.npz")
    Path("points.csv").write_text("".join(f"{k},{k * k}\n" for k in range(10)))
    assert "numbers the rows from 0" in refusal(capsys, "fit", "points.csv", "-o", "map.npz")
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
    line = refusal(capsys, "fit", "points.csv", "--domain", "polygon:ring.csv", "-o", "map.npz")
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
