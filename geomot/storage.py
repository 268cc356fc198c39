"""Solutions in files: an npz archive of plain arrays and a JSON header, without pickle.

The archive is an uncompressed zip of ``header.json`` and one ``.npy`` member per array, so
`numpy.load` reads the arrays too. A file is judged by its declared sizes before anything of that
size is read: every size must fit into the file itself, so that reading never takes more than a
small multiple of the file's length, whatever the file says.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
import struct
import zipfile
from collections.abc import Mapping
from typing import IO, Any

import numpy as np

from geomot._constants import MASS_SUM_TOLERANCE, STORED_HEADER_LIMIT, STORED_INDEX_LIMIT
from geomot._validation import as_count, as_points, as_vector, as_weights
from geomot.estimate import MassEstimate
from geomot.solution import HISTORIES, NUMBERS, Solution
from geomot.sources import Source

__all__ = ["load", "save"]

FORMAT = "geomot-solution"
VERSION = 1

_HEADER = "header.json"
_ARRAYS = ("sites", "weights_exact", "target_masses", "masses", "history")
_WORDS = ("status", "method")
_SOURCE_PREFIX = "source_"
_ESTIMATE_PREFIX = "estimate_"

# What numpy writes in front of a C-ordered float64 array of one or more axes.
_DESCRIPTION = re.compile(
    rb"\{'descr': '<f8', 'fortran_order': False, "
    rb"'shape': \((\d{1,18},|\d{1,18}(?:, \d{1,18}){1,31})\), \} *\n"
)

# The end of a zip archive without comment: the end record (22 bytes), and for big archives before
# it a locator (20) and the 64-bit end record (56).
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_SIZE = 20


def save(solution: Solution, path: str | os.PathLike[str]) -> None:
    """Write a solution to a file.

    Parameters
    ----------
    solution : Solution
        The solution.
    path : str or path-like
        The file, exactly as named. It is replaced in one step when the new one is complete; the
        same solution always gives the same bytes.
    """
    if not isinstance(solution, Solution):
        raise TypeError(f"solution must be a Solution, got {type(solution).__name__}")
    target = os.path.realpath(_as_path(path))
    if os.path.exists(target) and not os.path.isfile(target):
        raise ValueError(f"path must name a regular file, got {target}")
    partial = os.path.join(
        os.path.dirname(target), f".{os.path.basename(target)}.{os.getpid()}.partial"
    )
    try:
        with open(partial, "wb") as file:
            _write(solution, file)
        os.replace(partial, target)
    finally:
        if os.path.exists(partial):
            os.remove(partial)


def load(path: str | os.PathLike[str]) -> Solution:
    """Read a solution that `Solution.save` wrote.

    Parameters
    ----------
    path : str or path-like
        The file. It is never executed or unpickled, and may be untrusted.

    Returns
    -------
    Solution

    Raises
    ------
    ValueError
        If the file is not a complete, undamaged solution of a known version.
    OSError
        If the file cannot be opened.

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
    name = _as_path(path)
    with open(name, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError(f"path must name a regular file, got {name}")
        try:
            return _read(file)
        except (
            zipfile.BadZipFile,
            # What zipfile, json and the checks below raise on damaged bytes.
            ArithmeticError,
            EOFError,
            LookupError,
            MemoryError,
            NotImplementedError,
            OSError,
            RecursionError,
            RuntimeError,
            TypeError,
            ValueError,
            struct.error,
        ) as error:
            raise ValueError(f"path must name a solution file, got {name}: {error}") from error


def _as_path(path: Any) -> str:
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path must be a string or path, got {type(path).__name__}")
    return os.fsdecode(path)


def _write(solution: Solution, file: IO[bytes]) -> None:
    from geomot import __version__

    source = {k: v for k, v in solution.source.to_dict().items() if isinstance(v, np.ndarray)}
    words = {k: v for k, v in solution.source.to_dict().items() if k not in source}
    header = {
        "format": FORMAT,
        "version": VERSION,
        "geomot": __version__,
        "source": words,
        "n_iter": solution.n_iter,
        "bracket": list(solution.bracket),
        **{key: getattr(solution, key) for key in NUMBERS + _WORDS},
    }
    arrays = {key: np.asarray(getattr(solution, key)) for key in _ARRAYS}
    # Fields of one type as columns: no structured type in the file.
    columns = HISTORIES[solution.method].names or ()
    arrays["history"] = np.column_stack([arrays["history"][key] for key in columns])
    arrays.update({_SOURCE_PREFIX + key: value for key, value in source.items()})
    if solution.estimate is not None:
        header["estimate"] = solution.estimate.numbers()
        own = solution.estimate.arrays()
        arrays.update({_ESTIMATE_PREFIX + key: value for key, value in own.items()})
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_member(_HEADER), json.dumps(header, indent=1))
        for key, array in arrays.items():
            little = np.ascontiguousarray(array, dtype="<f8")
            info = _member(key + ".npy")
            info.file_size = little.nbytes
            with archive.open(info, "w") as member:
                np.lib.format.write_array(member, little, version=(1, 0), allow_pickle=False)


def _member(name: str) -> zipfile.ZipInfo:
    # Without the time of writing, equal solutions make equal files.
    return zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))


def _read(file: IO[bytes]) -> Solution:
    size = os.fstat(file.fileno()).st_size
    _check_index(file, size)
    with zipfile.ZipFile(file) as archive:
        members = {info.filename: info for info in archive.infolist()}
        if len(members) != len(archive.infolist()):
            raise ValueError("a member occurs twice")
        if any(
            info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size
            for info in members.values()
        ):
            raise ValueError("a member is compressed")
        if sum(info.file_size for info in members.values()) > size:
            raise ValueError("the members are larger than the file")
        header = _read_header(archive, members)
        arrays = {
            name.removesuffix(".npy"): _read_array(archive, info)
            for name, info in members.items()
            if name != _HEADER
        }
    return _build(header, arrays)


def _check_index(file: IO[bytes], size: int) -> None:
    """Refuse archives whose index alone would fill the memory, before zipfile parses it."""
    file.seek(max(0, size - _END.size - _LOCATOR_SIZE - _END64.size))
    tail = file.read()
    file.seek(0)
    if len(tail) < _END.size:
        raise ValueError("it is too short")
    signature, *_, index_size, _, comment = _END.unpack(tail[-_END.size :])
    if signature != b"PK\x05\x06" or comment != 0:
        raise ValueError("it is not an npz archive")
    if tail[-_END.size - _LOCATOR_SIZE :].startswith(b"PK\x06\x07"):
        if not tail.startswith(b"PK\x06\x06"):
            raise ValueError("its index is damaged")
        index_size = _END64.unpack(tail[: _END64.size])[8]
    if index_size > STORED_INDEX_LIMIT:
        raise ValueError(f"its index has {index_size} bytes")


def _read_header(
    archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo]
) -> dict[str, Any]:
    if _HEADER not in members:
        raise ValueError(f"it has no {_HEADER}")
    if members[_HEADER].file_size > STORED_HEADER_LIMIT:
        raise ValueError(f"its {_HEADER} has {members[_HEADER].file_size} bytes")
    header = json.loads(archive.read(_HEADER))
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError(f"its header does not say {FORMAT}")
    if header.get("version") != VERSION:
        raise ValueError(
            f"its version is {header.get('version')!r}, and this geomot reads version {VERSION}"
        )
    return header


def _read_array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    """Read a float64 array whose declared shape fits its member exactly."""
    with archive.open(info) as member:
        # The format's fixed part: magic string, version, length of the text that follows.
        start = member.read(10)
        if start[:8] != b"\x93NUMPY\x01\x00":
            raise ValueError(f"{info.filename} is not an array")
        length = int.from_bytes(start[8:], "little")
        description = _DESCRIPTION.fullmatch(member.read(length))
        if description is None:
            raise ValueError(f"{info.filename} has an unknown kind of array")
        shape = tuple(int(k) for k in description[1].split(b",") if k)
        expected = 8 * math.prod(shape)
        if 10 + length + expected != info.file_size:
            raise ValueError(f"{info.filename} does not have the size of its shape {shape}")
        array = np.empty(shape, "<f8")
        buffer = array.reshape(-1).view(np.uint8)
        position = 0
        while position < expected:
            # Reading to the member's end also verifies its checksum.
            chunk = member.read(min(expected - position, 1 << 20))
            if not chunk:
                raise ValueError(f"{info.filename} is cut short")
            buffer[position : position + len(chunk)] = np.frombuffer(chunk, np.uint8)
            position += len(chunk)
        if member.read(1):
            raise ValueError(f"{info.filename} is too long")
    return np.asarray(array, dtype=np.float64)


def _build(header: Mapping[str, Any], arrays: dict[str, np.ndarray]) -> Solution:
    """Make the solution, holding the file to what a solve guarantees."""
    source_arrays = _pop_prefixed(arrays, _SOURCE_PREFIX)
    estimate_arrays = _pop_prefixed(arrays, _ESTIMATE_PREFIX)
    if set(arrays) != set(_ARRAYS):
        raise ValueError(f"it must hold the arrays {_ARRAYS}, got {tuple(sorted(arrays))}")
    source = Source.from_dict({**header["source"], **source_arrays})
    sites = as_points(arrays["sites"], "sites", source.dim)
    n = len(sites)
    if arrays["weights_exact"].shape != (n, 2):
        raise ValueError(f"weights_exact must have shape {(n, 2)}")
    weights = np.column_stack(as_weights(arrays["weights_exact"], n, "weights_exact"))
    targets = as_vector(arrays["target_masses"], n, "target_masses")
    masses = as_vector(arrays["masses"], n, "masses")
    for key, values in (("target_masses", targets), ("masses", masses)):
        if values.min() < 0.0 or abs(math.fsum(values.data) - 1.0) > MASS_SUM_TOLERANCE:
            raise ValueError(f"{key} must not be negative, and must sum to 1")
    if not all(isinstance(header[key], str) for key in _WORDS):
        raise ValueError(f"{_WORDS} must be words")
    history, dtype = arrays["history"], HISTORIES[header["method"]]
    columns = len(dtype.names or ())
    if history.ndim != 2 or history.shape[1] != columns or np.isnan(history).any():
        raise ValueError(f"history must have {columns} columns without NaN")
    lower, upper = (_number(value, "bracket") for value in header["bracket"])
    scalars: dict[str, Any] = {key: header[key] for key in _WORDS}
    scalars.update({key: _number(header[key], key) for key in NUMBERS})
    return Solution(
        sites=sites,
        weights_exact=weights,
        target_masses=targets,
        masses=masses,
        history=np.rec.fromarrays(history.T, dtype=dtype),
        source=source,
        n_iter=as_count(header["n_iter"], "n_iter"),
        bracket=(lower, upper),
        estimate=_estimate(header.get("estimate"), estimate_arrays),
        **scalars,
    )


def _pop_prefixed(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """Take out the arrays whose names begin with a prefix, under the rest of their names."""
    found = [key for key in arrays if key.startswith(prefix)]
    return {key.removeprefix(prefix): arrays.pop(key) for key in found}


def _estimate(
    numbers: Mapping[str, Any] | None, arrays: Mapping[str, np.ndarray]
) -> MassEstimate | None:
    if numbers is None:
        if arrays:
            raise ValueError(f"it must hold no estimate, got {sorted(arrays)}")
        return None
    checked: dict[str, Any] = {}
    for key, value in numbers.items():
        if key.startswith("n_"):
            checked[key] = as_count(value, key)
        elif key == "tv_interval":
            lower, upper = (_number(v, key) for v in value)
            checked[key] = (lower, upper)
        else:
            checked[key] = _number(value, key)
    return MassEstimate.from_parts(checked, arrays)


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
        raise ValueError(f"{name} must be a number, got {value!r}")
    return float(value)
