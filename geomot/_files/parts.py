"""What files hold: each storable class declares its parts once, and they are written and read here.

A `Record` names the parts of one kind of file: attributes of an object, of which a file leaves out
underscores at their ends. A part puts a value into the header or among the arrays of an archive
(`geomot._files.archive`), and takes it from there again, checked. An axis of an array is a number
or a name; arrays that name the same axis must agree on its length. Parts are taken in the order of
their declaration, and no array may be left over.
"""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from geomot._files import archive
from geomot._validation import as_count
from geomot.sources import Source

__all__ = ["Array", "Arrays", "Content", "Entry", "Measure", "Nested", "Part", "Record", "Table"]
__all__ += ["as_counts", "as_interval", "as_list", "as_mapping", "as_number", "as_shape", "as_word"]
__all__ += ["one_of", "plain"]

_T = TypeVar("_T")


@dataclass
class Content:
    """The header and the arrays of a file, or of a prefix of its names.

    Attributes
    ----------
    header : dict
        What JSON can hold.
    arrays : dict of str to ndarray
        The arrays; those that are taken are removed.
    found : dict
        The parts that have been taken.
    axes : dict of str to int or tuple of int
        Lengths of the named axes that are known; a tuple stands for several axes.
    """

    header: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    found: dict[str, Any] = field(default_factory=dict)
    axes: dict[str, int | tuple[int, ...]] = field(default_factory=dict)

    def put(self, parts: Mapping[str, Part], value: Any) -> Content:
        """Put in the parts of an object, or the items of a mapping; optional ones may be None."""
        for name, part in parts.items():
            own = value[name] if isinstance(value, Mapping) else getattr(value, name)
            if own is not None or not part.optional:
                part.put(name.strip("_"), own, self)
        return self

    def take(self, parts: Mapping[str, Part]) -> dict[str, Any]:
        """Take out all parts, by the names of their attributes; None for optional ones."""
        for name, part in parts.items():
            key = name.strip("_")
            there = not part.optional or key in self.arrays or key in self.header
            self.found[name] = part.take(key, self) if there else None
        if self.arrays:
            raise ValueError(f"it must not hold the arrays {sorted(self.arrays)[:3]}")
        return self.found

    def entry(self, key: str, default: Any = ...) -> Any:
        """An entry of the header; it must be there unless there is a default."""
        value = self.header.get(key, default)
        if value is ...:
            raise ValueError(f"its header has no {key}")
        return value

    def prefixed(self, prefix: str) -> dict[str, np.ndarray]:
        """Take out the arrays whose names begin with a prefix, under the rest of their names."""
        names = [name for name in self.arrays if name.startswith(prefix)]
        return {name.removeprefix(prefix): self.arrays.pop(name) for name in names}


class Part(ABC):
    """One part of what a file holds; a file lacks it if it is `optional` and None."""

    optional: bool = False

    @abstractmethod
    def put(self, key: str, value: Any, content: Content) -> None:
        """Put a value into a file."""

    @abstractmethod
    def take(self, key: str, content: Content) -> Any:
        """Take the value from a file, which may be untrusted; ValueError or TypeError if bad."""


@dataclass(frozen=True)
class Entry(Part):
    """A value of the header: `check` makes it of what JSON gives and a name for messages.

    `default` is taken for files that have none. A shape can be the lengths of the axes `axes`.
    """

    check: Callable[[Any, str], Any]
    default: Any = ...
    axes: str = ""

    def put(self, key: str, value: Any, content: Content) -> None:
        content.header[key] = plain(value)

    def take(self, key: str, content: Content) -> Any:
        value = content.entry(key, self.default)
        if value is None and self.default is None:
            return None
        value = self.check(value, key)
        if self.axes:
            content.axes[self.axes] = value
        return value


def _finite(array: np.ndarray, name: str) -> np.ndarray:
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite")
    return array


@dataclass(frozen=True)
class Array(Part):
    """An array of a shape, and of one of several dtypes; `check` may refuse or change it."""

    shape: tuple[int | str, ...]
    dtypes: tuple[str, ...] = ("<f8",)
    check: Callable[[np.ndarray, str], np.ndarray] | None = _finite
    optional: bool = False

    def put(self, key: str, value: Any, content: Content) -> None:
        content.arrays[key] = np.asarray(value)

    def take(self, key: str, content: Content) -> Any:
        if key not in content.arrays:
            raise ValueError(f"it has no array {key}")
        array = content.arrays.pop(key)
        axes = content.axes
        shape: list[int | str] = []
        for axis in self.shape:
            known = axes.get(axis, axis) if isinstance(axis, str) else axis
            shape += known if isinstance(known, tuple) else (known,)
        if len(shape) != array.ndim or any(
            length != (axes.setdefault(axis, length) if isinstance(axis, str) else axis)
            for axis, length in zip(shape, array.shape, strict=True)
        ):
            expected = ", ".join(str(axis) for axis in shape)
            raise ValueError(f"{key} must have shape ({expected}), got {array.shape}")
        if array.dtype not in [np.dtype(kind) for kind in self.dtypes]:
            raise ValueError(f"{key} must have dtype {' or '.join(self.dtypes)}, got {array.dtype}")
        return array if self.check is None else self.check(array, key)


@dataclass(frozen=True)
class Arrays(Part):
    """Any number of arrays, whose names begin with a prefix: to be checked by whoever asked."""

    prefix: str

    def put(self, key: str, value: Any, content: Content) -> None:
        content.arrays.update({self.prefix + name: array for name, array in value.items()})

    def take(self, key: str, content: Content) -> Any:
        return content.prefixed(self.prefix)


@dataclass(frozen=True)
class Table(Part):
    """A structured array, as columns of float64; `dtype` tells its type by the parts before it."""

    dtype: Callable[[Mapping[str, Any]], np.dtype]
    check: Callable[[np.ndarray, str], np.ndarray] | None = None

    def put(self, key: str, value: Any, content: Content) -> None:
        columns = [np.asarray(value[name], dtype=np.float64) for name in value.dtype.names]
        content.arrays[key] = np.column_stack(columns)

    def take(self, key: str, content: Content) -> Any:
        dtype = self.dtype(content.found)
        names = dtype.names or ()
        columns = Array(("rows", len(names)), check=self.check).take(key, content)
        table = np.empty(len(columns), dtype)
        with np.errstate(invalid="raise"):  # NaN is not an integer
            for k, name in enumerate(names):
                table[name] = columns[:, k]
        return table


@dataclass(frozen=True)
class Measure(Part):
    """A source: words in the header, and arrays whose names begin with a prefix."""

    prefix: str

    def put(self, key: str, value: Any, content: Content) -> None:
        words = content.header[key] = dict(value.to_dict())
        for name in [name for name, own in words.items() if isinstance(own, np.ndarray)]:
            content.arrays[self.prefix + name] = np.asarray(words.pop(name), dtype=np.float64)

    def take(self, key: str, content: Content) -> Any:
        words = as_mapping(content.entry(key), key)
        return Source.from_dict({**words, **content.prefixed(self.prefix)})


@dataclass(frozen=True)
class Nested(Part):
    """Another object with parts of its own: a mapping in the header, arrays with a prefix."""

    build: Callable[..., Any]
    parts: Mapping[str, Part]
    prefix: str = "."
    optional: bool = False

    def put(self, key: str, value: Any, content: Content) -> None:
        inner = Content().put(self.parts, value)
        content.header[key] = inner.header
        content.arrays.update({self.prefix + name: own for name, own in inner.arrays.items()})

    def take(self, key: str, content: Content) -> Any:
        header = as_mapping(content.entry(key), key)
        inner = Content(header, content.prefixed(self.prefix), axes=content.axes)
        return self.build(**inner.take(self.parts))


@dataclass(frozen=True)
class Record:
    """All parts of one kind of file.

    Attributes
    ----------
    format : str
        The kind of file, as the header says it.
    parts : mapping of str to Part
        The parts, by the names of attributes. A part that depends on another comes after it.
    version : int
        The version of the format.
    """

    format: str
    parts: Mapping[str, Part]
    version: int = 1

    def write(self, path: str | os.PathLike[str], value: Any) -> None:
        """Write a file; see `archive.write`.

        Parameters
        ----------
        path : str or path-like
            The file, exactly as named.
        value : object or mapping
            The object, or its attributes.
        """
        content = Content().put(self.parts, value)
        archive.write(path, self.format, self.version, content.header, content.arrays)

    def read(self, path: str | os.PathLike[str], build: Callable[..., _T], kind: str) -> _T:
        """Read a file, which may be untrusted; see `archive.read`.

        Parameters
        ----------
        path : str or path-like
            The file.
        build : callable
            Called with the parts as keywords; what it raises of the usual kinds becomes a
            ValueError.
        kind : str
            The kind of file in words for messages, such as ``"a solution file"``.

        Returns
        -------
        object
            What `build` returned.
        """

        def checked(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> _T:
            return build(**Content(header, arrays).take(self.parts))

        return archive.read(path, self.format, self.version, checked, kind=kind)


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: numbers of numpy as Python's, sequences as lists."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: plain(own) for key, own in value.items()}
    if isinstance(value, (str, int, float)) or value is None:
        return value
    return [plain(own) for own in value]


# Checks of what a header holds.


def _of(kind: type, words: str) -> Callable[[Any, str], Any]:
    def check(value: Any, name: str) -> Any:
        if not isinstance(value, kind):
            raise ValueError(f"{name} must be {words}, got {value!r:.80}")
        return value

    check.__doc__ = f"Return a value that is {words}."
    return check


as_word, as_list, as_mapping = _of(str, "text"), _of(list, "a list"), _of(dict, "a mapping")


def one_of(*words: str) -> Callable[[Any, str], str]:
    """Return a check: a text that is one of these."""

    def check(value: Any, name: str) -> str:
        if value not in words:
            raise ValueError(f"{name} must be one of {words}, got {value!r:.80}")
        return value

    return check


def as_number(value: Any, name: str) -> float:
    """Return a number as float; infinities are numbers, NaN is not."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
        raise ValueError(f"{name} must be a number, got {value!r:.80}")
    return float(value)


def as_interval(value: Any, name: str) -> tuple[float, float]:
    """Return two numbers."""
    lower, upper = (as_number(end, name) for end in as_list(value, name))
    return lower, upper


def as_counts(value: Any, name: str) -> tuple[int, ...]:
    """Return positive integers, if any."""
    return tuple(as_count(length, name, 1) for length in as_list(value, name))


def as_shape(value: Any, name: str) -> tuple[int, ...]:
    """Return the shape of a sample: one to three positive integers."""
    shape = as_counts(value, name)
    if not 1 <= len(shape) <= 3:
        raise ValueError(f"{name} must have one to three entries, got {shape}")
    return shape
