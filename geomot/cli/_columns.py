"""Which columns of a table are taken: those that are asked for, or all that hold data.

An index (the number of each row, as pandas writes it) and text are no coordinates. They are
refused where no columns were chosen, with the names of the columns to choose or to leave out.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections.abc import Collection, Iterable

import numpy as np

from geomot.cli._files import ArrayTable, Table
from geomot.cli._shared import BadInput
from geomot.cli._text import title

__all__ = ["add_table_options", "all_columns", "as_column", "as_columns", "chosen", "describe"]

# Names of columns that number rows or things, if all their values are whole numbers.
_INDEX_NAME = re.compile(r"(.*[ _.-])?(id|idx|index|fid|gid)", re.I)
_NO_NAME = re.compile(r"(unnamed: \d+)?", re.I)  # pandas reads an empty name as "Unnamed: 0"

# Names that a shell and --columns take as they are.
_PLAIN = re.compile(r"[\w.+-]+")

# A first column without a name is an index if it numbers at least this many rows: in any order if
# other columns hold broken numbers, and else in order, as whole numbers may be coordinates.
_FEW_ROWS = 3
_MANY_ROWS = 10

_MOST_NAMES = 20
_MOST_PROBLEMS = 3
_MOST_SPELT = 8


def add_table_options(parser: argparse.ArgumentParser, title: str) -> None:
    """Add the options that say how a file holds a table.

    Parameters
    ----------
    parser : ArgumentParser
        The command's.
    title : str
        The title of these options.
    """
    group = parser.add_argument_group(title)
    columns = group.add_mutually_exclusive_group()
    columns.add_argument(
        "--columns",
        metavar="A,B,...",
        help="columns to use, in this order: names, or numbers from 1 (also ranges: 2-5)",
    )
    columns.add_argument(
        "--drop", metavar="A,B,...", help="columns to leave out, such as an index or text"
    )
    group.add_argument(
        "--header",
        action=argparse.BooleanOptionalAction,
        help="whether the first row of a text file holds column names (default: detected)",
    )
    group.add_argument(
        "--decimal",
        choices=(".", ","),
        default=".",
        metavar="MARK",
        help="decimal mark in text files: . or , (default: .)",
    )


def as_columns(spec: str, table: Table, option: str) -> list[int]:
    """Return the columns that an option names.

    Parameters
    ----------
    spec : str
        Names, numbers from 1 and ranges of them, with commas between; names with commas in quotes.
    table : TextTable or ArrayTable
        The table.
    option : str
        The option, for messages.

    Returns
    -------
    list of int
        Numbers of the columns, from 0.
    """
    columns: list[int] = []
    for word in next(csv.reader([spec], skipinitialspace=True), []):
        bounds = re.fullmatch(r"(\d+)-(\d+)", word.strip())
        if bounds and word.strip() not in (table.names or ()):
            first, last = (as_column(bound, table, option) for bound in bounds.groups())
            columns += range(first, last + 1)
        else:
            columns.append(as_column(word.strip(), table, option))
    if not columns:
        raise BadInput(f"{option} must name a column, got {spec!r}")
    for k in columns:
        if columns.count(k) > 1:
            raise BadInput(f"{option} names {title(k, table.names)} twice")
    return columns


def as_column(word: str, table: Table, option: str) -> int:
    """Return the column that a word names, from 0; a name counts before a number from 1."""
    found = [k for k, name in enumerate(table.names or ()) if name == word]
    if len(found) == 1 and word:
        return found[0]
    if found and word:
        numbers = " and ".join(str(k + 1) for k in found)
        raise BadInput(
            f"{option}: {table.path} has {len(found)} columns named {word}: "
            f"give a number, {numbers}"
        )
    if word.isdecimal() and 1 <= int(word) <= table.width:
        return int(word) - 1
    raise BadInput(f"{option}: {table.path} has no column {word!r}, only {describe(table)}")


def chosen(table: Table, columns: Iterable[int], option: str) -> np.ndarray:
    """Return columns that were asked for, as numbers of shape (n, k)."""
    columns = list(columns)
    for k in columns:
        if k in table.faults:
            raise BadInput(f"{option}: {title(k, table.names)} of {table.path} {table.faults[k]}")
    return table.numbers(columns)


def all_columns(
    table: Table, left_out: Collection[int] = (), *, choice: bool = False
) -> np.ndarray:
    """Return all columns but some, as numbers of shape (n, k); refuse an index or text.

    Parameters
    ----------
    table : TextTable or ArrayTable
        The table.
    left_out : collection of int
        The columns to leave out.
    choice : bool, default False
        Whether the command has the options --columns and --drop for this file.

    Returns
    -------
    ndarray of shape (n, k)
    """
    rest = [k for k in range(table.width) if k not in left_out]
    problems = {k: fault for k, fault in table.faults.items() if k in rest}
    names = table.names
    if names is not None and table.width > 1:
        for k in rest:
            if _NO_NAME.fullmatch(names[k]):
                problems.setdefault(k, "has no name, like the index that pandas writes")
    if not problems:
        values = table.numbers(rest)
        problems = {rest[k]: why for k, why in _indices(values, rest, table).items()}
        if not problems:
            return values
    raise BadInput(f"{table.path}: {_complaint(table, problems, rest, choice)}")


def describe(table: Table) -> str:
    """Return the names of a table's columns, or their numbers."""
    if table.names is None:
        return f"columns 1 to {table.width}"
    names = [name or f"column {k}" for k, name in enumerate(table.names, 1)]
    more = ", ..." if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def _indices(values: np.ndarray, columns: list[int], table: Table) -> dict[int, str]:
    """Columns that number the rows, by their position among the columns."""
    if len(values) == 0 or values.shape[1] < 2:
        return {}
    whole = (values == np.rint(values)).all(axis=0)
    if table.names is not None:
        return {
            k: "holds whole numbers, like an index"
            for k, column in enumerate(columns)
            if whole[k] and _INDEX_NAME.fullmatch(table.names[column])
        }
    # Without names: of text only, as arrays are made on purpose.
    if isinstance(table, ArrayTable) or columns[0] != 0 or not whole[0]:
        return {}
    n, first = len(values), values[:, 0]
    steps = first.min() + np.arange(n)
    if whole[1:].any():
        numbered = n >= _MANY_ROWS and steps[0] in (0.0, 1.0) and np.array_equal(first, steps)
    else:
        numbered = n >= _FEW_ROWS and np.array_equal(np.sort(first), steps)
    return {0: f"numbers the rows from {int(steps[0])}, like an index"} if numbered else {}


def _complaint(table: Table, problems: dict[int, str], rest: list[int], choice: bool) -> str:
    order = sorted(problems)
    said = [f"{title(k, table.names)} {problems[k]}" for k in order[:_MOST_PROBLEMS]]
    more = len(order) - len(said)
    text = ", ".join(said) + (f", and {more} more" if more > 0 else "")
    good = [k for k in rest if k not in problems]
    if "--decimal" in problems[order[0]]:
        return said[0]
    if not good:
        return f"{text}: there is no column of numbers"
    if not choice:
        return f"{text}: remove it from the file"
    choices = {"choose columns with --columns": good, "leave out with --drop": order}
    advice = [
        f"{verb} {spelt}"
        for verb, columns in choices.items()
        if (spelt := _spelt(columns, table)) is not None
    ]
    return f"{text}: {', or '.join(advice)}"


def _spelt(columns: list[int], table: Table) -> str | None:
    """Columns as an option takes them: by name, or where that would not do by number."""
    names = table.names or ()
    words = []
    for k in columns:
        plain = bool(names) and _PLAIN.fullmatch(names[k]) and names.count(names[k]) == 1
        words.append(names[k] if plain else str(k + 1))
        if not plain and words[-1] in names:
            return None
    if len(words) <= _MOST_SPELT:
        return ",".join(words)
    consecutive = columns == list(range(columns[0], columns[-1] + 1))
    ends = [words[0], words[-1]]
    if not all(map(str.isdecimal, ends)):
        ends = [str(columns[0] + 1), str(columns[-1] + 1)]
    if consecutive and not set(ends) - set(words) & set(names):
        return "-".join(ends)
    return ",".join([*words[:_MOST_SPELT], "..."])
