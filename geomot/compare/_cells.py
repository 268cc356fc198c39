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

from geomot._files import archive

__all__ = ["Cell", "cell_path", "plain_name", "read_cell", "traceback_path", "write_cell"]

_FORMAT = "geomot-comparison-cell"
_VERSION = 1


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
    header = {
        "study": cell.study,
        "label": cell.label,
        "seed": cell.seed,
        "status": cell.status,
        "diverged_at": cell.diverged_at,
        "metrics": {name: _plain(value) for name, value in cell.metrics.items()},
        "settings": dict(cell.settings),
        "facts": dict(cell.facts),
        "history_names": list(cell.history_names),
    }
    archive.write(path, _FORMAT, _VERSION, header, cell.arrays)


def read_cell(path: str | os.PathLike[str]) -> Cell:
    """Read a cell."""
    return archive.read(path, _FORMAT, _VERSION, _build, kind="a finished cell of a comparison")


def _build(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Cell:
    step = header["diverged_at"]
    return Cell(
        study=str(header["study"]),
        label=str(header["label"]),
        seed=int(header["seed"]),
        status=str(header["status"]),
        diverged_at=None if step is None else int(step),
        metrics={
            str(name): math.nan if value is None else float(value)
            for name, value in dict(header["metrics"]).items()
        },
        settings=dict(header["settings"]),
        facts=dict(header["facts"]),
        arrays=arrays,
        history_names=tuple(str(name) for name in header["history_names"]),
    )


def _plain(value: float) -> float | None:
    """JSON has no NaN."""
    return float(value) if math.isfinite(value) else None
