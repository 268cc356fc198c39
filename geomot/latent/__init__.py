"""Codecs: pairs of maps between data and a latent space of few dimensions.

A codec is trained alone, with no prior on the latent space; the transport map is then fitted to the
codes. `Autoencoder` needs PyTorch (``pip install "geomot[torch]"``), which is imported when one is
fitted, never before; `PCACodec` has the same interface and needs nothing more. `TorchCodec` makes a
codec of any autoencoder of PyTorch. `FeatureClassifier` (PyTorch too) gives the features and
probabilities on which generated images are judged, and `LatentGenerator` puts codec and map
together.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from geomot.latent.autoencoder import Autoencoder
from geomot.latent.classifier import FeatureClassifier
from geomot.latent.pca import PCACodec
from geomot.latent.torch_codec import TorchCodec

if TYPE_CHECKING:
    from geomot.generator import LatentGenerator

__all__ = ["Autoencoder", "FeatureClassifier", "LatentGenerator", "PCACodec", "TorchCodec"]


def __getattr__(name: str) -> Any:
    # The generator lies above this package, which lends it a second name.
    if name != "LatentGenerator":
        raise AttributeError(f"module 'geomot.latent' has no attribute {name!r}")
    return import_module("geomot.generator").LatentGenerator


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
