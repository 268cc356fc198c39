"""Presets are keywords of their methods."""

from __future__ import annotations

import pytest
from small_baselines import SMALL, data

from geomot import baselines
from geomot.baselines import PRESETS, preset

torch = pytest.importorskip("torch")


def test_presets_are_keywords_of_their_methods():
    for name, methods in PRESETS.items():
        for method in methods:
            model = getattr(baselines, method).from_preset(name, max_steps=7)
            assert model.max_steps == 7
            assert set(preset(name, method)) <= set(model.get_params())
            small = {k: v for k, v in SMALL[method].items() if "hidden" in k}
            model.set_params(max_steps=1, batch_size=4, random_state=0, **small)
            X = data((1, 28, 28) if name == "E5-mnist" else (2,), n=8)
            assert model.fit(X).status_ == "max_steps"
    assert preset("E1", "WGAN")["clip"] == 0.01
    with pytest.raises(ValueError, match="name must be one of"):
        preset("E9", "WGAN")
    with pytest.raises(ValueError, match="method must be one of"):
        baselines.GAN.from_preset("E2")
