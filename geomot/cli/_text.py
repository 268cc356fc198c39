"""Tables in text files, as spreadsheets, pandas, R and numpy write them.

A look at the first rows finds the separator, the names of the columns and which columns hold
numbers. Then numpy's reader, which is fast, takes the columns that are asked for. What it refuses
is read again cell by cell, which is slow, allows more, and says in which line and column the file
is at fault.

Rows without any entry are left out, and so are comments: lines that begin with "#", unless the
first column holds text and the line has as many columns as the rows.
"""

from __future__ import annotations

import csv
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geomot._files.text import TextError, is_plain, open_text, readable
from geomot.cli._shared import BadInput

__all__ = ["TextTable", "look", "title"]

FloatArray = NDArray[np.float64]

# Lines that decide the separator, rows that decide names and kinds of the columns, and rows that
# are converted at once.
_LINES = 50
_LOOK_LINES = 1000
_READ_LINES = 4096

# In the order of preference; None is any blanks.
_SEPARATORS = ("\t", ";", "|", ",", None)

# This share of the lines has the same number of columns; the others may lack a trailing separator.
_ALIKE = 0.8

# A number with either decimal mark, and what stands for a missing one.
_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)(e[+-]?\d+)?|[+-]?(nan|inf|infinity)", re.I)
_MISSING = frozenset(["na", "n/a", "#n/a", "<na>", "nan", "null", "none", "nil", "-", "--", "?"])

# Names of files that numpy unpacks, whatever they hold.
_PACKED = re.compile(r"\.(gz|bz2|xz)$", re.I)

# The first line by which spreadsheets tell each other the separator.
_SEPARATOR_LINE = re.compile(r"\s*\"?sep=.\"?\s*", re.I)


@dataclass(frozen=True)
class _Row:
    line: int  # the last of its lines, from 1
    cells: list[str]

    @property
    def extent(self) -> int:
        """Cells up to the last one that is not empty."""
        return max((k for k, cell in enumerate(self.cells, 1) if cell), default=0)


@dataclass(frozen=True)
class _Form:
    """How lines make rows.

    Attributes
    ----------
    separator : str or None
        What stands between cells; None is any blanks.
    hashed : int or None
        Number of cells by which a line that begins with "#" is a row; None where all are comments.
    """

    separator: str | None
    hashed: int | None = None

    def is_row(self, line: str) -> bool:
        """Whether a line is part of a row, and neither a comment nor empty."""
        text = line.strip()
        if text.startswith("#"):
            return self.hashed is not None and len(next(self.split([line]))) == self.hashed
        return bool(text) and not _SEPARATOR_LINE.fullmatch(text)

    def marks(self, line: str) -> int:
        """Separators in a line, quoted or not."""
        return len(line.split()) - 1 if self.separator is None else line.count(self.separator)

    def split(self, lines: Iterable[str]) -> Any:
        """A reader of the cells of lines."""
        if self.separator is None:
            lines = (" ".join(line.split()) for line in lines)
        return csv.reader(lines, delimiter=self.separator or " ", skipinitialspace=True)

    def rows(self, lines: Iterable[str], comments: list[str] | None = None) -> Iterator[_Row]:
        """Rows with entries; comments are added to the list as they are met."""
        reader = self.split(self._blanked(lines, comments))
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                yield _Row(reader.line_num, stripped)

    def _blanked(self, lines: Iterable[str], comments: list[str] | None) -> Iterator[str]:
        # Comments become empty lines, so that lines keep their numbers.
        for line in lines:
            if not self.is_row(line):
                if comments is not None and line.lstrip().startswith("#"):
                    comments.append(line)
                line = "\n"
            yield line


@dataclass(frozen=True)
class TextTable:
    """A table in a text file, of which the first rows have been looked at.

    Attributes
    ----------
    path : str
        The file.
    names : tuple of str, or None
        The names of its columns, if it has some.
    width : int
        Number of columns.
    faults : dict
        Of each column that does not hold numbers, what is wrong with it.
    doubtful : bool
        Whether the first row was taken for a point although it might hold names.
    """

    path: str
    names: tuple[str, ...] | None
    width: int
    faults: dict[int, str]
    doubtful: bool
    _form: _Form
    _marks: int | None
    _decimal: str
    _header_line: int

    @property
    def separated(self) -> bool:
        """Whether columns end at a mark, not merely at blanks."""
        return self._form.separator is not None

    def numbers(self, columns: Sequence[int]) -> FloatArray:
        """Return columns of numbers.

        Parameters
        ----------
        columns : sequence of int
            Which columns, from 0.

        Returns
        -------
        ndarray of shape (n, len(columns))
        """
        try:
            table = self._read_fast(columns) if self._decimal == "." else None
            return self._read_carefully(columns) if table is None else table
        except (ValueError, csv.Error) as error:
            raise BadInput(f"{self.path}: {error}") from None

    def words(self, column: int) -> list[str]:
        """Return a column as text.

        Parameters
        ----------
        column : int
            Which column, from 0.

        Returns
        -------
        list of str
        """
        try:
            with open_text(self.path) as file:
                return [readable(self._cell(row, column)) for row in self._rows(file)]
        except (ValueError, csv.Error) as error:
            raise BadInput(f"{self.path}: {error}") from None

    def _read_fast(self, columns: Sequence[int]) -> FloatArray | None:
        """The columns by numpy's reader; None if it cannot read them."""
        if self._marks is None:
            return None
        # All columns in order are the usual case, of which numpy's reader checks the number itself.
        everything = list(columns) == list(range(self.width)) and self._marks == self.width - 1
        options: dict[str, Any] = {
            "delimiter": self._form.separator,
            "comments": "#" if self._form.hashed is None else None,
            "quotechar": '"',
            "ndmin": 2,
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of tables without rows
            try:
                if everything and not _PACKED.search(self.path) and is_plain(self.path):
                    # Faster than lines from an open file.
                    path = os.path.abspath(self.path)
                    rows = self._header_line
                    return np.loadtxt(path, skiprows=rows, encoding="utf-8-sig", **options)
                with open_text(self.path) as file:
                    for _ in islice(file, self._header_line):
                        pass
                    if everything:
                        return np.loadtxt(file, **options)
                    return np.loadtxt(self._checked(file), usecols=columns, **options)
            except TextError:
                raise
            except ValueError:
                return None

    def _checked(self, lines: Iterable[str]) -> Iterator[str]:
        """Hold lines to the number of columns, of which numpy's reader skips those not chosen."""
        for line in lines:
            if self._form.marks(line) == self._marks:
                yield line
            elif self._form.is_row(line):
                raise ValueError("another number of columns, or quoted separators")

    def _read_carefully(self, columns: Sequence[int]) -> FloatArray:
        """The columns cell by cell."""
        blocks = [np.empty((0, len(columns)))]
        with open_text(self.path) as file:
            rows = self._rows(file)
            while block := list(islice(rows, _READ_LINES)):
                blocks.append(np.array([[self._value(row, k) for k in columns] for row in block]))
        return np.concatenate(blocks)

    def _rows(self, lines: Iterable[str]) -> Iterator[_Row]:
        return (row for row in self._form.rows(lines) if row.line > self._header_line)

    def _cell(self, row: _Row, column: int) -> str:
        if row.extent > self.width or len(row.cells) <= column:
            found = max(row.extent, len(row.cells))
            raise ValueError(f"line {row.line} has {found} columns instead of {self.width}")
        return row.cells[column]

    def _value(self, row: _Row, column: int) -> float:
        cell = self._cell(row, column)
        value = _number(cell, self._decimal)
        if value is None:
            held = f"holds {readable(cell)!r}, not a number" if cell else "is empty"
            raise ValueError(f"line {row.line}: {title(column, self.names)} {held}")
        return value


def look(path: str, *, decimal: str = ".", header: bool | None = None) -> TextTable:
    """Find out how a text file holds a table.

    Parameters
    ----------
    path : str
        The file.
    decimal : {".", ","}
        The mark before the decimals.
    header : bool, optional
        Whether the first row holds the names of the columns; None decides by what it holds.

    Returns
    -------
    TextTable
    """
    try:
        with open_text(path) as file:
            lines = list(islice(filter(_Form(None).is_row, file), _LINES))
        form = _Form(_separator(lines, decimal))
        rows, comments = _first_rows(path, form)
        if rows and not _mostly_numbers([row.cells[0] for row in rows]):
            form = _Form(form.separator, hashed=max(len(row.cells) for row in rows))
            rows, comments = _first_rows(path, form)
    except (ValueError, csv.Error) as error:
        raise BadInput(f"{path}: {error}") from None
    if not rows:
        raise BadInput(f"{path}: holds no numbers")
    body = rows[1:]
    width = _width(rows)
    first = _as_names(rows[0], width, form.separator)
    doubtful = False
    if header is None:
        header, doubtful = _is_header(path, first, body)
    names: tuple[str, ...] | None = None
    if header:
        names = tuple(map(readable, first))
        width = _common_width(path, names, width, body, form.separator, decimal)
    else:
        body, names = rows, _names_in_comment(comments, form, width)
    marks = {len(row.cells) - 1 for row in body}
    return TextTable(
        path,
        names,
        width,
        _faults(body, width, decimal),
        doubtful,
        form,
        marks.pop() if len(marks) == 1 else None,
        decimal,
        rows[0].line if header else 0,
    )


def _width(rows: list[_Row]) -> int:
    """The number of columns of most rows, without those that have no entries."""
    counts = [len(row.cells) for row in rows]
    usual = max(set(counts), key=lambda count: (counts.count(count), count))
    body = rows[1:] or rows
    return max(row.extent for row in [r for r in body if len(r.cells) == usual] or body)


def title(column: int, names: Sequence[str] | None) -> str:
    """Return how messages call a column: by its name, or else by its number from 1."""
    return f"column {names[column]}" if names and names[column] else f"column {column + 1}"


# ---------------------------------------------------------------------------------------------
# Lines and rows
# ---------------------------------------------------------------------------------------------


def _first_rows(path: str, form: _Form) -> tuple[list[_Row], list[str]]:
    """The first rows of a file, and the comments above them."""
    comments: list[str] = []
    with open_text(path) as file:
        rows = form.rows(file, comments)
        first = list(islice(rows, 1))
        above = comments.copy()
        return first + list(islice(rows, _LOOK_LINES)), above


def _separator(lines: list[str], decimal: str) -> str | None:
    """The separator that splits all lines alike, and finds the most numbers."""
    quoted = any('"' in line for line in lines)

    def merits(separator: str | None) -> tuple[bool, bool, bool, int]:
        rows = list(_Form(separator).split(lines))
        widths = [len(row) for row in rows]
        usual = max(set(widths), key=widths.count)
        alike = usual > 1 and widths.count(usual) >= _ALIKE * len(widths)
        cells = [cell.strip() for row in rows[1:] or rows for cell in row]
        numbers = sum(map(_is_number, cells))
        return alike, numbers == len(cells), separator is not None, numbers

    # A comma that marks decimals separates columns only where the numbers are quoted.
    possible = [mark for mark in _SEPARATORS if mark != "," or decimal == "." or quoted]
    return max(possible, key=merits) if lines else None


def _number(cell: str, decimal: str) -> float | None:
    word = cell.replace("\u2212", "-")  # the minus sign of typeset tables
    if "_" in word or (decimal == "," and "." in word):
        return None
    try:
        return float(word if decimal == "." else word.replace(",", "."))
    except ValueError:
        return None


# ---------------------------------------------------------------------------------------------
# Names of the columns
# ---------------------------------------------------------------------------------------------


def _as_names(row: _Row, width: int, separator: str | None) -> list[str]:
    """The first row as if it held names: R leaves out the one above the names of the rows."""
    extent = row.extent
    if separator in ("\t", None) and extent == len(row.cells) == width - 1:
        return ["", *row.cells]
    return row.cells[: max(extent, width)]


def _is_header(path: str, first: list[str], body: list[_Row]) -> tuple[bool, bool]:
    """Whether the first row holds names; and if not, whether it might do so all the same."""
    columns = [[row.cells[k] for row in body if len(row.cells) > k] for k in range(len(first))]
    numeric = [_mostly_numbers(column) for column in columns]
    if not any(numeric):
        # Names alone, or text under names: no number is lost.
        return not any(map(_NUMBER.fullmatch, first)), False
    above = [word for word, here in zip(first, numeric, strict=True) if here]
    if any(_is_number(word) and not word.isdecimal() for word in above):
        return False, False
    if any(word and not _is_number(word) and word.lower() not in _MISSING for word in above):
        return True, False
    whole = [[word.lstrip("+-").isdecimal() for word in column if word] for column in columns]
    counted = [str(k) for k in range(len(first))]
    if first == ["", *counted[:-1]] or first == counted and not all(numeric):
        return True, False
    if first != counted:
        # Beside text, whole numbers above broken ones may be names, such as years.
        body_whole = any(any(w) for w, here in zip(whole, numeric, strict=True) if here)
        return False, not all(numeric) and not body_whole
    return _is_counted_header(path, first, columns, whole)


def _is_counted_header(
    path: str, first: list[str], columns: list[list[str]], whole: list[list[bool]]
) -> tuple[bool, bool]:
    """Judge the row 0,1,2,... above columns of numbers: pandas' names, or a point.

    pandas writes all numbers of a column with decimals or none of them.
    """
    if any(any(column) and not all(column) for column in whole):
        return False, False
    if len(first) == 1 and all(whole[0]):
        # An ascending list may well start with 0.
        numbers = [int(word) for word in columns[0] if word]
        return False, numbers != sorted(numbers)
    if any(map(any, whole)) or len(first) == 1:
        return False, True
    warnings.warn(
        f"{path}: the first row, {','.join(first)}, was read as a header: add --no-header "
        "if it is a point",
        stacklevel=2,
    )
    return True, False


def _is_number(word: str) -> bool:
    return _NUMBER.fullmatch(word) is not None


def _mostly_numbers(column: list[str]) -> bool:
    words = [word for word in column if word]
    return bool(words) and 2 * sum(map(_is_number, words)) >= len(words)


def _common_width(
    path: str,
    names: tuple[str, ...],
    width: int,
    body: list[_Row],
    separator: str | None,
    decimal: str,
) -> int:
    """The number of columns, which names and rows must agree on."""
    named = len(names)
    cells = max((len(row.cells) for row in body), default=named)
    if width <= named <= cells:
        return named
    hint = ""
    if separator == "," and decimal == "." and width == 2 * named:
        hint = ": add --decimal , if the commas mark decimals"
    raise BadInput(f"{path}: {named} column names for {min(cells, width)} columns{hint}")


def _names_in_comment(comments: list[str], form: _Form, width: int) -> tuple[str, ...] | None:
    """The names that numpy's savetxt writes as a comment above the rows."""
    if not comments:
        return None
    cells: list[str] = next(form.split([comments[-1].strip().lstrip("#")]), [])
    names = tuple(readable(cell) for cell in cells)
    return names if len(names) == width and not any(map(_is_number, names)) else None


# ---------------------------------------------------------------------------------------------
# Kinds of the columns
# ---------------------------------------------------------------------------------------------


def _faults(body: list[_Row], width: int, decimal: str) -> dict[int, str]:
    """What is wrong with columns that do not hold numbers."""
    faults = {}
    for k in range(width):
        cells = [(row.line, row.cells[k]) for row in body if len(row.cells) > k and row.cells[k]]
        wrong = [(line, cell) for line, cell in cells if _number(cell, decimal) is None]
        if body and not cells:
            faults[k] = "is empty"
        elif 2 * len(wrong) > len(cells):
            line, cell = wrong[0]
            where = f"({readable(cell)!r} in line {line})"
            if not _is_number(cell):
                faults[k] = f"holds text {where}"
            elif decimal == ".":
                faults[k] = f"holds decimal commas {where}: add --decimal ,"
            else:
                faults[k] = f"holds decimal points {where}: leave out --decimal ,"
    return faults
