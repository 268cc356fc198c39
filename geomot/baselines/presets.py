"""The settings of the papers' experiments, method by method.

Each preset holds what the source states and what the text around it leaves to us; every other
keyword keeps its default. `preset` returns the keywords, ``WGAN.from_preset("E1")`` the model.

- "E1": two Gaussians (Lei et al. 2017, arXiv:1710.05488, 7.1): the critic has two dense layers,
  the generator six, with ReLU; the rest from the reference code of arXiv:1701.07875, and for
  `WGANGP` from that of arXiv:1704.00028 for the plane.
- "E2": eight Gaussians (Liu et al. 2018, arXiv:1809.05964, 4.1), batches of 64 (ours).
- "E3": images of digits through codes of dimension 10 (the same, 4.2); "E3-faces" with 100. The
  potential is fitted to codes, `VAE` and `WAE` to images.
- "E4": fluid flow in the plane (Lin, Lensink, Haber 2019, arXiv:1910.01694, example 1.2), widths
  from 50 divided by 1.5 down to 0.1 (ours; a last width of 1 draws the cloud together);
  "E4-codes": codes of images of dimension 32.
- "E5-moons", "E5-moons-7", "E5-moons-12", "E5-pinwheel", "E5-pinwheel-7", "E5-pinwheel-12": plane
  data in 2, 7 and 12 dimensions (Gu et al. 2024, arXiv:2407.11901), and "E5-mnist" on pixels; all
  from the authors' code. The four cases are ``w1`` and ``w2``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

__all__ = ["PRESETS", "preset"]

_E1: dict[str, Any] = {
    "max_steps": 1000,
    "batch_size": 256,
    "standardize": False,
    "latent_dim": 2,
    "generator_hidden": (512,) * 5,
    "critic_hidden": (512,),
    "activation": "relu",
}

_E4_FLOW: dict[str, Any] = {
    "batch_size": 512,
    "schedule": "cosine",
    "standardize": False,
    "width_start": 50.0,
    "width_end": 0.1,
    "width_factor": 1.5,
}

_E3_MAP: dict[str, Any] = {
    "max_steps": 200_000,
    "batch_size": 64,
    "hidden": (512,) * 5,
    "activation": "leaky_relu",
    "regularization": 0.1,
    "learning_rate": 1e-4,
    "betas": (0.5, 0.999),
}


def _e3(latent_dim: int) -> dict[str, dict[str, Any]]:
    wae = {
        "batch_size": 100,
        "latent_dim": latent_dim,
        "divergence": "mmd",
        # In the units of `WAE` the weight of the authors' code.
        "penalty": 2.5,
        "learning_rate": 1e-3,
        "betas": (0.5, 0.999),
    }
    return {
        "PotentialRegression": _E3_MAP,
        "VAE": {"batch_size": 100, "latent_dim": latent_dim, "learning_rate": 1e-3},
        "WAE": wae,
    }


def _e5(weight: float, gamma: float, width: int) -> dict[str, dict[str, Any]]:
    return {
        "ProximalFlow": {
            "max_steps": 25_000,
            "batch_size": 200,
            "standardize": False,
            "horizon": 1.0,
            "step": 0.2,
            "weight": weight,
            "gamma": gamma,
            "lipschitz": 1.0,
            "exponential": "plain",
            "critic_steps": 5,
            "potential_hidden": (width,) * 5,
            "critic_hidden": (width,) * 3,
            "potential_activation": "tanh",
            "critic_activation": "relu",
            "learning_rate": 1e-4,
            "critic_learning_rate": 2e-5,
            "betas": (0.5, 0.9),
        }
    }


_PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "E1": {
        "WGAN": {**_E1, "learning_rate": 5e-5, "clip": 0.01, "critic_steps": 5},
        "WGANGP": {
            **_E1,
            "learning_rate": 1e-4,
            "betas": (0.5, 0.9),
            "penalty": 0.1,
            "critic_steps": 5,
        },
    },
    "E2": {
        "PotentialRegression": {
            "max_steps": 10_000,
            "batch_size": 64,
            "standardize": False,
            "hidden": (512,) * 3,
            "activation": "relu",
            "regularization": 0.0,
            "fixed_source": 256,
            "learning_rate": 1e-2,
            "betas": (0.5, 0.999),
        }
    },
    "E3": _e3(10),
    "E3-faces": _e3(100),
    "E4": {
        "FluidFlow": _E4_FLOW,
        "GAN": {"max_steps": 8000, "batch_size": 512, "standardize": False},
    },
    "E4-codes": {
        "FluidFlow": _E4_FLOW,
    },
    "E5-moons": _e5(0.5, 0.1, 48),
    "E5-moons-7": _e5(0.1, 0.01, 48),
    "E5-moons-12": _e5(0.1, 0.01, 48),
    "E5-pinwheel": _e5(0.5, 0.1, 64),
    "E5-pinwheel-7": _e5(0.1, 0.01, 64),
    "E5-pinwheel-12": _e5(0.1, 0.01, 64),
    "E5-mnist": {
        "ProximalFlow": {
            **_e5(0.05, 0.1, 48)["ProximalFlow"],
            "max_steps": 5000,
            "architecture": "conv",
            "channels": (8, 8),
            "horizon": 5.0,
            "step": 1.0,
            "potential_hidden": (512,) * 3,
            "critic_hidden": (256,) * 3,
            "potential_activation": "relu",
            "learning_rate": 5e-4,
            "critic_learning_rate": 1e-4,
        }
    },
}

PRESETS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {name: tuple(methods) for name, methods in _PRESETS.items()}
)
"""Names of the presets, and the methods that each has settings for."""


def preset(name: str, method: str) -> dict[str, Any]:
    """Keywords of a method in an experiment.

    Parameters
    ----------
    name : str
        A name in `PRESETS`.
    method : str
        The method's class name.

    Returns
    -------
    dict of str to object
        New with each call.

    Raises
    ------
    ValueError
        If there are no such settings.

    Examples
    --------
    >>> from geomot.baselines import PRESETS, preset
    >>> PRESETS["E1"]
    ('WGAN', 'WGANGP')
    >>> preset("E1", "WGAN")["clip"]
    0.01
    """
    if name not in _PRESETS:
        raise ValueError(f"name must be one of {tuple(_PRESETS)}, got {name!r}")
    if method not in _PRESETS[name]:
        raise ValueError(f"method must be one of {PRESETS[name]} for {name}, got {method!r}")
    keywords = dict(_PRESETS[name][method])
    if name == "E1":
        keywords["source"] = _box(2, 1.0)
    if name == "E5-mnist":
        keywords["source"] = _box(784, 0.5)
    return keywords


def _box(dim: int, side: float) -> Any:
    """Uniform measure on [0, side]^dim."""
    from geomot.sources import UniformBox

    return UniformBox(np.zeros(dim), np.full(dim, side))
