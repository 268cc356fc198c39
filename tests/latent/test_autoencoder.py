"""The autoencoder: how near its images come, reproducibility, and what is refused."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone

from geomot import datasets
from geomot.latent import Autoencoder, PCACodec


@pytest.fixture(scope="module")
def images():
    return datasets.digits()[0]


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def fitted(torch, images):
    return Autoencoder(hidden=(64, 32), epochs=30, random_state=0).fit(images)


@pytest.fixture(scope="module")
def convolved(torch, images):
    codec = Autoencoder(5, channels=(16,), hidden=(32,), epochs=8, random_state=0)
    return codec.fit(images.reshape(-1, 8, 8))


def test_autoencoder_beats_principal_components(fitted, images):
    assert fitted.reconstruction_error(images) < 0.7 * PCACodec().fit(images).reconstruction_error(
        images
    )
    codes = fitted.encode(images)
    assert codes.shape == (1797, 2)
    assert codes.dtype == np.float64
    assert fitted.decode(codes[:3]).shape == (3, 64)
    assert fitted.history_.shape == (30, 2)
    assert fitted.history_[:, 1].argmin() == fitted.best_epoch_


@pytest.mark.parametrize(
    ("shape", "architecture"),
    [
        ((12,), "dense"),
        ((7, 9), "dense"),
        ((8, 8), "conv"),
        ((1, 28, 28), "conv"),
        ((3, 11, 26), "conv"),
        ((100, 37), "conv"),
        ((128, 128), "conv"),
    ],
)
def test_samples_of_any_shape(torch, shape, architecture):
    X = np.random.default_rng(0).random((10, *shape)).astype(np.float32)
    options = {} if architecture == "dense" else {"channels": (4, 4, 4)}
    codec = Autoencoder(3, hidden=(8,), epochs=1, random_state=0, **options).fit(X)
    assert codec.architecture_ == architecture
    assert codec.sample_shape_ == shape
    assert codec.mean_.shape == shape
    codes = codec.encode(X)
    assert (codes.shape, codes.dtype) == ((10, 3), np.float64)
    decoded = codec.decode(codes)
    assert (decoded.shape, decoded.dtype) == (X.shape, np.float64)
    assert codec.reconstruction_error(X) == pytest.approx(np.mean((decoded - X) ** 2), rel=1e-6)


def test_images_without_a_convolution_keep_their_shape(torch):
    X = np.random.default_rng(0).random((10, 2, 9, 11))
    options = {"architecture": "conv", "channels": (), "hidden": (8,), "epochs": 2}
    codec = Autoencoder(3, random_state=0, **options).fit(X)
    assert codec.decode(codec.encode(X)).shape == X.shape


@pytest.mark.parametrize(
    ("shape", "channels"),
    [
        ((8, 8), (32,)),
        ((28, 28), (32, 64, 128)),
        ((3, 32, 32), (32, 64, 128)),
        ((100, 37), (32, 64, 128)),
        ((3, 128, 128), (32, 64, 128, 256, 256)),
    ],
)
def test_default_convolutions(shape, channels):
    assert Autoencoder()._layout(shape).channels == channels


@pytest.mark.parametrize("shape", [(1, 5), (3, 9, 30), (2, 2), (3, 4, 7)])
def test_convolutions_of_narrow_images(torch, shape):
    X = np.random.default_rng(0).random((6, *shape))
    codec = Autoencoder(
        1, architecture="conv", channels=(3, 3, 3), hidden=(), epochs=1, random_state=0
    )
    assert codec.fit(X).decode(codec.encode(X)).shape == X.shape


def test_convolutions_learn(convolved, images):
    images = images.reshape(-1, 8, 8)
    pca = PCACodec(5).fit(images)
    assert convolved.reconstruction_error(images) < 0.8 * pca.reconstruction_error(images)


def test_images_in_dense_networks_are_vectors(torch, images):
    options = {"architecture": "dense", "hidden": (16,), "epochs": 2, "random_state": 1}
    flat = Autoencoder(**options).fit(images)
    codec = Autoencoder(**options).fit(images.reshape(-1, 8, 8))
    np.testing.assert_array_equal(codec.encode(images.reshape(-1, 8, 8)), flat.encode(images))


@pytest.mark.parametrize("make", [PCACodec, Autoencoder])
def test_bytes_are_images_in_256_steps(torch, images, make):
    whole = np.round(images[:300] * 255).astype(np.uint8).reshape(-1, 8, 8)
    options = {"epochs": 2, "random_state": 0} if make is Autoencoder else {}
    codec, same = make(**options).fit(whole), make(**options).fit(whole / 255.0)
    np.testing.assert_array_equal(codec.encode(whole), same.encode(whole / 255.0))
    np.testing.assert_array_equal(codec.encode(whole), codec.encode(whole / 255.0))
    assert codec.reconstruction_error(whole) == same.reconstruction_error(whole / 255.0)
    assert abs(codec.decode(codec.encode(whole)).mean() - images[:300].mean()) < 0.02


def test_work_in_chunks_changes_little(fitted, convolved, images, monkeypatch):
    pictures = images.reshape(-1, 8, 8)
    codes, error = convolved.encode(pictures), convolved.reconstruction_error(pictures)
    decoded = convolved.decode(codes)
    options = {"hidden": (8,), "epochs": 1, "random_state": 0}
    once = Autoencoder(**options).fit(images)
    monkeypatch.setattr("geomot.latent._torch._ROWS_AT_ONCE", 100)
    np.testing.assert_allclose(convolved.encode(pictures), codes, atol=1e-4)
    np.testing.assert_allclose(convolved.decode(codes), decoded, atol=1e-4)
    assert convolved.reconstruction_error(pictures) == pytest.approx(error, rel=1e-5)
    again = Autoencoder(**options).fit(images)
    np.testing.assert_allclose(again.mean_, once.mean_, rtol=1e-12)
    assert again.scale_ == pytest.approx(once.scale_, rel=1e-12)
    np.testing.assert_allclose(again.history_, once.history_, rtol=1e-4)


def test_same_seed_same_codec(torch, images):
    first, second = (
        Autoencoder(hidden=(16,), epochs=3, random_state=5).fit(images[:300]) for _ in range(2)
    )
    np.testing.assert_array_equal(first.encode(images), second.encode(images))
    other = Autoencoder(hidden=(16,), epochs=3, random_state=6).fit(images[:300])
    assert not np.array_equal(first.encode(images), other.encode(images))


def test_same_seed_same_convolutions(convolved, images):
    again = clone(convolved).fit(images.reshape(-1, 8, 8))
    codes = convolved.encode(images.reshape(-1, 8, 8))
    np.testing.assert_array_equal(again.encode(images.reshape(-1, 8, 8)), codes)
    np.testing.assert_array_equal(again.decode(codes), convolved.decode(codes))
    np.testing.assert_array_equal(again.history_, convolved.history_)


def test_tiny_and_constant_data(torch):
    for X in (np.ones((1, 3)), np.ones((20, 3)), [[1, 2], [3, 4]], np.zeros((1, 9, 8), np.uint8)):
        codec = Autoencoder(latent_dim=1, hidden=(4,), epochs=2, random_state=0).fit(X)
        assert np.isfinite(codec.decode(codec.encode(X))).all()


def test_pickling(fitted, images):
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.encode(images[:9]), fitted.encode(images[:9]))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"latent_dim": 0}, "latent_dim"),
        ({"hidden": (0,)}, "hidden"),
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"noise": -1.0}, "noise"),
        ({"noise": np.nan}, "noise"),
        ({"validation_fraction": 1.0}, "validation_fraction"),
        ({"patience": 0}, "patience"),
        ({"threads": 0}, "threads"),
        ({"architecture": "deep"}, "architecture must be 'auto', 'dense' or 'conv', got 'deep'"),
        ({"architecture": "conv"}, "architecture='conv' needs X of shape"),
        ({"device": "nowhere"}, "device must be one that torch can use here, got 'nowhere'"),
    ],
)
def test_bad_parameters_are_refused(torch, parameters, message):
    with pytest.raises(ValueError, match=message):
        Autoencoder(**{"epochs": 1, "hidden": (4,), **parameters}).fit(np.ones((10, 3)))


def test_bad_channels_are_refused(torch):
    X = np.ones((10, 8, 8))
    for bad, error in (((0,), ValueError), ((2.0,), TypeError), (3, TypeError), ("3", TypeError)):
        with pytest.raises(error, match="channels must be"):
            Autoencoder(channels=bad).fit(X)
    with pytest.raises(TypeError, match="hidden must be a sequence of integers, got 5"):
        Autoencoder(hidden=5).fit(X)
    with pytest.raises(TypeError, match="device must be a string"):
        Autoencoder(device=0).fit(X)


def test_bad_images_are_refused(convolved):
    X = np.ones((3, 8, 8), np.float32)
    for shape in ((3, 7, 8), (3, 64), (3, 1, 8, 8), ()):
        with pytest.raises(ValueError, match=r"X must have shape \(n, 8, 8\)"):
            convolved.encode(np.ones(shape))
    with pytest.raises(ValueError, match="X has 8 features, but Autoencoder is expecting 64"):
        convolved.encode(np.ones((8, 8)))
    for bad in (np.nan, np.inf, -np.inf):
        X[1, 2, 3] = bad
        with pytest.raises(
            ValueError, match=r"X must be finite, got -?(nan|inf) at index \(1, 2, 3\)"
        ):
            convolved.encode(X)
    for shape in ((), (3,), (3, 0, 4), (2, 2, 2, 2, 2)):
        with pytest.raises(ValueError, match=r"X must have shape \(n, features\), \(n, h, w\) or"):
            Autoencoder().fit(np.ones(shape))
    with pytest.raises(ValueError, match="X must hold at least one sample"):
        Autoencoder().fit(np.ones((0, 8, 8)))
    with pytest.raises(TypeError, match="X must hold real numbers, got dtype bool"):
        Autoencoder().fit(np.ones((3, 8, 8), bool))


def test_inputs_are_not_written_to(torch):
    for dtype in (np.uint8, np.float32, np.float64):
        X = np.random.default_rng(0).integers(0, 255, (20, 8, 8)).astype(dtype)
        X.setflags(write=False)
        codec = Autoencoder(channels=(2,), epochs=1).fit(X)
        codes = codec.encode(X)
        codes.setflags(write=False)
        codec.decode(codes)
        PCACodec().fit(X).encode(X)


def test_bad_data_are_refused(fitted):
    with pytest.raises(ValueError, match="X must be finite"):
        Autoencoder(epochs=1).fit([[np.nan, 1.0]])
    with pytest.raises(ValueError, match="X has 63 features, but Autoencoder is expecting 64"):
        fitted.encode(np.zeros((2, 63)))
    with pytest.raises(ValueError, match=r"codes must have shape \(n, 2\)"):
        fitted.decode(np.zeros((2, 3)))


@pytest.mark.parametrize("shape", [(28, 28, 1), (8, 12, 3), (16, 16, 4)])
def test_channels_last_are_refused(shape):
    """Their rows were taken for channels."""
    from geomot.latent import FeatureClassifier

    X = np.random.default_rng(0).random((6, *shape))
    for fit in (Autoencoder(epochs=1).fit, FeatureClassifier(epochs=1).fit):
        with pytest.raises(ValueError, match=r"channels first.* np.moveaxis\(X, -1, 1\)"):
            fit(X, [0, 1] * 3)
    assert Autoencoder(epochs=1).fit(np.moveaxis(X, -1, 1)).sample_shape_[0] == shape[2]
    assert Autoencoder(epochs=1).fit(np.zeros((6, 16, 4, 4))).sample_shape_ == (16, 4, 4)


def test_more_dimensions_than_the_data_have():
    X = np.random.default_rng(0).random((20, 6))
    with pytest.warns(UserWarning, match="latent_dim is 7, and 20 samples of 6 numbers span at"):
        Autoencoder(7, epochs=1).fit(X)
    with pytest.warns(UserWarning, match="span at most 4 dimensions"):
        Autoencoder(5, epochs=1).fit(X[:5])
