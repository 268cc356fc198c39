"""Couplings in files: a folder with one solution for each map, and all the rest in one archive.

The main file has the checksums of the solutions, so that files of different couplings are not taken
for one.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from geomot._files import parts
from geomot._files.replacing import replacing_folder
from geomot._validation import as_count, as_flag, as_masses, as_path
from geomot.coupling.conditions import with_condition
from geomot.coupling.rows import Rows
from geomot.coupling.softening import Softened
from geomot.solution import Solution
from geomot.sources import WrappedSource

if TYPE_CHECKING:
    from geomot.coupling.coupling import SemiDiscreteCoupling

__all__ = ["load", "save"]

# The coupling's class lies above its files, which are told of it.
_Coupling = TypeVar("_Coupling", bound="SemiDiscreteCoupling")

_MAIN = "coupling.npz"
_DIGEST_BYTES = 32

# What a potential without softened weights has in their place.
_NO_TV = -1.0


def save(coupling: SemiDiscreteCoupling, path: str | os.PathLike[str]) -> None:
    """Write a coupling into a folder, see `SemiDiscreteCoupling.save`."""
    target = Path(os.path.realpath(as_path(path)))
    held = _check_replaceable(target)
    source = _noise(coupling)
    if isinstance(source, WrappedSource):
        raise TypeError(f"source must be one of geomot's to be saved, got {source}")
    names = [_map_name(k) for k in range(len(coupling.potentials_))]
    with replacing_folder(target, {_MAIN, *names, *held}) as folder:
        for name, potential in zip(names, coupling.potentials_, strict=True):
            potential.solution.save(folder / name)
        soft = [p.softened for p in coupling.potentials_]
        classes = coupling.classes_
        own = {
            "sums": np.stack([_checksum(folder / name) for name in names]),
            "source": source,
            "classes_": None if classes is None else classes.tolist(),
            "random_state": _seed(coupling.random_state),
            "lengths": np.array([len(p.rows) for p in coupling.potentials_]),
            "rows": np.concatenate([p.rows for p in coupling.potentials_]),
            "members": coupling._group_of,
            "labels_": None if coupling.labels_ is None else np.atleast_2d(coupling.labels_.T),
            "epsilon": 0.0 if soft[0] is None else soft[0].epsilon,
            "top_k": coupling.top_k if soft[0] is None else soft[0].top_k,
            "soft_weights": np.concatenate([np.empty(0) if s is None else s.weights for s in soft]),
            "soft_tv": np.array([_NO_TV if s is None else s.tv for s in soft]),
        }
        _RECORD.write(folder / _MAIN, {**coupling.get_params(), **vars(coupling), **own})


def load(
    kind: type[_Coupling], path: str | os.PathLike[str], X: Any, device: str | None
) -> _Coupling:
    """Read a coupling, see `SemiDiscreteCoupling.load`."""
    folder = Path(as_path(path))
    if not folder.is_dir():
        raise ValueError(f"path must name the folder of a saved coupling, got {folder}")
    from geomot.coupling.coupling import Potential

    found = _RECORD.read(folder / _MAIN, _checked, "the main file of a saved coupling")
    sums, lengths, rows = (found.pop(name) for name in ("sums", "lengths", "rows"))
    weights, tv = found.pop("soft_weights"), found.pop("soft_tv")
    ends, size = np.cumsum(lengths), int(np.prod(found["sample_shape_"]))
    softened = found["epsilon"] > 0.0
    potentials = []
    for k, end in enumerate(ends):
        own = slice(end - lengths[k], end)
        solution = _solution(folder / _map_name(k), sums[k], lengths[k], size, found)
        soft = None
        if softened:
            converged = bool(tv[k] <= found["tv_tol"])
            soft = Softened(weights[own], found["epsilon"], found["top_k"], float(tv[k]), converged)
        potentials.append(Potential(rows[own], solution, soft))
    return _filled(kind, found, potentials, X, device)


def _checked(**found: Any) -> dict[str, Any]:
    """The parts of the main file, if they fit each other."""
    classes, members, labels = (found[name] for name in ("classes_", "members", "labels_"))
    lengths, rows, masses = (found[name] for name in ("lengths", "rows", "target_masses_"))
    if lengths.min() < 1 or lengths.sum() != len(rows):
        raise ValueError("lengths must be those of the maps")
    if rows.min() < 0 or rows.max() >= len(masses):
        raise ValueError("rows must number the data")
    if not (np.add.reduceat(masses[rows], np.cumsum(lengths) - lengths) > 0.0).all():
        raise ValueError("target_masses must be positive for each map")
    if len(found["soft_weights"]) != len(rows) * (found["epsilon"] > 0.0):
        raise ValueError("soft_weights must be there if epsilon is positive, and only then")
    if members is not None and (
        classes is None or members.min() < 0 or members.max() >= len(classes)
    ):
        raise ValueError("members must number the classes")
    if labels is None and (classes is not None or found["condition_scale_"] is not None):
        raise ValueError("labels must be there")
    if labels is not None and (len(labels) == 0 or (classes is not None and len(labels) > 1)):
        raise ValueError(f"labels must have one row for each column, got {len(labels)}")
    return found


def _solution(
    file: Path, checksum: np.ndarray, length: int, size: int, found: dict[str, Any]
) -> Solution:
    """The map of one label, with the source that its file may not have."""
    if not np.array_equal(_checksum(file), checksum):
        raise ValueError(f"{file} is damaged, or belongs to another coupling")
    solution = Solution.load(file)
    conditions = 0 if found["condition_scale_"] is None else len(found["labels_"])
    if solution.sites.shape != (length, size + conditions):
        raise ValueError(f"{file} does not fit the coupling")
    if conditions == 0:
        return solution
    source = with_condition(found["source"], solution.sites[:, size:], found["target_masses_"])
    return replace(solution, source=source)


def _filled(
    kind: type[_Coupling], found: dict[str, Any], potentials: list[Any], X: Any, device: str | None
) -> _Coupling:
    coupling = kind(device=device)
    group_of, labels = found.pop("members"), found.pop("labels_")
    names = set(coupling.get_params()) & set(found)
    coupling.set_params(**{name: found.pop(name) for name in names})
    coupling.__dict__.update(found)
    if labels is not None:
        labels = labels.T if coupling.classes_ is None else labels[0]
    coupling.labels_, coupling._group_of, coupling.potentials_ = labels, group_of, potentials
    shape, n = coupling.sample_shape_, len(coupling.target_masses_)
    coupling._rows = rows = Rows(_data(potentials, n, shape) if X is None else X, "X")
    if X is not None:
        _check_data(rows, potentials, n, shape)
    coupling._set_up()
    return coupling


def _data(potentials: list[Any], n: int, shape: tuple[int, ...]) -> np.ndarray:
    """The data from the sites; rows without a map, which are never drawn, are 0."""
    size = int(np.prod(shape))
    if len(potentials) == 1 and len(potentials[0].rows) == n:
        return potentials[0].solution.sites[:, :size].reshape(n, *shape)
    data = np.zeros((n, size), dtype=np.float32)
    for potential in potentials:
        data[potential.rows] = potential.solution.sites[:, :size]
    return data.reshape(n, *shape)


def _check_data(rows: Rows, potentials: list[Any], n: int, shape: tuple[int, ...]) -> None:
    if (len(rows), rows.shape) != (n, shape):
        expected = ", ".join(map(str, (n, *shape)))
        raise ValueError(
            f"X must have shape ({expected}), got ({', '.join(map(str, (len(rows), *rows.shape)))})"
        )
    sites = rows.sites("X")
    for potential in potentials:
        known = potential.solution.sites[:, : sites.shape[1]]
        if not np.array_equal(sites[potential.rows], known):
            raise ValueError("X must hold the data that the coupling was fitted to")


def _noise(coupling: SemiDiscreteCoupling) -> Any:
    """The law of the noise alone."""
    source = coupling.potentials_[0].solution.source
    augmented = source.dim > int(np.prod(coupling.sample_shape_))
    return source.sampler.noise if augmented else source  # type: ignore[attr-defined]


def _map_name(k: int) -> str:
    return f"map-{k}.npz"


def _checksum(path: Path) -> np.ndarray:
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
    return np.frombuffer(digest, dtype=np.uint8)


def _seed(random_state: Any) -> int | None:
    """A seed as JSON can hold it; generators are not saved."""
    if isinstance(random_state, (int, np.integer)) and not isinstance(random_state, bool):
        return int(random_state)
    return None


def _check_replaceable(target: Path) -> set[str]:
    """Names of the files of a saved coupling that is there; anything else is refused."""
    try:
        held = {p.name for p in target.iterdir()}
    except FileNotFoundError:
        if not target.parent.is_dir():
            raise ValueError(f"path must lie in a folder that exists, got {target}") from None
        return set()
    except NotADirectoryError:
        raise ValueError(f"path must name a folder, got {target}") from None
    own = {_MAIN, *(_map_name(k) for k in range(len(held)))}
    if held and not (_MAIN in held and held <= own):
        raise ValueError(f"path must name a new or empty folder or a saved coupling, got {target}")
    return held


def _as_masses(array: np.ndarray, name: str) -> np.ndarray:
    return as_masses(array, len(array), name)


def _as_epsilon(value: Any, name: str) -> float:
    epsilon = parts.as_number(value, name)
    if not 0.0 <= epsilon < np.inf:
        raise ValueError(f"{name} must not be negative, got {epsilon}")
    return epsilon


def _as_classes(value: Any, name: str) -> np.ndarray:
    known = np.array(parts.as_list(value, name))
    if known.ndim != 1 or known.dtype.kind not in "iufbU":
        raise ValueError(f"{name} must be a list of numbers or text")
    return known


def _as_shape(value: Any, name: str) -> tuple[int, ...]:
    shape = parts.as_counts(value, name)
    if not shape:
        raise ValueError(f"{name} must have an entry, got {shape}")
    return shape


_RECORD = parts.Record(
    "geomot-coupling",
    {
        "source": parts.Measure("source_"),
        "conditional": parts.Entry(as_flag),
        "condition_weight": parts.Entry(parts.as_number),
        "condition_scale_": parts.Entry(parts.as_number, default=None),
        "epsilon": parts.Entry(_as_epsilon),
        "top_k": parts.Entry(partial(as_count, minimum=1)),
        "tv_tol": parts.Entry(parts.as_number),
        "random_state": parts.Entry(as_count, default=None),
        "seed_": parts.Entry(as_count),
        "sample_shape_": parts.Entry(_as_shape),
        "classes_": parts.Entry(_as_classes, default=None),
        "sums": parts.Array(("maps", _DIGEST_BYTES), ("|u1",)),
        "lengths": parts.Array(("maps",), ("<i8",)),
        "rows": parts.Array(("rows",), ("<i8",)),
        "members": parts.Array(("n",), ("<i8",), optional=True),
        "labels_": parts.Array(("columns", "n"), ("<i8", "<f8"), optional=True),
        "target_masses_": parts.Array(("n",), check=_as_masses),
        "soft_weights": parts.Array(("soft",)),
        "soft_tv": parts.Array(("maps",)),
    },
)
