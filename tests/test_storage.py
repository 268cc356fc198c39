"""Solutions in files: exact round trips, and files that are not what they claim."""

from __future__ import annotations

import copy
import io
import json
import os
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from test_solution import by_hand

from geomot import Samples, Solution, UniformBox, load
from geomot._history import history_records


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "map.npz"
    by_hand().save(path)
    return path


def members(path):
    """The archive's content: member name -> bytes."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewrite(path, content, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in content.items():
            archive.writestr(name, data)


def npy(array, **keywords):
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array), **keywords)
    return file.getvalue()


def with_header(content, **changes):
    header = {**json.loads(content["header.json"]), **changes}
    return {**content, "header.json": json.dumps(header)}


@pytest.mark.parametrize("name", ["map.npz", "map", "with space.geomot", "ünïcode.npz"])
@pytest.mark.parametrize("as_text", [False, True])
def test_round_trip(tmp_path, name, as_text):
    path = tmp_path / name
    solution = by_hand()
    solution.save(str(path) if as_text else path)
    assert os.listdir(tmp_path) == [name]
    again = load(str(path) if as_text else path)
    assert again == solution
    assert again.diagram().masses.tobytes() == solution.masses.tobytes()
    assert not again.sites.flags.writeable


@pytest.mark.parametrize(
    "changes",
    [
        {"history": history_records([])},
        {"source": UniformBox([0, 0], [1, 1])},
        {"source": Samples([[0.0, 0.0], [1.0, 0.0], [0.0, 3.0]], [1, 2, 3])},
        {"status": "converged", "mass_error": 0.1 + 0.2, "bracket": (0.1, float("inf"))},
    ],
)
def test_round_trip_of_variants(tmp_path, changes):
    solution = by_hand(**changes)
    solution.save(tmp_path / "map.npz")
    assert load(tmp_path / "map.npz") == solution


def test_numpy_reads_the_arrays(stored):
    with np.load(stored, allow_pickle=False) as file:
        np.testing.assert_array_equal(file["sites"], by_hand().sites)
        assert json.loads(file["header.json"])["format"] == "geomot-solution"


def test_equal_solutions_make_equal_files(tmp_path, stored):
    by_hand().save(tmp_path / "again.npz")
    load(stored).save(tmp_path / "third.npz")
    assert (tmp_path / "again.npz").read_bytes() == stored.read_bytes()
    assert (tmp_path / "third.npz").read_bytes() == stored.read_bytes()


def test_saving_replaces_a_file_in_one_step(tmp_path, stored, monkeypatch):
    before = stored.read_bytes()

    def fail(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("geomot._files.archive._member", fail)
        with pytest.raises(KeyboardInterrupt):
            by_hand(31).save(stored)
    assert stored.read_bytes() == before
    assert os.listdir(tmp_path) == ["map.npz"]
    by_hand(31).save(stored)
    assert load(stored) == by_hand(31)


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs symbolic links")
def test_saving_follows_links(tmp_path, stored):
    (tmp_path / "link.npz").symlink_to(stored)
    by_hand(31).save(tmp_path / "link.npz")
    assert (tmp_path / "link.npz").is_symlink()
    assert load(stored) == by_hand(31)


def test_paths_refused(tmp_path):
    solution = by_hand()
    for bad in (None, 3, b"map.npz", io.BytesIO()):
        with pytest.raises(TypeError, match="path must be"):
            load(bad)
        with pytest.raises(TypeError, match="path must be"):
            solution.save(bad)
    with pytest.raises(ValueError, match="path must name a regular file"):
        solution.save(tmp_path)
    with pytest.raises(OSError, match="missing"):
        load(tmp_path / "missing.npz")
    with pytest.raises(OSError, match="missing"):
        solution.save(tmp_path / "missing" / "map.npz")


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs a device")
def test_devices_are_refused():
    with pytest.raises(ValueError, match="path must name a regular file"):
        load("/dev/zero")
    with pytest.raises(ValueError, match="path must name a regular file"):
        by_hand().save("/dev/null")


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("code from the file was executed",)


def foreign_files():
    yield "empty", b""
    yield "text", b"x,y\n0.1,0.2\n" * 100
    yield "zeros", bytes(10_000)
    yield "pickle", pickle.dumps(Bomb())
    yield "array", npy(np.zeros(3))
    yield "array of objects", npy(np.array([Bomb()]), allow_pickle=True)
    file = io.BytesIO()
    np.savez(file, sites=np.zeros((3, 2)))
    yield "other npz", file.getvalue()
    file = io.BytesIO()
    np.savez_compressed(file, sites=np.zeros((3, 2)))
    yield "compressed npz", file.getvalue()
    file = io.BytesIO()
    zipfile.ZipFile(file, "w").close()
    yield "empty zip", file.getvalue()


@pytest.mark.parametrize(("name", "data"), list(foreign_files()), ids=lambda v: str(v)[:20])
def test_foreign_files(tmp_path, name, data):
    path = tmp_path / "map.npz"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"path must name a solution file, got .*map\.npz: "):
        Solution.load(path)
    with pytest.raises(
        ValueError, match=r"path must name a file that geomot saved, got .*map\.npz"
    ):
        load(path)


def tampered(content):
    sites = np.array(by_hand().sites)
    n = len(sites)
    bad_site, bad_mass = sites.copy(), np.full(n, 1 / n)
    bad_site[3, 1] = np.nan
    bad_mass[0] = -1 / n
    yield "no header", {k: v for k, v in content.items() if k != "header.json"}
    yield "header of another kind", {**content, "header.json": b"[]"}
    yield "broken header", {**content, "header.json": b'{"format": '}
    yield "deep header", {**content, "header.json": b"[" * 16_000}
    yield "long header", {**content, "header.json": content["header.json"] + b" " * 20_000}
    yield "binary header", {**content, "header.json": b"\xff\xfe\x00\xd8"}
    for key, values in {
        "format": ["other", None],
        "version": [2, 0, "1", None],
        "status": ["perfect", 3],
        "method": [None, 1],
        "n_iter": [-1, 1.5, "2", None, True],
        "bracket": [[0.1], [0.1, 0.2, 0.3], 0.1, None, ["a", "b"]],
        "mass_error": [None, "0", float("nan"), [1.0]],
        "cost": [10**400],
        "source": ["Source", "UniformBox", None, [], {}],
    }.items():
        for value in values:
            yield f"{key} {value!r:.20}", with_header(content, **{key: value})
    for key in json.loads(content["header.json"]):
        if key not in ("geomot", "atol", "partial"):
            header = json.loads(content["header.json"])
            del header[key]
            yield f"without {key}", {**content, "header.json": json.dumps(header)}
    for name in content:
        if name != "header.json":
            yield f"without {name}", {k: v for k, v in content.items() if k != name}
    for name, array in {
        "sites": np.zeros((n + 1, 2)),
        "sites.": np.zeros((n, 3)),
        "sites..": bad_site,
        "sites...": np.zeros((0, 2)),
        "weights_exact": np.zeros(n),
        "weights_exact.": np.full((n, 2), np.inf),
        "target_masses": bad_mass,
        "target_masses.": np.zeros(n),
        "masses": np.full(n, 2 / n),
        "masses.": np.full(n, np.nan),
        "history": np.zeros((2, 3)),
        "history.": np.full((1, 4), np.nan),
        "source_vertices": np.zeros((3, 2)),
        "source_vertices.": np.array([(0, 0), (1, 1), (1, 0), (0, 1)], float),
        "other": np.zeros(3),
        "source_other": np.zeros(3),
    }.items():
        yield f"{name} {array.shape}", {**content, name.rstrip(".") + ".npy": npy(array)}
    good = npy(sites)
    for name, data in {
        "integers": npy(np.zeros((n, 2), np.int64)),
        "big-endian": npy(sites.astype(">f8")),
        "single": npy(sites.astype(np.float32)),
        "Fortran": npy(np.asfortranarray(sites)),
        "structured": npy(np.zeros(n, [("x", "f8"), ("y", "f8")])),
        "objects": npy(np.array([[Bomb()] * 2] * n), allow_pickle=True),
        "three axes": npy(np.zeros((n, 2, 1))),
        "version 2": npy(sites, version=(2, 0)),
        "no array": b"",
        "short magic": good[:7],
        "short header": good[:40],
        "cut": good[:-8],
        "long": good + bytes(8),
        "header not a literal": good.replace(b"'<f8'", b"open("),
        "shape": good.replace(b"(30, 2)", b"(99, 2)"),
        "negative shape": good.replace(b"(30, 2), }  ", b"(-30, -2), }"),
        "huge shape": good.replace(b"(30, 2), }" + b" " * 10, b"(0, 99999999999999),"),
        "unclosed": good.replace(b"}", b" "),
    }.items():
        assert data != good, name
        yield f"sites as {name}", {**content, "sites.npy": data}


def test_files_written_before_the_absolute_tolerance_load(tmp_path, stored):
    header = json.loads(members(stored)["header.json"])
    del header["atol"]
    path = tmp_path / "old.npz"
    rewrite(path, {**members(stored), "header.json": json.dumps(header)})
    assert load(path).atol == 0.0


def test_tampered_files(tmp_path, stored):
    content = members(stored)
    path = tmp_path / "tampered.npz"
    rewrite(path, content)
    assert load(path) == by_hand()
    for name, changed in tampered(content):
        rewrite(path, changed)
        try:
            Solution.load(path)
        except ValueError as error:
            assert str(error).startswith("path must name a solution file, got"), name
        else:
            pytest.fail(f"loaded a file with {name}")
        with pytest.raises(ValueError, match="path must name a (solution file|file that geomot)"):
            load(path)


def test_newer_versions_are_named(tmp_path, stored):
    rewrite(stored, with_header(members(stored), version=2))
    with pytest.raises(ValueError, match="its version is 2, and this geomot reads version 1"):
        load(stored)


def test_compressed_members_are_refused(stored):
    rewrite(stored, members(stored), zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match="compressed"):
        load(stored)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_that_occur_twice_are_refused(stored):
    with zipfile.ZipFile(stored, "a") as archive:
        archive.writestr("sites.npy", npy(np.zeros((30, 2))))
    with pytest.raises(ValueError, match="occurs twice"):
        load(stored)


def test_every_truncation_is_refused(stored):
    data = stored.read_bytes()
    for length in [*range(0, len(data), 37), len(data) - 1]:
        stored.write_bytes(data[:length])
        with pytest.raises(ValueError, match="path must name"):
            load(stored)
    stored.write_bytes(data + b"\0")
    with pytest.raises(ValueError, match="path must name"):
        load(stored)


def test_flipped_bits_are_noticed(stored):
    """A damaged byte is refused, or lies where it says nothing (dates, attributes, padding)."""
    data = bytearray(stored.read_bytes())
    expected = by_hand()
    loaded = 0
    for k in range(0, len(data), 7):
        data[k] ^= 0x10
        stored.write_bytes(data)
        data[k] ^= 0x10
        try:
            assert load(stored) == expected
            loaded += 1
        except ValueError as error:
            assert str(error).startswith("path must name")
    assert loaded < len(data) / 7 / 10


def peak_of_load(path):
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="path must name"):
            load(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_stays_below_four_times_the_file(tmp_path):
    path = tmp_path / "map.npz"
    by_hand(20_000).save(path)
    load(path)
    tracemalloc.start()
    load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= 4 * path.stat().st_size


@pytest.mark.parametrize("kind", ["UniformPolygon", "Samples", "history"])
def test_memory_of_big_parts(tmp_path, kind):
    """Whichever array fills the file, reading it takes less than four times its size."""
    path = tmp_path / "map.npz"
    by_hand().save(path)
    content = {k: v for k, v in members(path).items() if not k.startswith("source_")}
    size = 200_000
    if kind == "UniformPolygon":
        t = np.linspace(0.0, 1.0, size)
        vertices = np.column_stack([t, t * t])
        vertices[1, 1] = 1.0  # not convex
        content["source_vertices.npy"] = npy(vertices)
    elif kind == "Samples":
        content["source_points.npy"] = npy(np.zeros((size, 1)))
        content["source_weights.npy"] = npy(np.ones(size))
    else:
        content["source_lower.npy"], content["source_upper.npy"] = npy(np.zeros(2)), npy(np.ones(3))
        content["history.npy"] = npy(np.zeros((size, 4)))
    rewrite(path, with_header(content, source="UniformBox" if kind == "history" else kind))
    assert peak_of_load(path) <= 4 * path.stat().st_size


def test_bombs(tmp_path, stored):
    """Files that declare more than they hold do not get memory for it."""
    content = members(stored)
    bomb = tmp_path / "bomb.npz"
    huge = npy(np.zeros((30, 2))).replace(b"(30, 2), }" + b" " * 10, b"(300000000000, 2), }")
    assert len(huge) == len(npy(np.zeros((30, 2))))
    rewrite(bomb, {**content, "sites.npy": huge})
    assert peak_of_load(bomb) < 2**20

    rewrite(bomb, {**content, "zeros.npy": bytes(10**8)}, zipfile.ZIP_DEFLATED)
    assert peak_of_load(bomb) < 2**20

    # An index of a hundred thousand members in a file that holds nothing else.
    entry = struct.pack(
        "<4s4B4HL2L5H2L", b"PK\1\2", *[20, 0, 20, 0], *[0] * 4, *[0] * 3, 1, *[0] * 6
    )
    index = b"".join(entry + b"%c" % (33 + k % 90) for k in range(100_000))
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 34464, 34464, len(index), 0, 0)
    bomb.write_bytes(index + end)
    assert peak_of_load(bomb) < 2**20

    # The same behind a 64-bit end record, which overrides the plain one.
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 10**5, 10**5, len(index), 0)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, len(index), 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 47, 0, 0)
    bomb.write_bytes(index + end64 + locator + end)
    assert peak_of_load(bomb) < 2**20

    # Members that share the same bytes: together larger than the file.
    rewrite(bomb, content)
    with zipfile.ZipFile(bomb, "a") as archive:
        shared = archive.getinfo("sites.npy")
        for k in range(50):
            twin = copy.copy(shared)
            twin.filename = f"twin{k}.npy"
            archive.filelist.append(twin)
        archive.writestr("last.npy", b"")
    with pytest.raises(ValueError, match="larger than the file"):
        load(bomb)
