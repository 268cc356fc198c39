"""Small models of every baseline, and data for them."""

from __future__ import annotations

import numpy as np
import pytest

from geomot import baselines
from geomot.baselines import METHODS

torch = pytest.importorskip("torch")
SMALL = {
    "GAN": {"generator_hidden": (8,), "critic_hidden": (8,)},
    "WGAN": {"generator_hidden": (8,), "critic_hidden": (8,), "critic_steps": 2},
    "WGANGP": {"generator_hidden": (8,), "critic_hidden": (8,), "critic_steps": 2},
    "VAE": {"hidden": (8,)},
    "WAE": {"hidden": (8,)},
    "PotentialRegression": {"hidden": (8, 8)},
    "FluidFlow": {"layers": 2, "width": 8},
    "ProximalFlow": {"potential_hidden": (8,), "critic_hidden": (8,), "critic_steps": 2},
    "FlowMatching": {"hidden": (8,), "ode_steps": 3},
}
VARIANTS = {
    **{name: (name, {}) for name in METHODS},
    "WAE-gan": ("WAE", {"divergence": "gan"}),
    "PotentialRegression-plain": ("PotentialRegression", {"regularization": 0.0}),
    "PotentialRegression-fixed": ("PotentialRegression", {"fixed_source": 5}),
    "ProximalFlow-none": ("ProximalFlow", {"w1": False, "w2": False, "exponential": "plain"}),
    "FlowMatching-minibatch": ("FlowMatching", {"coupling": "minibatch"}),
    "FlowMatching-semidiscrete": ("FlowMatching", {"coupling": "semidiscrete", "tv_tol": 0.2}),
}
SHAPES = {"vectors": (2,), "images": (1, 9, 6)}
every_method = pytest.mark.parametrize("name", METHODS)


def make(name, **keywords):
    settings = {"max_steps": 3, "batch_size": 8, "random_state": 0, "channels": (4, 4)}
    method, variant = VARIANTS[name]
    return getattr(baselines, method)(**{**settings, **SMALL[method], **variant, **keywords})


def data(shape, n=40):
    return 3.0 + 2.0 * np.random.default_rng(1).standard_normal((n, *shape))


def normal_tensor(*shape, seed=0):
    return torch.as_tensor(np.random.default_rng(seed).standard_normal(shape))
