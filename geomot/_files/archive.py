"""Files of geomot: an npz archive of plain arrays and a JSON header, without pickle.

The archive is an uncompressed zip of ``header.json`` and one ``.npy`` member per array, so
`numpy.load` reads the arrays too. A file is judged by its declared sizes before anything of that
size is read: every size must fit into the file itself, so that reading never takes more than a
small multiple of the file's length, whatever the file says.

What the header and the arrays mean is the business of the modules that call `write` and `read`:
the declarations of the kinds of files, such as `geomot._files.solutions`.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
import struct
import zipfile
from collections.abc import Callable, Mapping
from typing import IO, Any, TypeVar

import numpy as np

from geomot._constants import STORED_HEADER_LIMIT, STORED_INDEX_LIMIT
from geomot._files.replacing import replacing
from geomot._validation import as_path

__all__ = ["DTYPES", "format_of", "read", "write"]

# The kinds of numbers that a file may hold: all little-endian.
DTYPES = ("<f8", "<f4", "<i8", "|u1")

_HEADER = "header.json"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.]*")

# What numpy writes in front of a C-ordered array of one or more axes.
_DESCRIPTION = re.compile(
    rb"\{'descr': '([<|][fiu][148])', 'fortran_order': False, "
    rb"'shape': \((\d{1,18},|\d{1,18}(?:, \d{1,18}){1,31})\), \} *\n"
)

# The end of a zip archive without comment: the end record (22 bytes), and for big archives before
# it a locator (20) and the 64-bit end record (56). Each entry of the index has 46 bytes and the
# member's name.
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_SIZE = 20
_ENTRY_SIZE = 46

_T = TypeVar("_T")


def write(
    path: str | os.PathLike[str],
    format: str,
    version: int,
    header: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
) -> None:
    """Write a header and arrays to a file.

    Parameters
    ----------
    path : str or path-like
        The file, exactly as named. It is replaced in one step when the new one is complete and on
        the disk; the same content always gives the same bytes.
    format : str
        The kind of file, such as ``"geomot-solution"``.
    version : int
        The version of that format.
    header : mapping
        What JSON can hold: numbers, text, lists, mappings, None. Must not have the keys "format",
        "version" and "geomot", which are added.
    arrays : mapping of str to ndarray
        The arrays, of one or more axes and a dtype in `DTYPES` but for the byte order. Names are
        made of letters, digits, underscores and dots.

    Raises
    ------
    TypeError
        If `path` is not a path, or an array or the header is of a kind that files do not hold.
    ValueError
        If `path` names something that is not a regular file, or the header or the index of the
        arrays is so large that `read` would refuse it.
    OSError
        If the file cannot be written.
    """
    from geomot import __version__

    first = {"format": format, "version": version, "geomot": __version__}
    if set(first) & set(header):
        raise ValueError(f"header must not have the keys {tuple(first)}, got {tuple(header)}")
    text = json.dumps({**first, **header}, indent=1)
    if len(text) > STORED_HEADER_LIMIT:
        raise ValueError(f"header must have at most {STORED_HEADER_LIMIT} bytes, got {len(text)}")
    little = {key: _as_storable(key, array) for key, array in arrays.items()}
    names = [_HEADER, *(key + ".npy" for key in arrays)]
    if sum(_ENTRY_SIZE + len(name) for name in names) > STORED_INDEX_LIMIT:
        raise ValueError(f"arrays must fit into the index of the file, got too many: {len(arrays)}")

    with replacing(path) as file:
        _write_members(file, text, little)


def read(
    path: str | os.PathLike[str],
    format: str,
    version: int,
    build: Callable[[dict[str, Any], dict[str, np.ndarray]], _T],
    *,
    kind: str,
) -> _T:
    """Read a file that `write` wrote, which may be untrusted.

    Parameters
    ----------
    path : str or path-like
        The file. It is never executed or unpickled.
    format : str
        The kind of file that it must be.
    version : int
        The version that it must have.
    build : callable
        Called with the header and the arrays; what it returns is returned. It must hold the
        content to what it needs: whatever it raises of the usual kinds becomes a ValueError.
    kind : str
        The kind of file in words for the messages, such as ``"a solution file"``.

    Returns
    -------
    object
        What `build` returned.

    Raises
    ------
    TypeError
        If `path` is not a path.
    ValueError
        If the file is not a complete, undamaged one of this format and version. The message
        names the path.
    OSError
        If the file cannot be opened.
    """

    def parsed(file: IO[bytes]) -> _T:
        return build(*_read_members(file, format, version))

    return _guarded(path, parsed, kind)


def format_of(path: str | os.PathLike[str]) -> str:
    """Return the kind of a file that `write` wrote, which may be untrusted, as its header says it.

    Parameters
    ----------
    path : str or path-like
        The file. It is never executed or unpickled.

    Returns
    -------
    str
        The format, such as ``"geomot-solution"``.

    Raises
    ------
    TypeError, ValueError, OSError
        As in `read`; only the header is read.
    """

    def parsed(file: IO[bytes]) -> str:
        _check_index(file, os.fstat(file.fileno()).st_size)
        with zipfile.ZipFile(file) as archive:
            return _stated_format(_parse_header(archive))

    return _guarded(path, parsed, "a file that geomot saved")


def _guarded(path: str | os.PathLike[str], parse: Callable[[IO[bytes]], _T], kind: str) -> _T:
    """What `parse` makes of a file; errors of the usual kinds become ones that name the file."""
    name = as_path(path)
    with open(name, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError(f"path must name a regular file, got {name}")
        try:
            return parse(file)
        except (
            zipfile.BadZipFile,
            # What zipfile, json and the checks raise on damaged bytes.
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
            raise ValueError(f"path must name {kind}, got {name}: {error}") from error


def _as_storable(name: str, array: Any) -> np.ndarray:
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise ValueError(f"arrays must have plain names, got {name!r}")
    array = np.asarray(array)
    dtype = array.dtype.newbyteorder("<")
    if dtype.str not in DTYPES or array.ndim == 0:
        raise TypeError(
            f"arrays must have axes and a dtype in {DTYPES}, got {name} of dtype {array.dtype} "
            f"and shape {array.shape}"
        )
    return np.ascontiguousarray(array, dtype=dtype)


def _write_members(file: IO[bytes], header: str, arrays: Mapping[str, np.ndarray]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_member(_HEADER), header)
        for key, array in arrays.items():
            info = _member(key + ".npy")
            info.file_size = array.nbytes
            with archive.open(info, "w") as member:
                np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)


def _member(name: str) -> zipfile.ZipInfo:
    # Without the time of writing, equal content makes equal files.
    return zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))


def _read_members(
    file: IO[bytes], format: str, version: int
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    size = os.fstat(file.fileno()).st_size
    entries = _check_index(file, size)
    with zipfile.ZipFile(file) as archive:
        # An entry with a damaged length hides those behind it, and what it hides may be optional.
        if len(archive.infolist()) != entries:
            raise ValueError(f"its index has {len(archive.infolist())} entries, not {entries}")
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
        header = _read_header(archive, format, version)
        arrays = {
            name.removesuffix(".npy"): _read_array(archive, info)
            for name, info in members.items()
            if name != _HEADER
        }
    return header, arrays


def _check_index(file: IO[bytes], size: int) -> int:
    """Refuse archives whose index alone would fill the memory, before zipfile parses it.

    Returns the number of entries that the index should have.
    """
    file.seek(max(0, size - _END.size - _LOCATOR_SIZE - _END64.size))
    tail = file.read()
    file.seek(0)
    if len(tail) < _END.size:
        raise ValueError("it is too short")
    signature, *_, entries, index_size, _, comment = _END.unpack(tail[-_END.size :])
    if signature != b"PK\x05\x06" or comment != 0:
        raise ValueError("it is not an npz archive")
    if tail[-_END.size - _LOCATOR_SIZE :].startswith(b"PK\x06\x07"):
        if not tail.startswith(b"PK\x06\x06"):
            raise ValueError("its index is damaged")
        *_, entries, index_size, _ = _END64.unpack(tail[: _END64.size])
    if index_size > STORED_INDEX_LIMIT:
        raise ValueError(f"its index has {index_size} bytes")
    return entries


def _read_header(archive: zipfile.ZipFile, format: str, version: int) -> dict[str, Any]:
    header = _parse_header(archive)
    found = _stated_format(header)
    if found != format:
        raise ValueError(f"its header says {found:.80}, not {format}")
    if header.get("version") != version:
        raise ValueError(
            f"its version is {header.get('version')!r}, and this geomot reads version {version}"
        )
    return header


def _parse_header(archive: zipfile.ZipFile) -> dict[str, Any]:
    try:
        info = archive.getinfo(_HEADER)
    except KeyError:
        raise ValueError(f"it has no {_HEADER}") from None
    if info.file_size > STORED_HEADER_LIMIT:
        raise ValueError(f"its {_HEADER} has {info.file_size} bytes")
    header = json.loads(archive.read(info))
    if not isinstance(header, dict):
        raise ValueError(f"its {_HEADER} is not a mapping")
    return header


def _stated_format(header: Mapping[str, Any]) -> str:
    found = header.get("format")
    if not isinstance(found, str):
        raise ValueError("its header does not say of which format it is")
    return found


def _read_array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    """Read an array whose declared shape fits its member exactly."""
    with archive.open(info) as member:
        # The format's fixed part: magic string, version, length of the text that follows.
        start = member.read(10)
        if start[:8] != b"\x93NUMPY\x01\x00":
            raise ValueError(f"{info.filename} is not an array")
        length = int.from_bytes(start[8:], "little")
        description = _DESCRIPTION.fullmatch(member.read(length))
        if description is None or description[1].decode() not in DTYPES:
            raise ValueError(f"{info.filename} has an unknown kind of array")
        dtype = np.dtype(description[1].decode())
        shape = tuple(int(k) for k in description[2].split(b",") if k)
        expected = dtype.itemsize * math.prod(shape)
        if 10 + length + expected != info.file_size:
            raise ValueError(f"{info.filename} does not have the size of its shape {shape}")
        array = np.empty(shape, dtype)
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
    return np.asarray(array, dtype=dtype.newbyteorder("="))
