"""Codecs of any make: modules in training, numbers that are none, other weights than before."""

from __future__ import annotations

import numpy as np
import pytest
from generators import BYTES, Halves

from geomot.generator import LatentGenerator


def test_decoders_that_return_nan():
    class Broken(Halves):
        def decode(self, codes):
            return np.where(np.arange(64) == 3, np.nan, super().decode(codes))

    generator = LatentGenerator(Broken()).fit(BYTES)
    with pytest.raises(ValueError, match="autoencoder.decode must return finite numbers"):
        generator.sample(3, 0)


def test_modules_are_evaluated():
    torch = pytest.importorskip("torch")

    class Codec(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Dropout(0.5))
            self.net[1].eval()

        def encode(self, X):
            return self.net(torch.as_tensor(X.reshape(len(X), -1)[:, 20:22])).numpy()

        def decode(self, codes):
            return self.net(torch.as_tensor(np.repeat(codes, 32, axis=1))).numpy()

    class Wrapper:
        def __init__(self, module):
            self.module = module

        def encode(self, X):
            return self.module.encode(X)

        def decode(self, codes):
            return self.module.decode(codes)

    module = Codec()
    for codec in (module, Wrapper(module)):
        generator = LatentGenerator(codec).fit(BYTES)
        np.testing.assert_allclose(
            generator.codes_, BYTES.reshape(300, 64)[:, 20:22] / 255, rtol=1e-6, atol=1e-7
        )
        samples, codes = generator.sample(50, 0, return_codes=True)
        np.testing.assert_allclose(
            samples.reshape(50, 64), np.repeat(codes, 32, axis=1), rtol=1e-6, atol=1e-7
        )
        assert module.training
        assert module.net[0].training
        assert not module.net[1].training


def test_other_weights_than_before_are_noticed(tmp_path):
    class Scaled(Halves):
        def __init__(self, factor):
            super().__init__()
            self.factor = factor

        def encode(self, X):
            return self.factor * super().encode(X)

    LatentGenerator(Scaled(1.0)).fit(BYTES).save(tmp_path / "model")
    load = LatentGenerator.load
    assert load(tmp_path / "model", autoencoder=Scaled(1.0 + 1e-7)).sample(2).shape == (2, 8, 8)
    with pytest.raises(ValueError, match="autoencoder must be the one .* gives other codes"):
        load(tmp_path / "model", autoencoder=Scaled(1.01))
    LatentGenerator(Scaled(1.0)).fit(BYTES).save(tmp_path / "bare", training_data=False)
    assert load(tmp_path / "bare", autoencoder=Scaled(1.01)).sample(2).shape == (2, 8, 8)
