"""Tables of numbers from npy, npz and text files; nothing is unpickled."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from geomot._arrays import npz_members, read_npy, read_npz
from geomot.cli._shared import BadInput

__all__ = ["holds_table", "read_table", "read_values", "read_vector"]

# Coordinates hardly compress.
_UNPACKED_RATIO = 4


def read_vector(path: str) -> np.ndarray:
    """One number per site."""
    table, _ = read_table(path)
    if table.ndim == 2 and 1 in table.shape:
        table = table.ravel()
    if table.ndim != 1:
        raise BadInput(f"{path}: must hold one number per site, got shape {table.shape}")
    return table


def read_values(path: str, n: int) -> np.ndarray:
    """One number per site, or one class (whole numbers or text)."""
    if Path(path).suffix.lower() in (".npy", ".npz"):
        values = read_vector(path)
    else:
        with open(path, encoding="utf-8-sig") as file:
            words = [word for line in file if (word := line.strip()) and not word.startswith("#")]
        if len(words) == n + 1:
            del words[0]
        values = np.array(words)
        for kind in (np.int64, np.float64):
            try:
                values = values.astype(kind)
                break
            except ValueError:
                continue
    if values.shape != (n,):
        raise BadInput(f"{path}: must hold {n} values, got {values.size}")
    return values


def read_table(path: str, array: str | None = None) -> tuple[np.ndarray, list[str] | None]:
    """An array of real numbers from a file, and the names of its columns if it has some."""
    suffix = Path(path).suffix.lower()
    if array is not None and suffix != ".npz":
        raise BadInput(f"--array applies to npz files, got {path}")
    try:
        if suffix == ".npy":
            table = read_npy(path)
        elif suffix == ".npz":
            table = _read_npz(path, array)
        else:
            return _read_text(path)
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise BadInput(f"{path}: {error}") from None
    if table.dtype.kind not in "fiu":
        raise BadInput(f"{path}: must hold real numbers, got dtype {table.dtype}")
    return table, None


def holds_table(path: str, array: str | None = None) -> bool:
    """Whether the array of an npz file that `read_table` takes has two axes."""
    members = npz_members(path)
    array = _chosen(members, array)
    return array in members and read_npz(path, array, members[array], _UNPACKED_RATIO).ndim == 2


def _chosen(members: Mapping[str, Any], array: str | None) -> str | None:
    """Name of the array to take: the one that is asked for, a usual one, or the only one."""
    if array is not None:
        return array
    usual = [name for name in ("sites", "points", "X") if name in members]
    return usual[0] if usual else next(iter(members)) if len(members) == 1 else None


def _read_npz(path: str, array: str | None) -> np.ndarray:
    members = npz_members(path)
    array = _chosen(members, array)
    if array is not None and array not in members:
        names = ", ".join(members) or "none"
        raise BadInput(f"{path}: there is no array {array}, only: {names}")
    if array is None:
        raise BadInput(f"{path}: choose an array with --array: {', '.join(members) or 'none'}")
    return read_npz(path, array, members[array], _UNPACKED_RATIO)


def _read_text(path: str) -> tuple[np.ndarray, list[str] | None]:
    with open(path, encoding="utf-8-sig") as file:
        skip = 0
        for line in file:
            if line.strip() and not line.lstrip().startswith("#"):
                break
            skip += 1
        else:
            raise BadInput(f"{path}: holds no numbers")
    delimiter = next((mark for mark in ",;\t" if mark in line), None)
    words = [word.strip().strip('"') for word in line.split(delimiter)]
    names = None if all(_is_number(word) for word in words) else words
    try:
        with warnings.catch_warnings():
            # An empty table is refused by the caller, in its own words.
            warnings.simplefilter("ignore", UserWarning)
            table = np.loadtxt(
                path,
                delimiter=delimiter,
                skiprows=skip + (names is not None),
                ndmin=2,
                encoding="utf-8-sig",
            )
    except ValueError as error:
        # Without numpy's advice on its own arguments.
        raise BadInput(f"{path}: {str(error).split(';')[0]}") from None
    if names is not None and table.size and table.shape[1] != len(names):
        raise BadInput(f"{path}: {len(names)} column names for {table.shape[1]} columns")
    return table, names


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
