"""Generative models of the papers that geomot is compared with, behind one interface.

`GAN`, `WGAN`, `WGANGP`, `VAE`, `WAE`, `PotentialRegression`, `FluidFlow`, `ProximalFlow` and
`FlowMatching` all push a source measure forward to the data: ``fit(X)`` trains on vectors (n, d) or
images (n, c, h, w), ``sample(n, random_state)`` draws, ``transform(Z)`` maps points of the source,
and `history_`, `status_`, `diverged_at_` tell how the training went. A run whose losses or
parameters are no longer finite ends with the status "diverged": that is a result, no exception.

Two references are fitted in one go and need no torch: `SMOTE` mixes a datum with one of its nearest
neighbours, `GaussianMixture` is that of scikit-learn. They have `fit`, `sample`, `save` and `load`,
but no source to map points of.

The others need PyTorch (``pip install "geomot[torch]"``), which is imported when one is fitted or
loaded, never before. The settings of the papers are in `geomot.baselines.presets`:
``WGAN.from_preset("E1")``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geomot.baselines._base import Baseline
    from geomot.baselines._reference import Reference
    from geomot.baselines.flow_matching import FlowMatching
    from geomot.baselines.fluid import FluidFlow
    from geomot.baselines.gan import GAN, WGAN, WGANGP
    from geomot.baselines.mixture import GaussianMixture
    from geomot.baselines.potential import PotentialRegression
    from geomot.baselines.presets import PRESETS, preset
    from geomot.baselines.proximal import ProximalFlow
    from geomot.baselines.smote import SMOTE
    from geomot.baselines.vae import VAE, WAE

_HOMES = {
    "PRESETS": "presets",
    "Baseline": "_base",
    "FlowMatching": "flow_matching",
    "FluidFlow": "fluid",
    "GAN": "gan",
    "GaussianMixture": "mixture",
    "PotentialRegression": "potential",
    "ProximalFlow": "proximal",
    "Reference": "_reference",
    "SMOTE": "smote",
    "VAE": "vae",
    "WAE": "vae",
    "WGAN": "gan",
    "WGANGP": "gan",
    "preset": "presets",
}

__all__ = [
    "GAN",
    "METHODS",
    "PRESETS",
    "REFERENCES",
    "SMOTE",
    "VAE",
    "WAE",
    "WGAN",
    "WGANGP",
    "Baseline",
    "FlowMatching",
    "FluidFlow",
    "GaussianMixture",
    "PotentialRegression",
    "ProximalFlow",
    "Reference",
    "preset",
]

METHODS = (
    "GAN",
    "WGAN",
    "WGANGP",
    "VAE",
    "WAE",
    "PotentialRegression",
    "FluidFlow",
    "ProximalFlow",
    "FlowMatching",
)
"""Names of the methods, in the order of the documentation."""

REFERENCES = ("SMOTE", "GaussianMixture")
"""Names of the references, which are fitted without a training."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'geomot.baselines' has no attribute {name!r}")
    value = getattr(import_module(f"geomot.baselines.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
