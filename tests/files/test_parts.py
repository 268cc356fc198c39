"""Parts of files: what is declared is written, read and held to its declaration."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import geomot
from geomot._files import archive, parts
from geomot._validation import as_count


@dataclass
class Frame:
    size: tuple[int, ...]
    corners: np.ndarray


RECORD = parts.Record(
    "test",
    {
        "name": parts.Entry(parts.as_word),
        "seed_": parts.Entry(as_count, default=None),
        "scale": parts.Entry(parts.as_number, default=2.0),
        "frame": parts.Nested(
            Frame,
            {
                "size": parts.Entry(parts.as_shape, axes="sample"),
                "corners": parts.Array(("corner", 2)),
            },
            prefix="frame_",
        ),
        "_points": parts.Array(("n", "d")),
        "square": parts.Array(("d", "d"), optional=True),
        "data": parts.Array(("n", "sample"), ("<f4", "|u1")),
        "table": parts.Table(lambda found: np.dtype([("step", int), (found["name"], float)])),
        "source": parts.Measure("source_"),
        "more": parts.Arrays("more."),
    },
)
ROWS = np.array([(0, 1.5), (3, -0.5)], [("step", int), ("loss", float)])


def made(**changes: Any) -> SimpleNamespace:
    values = {
        "name": "loss",
        "seed_": np.int64(3),
        "scale": 0.5,
        "frame": Frame((2, 3), np.ones((4, 2))),
        "_points": np.zeros((5, 2)),
        "square": None,
        "data": np.zeros((5, 2, 3), np.uint8),
        "table": ROWS,
        "source": geomot.UniformBox([0.0], [1.0]),
        "more": {"a": np.ones(2), "b.c": np.arange(3)},
    }
    return SimpleNamespace(**{**values, **changes})


def again(path, **changes):
    RECORD.write(path, made(**changes))
    return RECORD.read(path, SimpleNamespace, "a test file")


def test_round_trip(tmp_path):
    found, wanted = again(tmp_path / "file"), made()
    assert vars(found).keys() == vars(wanted).keys()
    assert (found.name, found.seed_, found.scale, found.square) == ("loss", 3, 0.5, None)
    assert type(found.seed_) is int
    assert found.frame.size == (2, 3)
    assert found.source == wanted.source
    assert found.table.dtype == ROWS.dtype
    for name in ("_points", "data", "table"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
    np.testing.assert_array_equal(found.frame.corners, wanted.frame.corners)
    assert {name: a.tolist() for name, a in found.more.items()} == {"a": [1, 1], "b.c": [0, 1, 2]}


def test_names_in_the_file(tmp_path):
    RECORD.write(tmp_path / "file", vars(made(square=np.eye(2))))
    with np.load(tmp_path / "file") as file:
        header = json.loads(file["header.json"])
        names = set(file.files) - {"header.json"}
    assert {"name", "seed", "scale", "frame", "source"} <= set(header)
    assert header["frame"] == {"size": [2, 3]}
    own = {"points", "square", "data", "table", "frame_corners", "more.a", "more.b.c"}
    assert names == own | {"source_lower", "source_upper"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": 3}, "name must be text, got 3"),
        ({"seed_": -1}, "seed must be at least 0, got -1"),
        ({"scale": "2"}, "scale must be a number, got '2'"),
        ({"_points": np.zeros(5)}, r"points must have shape \(n, d\), got \(5,\)"),
        ({"_points": np.full((5, 2), np.inf)}, "points must be finite"),
        ({"_points": np.zeros((5, 2), np.float32)}, "points must have dtype <f8, got float32"),
        ({"square": np.eye(3)}, r"square must have shape \(2, 2\), got \(3, 3\)"),
        ({"data": np.zeros((4, 2, 3), "u1")}, r"data must have shape \(5, 2, 3\), got"),
        ({"data": np.zeros((5, 3, 2), "u1")}, r"data must have shape \(5, 2, 3\), got"),
        ({"data": np.zeros((5, 2, 3))}, r"data must have dtype <f4 or \|u1, got float64"),
        ({"frame": Frame((2, 3, 4, 5), np.ones((4, 2)))}, "size must have one to three entries"),
        ({"frame": Frame((2, 3), np.ones((4, 3)))}, r"corners must have shape \(corner, 2\)"),
        ({"table": ROWS[["step"]]}, r"table must have shape \(rows, 2\), got \(2, 1\)"),
        ({"table": np.array([(np.nan, 1.0)], [("step", float), ("loss", float)])}, "invalid"),
    ],
)
def test_what_differs_from_the_declaration_is_refused(tmp_path, changes, message):
    path = tmp_path / "file"
    with pytest.raises(ValueError, match=f"path must name a test file, got {path}: {message}"):
        again(path, **changes)


def test_what_is_missing_or_left_over_is_named(tmp_path):
    path = tmp_path / "file"
    RECORD.write(path, made())
    header, arrays = archive.read(path, "test", 1, lambda *content: content, kind="a file")
    read = partial(RECORD.read, path, SimpleNamespace, "a test file")
    for key in ("format", "version", "geomot"):
        del header[key]

    def without(values, name):
        return {key: value for key, value in values.items() if key != name}

    archive.write(path, "test", 1, without(without(header, "scale"), "seed"), arrays)
    assert (read().scale, read().seed_) == (2.0, None)
    for name in ("name", "frame", "source"):
        archive.write(path, "test", 1, without(header, name), arrays)
        with pytest.raises(ValueError, match=f"its header has no {name}"):
            read()
    archive.write(path, "test", 1, header, without(arrays, "points"))
    with pytest.raises(ValueError, match="it has no array points"):
        read()
    for name in ("other", "frame_other"):
        archive.write(path, "test", 1, header, {**arrays, name: np.zeros(1)})
        with pytest.raises(ValueError, match=r"it must not hold the arrays \['other'\]"):
            read()
    archive.write(path, "test", 1, {**header, "source": []}, arrays)
    with pytest.raises(ValueError, match="source must be a mapping"):
        read()


def test_checks_of_headers():
    assert parts.as_number(2, "x") == 2.0
    for bad in (True, None, "2", float("nan"), [2.0]):
        with pytest.raises(ValueError, match="x must be a number"):
            parts.as_number(bad, "x")
    assert parts.one_of("a", "b")("a", "x") == "a"
    for bad in ("c", None, ["a"], {}):
        with pytest.raises(ValueError, match="x must be one of"):
            parts.one_of("a", "b")(bad, "x")
    assert parts.as_interval([1, 2.5], "x") == (1.0, 2.5)
    for check, bad in [
        (parts.as_interval, [1]),
        (parts.as_interval, 3),
        (parts.as_counts, [0]),
        (parts.as_shape, []),
        (parts.as_list, "abc"),
        (parts.as_mapping, []),
        (parts.as_word, None),
    ]:
        with pytest.raises(ValueError, match="x must|values to unpack"):
            check(bad, "x")
    assert parts.plain({"a": (np.float64(1), None), "b": np.arange(2)}) == {
        "a": [1.0, None],
        "b": [0, 1],
    }
