"""Generators in files: a folder with the map, the autoencoder, and all the rest.

Each of the three is an archive of plain arrays (`geomot._files.archive`). The main file has the
checksums of the others, so that files of different generators are not taken for one.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from geomot._files import archive
from geomot._files.replacing import put_aside, replacing_folder
from geomot._validation import as_count, as_masses, as_path, as_points, as_samples
from geomot.brenier import BrenierMap, map_of
from geomot.extended.map import SINGULAR
from geomot.generator.whitening import Whitening
from geomot.storage import load as load_solution

if TYPE_CHECKING:
    from geomot.generator.generator import LatentGenerator

__all__ = ["load", "save"]

# The generator's class lies above its files, which are told of it.
_Generator = TypeVar("_Generator", bound="LatentGenerator")
_Parts = tuple[_Generator, str, dict[str, str], int | None]

FORMAT = "geomot-generator"
VERSION = 1

_MAIN, _MAP, _CODEC = "generator.npz", "map.npz", "autoencoder.npz"
_FILES = (_MAIN, _MAP, _CODEC)

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
    device: str = "cpu",
) -> _Generator:
    """Read a generator, see `LatentGenerator.load`."""
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


def _load(kind: type[_Generator], folder: Path, autoencoder: Any, device: str) -> _Generator:
    if not folder.is_dir():
        raise ValueError(f"path must name the folder of a saved generator, got {folder}")

    def build(header: Mapping[str, Any], arrays: dict[str, np.ndarray]) -> _Parts[_Generator]:
        return _build(kind, header, arrays)

    generator, codec, sums, map_seed = archive.read(
        folder / _MAIN, FORMAT, VERSION, build, kind="the main file of a saved generator"
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
    generator.autoencoder = generator.autoencoder_ = autoencoder
    generator.device = device
    solution = load_solution(folder / _MAP)
    if solution.sites.shape != (len(generator.support_), generator.codes_.shape[1]):
        raise ValueError(f"{folder / _MAP} does not fit the codes in {folder / _MAIN}")
    generator.transport_ = map_of(solution, BrenierMap(random_state=map_seed))
    return generator


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


def _as_seed(value: Any) -> int | None:
    return None if value is None else as_count(value, "random_state")


def _write_main(generator: LatentGenerator, folder: Path, kind: str, training_data: bool) -> None:
    header = {
        "autoencoder": kind,
        "sums": {p.name: _checksum(p) for p in sorted(folder.iterdir())},
        "sample_shape": list(generator.sample_shape_),
        "classes": None if generator.classes_ is None else generator.classes_.tolist(),
        "tv_tol": float(generator.tv_tol),
        "singular": generator.singular,
        "whiten": bool(generator.whiten),
        "random_state": _seed(generator.random_state),
        "map_random_state": _seed(generator.transport_.random_state),
    }
    arrays: dict[str, np.ndarray] = {"codes": generator.codes_, "masses": generator._masses}
    if generator._members is not None:
        arrays["members"] = generator._members
    if generator._whitening is not None:
        arrays |= {"centre": generator._whitening.centre, "linear": generator._whitening.linear}
    if training_data and generator._data is not None:
        arrays["data"] = generator._data
    archive.write(folder / _MAIN, FORMAT, VERSION, header, arrays)


def _build(
    kind: type[_Generator], header: Mapping[str, Any], arrays: dict[str, np.ndarray]
) -> _Parts[_Generator]:
    """The generator without map and autoencoder; the latter's kind, checksums, the map's seed."""
    codec, sums = header["autoencoder"], header["sums"]
    if codec != "" and codec not in _own_codecs():
        raise ValueError(f"autoencoder must be one of {tuple(_own_codecs())}, got {codec!r}")
    if not isinstance(sums, dict) or set(sums) != {_MAP, *([_CODEC] if codec else [])}:
        raise ValueError("sums must be those of the other files")
    if header["singular"] not in SINGULAR:
        raise ValueError(f"singular must be one of {SINGULAR}")
    generator = kind(
        tv_tol=archive.as_number(header["tv_tol"], "tv_tol"),
        singular=header["singular"],
        whiten=bool(header["whiten"]),
        random_state=_as_seed(header["random_state"]),
    )
    codes = as_points(arrays.pop("codes"), "codes")
    n, d = codes.shape
    masses = as_masses(arrays.pop("masses"), n, "masses")
    generator.codes_, generator._masses = codes, masses
    generator.support_ = np.flatnonzero(masses > 0.0)
    shape = tuple(as_count(k, "sample_shape", 1) for k in header["sample_shape"])
    generator.sample_shape_ = shape
    generator.classes_, generator._members = _labels(header["classes"], arrays, n)
    generator._whitening = None
    if generator.whiten:
        centre = as_points([arrays.pop("centre")], "centre", d)[0]
        linear = as_points(arrays.pop("linear"), "linear", d)
        if len(linear) != d:
            raise ValueError(f"linear must have shape {(d, d)}, got {linear.shape}")
        generator._whitening = Whitening(centre, linear)
    data = arrays.pop("data", None)
    if data is not None and len(as_samples(data, "data", shape)) != n:
        raise ValueError(f"data must have {n} rows")
    generator._data, generator._extended = data, None
    if arrays:
        raise ValueError(f"it must not hold the arrays {sorted(arrays)}")
    return generator, codec, sums, _as_seed(header["map_random_state"])


def _labels(
    classes: Any, arrays: dict[str, np.ndarray], n: int
) -> tuple[np.ndarray | None, np.ndarray | None]:
    if classes is None:
        return None, None
    known, members = np.array(classes), arrays.pop("members")
    if known.ndim != 1 or known.dtype.kind not in "iufbU":
        raise ValueError("classes must be a list of numbers or text")
    if members.shape != (n,) or members.dtype != np.int64:
        raise ValueError(f"members must be whole numbers of shape {(n,)}")
    if members.min() < 0 or members.max() >= len(known):
        raise ValueError("members must number the classes")
    return known, members


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
