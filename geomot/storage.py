"""Saved objects of any kind: `load` finds out which one a file holds."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from geomot._files.archive import format_of
from geomot._files.replacing import put_aside
from geomot._validation import as_path
from geomot.solution import Solution

__all__ = ["load"]


def load(path: str | os.PathLike[str], *, device: Any = None) -> Any:
    """Read what a method `save` of geomot wrote, and return it.

    Files tell what they hold: a `geomot.Solution`, an `Autoencoder`, `PCACodec` or
    `FeatureClassifier` of `geomot.latent`, or one of `geomot.baselines`; a folder holds a
    `geomot.LatentGenerator` or a `geomot.coupling.SemiDiscreteCoupling`. The ``load`` of each class
    reads that class alone.

    Parameters
    ----------
    path : str or path-like
        The file or folder. It is never executed or unpickled, and may be untrusted.
    device : str or torch.device, optional
        Where torch shall have the networks, such as "cuda"; None: the CPU. What has no networks
        does not use it.

    Returns
    -------
    Solution, Autoencoder, PCACodec, FeatureClassifier, Baseline, SMOTE, GaussianMixture,
    LatentGenerator or SemiDiscreteCoupling

    Raises
    ------
    ValueError
        If the file is not a complete, undamaged one of a known kind and version; or if it is a
        generator that was saved without its autoencoder, see `LatentGenerator.load`.
    OSError
        If the file cannot be opened.
    ImportError
        If it holds networks, and torch is missing.

    Examples
    --------
    >>> import os, tempfile, geomot
    >>> solution = geomot.solve([[0.25, 0.5], [0.75, 0.5]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = os.path.join(folder, "map.npz")
    ...     solution.save(file)
    ...     geomot.load(file) == solution
    True
    """
    name = as_path(path)
    # A folder that another process replaces is gone for a moment, and the old one beside it.
    if os.path.isdir(name) or (not os.path.exists(name) and put_aside(name)):
        if os.path.exists(os.path.join(name, "coupling.npz")):
            from geomot.coupling import SemiDiscreteCoupling

            return SemiDiscreteCoupling.load(name)
        from geomot.generator import LatentGenerator

        return LatentGenerator.load(name, device=device)
    found = format_of(name)
    if found not in _READERS:
        raise ValueError(
            f"path must name a file that geomot saved, got {name}: its header says "
            f"{found:.80}, not one of {', '.join(_READERS)}"
        )
    return _READERS[found](name, device)


def _load_solution(path: str, device: Any) -> Solution:
    return Solution.load(path)


# The others are imported when a file asks for them: they may need torch or scikit-learn.


def _load_codec(path: str, device: Any) -> Any:
    from geomot.latent import PCACodec

    return PCACodec.load(path, device=device)


def _load_autoencoder(path: str, device: Any) -> Any:
    from geomot.latent import Autoencoder

    return Autoencoder.load(path, device=device)


def _load_classifier(path: str, device: Any) -> Any:
    from geomot.latent import FeatureClassifier

    return FeatureClassifier.load(path, device=device)


def _load_baseline(path: str, device: Any) -> Any:
    from geomot.baselines import Baseline

    return Baseline.load(path, device=device)


def _load_smote(path: str, device: Any) -> Any:
    from geomot.baselines import SMOTE

    return SMOTE.load(path, device=device)


def _load_mixture(path: str, device: Any) -> Any:
    from geomot.baselines import GaussianMixture

    return GaussianMixture.load(path, device=device)


_READERS: dict[str, Callable[[str, Any], Any]] = {
    "geomot-solution": _load_solution,
    "geomot-pca": _load_codec,
    "geomot-autoencoder": _load_autoencoder,
    "geomot-classifier": _load_classifier,
    "geomot-baseline": _load_baseline,
    "geomot-smote": _load_smote,
    "geomot-mixture": _load_mixture,
}
