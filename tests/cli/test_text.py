"""Tables in text files, in all spellings; faults have their place."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import numpy as np
import pytest

from geomot.cli._shared import BadInput
from geomot.cli._tables import read_points

TWO = [[0.25, 0.5], [0.75, 0.5]]


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
