"""Archives of any kind: what they hold, and what they refuse to write or read.

Damaged and hostile files are in test_storage.py, whose solutions are such archives.
"""

from __future__ import annotations

import json
import os
import pickle
import zipfile

import numpy as np
import pytest

from geomot._files import archive as _archive

HEADER = {"name": "ünï", "numbers": [1, 2.5, None], "nested": {"a": True}}


def arrays():
    rng = np.random.default_rng(0)
    return {
        "doubles": rng.standard_normal((3, 4)),
        "singles": rng.standard_normal((2, 1, 5)).astype(np.float32),
        "whole": np.array([-3, 2**40]),
        "bytes_": np.arange(256, dtype=np.uint8).reshape(4, 8, 8),
        "net.0.weight": np.zeros((0, 3), np.float32),
    }


def keep(header, content):
    return header, content


def read(path, build=keep, **changes):
    options = {"format": "test", "version": 3, "kind": "a test file", **changes}
    return _archive.read(path, options.pop("format"), options.pop("version"), build, **options)


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "file.npz"
    _archive.write(path, "test", 3, HEADER, arrays())
    return path


def test_round_trip(stored):
    header, content = read(stored)
    assert {key: header[key] for key in HEADER} == HEADER
    assert (header["format"], header["version"]) == ("test", 3)
    assert list(content) == list(arrays())
    for name, array in arrays().items():
        assert content[name].dtype == array.dtype
        assert content[name].dtype.isnative
        assert content[name].shape == array.shape
        np.testing.assert_array_equal(content[name], array)
        content[name][...] = 0  # what was read belongs to the reader


def test_equal_content_makes_equal_files(tmp_path, stored):
    strange = {
        key: np.asfortranarray(a.astype(a.dtype.newbyteorder(">"))) for key, a in arrays().items()
    }
    _archive.write(tmp_path / "again", "test", 3, HEADER, strange)
    assert (tmp_path / "again").read_bytes() == stored.read_bytes()


def test_numpy_reads_the_arrays(stored):
    with np.load(stored, allow_pickle=False) as file:
        for name, array in arrays().items():
            np.testing.assert_array_equal(file[name], array)
        assert json.loads(file["header.json"])["name"] == "ünï"


@pytest.mark.parametrize(
    "array",
    [
        np.array([{}], object),
        np.array(["a"]),
        np.zeros(3, bool),
        np.zeros(3, np.float16),
        np.zeros(3, np.int32),
        np.zeros(3, complex),
        np.zeros(3, [("x", float)]),
        np.array(1.0),
    ],
    ids=lambda a: str(a.dtype),
)
def test_kinds_of_arrays_refused(tmp_path, array):
    with pytest.raises(TypeError, match="arrays must have axes and a dtype in .* got values"):
        _archive.write(tmp_path / "file", "test", 1, {}, {"values": array})
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["", "a b", "../a", "a/b", ".hidden", "ü", 3])
def test_names_refused(tmp_path, name):
    with pytest.raises(ValueError, match="arrays must have plain names"):
        _archive.write(tmp_path / "file", "test", 1, {}, {name: np.zeros(1)})


def test_what_could_not_be_read_is_not_written(tmp_path):
    path = tmp_path / "file"
    with pytest.raises(ValueError, match="header must have at most"):
        _archive.write(path, "test", 1, {"text": "x" * 20_000}, {})
    with pytest.raises(ValueError, match="got too many: 400"):
        _archive.write(path, "test", 1, {}, {f"a{k}": np.zeros(1) for k in range(400)})
    with pytest.raises(ValueError, match="header must not have the keys"):
        _archive.write(path, "test", 1, {"version": 2}, {})
    with pytest.raises(TypeError, match="not JSON serializable"):
        _archive.write(path, "test", 1, {"x": object()}, {})
    with pytest.raises(TypeError, match="path must be a string or path, got int"):
        _archive.write(3, "test", 1, {}, {})
    assert os.listdir(tmp_path) == []
    # As much as is allowed can be read back.
    many = {f"array{k:05d}": np.zeros(1) for k in range(260)}
    _archive.write(path, "test", 3, {"text": "x" * 16_000}, many)
    assert len(read(path)[1]) == 260


def test_other_formats_and_versions_are_refused(stored):
    with pytest.raises(
        ValueError, match="must name a test file, got .*its header says test, not other"
    ):
        read(stored, format="other")
    with pytest.raises(ValueError, match="its version is 3, and this geomot reads version 4"):
        read(stored, version=4)


def test_the_builder_refuses(stored):
    for error in (ValueError("odd"), KeyError("odd"), TypeError("odd"), RuntimeError("odd")):

        def build(header, content, error=error):
            raise error

        with pytest.raises(ValueError, match=r"path must name a test file, got .*file\.npz: .*odd"):
            read(stored, build)

    def stop(header, content):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read(stored, stop)


def test_kinds_of_arrays_in_foreign_files_are_refused(tmp_path):
    header = json.dumps({"format": "test", "version": 3})
    for array in (np.zeros(3, np.int32), np.zeros(3, bool), np.zeros(3, ">f8"), np.zeros(3, "<u8")):
        np.save(tmp_path / "array.npy", array)
        with zipfile.ZipFile(tmp_path / "file.npz", "w") as archive:
            archive.writestr("header.json", header)
            archive.write(tmp_path / "array.npy", "array.npy")
        with pytest.raises(ValueError, match="array.npy has an unknown kind of array"):
            read(tmp_path / "file.npz")
    (tmp_path / "file.npz").write_bytes(pickle.dumps({"format": "test"}))
    with pytest.raises(ValueError, match="it is"):
        read(tmp_path / "file.npz")


def test_no_flipped_bit_changes_what_is_read(tmp_path):
    """Damage is refused, or lies where it says nothing; entries of the index cannot hide others."""
    path = tmp_path / "file"
    _archive.write(path, "test", 3, {}, {"a": np.zeros(1), "b": np.ones(1), "c": np.ones(1)})
    data, expected = bytearray(path.read_bytes()), read(path)
    for k in range(8 * len(data)):
        data[k // 8] ^= 1 << k % 8
        path.write_bytes(data)
        data[k // 8] ^= 1 << k % 8
        try:
            assert read(path) == expected, k
        except ValueError as error:
            assert str(error).startswith(f"path must name a test file, got {path}: "), k
