"""Codes made white, and the sites that stand for them."""

from __future__ import annotations

import numpy as np
import pytest
from generators import BYTES, IMAGES, Halves

from geomot.generator import LatentGenerator
from geomot.latent import PCACodec


def test_whitened_codes():
    generator = LatentGenerator(PCACodec(3), tv_tol=0.2, whiten=True, random_state=0)
    generator.fit(IMAGES)
    sites = generator.transport_.sites_
    np.testing.assert_allclose(sites.mean(axis=0), 0.0, atol=1e-9)
    np.testing.assert_allclose(np.cov(sites.T, bias=True), np.eye(3), atol=1e-9)
    np.testing.assert_allclose(generator.codes_, PCACodec(3).fit(IMAGES).encode(IMAGES))
    samples, codes = generator.sample(50, 0, mode="discrete", return_codes=True)
    gap = np.linalg.norm(codes[:, None] - generator.codes_, axis=2).min(axis=1)
    np.testing.assert_allclose(gap, 0.0, atol=1e-9)
    np.testing.assert_allclose(samples, generator.autoencoder_.decode(codes))


def test_codes_in_fewer_dimensions_than_they_have():
    class Flat(Halves):
        def encode(self, X):
            codes = super().encode(X)
            return np.column_stack([codes, codes[:, 0] + 1, np.full(len(X), 7.0)])

        def decode(self, codes):
            return super().decode(codes[:, :2])

    generator = LatentGenerator(Flat(), tv_tol=0.2, random_state=0).fit(BYTES)
    assert generator.transport_.solution_.converged
    assert LatentGenerator(Flat(), tv_tol=0.2, whiten=True).fit(BYTES).sample(2).shape == (2, 8, 8)


class Same:
    """Data are their own codes."""

    def encode(self, X):
        return X

    def decode(self, codes):
        return codes


def test_tight_clusters_nearly_on_a_line_converge():
    """As they are, float32 does not tell their sites apart: total variation 0.08 to 0.1."""
    r = np.random.default_rng(0)
    centres = 1e-3 * r.standard_normal((10, 4))
    centres[:, 0] = np.arange(10)
    data = centres[np.arange(300) % 10] + 1e-3 * r.standard_normal((300, 4))
    options = {"tv_tol": 0.03, "random_state": 0, "threads": 1}
    with pytest.warns(UserWarning, match="whiten=True saves the first attempt"):
        generator = LatentGenerator(Same(), **options).fit(data)
    assert generator.whitened_
    assert generator.transport_.solution_.converged
    again = LatentGenerator(Same(), whiten=True, **options).fit(data)
    assert again.transport_.solution_ == generator.transport_.solution_
    easy = LatentGenerator(Same(), **options).fit(r.standard_normal((50, 4)))
    assert not easy.whitened_
