"""Generators in files: a folder with the map, the autoencoder, and all the rest.

Each of the three is an archive of plain arrays (`geomot._files.archive`). The main file has the
checksums of the others, so that files of different generators are not taken for one.
"""

from __future__ import annotations

import hashlib
import math
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from geomot._files import parts
from geomot._files.archive import format_of
from geomot._files.replacing import put_aside, replacing_folder
from geomot._validation import (
    as_count,
    as_flag,
    as_masses,
    as_path,
    as_points,
    as_samples,
    as_tolerance,
)
from geomot.brenier import BrenierMap
from geomot.extended.map import SINGULAR
from geomot.generator.calls import SAME_CODES, encode
from geomot.generator.whitening import Whitening
from geomot.latent.torch_codec import as_codec
from geomot.solution import Solution

if TYPE_CHECKING:
    from geomot.generator.generator import LatentGenerator

__all__ = ["load", "save"]

# The generator's class lies above its files, which are told of it.
_Generator = TypeVar("_Generator", bound="LatentGenerator")
_Parts = tuple[_Generator, str, dict[str, str], int | None]

_MAIN, _MAP, _CODEC = "generator.npz", "map.npz", "autoencoder.npz"
_FILES = (_MAIN, _MAP, _CODEC)

# Data whose codes are computed again when an autoencoder is given, by which it is recognised.
_CODES_COMPARED = 100

# Seconds between attempts to read a generator that another process is replacing.
_WAITS = (0.01,) * 10 + (0.1,) * 9


def save(
    generator: LatentGenerator, path: str | os.PathLike[str], training_data: bool = True
) -> None:
    """Write a generator into a folder, see `LatentGenerator.save`."""
    target = Path(os.path.realpath(as_path(path)))
    _check_replaceable(target)
    with replacing_folder(target, _FILES) as folder:
        generator.transport_.solution_.save(folder / _MAP)
        codec = generator.autoencoder_
        kind = next((name for name, own in _own_codecs().items() if type(codec) is own), "")
        if kind:
            codec.save(folder / _CODEC)
        _write_main(generator, folder, kind, training_data)


def load(
    kind: type[_Generator],
    path: str | os.PathLike[str],
    autoencoder: Any = None,
    device: str | None = None,
) -> _Generator:
    """Read a generator, see `LatentGenerator.load`."""
    autoencoder = as_codec(autoencoder)
    folder = Path(as_path(path))
    for wait in _WAITS:
        before = _identity(folder)
        try:
            return _load(kind, folder, autoencoder, device)
        except (OSError, ValueError):
            # Files of a folder that another process has replaced meanwhile do not belong together.
            if _identity(folder) == before and (before is not None or not put_aside(folder)):
                raise
        time.sleep(wait)
    return _load(kind, folder, autoencoder, device)


def _load(kind: type[_Generator], folder: Path, autoencoder: Any, device: str | None) -> _Generator:
    if not folder.is_dir():
        held = f", a file of {format_of(folder)}" if folder.is_file() else ""
        raise ValueError(f"path must name the folder of a saved generator, got {folder}{held}")

    def build(**found: Any) -> _Parts[_Generator]:
        return _build(kind, found)

    generator, codec, sums, map_seed = _RECORD.read(
        folder / _MAIN, build, "the main file of a saved generator"
    )
    for name, wanted in sums.items():
        if _checksum(folder / name) != wanted:
            raise ValueError(f"{folder / name} is damaged, or belongs to another generator")
    if autoencoder is None:
        if not codec:
            raise ValueError(
                f"autoencoder must be given: {folder} was saved with one that is not geomot's"
            )
        autoencoder = _own_codecs()[codec].load(folder / _CODEC, device=device)
    elif codec:
        raise ValueError(f"autoencoder must be None: {folder} holds one")
    else:
        _check_codes(generator, autoencoder)
    generator.autoencoder = generator.autoencoder_ = autoencoder
    generator.device = device
    solution = Solution.load(folder / _MAP)
    if solution.sites.shape != (len(generator.support_), generator.codes_.shape[1]):
        raise ValueError(f"{folder / _MAP} does not fit the codes in {folder / _MAIN}")
    generator.transport_ = BrenierMap(random_state=map_seed)._take(solution)
    return generator


def _check_codes(generator: LatentGenerator, autoencoder: Any) -> None:
    """Refuse an autoencoder whose codes of the first data are not those of the fit."""
    if generator._data is None:
        return
    known = generator.codes_[:_CODES_COMPARED]
    codes = encode(autoencoder, generator._data[:_CODES_COMPARED])
    extent = float(np.abs(generator.codes_ - generator.codes_.mean(axis=0)).max())
    if codes.shape != known.shape or np.abs(codes - known).max() > SAME_CODES * extent:
        raise ValueError(
            "autoencoder must be the one that the generator was saved with: it gives other codes "
            "for the training data"
        )


def _identity(folder: Path) -> tuple[int, int] | None:
    """Tells a saved generator from one that takes its place; None where there is none."""
    try:
        found = (folder / _MAIN).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _own_codecs() -> dict[str, Any]:
    from geomot.latent import Autoencoder, PCACodec

    return {"Autoencoder": Autoencoder, "PCACodec": PCACodec}


def _seed(random_state: Any) -> int | None:
    """A seed as JSON can hold it; generators are not saved."""
    if isinstance(random_state, (int, np.integer)) and not isinstance(random_state, bool):
        return int(random_state)
    return None


def _as_masses(array: np.ndarray, name: str) -> np.ndarray:
    return as_masses(array, len(array), name)


def _as_classes(value: Any, name: str) -> np.ndarray:
    known = np.array(parts.as_list(value, name))
    if known.ndim != 1 or known.dtype.kind not in "iufbU":
        raise ValueError(f"{name} must be a list of numbers or text")
    return known


def _as_threshold(value: Any, name: str) -> float:
    # JSON has no infinity
    return np.inf if value == _INFINITE else as_tolerance(value, name)


_INFINITE = "inf"
_DATA = ("<f8", "<f4", "|u1")
_RECORD = parts.Record(
    "geomot-generator",
    {
        "autoencoder": parts.Entry(parts.one_of("", "Autoencoder", "PCACodec")),
        "sums": parts.Entry(parts.as_mapping),
        "sample_shape_": parts.Entry(parts.as_shape, axes="sample"),
        "classes_": parts.Entry(_as_classes, default=None),
        "tv_tol": parts.Entry(parts.as_number, default=None),
        "singular": parts.Entry(parts.one_of(*SINGULAR)),
        "smoothing": parts.Entry(as_tolerance, default=0.5),
        "threshold": parts.Entry(_as_threshold, default=None),
        "whiten": parts.Entry(as_flag),
        "random_state": parts.Entry(as_count, default=None),
        "map_random_state": parts.Entry(as_count, default=None),
        "codes_": parts.Array(("n", "d"), check=as_points),
        "_masses": parts.Array(("n",), check=_as_masses),
        "_members": parts.Array(("n",), ("<i8",), optional=True),
        "centre": parts.Array(("d",), optional=True),
        "linear": parts.Array(("d", "d"), optional=True),
        "_data": parts.Array(("n", "sample"), _DATA, check=as_samples, optional=True),
    },
)


def _write_main(generator: LatentGenerator, folder: Path, kind: str, training_data: bool) -> None:
    own = {
        "autoencoder": kind,
        "sums": {p.name: _checksum(p) for p in sorted(folder.iterdir())},
        "tv_tol": None if generator.tv_tol is None else float(generator.tv_tol),
        "threshold": _INFINITE if generator.threshold == np.inf else generator.threshold,
        "whiten": generator.whitened_,
        "random_state": _seed(generator.random_state),
        "map_random_state": _seed(generator.transport_.random_state),
        "centre": getattr(generator._whitening, "centre", None),
        "linear": getattr(generator._whitening, "linear", None),
        "_data": generator._data if training_data else None,
    }
    _RECORD.write(folder / _MAIN, {**vars(generator), **own})


def _build(kind: type[_Generator], found: dict[str, Any]) -> _Parts[_Generator]:
    """The generator without map and autoencoder; the latter's kind, checksums, the map's seed."""
    codec, sums, map_seed = (found.pop(k) for k in ("autoencoder", "sums", "map_random_state"))
    if set(sums) != {_MAP, *([_CODEC] if codec else [])}:
        raise ValueError("sums must be those of the other files")
    classes, members = found["classes_"], found["_members"]
    if (classes is None) != (members is None) or (
        members is not None and not (members.min() >= 0 and members.max() < len(classes))
    ):
        raise ValueError("members must number the classes")
    whitening = found.pop("centre"), found.pop("linear")
    if [part is not None for part in whitening] != [found["whiten"]] * 2:
        raise ValueError("centre and linear must be there if whiten is true, and only then")
    generator = kind()
    generator.__dict__.update(found)
    generator.n_features_in_ = math.prod(found["sample_shape_"])
    generator.support_ = np.flatnonzero(generator._masses > 0.0)
    generator._whitening = Whitening(*whitening) if generator.whiten else None
    generator._extended = None
    return generator, codec, sums, map_seed


def _check_replaceable(target: Path) -> None:
    try:
        held = {p.name for p in target.iterdir()}
    except FileNotFoundError:
        if not target.parent.is_dir():
            raise ValueError(f"path must lie in a folder that exists, got {target}") from None
        return
    except NotADirectoryError:
        raise ValueError(f"path must name a folder, got {target}") from None
    if held and not (_MAIN in held and held <= set(_FILES)):
        raise ValueError(f"path must name a new or empty folder or a saved generator, got {target}")


def _checksum(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
