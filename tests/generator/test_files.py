"""Generators in files: exact round trips, and files that are not what they claim."""

from __future__ import annotations

import os
import pickle
import re
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from generators import BYTES, IMAGES, LABELS, Halves, assert_equal

import geomot
from geomot.generator import LatentGenerator
from geomot.latent import PCACodec


@pytest.fixture(scope="module")
def planar():
    return LatentGenerator(PCACodec(2), random_state=0).fit(BYTES, LABELS)


@pytest.fixture(scope="module")
def spatial():
    return LatentGenerator(PCACodec(4), tv_tol=0.1, random_state=0, threads=1).fit(IMAGES, LABELS)


@pytest.mark.parametrize("name", ["planar", "spatial"])
def test_save_and_load(request, tmp_path, name):
    generator = request.getfixturevalue(name)
    generator.save(tmp_path / "model")
    assert {p.name for p in tmp_path.iterdir()} == {"model"}
    found = LatentGenerator.load(tmp_path / "model")
    assert_equal(found, generator)
    assert found.classes_.tolist() == generator.classes_.tolist()
    data = BYTES if name == "planar" else IMAGES
    np.testing.assert_array_equal(found.nearest_training(data)[0], 0.0)
    assert found.random_state == 0
    assert found.tv_tol == generator.tv_tol
    np.testing.assert_array_equal(found.sample(3), generator.sample(3))
    a, b = found.conditional({1: 1.0}), generator.conditional({1: 1.0})
    assert a.transport_.solution_ == b.transport_.solution_
    # saved again, it gives the same bytes, in place of the old ones
    before = {p.name: p.read_bytes() for p in (tmp_path / "model").iterdir()}
    found.save(tmp_path / "model")
    assert {p.name: p.read_bytes() for p in (tmp_path / "model").iterdir()} == before
    assert geomot.load(tmp_path / "model" / "map.npz") == generator.transport_.solution_
    assert isinstance(found.fit(data).autoencoder_, PCACodec)


def test_save_what_is_special(tmp_path):
    words = np.array(["even", "odd"])[LABELS % 2]
    generator = LatentGenerator(PCACodec(3), tv_tol=0.2, whiten=True, random_state=1)
    generator.fit(BYTES, words, class_weight={"odd": 1.0})
    generator.save(tmp_path / "model", training_data=False)
    found = LatentGenerator.load(str(tmp_path / "model"))
    assert_equal(found, generator)
    assert found.classes_.tolist() == ["even", "odd"]
    with pytest.raises(ValueError, match="nearest_training needs the training data"):
        found.nearest_training(BYTES)
    found.save(tmp_path / "again")
    assert_equal(LatentGenerator.load(tmp_path / "again"), generator)


def test_save_with_a_codec_of_ones_own(tmp_path):
    generator = LatentGenerator(Halves(), random_state=np.random.default_rng(0)).fit(BYTES)
    generator.save(tmp_path / "model")
    assert {p.name for p in (tmp_path / "model").iterdir()} == {"generator.npz", "map.npz"}
    found = LatentGenerator.load(tmp_path / "model", autoencoder=Halves())
    assert_equal(found, generator)
    assert found.random_state is None
    with pytest.raises(ValueError, match="autoencoder must be given"):
        LatentGenerator.load(tmp_path / "model")


def test_bad_places_to_save(planar, tmp_path):
    (tmp_path / "file").write_text("hello")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine.txt").write_text("hello")
    for name, message in [
        ("file", "path must name a folder"),
        ("folder", "path must name a new or empty folder or a saved generator"),
        ("no/such/model", "path must lie in a folder that exists"),
    ]:
        with pytest.raises(ValueError, match=message):
            planar.save(tmp_path / name)
    with pytest.raises(TypeError, match="path must be a string or path"):
        planar.save(3)
    planar.save(tmp_path / "folder" / "model")
    (tmp_path / "folder" / "model" / "mine.txt").write_text("hello")
    with pytest.raises(ValueError, match="path must name a new or empty folder"):
        planar.save(tmp_path / "folder" / "model")
    assert (tmp_path / "folder" / "mine.txt").read_text() == "hello"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


def test_a_failed_save_leaves_the_old_one(planar, tmp_path, monkeypatch):
    planar.save(tmp_path / "model")
    before = (tmp_path / "model" / "map.npz").read_bytes()

    def full(*args):
        raise OSError("disk full")

    monkeypatch.setattr("geomot._files.replacing.os.replace", full)
    with pytest.raises(OSError, match="disk full"):
        planar.conditional({1: 1.0}).save(tmp_path / "model")
    monkeypatch.undo()
    assert {p.name for p in tmp_path.iterdir()} == {"model"}
    assert (tmp_path / "model" / "map.npz").read_bytes() == before
    assert_equal(LatentGenerator.load(tmp_path / "model"), planar)


def test_a_generator_that_is_saved_and_loaded_at_once(planar, tmp_path):
    """Files of two generators are never mixed, and no load meets a folder that is half there."""
    others = [planar.conditional({k: 1.0}) for k in range(3)]
    planar.save(tmp_path / "model")
    errors = []

    def save(generator):
        try:
            for _ in range(8):
                generator.save(tmp_path / "model")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=save, args=(other,)) for other in others]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        loaded = LatentGenerator.load(tmp_path / "model")
    assert errors == []
    assert loaded.transport_.solution_.sites.shape[1] == 2
    assert os.listdir(tmp_path) == ["model"]
    final = LatentGenerator.load(tmp_path / "model")
    assert final.transport_.solution_ in [other.transport_.solution_ for other in others]


class Trap:
    def __reduce__(self):
        return (open, ("sprung", "w"))


@pytest.mark.parametrize("part", ["generator.npz", "map.npz", "autoencoder.npz"])
@pytest.mark.parametrize("damage", ["truncated", "flipped", "pickle", "foreign", "missing"])
def test_damaged_files(planar, tmp_path, monkeypatch, part, damage):
    monkeypatch.chdir(tmp_path)
    planar.save("model")
    file = Path("model") / part
    content = bytearray(file.read_bytes())
    if damage == "truncated":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    elif damage == "pickle":
        file.write_bytes(pickle.dumps(Trap()))
    elif damage == "foreign":
        np.savez(file, codes=np.zeros(3))
    else:
        file.unlink()
    with pytest.raises((ValueError, FileNotFoundError), match=re.escape(str(file))):
        LatentGenerator.load("model")
    assert not Path("sprung").exists()


def test_files_of_different_generators(planar, spatial, tmp_path):
    planar.save(tmp_path / "a")
    spatial.save(tmp_path / "b")
    for name in ("map.npz", "autoencoder.npz"):
        planar.save(tmp_path / "a")
        os.replace(tmp_path / "b" / name, tmp_path / "a" / name)
        with pytest.raises(ValueError, match=f"{name} is damaged, or belongs to another"):
            LatentGenerator.load(tmp_path / "a")


def test_bad_places_to_load(planar, tmp_path):
    with pytest.raises(ValueError, match="path must name the folder of a saved generator"):
        LatentGenerator.load(tmp_path / "missing")
    with pytest.raises(FileNotFoundError):
        LatentGenerator.load(tmp_path)
    planar.save(tmp_path / "model")
    with pytest.raises(ValueError, match="autoencoder must be None"):
        LatentGenerator.load(tmp_path / "model", autoencoder=Halves())


def rewritten(folder, change_header=None, **changes):
    """Change the main file's header or arrays, keeping it a sound archive."""
    import json

    from geomot._files import archive as _archive

    with zipfile.ZipFile(folder / "generator.npz") as archive:
        header = json.loads(archive.read("header.json"))
    for key in ("format", "version", "geomot"):
        header.pop(key)
    with np.load(folder / "generator.npz") as file:
        arrays = {key: file[key] for key in file if key != "header.json"}
    header.update(change_header or {})
    arrays.update(changes)
    arrays = {key: value for key, value in arrays.items() if value is not None}
    _archive.write(folder / "generator.npz", "geomot-generator", 1, header, arrays)


@pytest.mark.parametrize(
    ("header", "arrays"),
    [
        ({"autoencoder": "os.system"}, {}),
        ({"sums": {}}, {}),
        ({"sums": {"map.npz": "0", "../x": "1"}}, {}),
        ({"singular": "keep"}, {}),
        ({"singular": []}, {}),
        ({"tv_tol": "x"}, {}),
        ({"random_state": -1}, {}),
        ({"map_random_state": 0.5}, {}),
        ({"sample_shape": [8, 9]}, {}),
        ({"sample_shape": 3}, {}),
        ({"classes": None}, {}),
        ({"classes": [[1]]}, {}),
        ({"classes": [1, 2]}, {}),
        ({"whiten": True}, {}),
        ({}, {"codes": None}),
        ({}, {"codes": np.zeros((299, 2))}),
        ({}, {"codes": np.zeros((300, 3))}),
        ({}, {"codes": np.full((300, 2), np.nan)}),
        ({}, {"masses": np.zeros(300)}),
        ({}, {"masses": np.full(300, 1.0)}),
        ({}, {"masses": np.r_[np.full(299, 1 / 299), 0.0]}),
        ({}, {"members": np.full(300, 10)}),
        ({}, {"members": np.zeros(300)}),
        ({}, {"data": BYTES[:5]}),
        ({}, {"more": np.zeros(3)}),
    ],
)
def test_content_is_checked(planar, tmp_path, header, arrays):
    planar.save(tmp_path / "model")
    rewritten(tmp_path / "model", header, **arrays)
    with pytest.raises(ValueError, match=re.escape(str(tmp_path / "model"))):
        LatentGenerator.load(tmp_path / "model")


def test_unchanged_content_is_not_refused(planar, tmp_path):
    planar.save(tmp_path / "model")
    rewritten(tmp_path / "model")
    assert_equal(LatentGenerator.load(tmp_path / "model"), planar)
