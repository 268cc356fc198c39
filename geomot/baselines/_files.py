"""Models in files: the parts that these hold, and what the parts of a model must be."""

from __future__ import annotations

import math
import numbers
import os
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from geomot._files import parts
from geomot._validation import as_count, as_points, as_tolerance
from geomot.baselines._training import STATUSES, history_dtype
from geomot.latent._networks import fill, state
from geomot.latent._torch import as_device

if TYPE_CHECKING:
    from geomot.baselines._base import Baseline

__all__ = ["read", "write"]

_Model = TypeVar("_Model", bound="Baseline")


def _class(name: Any) -> type[Baseline]:
    """The method of geomot that has a name."""
    import geomot.baselines as methods

    if name not in methods.METHODS:
        raise ValueError(f"its class must be one of {methods.METHODS}, got {name!r}")
    return getattr(methods, name)


class _Parameters(parts.Part):
    """Parameters of a model: the source may be a measure, which has arrays."""

    _source = parts.Measure("source.")

    def put(self, key: str, value: Any, content: parts.Content) -> None:
        source = value["source"]
        words = content.header[key] = parts.plain({**value, "source": None})
        if isinstance(source, str):
            words["source"] = source
        else:
            self._source.put("source", source, parts.Content(words, content.arrays))

    def take(self, key: str, content: parts.Content) -> Any:
        header = parts.as_mapping(content.entry(key), key)
        found = {k: tuple(v) if isinstance(v, list) else v for k, v in header.items()}
        if not isinstance(found["source"], str):
            found["source"] = self._source.take("source", parts.Content(header, content.arrays))
        return found


_RECORD = parts.Record(
    "geomot-baseline",
    {
        "class": parts.Entry(lambda name, _: _class(name).__name__),
        "parameters": _Parameters(),
        "sample_shape_": parts.Entry(parts.as_shape, axes="sample"),
        "status_": parts.Entry(parts.one_of(*STATUSES)),
        "diverged_at_": parts.Entry(partial(as_count, minimum=1), default=None),
        "kept_step_": parts.Entry(as_count),
        "n_steps_": parts.Entry(as_count),
        "seconds_": parts.Entry(parts.as_number),
        "scale_": parts.Entry(as_tolerance),
        "output_": parts.Entry(parts.one_of("linear", "sigmoid"), default=None),
        "mean_": parts.Array(("sample",)),
        "history_": parts.Table(lambda found: history_dtype(_class(found["class"]).losses)),
        "networks": parts.Arrays("network."),
    },
)


def write(model: Baseline, path: str | os.PathLike[str]) -> None:
    """Write a fitted model; see `Baseline.save`."""
    import geomot.baselines as methods
    from geomot.sources import Source

    name = type(model).__name__
    if name not in methods.METHODS or getattr(methods, name) is not type(model):
        raise TypeError(f"only geomot's own methods can be saved, got {name} of another module")
    free = {name: getattr(model, name) for name in model.free}
    parameters = {**model._keywords, **free, "progress": False, "device": None}
    source = parameters["source"]
    if not isinstance(source, (str, Source)):
        raise TypeError(f"source must be a geomot source to be saved, got {type(source).__name__}")
    if not isinstance(model.random_state, numbers.Integral):
        parameters["random_state"] = None
    networks = {
        f"{name}.{key}": array
        for name, network in model.networks_.items()
        for key, array in state(network).items()
    }
    own = {
        "class": name,
        "parameters": parameters,
        "networks": networks,
        # of autoencoders only
        "output_": getattr(model, "output_", None),
    }
    _RECORD.write(path, {**vars(model), **own})


def read(kind: type[_Model], path: str | os.PathLike[str], device: Any) -> _Model:
    """Read a model of a class; see `Baseline.load`."""

    def build(**found: Any) -> _Model:
        return _rebuild(kind, found, device)

    return _RECORD.read(path, build, f"a {kind.__name__} file")


def _rebuild(wanted: type[_Model], found: dict[str, Any], device: Any) -> _Model:
    """Make the model, holding the file to what a training guarantees."""
    import torch

    kind = _class(found.pop("class"))
    if not issubclass(kind, wanted):
        raise ValueError(f"it holds a {kind.__name__}")
    model: _Model = kind(**{**found.pop("parameters"), "device": device})
    model._check_keywords()
    model._keywords = model.get_params(deep=False)
    networks = parts.Content(arrays=found.pop("networks"))
    if found["output_"] is None:
        del found["output_"]
    model.__dict__.update(found)
    model.n_features_in_ = math.prod(model.sample_shape_)
    as_points(model.mean_.reshape(1, -1), "mean")
    net_shape, channels = model._layout()
    model.source_shape_ = model._source_shape(net_shape)
    model._draw_source(0, np.random.default_rng(0))
    place = as_device(torch, device)
    model.networks_ = {
        name: fill(torch, network, networks.prefixed(f"{name}."), place)
        for name, network in model._new_networks(net_shape, channels).items()
    }
    if networks.arrays:
        raise ValueError(f"it must not hold the networks' arrays {sorted(networks.arrays)[:3]}")
    return model
