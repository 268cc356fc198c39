"""What the commands read: tables of points; numbers, values and names, one for each site."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from geomot._files.text import open_text, readable
from geomot.cli._columns import all_columns, as_column, as_columns, chosen, describe
from geomot.cli._files import (
    ArrayTable,
    Table,
    array_names,
    kind_of,
    open_table,
    read_array,
    usual_array,
)
from geomot.cli._shared import BadInput
from geomot.cli._text import TextTable

__all__ = [
    "file_of",
    "holds_table",
    "read_names",
    "read_points",
    "read_table",
    "read_values",
    "read_vector",
]

# Names under which npz files have one number for each site.
_MASSES = ("masses", "target_masses", "weights")


def read_points(
    path: str,
    array: str | None = None,
    *,
    columns: str | None = None,
    drop: str | None = None,
    decimal: str = ".",
    header: bool | None = None,
    masses: str | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the points of a file, and the masses that the file holds beside them.

    Parameters
    ----------
    path : str
        The file.
    array : str, optional
        Which array of an npz file holds the points.
    columns, drop : str, optional
        The columns to take, or to leave out.
    decimal, header : optional
        Of text files; see `look`.
    masses : str, optional
        A column of the file, an array of the same npz file, or another file.

    Returns
    -------
    points : ndarray of shape (n, d)
    masses : ndarray of shape (n,), or None
    """
    table = _stacked(path, array, columns) or open_table(
        path, array, decimal=decimal, header=header
    )
    if table.doubtful and header is None:
        raise BadInput(
            f"{path}: the first row may be a header or a point: add --header or --no-header"
        )
    column = None if masses is None else _masses_column(masses, table)
    left_out = [] if column is None else [column]
    if columns is not None:
        points = chosen(table, as_columns(columns, table, "--columns"), "--columns")
    else:
        left_out += [] if drop is None else as_columns(drop, table, "--drop")
        points = all_columns(table, left_out, choice=True)
    if points.shape[1] == 0:
        raise BadInput(f"{path}: has no column left for the sites")
    if column is not None:
        return points, chosen(table, [column], "--masses")[:, 0]
    if masses is not None:
        inside = masses in array_names(path)
        return points, (
            _one_axis(read_array(path, masses), f"{path}: array {masses}")
            if inside
            else read_vector(masses, len(points), decimal)
        )
    return points, None


def read_table(path: str, array: str | None = None, *, decimal: str = ".") -> np.ndarray:
    """Return an array of numbers: of a text file a table, of others with any number of axes."""
    if kind_of(path) != "text":
        values = read_array(path, array)
        if values.dtype.kind not in "fiu":
            raise BadInput(f"{path}: must hold real numbers, got dtype {values.dtype}")
        return values
    table = open_table(path, array, decimal=decimal)
    if table.doubtful:
        raise BadInput(
            f"{path}: the first row may be a header or a point: remove it, or put names above it"
        )
    return all_columns(table)


def read_vector(spec: str, n: int, decimal: str = ".") -> np.ndarray:
    """Return one number for each of n sites, from FILE or FILE:COLUMN."""
    path, column = _split(spec)
    if kind_of(path) != "text":
        table: Table
        if column is None or kind_of(path) == "npz":
            return _one_axis(read_array(path, column, _MASSES, f"as {path}:NAME"), path)
        table = open_table(path)
    else:
        table = open_table(path, decimal=decimal)
    if column is not None:
        values = chosen(table, [as_column(column, table, spec)], spec)[:, 0]
    elif table.width == 1:
        values = all_columns(table)[:, 0]
    else:
        raise BadInput(
            f"{path}: must hold one number per site, but has {describe(table)}: "
            f"choose one as {path}:COLUMN"
        )
    return values[1:] if table.doubtful and len(values) == n + 1 else values


def read_names(spec: str, n: int) -> list[str]:
    """Return one text for each of n sites, from FILE or FILE:COLUMN."""
    return [str(value) for value in _entries(spec, n, ("names", "labels"))]


def read_values(spec: str, n: int) -> np.ndarray:
    """Return one number or one class (whole numbers or text) for each of n sites."""
    values = _entries(spec, n, ("labels", "y", *_MASSES))
    if kind_of(_split(spec)[0]) == "text":
        for kind in (np.int64, np.float64):
            try:
                values = values.astype(kind)
                break
            except ValueError:
                continue
    return values


def _entries(spec: str, n: int, usual: tuple[str, ...]) -> np.ndarray:
    """One entry for each of n sites: those of a text file as text, those of arrays as they are."""
    path, column = _split(spec)
    if kind_of(path) != "text":
        values = read_array(path, column, usual, f"as {path}:NAME")
    else:
        words = _words(path, column)
        if len(words) == n + 1 and column is None:
            del words[0]
        values = np.array(words)
    if values.ndim == 2 and 1 in values.shape:
        values = values.ravel()
    if values.shape != (n,):
        raise BadInput(f"{path}: must hold {n} values, got shape {values.shape}")
    return values


def holds_table(path: str, array: str | None = None, *, labelled: bool = False) -> bool:
    """Whether a file holds points rather than images; images have labels."""
    kind = kind_of(path)
    if kind == "text":
        return Path(path.removesuffix(".gz")).suffix.lower() in (".csv", ".txt", ".tsv", ".tab")
    if kind == "npz":
        names = array_names(path)
        array = usual_array(names) if array is None else array
        if labelled or array not in names:
            return False
    return read_array(path, array).ndim == 2


def file_of(spec: str | None) -> str | None:
    """The file that FILE or FILE:COLUMN names; None if there is none."""
    if spec is None:
        return None
    path, _ = _split(spec)
    return path if Path(path).is_file() else None


def _split(spec: str) -> tuple[str, str | None]:
    """The file and the column (or array) of FILE or FILE:COLUMN."""
    path, colon, column = spec.rpartition(":")
    if colon and column and not Path(spec).is_file() and Path(path).is_file():
        return path, column
    return spec, None


def _masses_column(masses: str, table: Table) -> int | None:
    """The column of the table that holds the masses; None if they are elsewhere."""
    arrays = array_names(table.path)
    if masses in (table.names or ()) or (masses.isdecimal() and masses not in arrays):
        return as_column(masses, table, "--masses")
    if masses in arrays or file_of(masses) is not None:
        return None
    others = f" and the arrays {', '.join(arrays)}" if arrays else ""
    raise BadInput(
        f"--masses: {masses!r} is neither a file nor in {table.path}, which has "
        f"{describe(table)}{others}"
    )


def _stacked(path: str, array: str | None, columns: str | None) -> ArrayTable | None:
    """The arrays of one axis of an npz file that were chosen as columns."""
    if array is not None or columns is None:
        return None
    known = array_names(path)
    words = [word.strip() for word in next(csv.reader([columns], skipinitialspace=True), [])]
    if not words or not set(words) <= set(known):
        return None
    arrays = [_one_axis(read_array(path, word), f"{path}: array {word}") for word in words]
    lengths = {len(values) for values in arrays}
    if len(lengths) > 1:
        raise BadInput(
            f"{path}: --columns {columns} must have the same length, got {sorted(lengths)}"
        )
    return ArrayTable(path, tuple(words), tuple(arrays))


def _one_axis(values: np.ndarray, what: str) -> np.ndarray:
    if values.ndim == 2 and 1 in values.shape:
        values = values.ravel()
    if values.ndim != 1:
        raise BadInput(f"{what} must hold one number per site, got shape {values.shape}")
    if values.dtype.kind not in "fiu":
        raise BadInput(f"{what} must hold real numbers, got dtype {values.dtype}")
    return values


def _words(path: str, column: str | None) -> list[str]:
    """The entries of a text file, or of a column of it."""
    if column is not None:
        table = open_table(path)
        return table.words(as_column(column, table, path))
    table = open_table(path, header=False)
    if isinstance(table, TextTable) and table.separated and len(table.faults) < table.width > 1:
        raise BadInput(
            f"{path}: must hold one value per line, but has {table.width} columns: choose one as "
            f"{path}:COLUMN"
        )
    try:
        with open_text(path) as file:
            lines = [readable(line).strip('"') for line in file]
    except ValueError as error:
        raise BadInput(f"{path}: {error}") from None
    return [line for line in lines if line and not line.startswith("#")]
