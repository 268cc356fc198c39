"""Every kind of saved file: cut, with flipped bits, and forged with checksums that are right.

A damaged file loads to what was saved or raises a ValueError that names it. Nothing else is raised,
and memory stays below a small multiple of the file. A forged file may also hold something else.
"""

from __future__ import annotations

import io
import json
import tracemalloc
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import geomot
from geomot._files import archive
from geomot.baselines import SMOTE, GaussianMixture
from geomot.compare._cells import Cell, read_cell, write_cell
from geomot.coupling import SemiDiscreteCoupling
from geomot.datasets import digits
from geomot.generator import LatentGenerator
from geomot.latent import Autoencoder, FeatureClassifier, PCACodec

IMAGES = digits()[0].reshape(-1, 8, 8)[:60]
LABELS = digits()[1][:60]
SITES = np.random.default_rng(0).random((20, 2))


def exact():
    return geomot.solve(SITES, source=geomot.UniformPolygon.regular(5))


def sampled():
    return geomot.solve(SITES, method="montecarlo", tol=0.3, random_state=0)


def pca():
    return PCACodec(2).fit(IMAGES)


def autoencoder():
    pytest.importorskip("torch")
    return Autoencoder(channels=(2,), hidden=(4,), epochs=1, random_state=0).fit(IMAGES)


def classifier():
    pytest.importorskip("torch")
    flat = IMAGES[:, :2, :2].reshape(-1, 4)
    return FeatureClassifier(epochs=1, random_state=0).fit(flat, LABELS)


def baseline():
    pytest.importorskip("torch")
    from geomot.baselines import FluidFlow

    source = geomot.UniformBox([0.0, 0.0], [1.0, 2.0])
    settings = {"layers": 2, "width": 4, "max_steps": 2, "batch_size": 8, "random_state": 0}
    return FluidFlow(source=source, **settings).fit(SITES)


def smote():
    return SMOTE(3, random_state=0).fit(SITES)


def mixture():
    return GaussianMixture(2, random_state=0).fit(SITES)


def cell():
    arrays = {"samples": SITES, "history": np.ones((3, 2))}
    metrics = {"w2": 0.5, "mmd": float("nan")}
    settings, facts = {"steps": [1, 2], "kind": {"a": None}}, {"n": 3}
    return Cell("s", "l", 3, "diverged", 7, metrics, settings, facts, arrays, ("step", "loss"))


def generator():
    options = {"tv_tol": 0.3, "whiten": True, "random_state": 0}
    return LatentGenerator(PCACodec(2), **options).fit(IMAGES, LABELS)


def coupling():
    fitted = SemiDiscreteCoupling(epsilon=0.5, tv_tol=0.3, random_state=0)
    return fitted.fit(SITES, SITES[:, 0] > 0.5)


def save(value, path):
    if isinstance(value, Cell):
        write_cell(path, value)
    else:
        value.save(path)


# What makes it, what loads it, and which of several files is damaged.
KINDS = {
    "exact": (exact, geomot.load, ""),
    "sampled": (sampled, geomot.load, ""),
    "pca": (pca, geomot.load, ""),
    "autoencoder": (autoencoder, geomot.load, ""),
    "classifier": (classifier, geomot.load, ""),
    "baseline": (baseline, geomot.load, ""),
    "smote": (smote, geomot.load, ""),
    "mixture": (mixture, geomot.load, ""),
    "cell": (cell, read_cell, ""),
    "generator": (generator, geomot.load, "generator.npz"),
    "its map": (generator, geomot.load, "map.npz"),
    "its codec": (generator, geomot.load, "autoencoder.npz"),
    "coupling": (coupling, SemiDiscreteCoupling.load, "coupling.npz"),
    "one of its maps": (coupling, SemiDiscreteCoupling.load, "map-1.npz"),
}


class Saved:
    """A saved object, one of its files, and what loads when that file has other bytes."""

    def __init__(self, folder: Path, kind: str) -> None:
        make, self.load, part = KINDS[kind]
        self.path, self.again = folder / "saved", folder / "again"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of solves and trainings that are short
            save(make(), self.path)
        self.file = self.path / part
        self.bytes = self.file.read_bytes()
        self.load(self.path)
        self.most = 0

    def attempt(self, data: bytes | bytearray) -> Any:
        """Load the file with other bytes: the object, or None if it is refused by its name."""
        self.file.write_bytes(data)
        tracemalloc.start()
        try:
            return self.load(self.path)
        except ValueError as error:
            assert str(self.path) in str(error)
            return None
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak <= 4 * len(data) + 50 * 2**20

    def is_equal(self, found: Any) -> bool:
        """Whether an object is written as the bytes that were saved."""
        save(found, self.again)
        self.file.write_bytes(self.bytes)
        return contents(self.again) == contents(self.path)


def contents(path: Path) -> list[tuple[str, bytes]]:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return [(file.name if path.is_dir() else "", file.read_bytes()) for file in files]


def damaged(saved: Saved, seed: int, every: int, cuts: int, flips: int) -> None:
    rng = np.random.default_rng(seed)
    data = saved.bytes
    header = data.index(b"PK\x03\x04", 1)  # where the member behind the header begins
    for length in [*range(0, header, every), *rng.integers(0, len(data), cuts).tolist()]:
        assert saved.attempt(data[:length]) is None
    for k in rng.integers(0, 8 * len(data), flips).tolist():
        changed = bytearray(data)
        changed[k // 8] ^= 1 << k % 8
        found = saved.attempt(changed)
        assert found is None or saved.is_equal(found), k


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_refused_or_load_to_what_was_saved(tmp_path, kind):
    damaged(Saved(tmp_path, kind), 0, 17, 30, 100)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_at_length(tmp_path, kind):
    damaged(Saved(tmp_path, kind), 1, 1, 200, 500)


ODD = [
    None, True, "", "x", -1, 0, 1, 3, 0.5, 10**9, 2**63, 10**400, 1e308, float("inf"), float("nan"),
    [], [0], [1], [[1]], [10**9] * 3, [1] * 40, ["a", 1], {}, {"a": 1}, "Samples", "UniformBox",
]  # fmt: skip


def forged_value(rng: np.random.Generator, value: Any) -> Any:
    """Another value, or one with another entry somewhere inside."""
    if isinstance(value, dict) and value and rng.random() < 0.8:
        key = str(rng.choice(list(value)))
        rest = {k: v for k, v in value.items() if k != key}
        return rest if rng.random() < 0.2 else {**rest, key: forged_value(rng, value[key])}
    if isinstance(value, list) and value and rng.random() < 0.6:
        k = int(rng.integers(len(value)))
        return [*value[:k], forged_value(rng, value[k]), *value[k + 1 :]]
    return ODD[rng.integers(len(ODD))]


def forged_array(rng: np.random.Generator, array: np.ndarray) -> np.ndarray:
    """An array of other numbers, another shape or another dtype."""
    with np.errstate(all="ignore"):
        change = rng.integers(7)
        if change == 0:
            return array.astype(str(rng.choice(archive.DTYPES)))
        if change == 1:
            return array[: rng.integers(len(array) + 1)]
        if change == 2:
            return np.concatenate([array, array])
        if change == 3:
            return array.reshape(*array.shape, 1) if rng.random() < 0.5 else array.reshape(-1)
        if change == 4:
            return np.zeros((0, *array.shape[1:]), array.dtype)
        values = np.array([0.0, -1.0, 1e300, np.nan, np.inf, -np.inf, 3.0])
        other = array.copy()
        places = slice(None) if change == 5 else rng.integers(0, max(other.size, 1), 1)
        other.reshape(-1)[places] = rng.choice(values).astype(array.dtype)
        return other


def forged(saved: Saved, seed: int, times: int) -> None:
    rng = np.random.default_rng(seed)
    with zipfile.ZipFile(io.BytesIO(saved.bytes)) as file:
        header = json.loads(file.read("header.json"))
    arrays = archive.read(saved.file, header["format"], 1, lambda _, arrays: arrays, kind="file")
    kind = header["format"]
    header = {k: v for k, v in header.items() if k not in ("format", "version", "geomot")}
    path = saved.file.with_name("forged")
    for _ in range(times):
        if rng.random() < 0.6:
            content = forged_value(rng, header), arrays
        else:
            name = str(rng.choice(list(arrays)))
            content = header, {**arrays, name: forged_array(rng, arrays[name])}
        if not isinstance(content[0], dict):
            continue
        archive.write(path, kind, 1, *content)
        data = path.read_bytes()
        path.unlink()
        saved.attempt(data)


@pytest.mark.parametrize("kind", KINDS)
def test_forged_files_are_refused_by_name_or_load(tmp_path, kind):
    forged(Saved(tmp_path, kind), 0, 150)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_forged_files_at_length(tmp_path, kind):
    forged(Saved(tmp_path, kind), 1, 3000)
