"""Digits, a codec, and what is equal, for tests of generators."""

from __future__ import annotations

import numpy as np

from geomot.datasets import digits

IMAGES, LABELS = digits()
IMAGES, LABELS = IMAGES[:300], LABELS[:300]
BYTES = np.rint(255 * IMAGES.reshape(-1, 8, 8)).astype(np.uint8)


class Halves:
    """A codec of one's own, without a fit: pairs of pixels averaged."""

    def __init__(self):
        self.dtypes = set()

    def encode(self, X):
        self.dtypes.add(X.dtype)
        assert X.shape[1:] == (8, 8)
        return X.reshape(len(X), 2, -1).mean(axis=2)

    def decode(self, codes):
        return np.repeat(codes, 32, axis=1)


def assert_equal(found, generator):
    assert found.transport_.solution_ == generator.transport_.solution_
    np.testing.assert_array_equal(found.codes_, generator.codes_)
    np.testing.assert_array_equal(found.support_, generator.support_)
    assert found.sample_shape_ == generator.sample_shape_
    np.testing.assert_array_equal(found.sample(5, 1), generator.sample(5, 1))
    np.testing.assert_array_equal(
        found.interpolate(3, 8, space="source"), generator.interpolate(3, 8, space="source")
    )
