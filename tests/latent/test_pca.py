"""Principal components as a codec."""

from __future__ import annotations

import numpy as np
import pytest

from geomot import datasets
from geomot.latent import PCACodec


@pytest.fixture(scope="module")
def images():
    return datasets.digits()[0]


def test_pca_is_the_best_linear_pair(images):
    codec = PCACodec().fit(images)
    codes = codec.encode(images)
    assert codes.shape == (1797, 2)
    singular = np.linalg.svd(images - images.mean(axis=0), compute_uv=False)
    expected = (singular[2:] ** 2).sum() / images.size
    assert codec.reconstruction_error(images) == pytest.approx(expected, rel=1e-10)
    np.testing.assert_array_equal(codec.transform(images), codes)
    np.testing.assert_array_equal(codec.inverse_transform(codes), codec.decode(codes))


def test_pca_of_images_is_that_of_vectors(images):
    codec, flat = PCACodec(3).fit(images.reshape(-1, 1, 8, 8)), PCACodec(3).fit(images)
    np.testing.assert_array_equal(codec.encode(images.reshape(-1, 1, 8, 8)), flat.encode(images))
    assert codec.sample_shape_ == (1, 8, 8)
    assert codec.decode(np.zeros((2, 3))).shape == (2, 1, 8, 8)
    assert codec.n_features_in_ == 64


def test_pca_of_large_data_finds_the_same_subspace(images, monkeypatch):
    exact = PCACodec(3).fit(images)
    monkeypatch.setattr("geomot.latent.pca._FULL_WORK", 0)
    codec = PCACodec(3).fit(images)
    assert codec.pca_.svd_solver == "arpack"
    np.testing.assert_allclose(codec.encode(images), exact.encode(images), atol=1e-8)
    np.testing.assert_array_equal(codec.encode(images), PCACodec(3).fit(images).encode(images))


def test_pca_refuses_too_many_components():
    with pytest.raises(ValueError, match="latent_dim must be at most 3"):
        PCACodec(4).fit(np.zeros((10, 3)))


def test_equal_data_have_no_variance_to_explain_and_go_into_files(tmp_path):
    codec = PCACodec(2).fit(np.ones((5, 4)))
    np.testing.assert_array_equal(codec.pca_.explained_variance_ratio_, 0.0)
    codec.save(tmp_path / "codec")
    again = PCACodec.load(tmp_path / "codec")
    np.testing.assert_array_equal(again.encode(np.ones((5, 4))), codec.encode(np.ones((5, 4))))
