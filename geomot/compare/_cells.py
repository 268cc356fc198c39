"""Cells of a comparison: what one method reached on one problem with one seed, and its file."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from geomot._files import parts
from geomot._validation import as_count

__all__ = ["Cell", "cell_path", "plain_name", "read_cell", "traceback_path", "write_cell"]


@dataclass(frozen=True, eq=False)
class Cell:
    """What one method reached on one problem with one seed.

    Attributes
    ----------
    study, label : str
        The study, and the row.
    seed : int
        The seed.
    status : str
        How the training or the solve ended; "diverged" is a result.
    diverged_at : int or None
        The step.
    metrics : mapping of str to float
        Fields of `geomot.compare.METRICS`.
    settings : mapping of str to object
        All that the cell depends on.
    facts : mapping of str to object
        Of the problem.
    arrays : mapping of str to ndarray
        For figures: "samples", and for some studies "history", "paths", "surface" and others.
    history_names : tuple of str
        Columns of the history.
    """

    study: str
    label: str
    seed: int
    status: str
    diverged_at: int | None
    metrics: Mapping[str, float]
    settings: Mapping[str, Any]
    facts: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    history_names: tuple[str, ...] = ()

    @property
    def diverged(self) -> bool:
        """Whether it did."""
        return self.status == "diverged"


class _Metrics(parts.Part):
    """Numbers by name: JSON has none that are not finite, and null in their place."""

    def put(self, key: str, value: Any, content: parts.Content) -> None:
        content.header[key] = {
            name: float(own) if math.isfinite(own) else None for name, own in value.items()
        }

    def take(self, key: str, content: parts.Content) -> Any:
        found = parts.as_mapping(content.entry(key), key)
        return {k: math.nan if v is None else parts.as_number(v, k) for k, v in found.items()}


_RECORD = parts.Record(
    "geomot-comparison-cell",
    {
        "study": parts.Entry(parts.as_word),
        "label": parts.Entry(parts.as_word),
        "seed": parts.Entry(as_count),
        "status": parts.Entry(parts.as_word),
        "diverged_at": parts.Entry(as_count, default=None),
        "metrics": _Metrics(),
        "settings": parts.Entry(parts.as_mapping),
        "facts": parts.Entry(parts.as_mapping),
        "history_names": parts.Entry(lambda names, _: tuple(map(str, names))),
        "arrays": parts.Arrays(""),
    },
)


def cell_path(folder: Path, study: str, label: str, seed: int, settings: Mapping[str, Any]) -> Path:
    """Where a cell belongs: the name tells settings apart."""
    text = json.dumps(settings, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return folder / "cells" / plain_name(study) / f"{plain_name(label)}-seed{seed}-{digest}.npz"


def traceback_path(path: Path) -> Path:
    """Where the traceback of a cell that could not be made is."""
    return path.with_name(f"{path.stem}.traceback.txt")


def plain_name(name: str) -> str:
    """A name that files can have, on any system."""
    return "".join(c if c.isalnum() or c in "-._" else "_" for c in name).lstrip(".") or "data"


def write_cell(path: str | os.PathLike[str], cell: Cell) -> None:
    """Write a cell, in one step."""
    _RECORD.write(path, cell)


def read_cell(path: str | os.PathLike[str]) -> Cell:
    """Read a cell."""
    return _RECORD.read(path, Cell, "a finished cell of a comparison")
