"""Data in batches and in mapped files: the same generator, and bounded memory."""

from __future__ import annotations

import os
import tracemalloc

import numpy as np
import pytest
from generators import BYTES, IMAGES, LABELS, Halves, assert_equal

from geomot.generator import LatentGenerator
from geomot.generator.streams import is_stream
from geomot.latent import PCACodec


@pytest.fixture(scope="module")
def codec():
    """Codes do not depend on how many are made at once."""
    return Halves()


@pytest.fixture(scope="module")
def whole(codec):
    return LatentGenerator(codec, random_state=0).fit(BYTES, LABELS)


def batches(*arrays, size=77):
    for start in range(0, 300, size):
        part = tuple(array[start : start + size] for array in arrays)
        yield part if len(part) > 1 else part[0]


def test_what_is_a_stream():
    assert is_stream(iter([BYTES]))
    assert is_stream(batches(BYTES))
    for data in (BYTES, BYTES.tolist(), (BYTES,), "text", None, 3):
        assert not is_stream(data)


@pytest.mark.parametrize("size", [1, 77, 300])
def test_batches_give_the_same_generator(whole, codec, size):
    stream = LatentGenerator(codec, random_state=0).fit(batches(BYTES, LABELS, size=size))
    assert_equal(stream, whole)
    np.testing.assert_array_equal(stream.classes_, whole.classes_)
    stream.conditional({3: 1.0}).sample(3)
    with pytest.raises(ValueError, match="came in batches"):
        stream.nearest_training(BYTES)


def test_labels_beside_the_batches_and_none(whole, codec, tmp_path):
    beside = LatentGenerator(codec, random_state=0).fit(batches(BYTES), LABELS)
    assert_equal(beside, whole)
    none = LatentGenerator(codec, random_state=0).fit(batches(BYTES))
    assert none.classes_ is None
    beside.save(tmp_path / "saved")
    assert_equal(LatentGenerator.load(tmp_path / "saved", autoencoder=codec), whole)


def test_a_loader_of_torch(whole, codec):
    torch = pytest.importorskip("torch")
    from torch.utils.data import DataLoader, TensorDataset

    pairs = TensorDataset(torch.as_tensor(BYTES), torch.as_tensor(LABELS))
    loader = DataLoader(pairs, batch_size=64)
    assert_equal(LatentGenerator(codec, random_state=0).fit(loader), whole)
    alone = DataLoader(TensorDataset(torch.as_tensor(BYTES)), batch_size=64)
    assert LatentGenerator(codec, random_state=0).fit(alone).classes_ is None


def test_modules_of_torch_as_they_are(tmp_path):
    torch = pytest.importorskip("torch")

    class Pooled(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(1))

        def encode(self, x):
            assert x.shape[1:] == (1, 8, 8)
            return torch.nn.functional.avg_pool2d(self.scale * x, (4, 8)).flatten(1)

        def decode(self, z):
            return z.repeat_interleave(32, dim=1).reshape(-1, 1, 8, 8)

    module = Pooled()
    generator = LatentGenerator(module, random_state=0).fit(BYTES, LABELS)
    expected = BYTES.reshape(300, 2, 32).mean(axis=2) / 255
    np.testing.assert_allclose(generator.codes_, expected, atol=1e-6)
    assert generator.sample(3, 0).shape == (3, 8, 8)
    generator.save(tmp_path / "saved")
    again = LatentGenerator.load(tmp_path / "saved", autoencoder=module)
    np.testing.assert_array_equal(again.codes_, generator.codes_)
    np.testing.assert_array_equal(again.reconstruct(BYTES[:2]), generator.reconstruct(BYTES[:2]))


def peak(fit):
    tracemalloc.start()
    try:
        fit()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


class Corners:
    """A codec that is given 256 x 256 pixels and keeps two."""

    def encode(self, X):
        return X[:, ::255, 0] + 1e-3 * X[:, 0, 255:]

    def decode(self, codes):
        return np.zeros((len(codes), 256, 256))


def test_memory_does_not_grow_with_the_data(tmp_path):
    n, size = 3000, 256
    path = tmp_path / "X.npy"
    X = np.lib.format.open_memmap(path, "w+", np.uint8, (n, size, size))
    rng = np.random.default_rng(0)
    for start in range(0, n, 500):
        X[start : start + 500, 0] = rng.integers(256, size=(500, size))
        X[start : start + 500, 255] = rng.integers(256, size=(500, size))
    X.flush()
    mapped = np.load(path, mmap_mode="r")

    def stream():
        for start in range(0, n, 50):
            yield np.array(mapped[start : start + 50])

    generator = LatentGenerator(Corners(), random_state=0)
    # 50 images in float64 have 26 MB, all as bytes 197 MB
    assert peak(lambda: generator.fit(stream())) < 100e6 < os.path.getsize(path) / 1.9
    codes = generator.codes_
    # two pieces in float64, and nothing else is made of the file, which has 1.6 GB as floats
    data = LatentGenerator(Corners(), random_state=0)
    assert peak(lambda: data.fit(mapped)) < 2 * 2**27 + 20e6
    np.testing.assert_array_equal(data.codes_, codes)
    assert np.shares_memory(data._data, mapped)


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (lambda: iter([]), "X must hold at least one batch"),
        (lambda: iter([BYTES[:0]]), "X must hold at least one batch"),
        (lambda: iter([BYTES[:2], BYTES[:2, :4]]), "batches of X must have shape"),
        (lambda: iter([(BYTES[:2], LABELS[:2]), BYTES[2:4]]), "labels in all batches, or in none"),
        (lambda: iter([BYTES[:2], (BYTES[2:4], LABELS[:2])]), "labels in all batches, or in none"),
        (lambda: iter([(BYTES[:2], LABELS[:3])]), "labels of a batch of X must have shape"),
        (lambda: iter([np.full((2, 8, 8), np.nan)]), "batches of X must be finite"),
        (lambda: iter([{"image": BYTES}]), "batches of X must"),
    ],
)
def test_refused_batches(codec, stream, words):
    generator = LatentGenerator(codec, random_state=0)
    with pytest.raises((ValueError, TypeError), match=words):
        generator.fit(stream())
    assert not hasattr(generator, "transport_")


def test_an_autoencoder_that_is_not_trained_cannot_read_batches():
    for codec in (None, PCACodec(2)):
        with pytest.raises(ValueError, match="autoencoder must be trained"):
            LatentGenerator(codec).fit(batches(BYTES))
    own = LatentGenerator(Halves(), random_state=0).fit(batches(BYTES), LABELS)
    np.testing.assert_allclose(own.codes_[0], IMAGES[0].reshape(2, 32).mean(axis=1), atol=2e-3)
