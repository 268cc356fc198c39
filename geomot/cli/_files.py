"""Tables and arrays in npy, npz and text files; nothing is unpickled."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from geomot._files.arrays import npz_members, read_npy, read_npz
from geomot.cli._shared import BadInput
from geomot.cli._text import TextTable, look

__all__ = [
    "ArrayTable",
    "Table",
    "array_names",
    "kind_of",
    "open_table",
    "read_array",
    "usual_array",
]

# Coordinates hardly compress.
_TABLE_UNPACKED_RATIO = 4

# Names under which npz files usually have sites.
_SITES = ("sites", "points", "X")

# What zip files are that hold no arrays, by a member that they have.
_OTHER_ZIPS = {"xl/workbook.xml": "an Excel workbook", "content.xml": "a spreadsheet"}


@dataclass(frozen=True)
class ArrayTable:
    """A table in an array; `TextTable` says what the attributes are."""

    path: str
    names: tuple[str, ...] | None
    columns: tuple[np.ndarray, ...]
    doubtful: bool = False

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.columns)

    @property
    def faults(self) -> dict[int, str]:
        """What is wrong with columns that do not hold numbers."""
        kinds = {k: column.dtype for k, column in enumerate(self.columns)}
        return {
            k: "holds text" if dtype.kind in "SUT" else f"has dtype {dtype}"
            for k, dtype in kinds.items()
            if dtype.kind not in "fiu"
        }

    def numbers(self, columns: Sequence[int]) -> np.ndarray:
        """Return columns of numbers, shape (n, len(columns))."""
        return np.column_stack([self.columns[k] for k in columns])

    def words(self, column: int) -> list[str]:
        """Return a column as text."""
        return [str(value) for value in self.columns[column].tolist()]


Table = TextTable | ArrayTable


def kind_of(path: str) -> str:
    """Return what a file holds by its first bytes: "npy", "npz" or "text"."""
    with open(path, "rb") as file:
        start = file.read(4)
    if start == b"\x93NUM":
        return "npy"
    return "npz" if start in (b"PK\x03\x04", b"PK\x05\x06") else "text"


def open_table(
    path: str, array: str | None = None, *, decimal: str = ".", header: bool | None = None
) -> Table:
    """Open a file that holds rows and columns.

    Parameters
    ----------
    path : str
        A text file, or a file of an array with two axes or named fields.
    array : str, optional
        Which array of an npz file.
    decimal, header : optional
        Of text files; see `look`.

    Returns
    -------
    TextTable or ArrayTable
    """
    if kind_of(path) == "text":
        _refuse_array(path, array)
        return look(path, decimal=decimal, header=header)
    values = read_array(path, array)
    if values.dtype.names and values.ndim == 1:
        fields = values.dtype.names
        return ArrayTable(path, fields, tuple(values[name] for name in fields))
    if values.ndim != 2 or 0 in values.shape:
        raise BadInput(f"{path}: must hold a table of rows and columns, got shape {values.shape}")
    return ArrayTable(path, None, tuple(values.T))


def read_array(
    path: str,
    array: str | None = None,
    usual: Sequence[str] = _SITES,
    choice: str = "with --array",
) -> np.ndarray:
    """Return an array of an npy or npz file.

    Parameters
    ----------
    path : str
        The file.
    array : str, optional
        Which array of an npz file. None takes the first of the usual names, or the only array.
    usual : sequence of str
        The usual names.
    choice : str
        How the user chooses an array, for the message.

    Returns
    -------
    ndarray
    """
    with _named(path):
        if kind_of(path) == "npy":
            _refuse_array(path, array)
            return read_npy(path)
        members = npz_members(path)
        names = ", ".join(members)
        if not members:
            raise BadInput(f"{path}: {_describe_zip(path)}")
        if array is None:
            array = usual_array(list(members), usual)
        if array is None:
            raise BadInput(f"{path}: choose an array {choice}: {names}")
        if array not in members:
            raise BadInput(f"{path}: there is no array {array}, only: {names}")
        return read_npz(path, array, members[array], _TABLE_UNPACKED_RATIO)


def array_names(path: str) -> list[str]:
    """Return the names of the arrays of an npz file; none of any other file."""
    if not os.path.isfile(path) or kind_of(path) != "npz":
        return []
    with _named(path):
        return list(npz_members(path))


@contextmanager
def _named(path: str) -> Iterator[None]:
    """Put the file's name before what is said of a damaged archive."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        raise BadInput(f"{path}: {error.strerror}") from None  # of a position outside the file
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise BadInput(f"{path}: {error}") from None


def usual_array(names: Sequence[str], usual: Sequence[str] = _SITES) -> str | None:
    """Return the array to take where none was chosen: one of a usual name, or the only one."""
    known = [name for name in usual if name in names]
    return known[0] if known else names[0] if len(names) == 1 else None


def _refuse_array(path: str, array: str | None) -> None:
    if array is not None:
        raise BadInput(f"--array applies to npz files, got {path}")


def _describe_zip(path: str) -> str:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    for member, what in _OTHER_ZIPS.items():
        if member in names:
            return f"is {what}: save the table as csv"
    return "is a zip file without arrays: unpack it first"
