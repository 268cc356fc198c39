"""Models in files: what the header and the arrays of an archive mean, and must be."""

from __future__ import annotations

import math
import numbers
import os
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from geomot._files import archive
from geomot._files.archive import as_number, pop_prefixed
from geomot._validation import as_count, as_points, as_tolerance
from geomot.baselines._training import STATUSES, history_dtype
from geomot.latent._codec import plain, read_shape
from geomot.latent._networks import fill, state

if TYPE_CHECKING:
    from geomot.baselines._base import Baseline

__all__ = ["read", "write"]

FORMAT = "geomot-baseline"
VERSION = 1

_SOURCE_PREFIX = "source."
_NETWORK_PREFIX = "network."

_Model = TypeVar("_Model", bound="Baseline")


def write(model: Baseline, path: str | os.PathLike[str]) -> None:
    """Write a fitted model; see `Baseline.save`."""
    import geomot.baselines as methods

    name = type(model).__name__
    if name not in methods.METHODS or getattr(methods, name) is not type(model):
        raise TypeError(f"only the methods of geomot can be saved, got a {name} of another module")
    free = {name: getattr(model, name) for name in model.free}
    parameters = {**model._keywords, **free, "progress": False, "device": str(model.device)}
    parameters["source"], arrays = _describe_source(parameters["source"])
    if not isinstance(model.random_state, numbers.Integral):
        parameters["random_state"] = None
    header = {
        "class": name,
        "parameters": {key: plain(value) for key, value in parameters.items()},
        "sample_shape": list(model.sample_shape_),
        "status": model.status_,
        "diverged_at": model.diverged_at_,
        "kept_step": model.kept_step_,
        "n_steps": model.n_steps_,
        "seconds": model.seconds_,
        "scale": model.scale_,
    }
    fields = history_dtype(model.losses).names or ()
    columns = [model.history_[name].astype(np.float64) for name in fields]
    arrays["mean"] = np.asarray(model.mean_, dtype=np.float64)
    arrays["history"] = np.column_stack(columns)
    for name, network in model.networks_.items():
        prefix = f"{_NETWORK_PREFIX}{name}."
        arrays.update({prefix + key: array for key, array in state(network).items()})
    archive.write(path, FORMAT, VERSION, header, arrays)


def read(kind: type[_Model], path: str | os.PathLike[str], device: str) -> _Model:
    """Read a model of a class; see `Baseline.load`."""

    def build(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> _Model:
        return _rebuild(kind, header, arrays, device)

    return archive.read(path, FORMAT, VERSION, build, kind=f"a {kind.__name__} file")


def _describe_source(source: Any) -> tuple[Any, dict[str, np.ndarray]]:
    """A source as JSON and arrays."""
    from geomot.sources import Source

    if isinstance(source, str):
        return source, {}
    if not isinstance(source, Source):
        raise TypeError(f"source must be one of geomot's to be saved, got {type(source).__name__}")
    words, arrays = {}, {}
    for key, value in source.to_dict().items():
        if isinstance(value, np.ndarray):
            arrays[_SOURCE_PREFIX + key] = np.asarray(value, dtype=np.float64)
        else:
            words[key] = value
    return words, arrays


def _rebuild(
    wanted: type[_Model], header: dict[str, Any], arrays: dict[str, np.ndarray], device: str
) -> _Model:
    """Make the model, holding the file to what a training guarantees."""
    import torch

    import geomot.baselines as methods

    name = header["class"]
    if name not in methods.METHODS:
        raise ValueError(f"its class must be one of {methods.METHODS}, got {name!r}")
    kind = getattr(methods, name)
    if not issubclass(kind, wanted):
        raise ValueError(f"it holds a {name}")
    parameters: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in header["parameters"].items()
    }
    described = parameters["source"]
    if isinstance(described, dict):
        from geomot.sources import Source

        found = pop_prefixed(arrays, _SOURCE_PREFIX)
        parameters["source"] = Source.from_dict({**described, **found})
    elif not isinstance(described, str):
        raise ValueError("its source must be a word or a measure")
    model: _Model = kind(**{**parameters, "device": device})
    model._check_keywords()
    model._keywords = model.get_params(deep=False)

    shape = read_shape(header["sample_shape"])
    model.sample_shape_, model.n_features_in_ = shape, math.prod(shape)
    model.mean_ = as_points(arrays.pop("mean").reshape(1, -1), "mean", math.prod(shape)).reshape(
        shape
    )
    model.scale_ = as_tolerance(as_number(header["scale"], "scale"), "scale")
    net_shape, channels = model._layout()
    model.source_shape_ = model._source_shape(net_shape)
    model._draw_source(0, np.random.default_rng(0))

    dtype = history_dtype(kind.losses)
    rows = arrays.pop("history")
    if rows.ndim != 2 or rows.shape[1] != len(dtype.names or ()):
        raise ValueError(
            f"history must have {len(dtype.names or ())} columns, got shape {rows.shape}"
        )
    model.history_ = np.array([tuple(row) for row in rows.tolist()], dtype=dtype)
    if header["status"] not in STATUSES:
        raise ValueError(f"status must be one of {STATUSES}, got {header['status']!r}")
    model.status_ = header["status"]
    diverged = header["diverged_at"]
    model.diverged_at_ = None if diverged is None else as_count(diverged, "diverged_at", 1)
    model.kept_step_ = as_count(header["kept_step"], "kept_step")
    model.n_steps_ = as_count(header["n_steps"], "n_steps")
    model.seconds_ = as_number(header["seconds"], "seconds")

    model.networks_ = {
        key: fill(torch, network, pop_prefixed(arrays, f"{_NETWORK_PREFIX}{key}."), device)
        for key, network in model._new_networks(net_shape, channels).items()
    }
    if arrays:
        raise ValueError(f"it must hold no more arrays, got {sorted(arrays)[:3]}")
    return model
