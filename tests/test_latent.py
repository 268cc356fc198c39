"""Codecs: interface, reproducibility, and what is left untouched."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import geomot
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


def test_pca_is_the_best_linear_pair(images):
    codec = PCACodec().fit(images)
    codes = codec.encode(images)
    assert codes.shape == (1797, 2)
    singular = np.linalg.svd(images - images.mean(axis=0), compute_uv=False)
    expected = (singular[2:] ** 2).sum() / images.size
    assert codec.reconstruction_error(images) == pytest.approx(expected, rel=1e-10)
    np.testing.assert_array_equal(codec.transform(images), codes)
    np.testing.assert_array_equal(codec.inverse_transform(codes), codec.decode(codes))


def test_pca_refuses_too_many_components():
    with pytest.raises(ValueError, match="latent_dim must be at most 3"):
        PCACodec(4).fit(np.zeros((10, 3)))


@pytest.mark.parametrize("codec", [PCACodec(), Autoencoder()])
def test_codecs_follow_scikit_learn(codec):
    assert clone(codec).get_params() == codec.get_params()
    with pytest.raises(NotFittedError):
        codec.encode(np.zeros((1, 64)))
    with pytest.raises(NotFittedError):
        codec.decode(np.zeros((1, 2)))


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


def test_same_seed_same_codec(torch, images):
    first, second = (
        Autoencoder(hidden=(16,), epochs=3, random_state=5).fit(images[:300]) for _ in range(2)
    )
    np.testing.assert_array_equal(first.encode(images), second.encode(images))
    other = Autoencoder(hidden=(16,), epochs=3, random_state=6).fit(images[:300])
    assert not np.array_equal(first.encode(images), other.encode(images))


def test_global_state_of_torch_is_left_alone(torch, images):
    torch.manual_seed(0)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    codec = Autoencoder(hidden=(8,), epochs=1, random_state=0).fit(images[:100])
    codec.decode(codec.encode(images[:10]))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_training_stops_early(torch):
    # Pure noise: nothing to learn, so the validation error soon stops falling.
    X = np.random.default_rng(0).standard_normal((200, 5))
    codec = Autoencoder(hidden=(64,), epochs=500, patience=5, noise=0, random_state=0).fit(X)
    assert len(codec.history_) < 500
    assert len(codec.history_) == codec.best_epoch_ + 6


def test_tiny_and_constant_data(torch):
    for X in (np.ones((1, 3)), np.ones((20, 3)), [[1, 2], [3, 4]]):
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
    ],
)
def test_bad_parameters_are_refused(torch, parameters, message):
    with pytest.raises(ValueError, match=message):
        Autoencoder(**{"epochs": 1, "hidden": (4,), **parameters}).fit(np.ones((10, 3)))


def test_bad_data_are_refused(fitted):
    with pytest.raises(ValueError, match="X must be finite"):
        Autoencoder(epochs=1).fit([[np.nan, 1.0]])
    with pytest.raises(ValueError, match=r"X must have shape \(n, 64\)"):
        fitted.encode(np.zeros((2, 63)))
    with pytest.raises(ValueError, match=r"codes must have shape \(n, 2\)"):
        fitted.decode(np.zeros((2, 3)))


def test_missing_torch_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r'pip install "geomot\[torch\]"'):
        Autoencoder().fit(np.ones((10, 3)))


def test_importing_loads_neither_torch_nor_matplotlib():
    code = (
        "import sys, geomot.latent, geomot.datasets, geomot.demo, geomot.cli;"
        "sys.exit('torch' in sys.modules or 'matplotlib' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(geomot.__file__).parents[1])}
    process = subprocess.run([sys.executable, "-c", code], check=False, env=environment)
    assert process.returncode == 0
