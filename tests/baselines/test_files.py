"""Baselines in files: round trips, and files that are not what they claim."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from small_baselines import data, every_method, make

import geomot
from geomot import baselines
from geomot.baselines import METHODS

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def fitted():
    """One fitted model of each method, for tests that do not change it."""
    return {name: make(name).fit(data((2,))) for name in METHODS}


@every_method
def test_save_and_load(name, fitted, tmp_path):
    model, path = fitted[name], tmp_path / "model"
    model.save(path)
    for again in (type(model).load(path), geomot.load(path), pickle.loads(pickle.dumps(model))):
        assert type(again) is type(model)
        np.testing.assert_array_equal(again.sample(5, 1), model.sample(5, 1))
        np.testing.assert_array_equal(again.history_, model.history_)
        assert again.get_params() == model.get_params()
        for attribute in ("status_", "diverged_at_", "kept_step_", "n_steps_", "seconds_"):
            assert getattr(again, attribute) == getattr(model, attribute)
    with np.load(path, allow_pickle=False) as arrays:
        assert "mean" in arrays
    other = baselines.GAN if name != "GAN" else baselines.VAE
    with pytest.raises(ValueError, match=f"path must name a {other.__name__} file"):
        other.load(path)


@every_method
def test_images_in_files(name, tmp_path):
    model = make(name).fit(data((1, 9, 6)))
    model.save(tmp_path / "model")
    again = geomot.load(tmp_path / "model")
    np.testing.assert_array_equal(again.sample(3, 1), model.sample(3, 1))
    assert again.sample_shape_ == (1, 9, 6)


def test_own_sources_are_kept_in_files_where_geomot_knows_them(tmp_path):
    X = data((2,))
    source = geomot.UniformBox([0.0, 0.0], [1.0, 2.0])
    model = make("FluidFlow", source=source).fit(X)
    model.save(tmp_path / "model")
    again = geomot.load(tmp_path / "model")
    np.testing.assert_array_equal(again.sample(4, 0), model.sample(4, 0))

    class Own:
        def sample(self, n, rng):
            return rng.random((n, 2))

    own = make("FluidFlow", source=Own()).fit(X)
    assert own.sample(3).shape == (3, 2)
    with pytest.raises(TypeError, match="source must be a geomot source"):
        own.save(tmp_path / "own")


def test_foreign_and_damaged_files_are_refused(fitted, tmp_path):
    path = tmp_path / "model"
    fitted["FluidFlow"].save(path)
    whole = path.read_bytes()
    np.savez(tmp_path / "foreign.npz", x=np.zeros(3))
    (tmp_path / "pickle").write_bytes(pickle.dumps({"a": 1}))
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "layers").write_bytes(whole.replace(b'"layers": 2', b'"layers": 3'))
    (tmp_path / "class").write_bytes(whole.replace(b'"FluidFlow"', b'"fluidFlow"'))
    (tmp_path / "huge").write_bytes(whole.replace(b'"width": 8', b'"width": 9'))
    for name in ("foreign.npz", "pickle", "cut", "layers", "class", "huge"):
        with pytest.raises(ValueError, match=f"path must name a Baseline file, got .*{name}"):
            baselines.Baseline.load(tmp_path / name)
        with pytest.raises(ValueError, match=f"path must name a .*, got .*{name}"):
            geomot.load(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        geomot.load(tmp_path / "nothing")
    with pytest.raises(ValueError, match="device must be"):
        geomot.load(path, device="abacus")
