"""Text files of any maker: packed by gzip or not, in UTF-8, UTF-16 or an encoding of Windows.

Only digits, signs and separators matter to a table of numbers, and these are the same bytes in
UTF-8 and in the older encodings of one byte for each character. So a file that is not valid UTF-8
is read all the same, and `readable` turns its names into text.
"""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, TextIO

__all__ = ["TextError", "is_plain", "open_text", "readable"]

_GZIP = b"\x1f\x8b"

# Bytes from which the encoding is guessed.
_LOOK = 4096

# A packed file may unpack to this many bytes, and beyond to this many times its size: tables with
# columns of repeated words reach some 30.
_UNPACKED_ALLOWANCE = 2**24
_UNPACKED_RATIO = 60

# Control characters that text does not have.
_FOREIGN = bytes([*range(9), *range(14, 26), *range(27, 32), 127])


class TextError(ValueError):
    """The file is not text, is damaged, or unpacks to far more than its size."""


@contextmanager
def open_text(path: str) -> Iterator[TextIO]:
    """Open a text file, whatever its encoding, packed by gzip or not.

    Parameters
    ----------
    path : str
        The file.

    Yields
    ------
    text file
        Its lines end as they do in the file. Bytes that are not valid UTF-8 are kept as lone
        surrogates: see `readable`.

    Raises
    ------
    TextError
        If it is not a text file, is damaged, or unpacks to far more than its size. Reading may
        raise it too.
    OSError
        If it cannot be opened.
    """
    with open(path, "rb") as file:
        packed = file.peek(len(_GZIP)).startswith(_GZIP)
        binary = io.BufferedReader(_Unpacked(file, os.path.getsize(path))) if packed else file
        try:
            encoding = _encoding(binary.peek(_LOOK)[:_LOOK])
            errors = "surrogateescape" if encoding.startswith("utf-8") else "strict"
            text = io.TextIOWrapper(binary, encoding=encoding, errors=errors, newline="")
            try:
                yield text
            finally:
                text.detach()
        except UnicodeDecodeError as error:
            raise TextError(f"it is not valid {encoding.upper()} text") from error
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise TextError(f"it is damaged: {error}") from error


def is_plain(path: str) -> bool:
    """Return whether a file is UTF-8, as far as its first bytes tell, and not packed.

    Parameters
    ----------
    path : str
        The file.

    Returns
    -------
    bool
    """
    with open(path, "rb") as file:
        start = file.read(_LOOK)
    return not start.startswith(_GZIP) and _encoding(start) == "utf-8-sig"


def readable(text: str) -> str:
    """Return text from `open_text` as people read it, with control characters as blanks.

    Parameters
    ----------
    text : str
        The text, possibly with bytes that are not valid UTF-8.

    Returns
    -------
    str
    """
    if any("\udc80" <= letter <= "\udcff" for letter in text):
        raw = text.encode("utf-8", "surrogateescape")
        text = raw.decode("cp1252", "replace")
    return " ".join(text.split())


class _Unpacked(io.RawIOBase):
    """The contents of a gzip file, refused where they are far larger than the file."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        super().__init__()
        self._file = gzip.GzipFile(fileobj=file)
        self._left = max(_UNPACKED_RATIO * size, _UNPACKED_ALLOWANCE)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        count = self._file.readinto(buffer)  # type: ignore[arg-type]
        self._left -= count
        if self._left < 0:
            raise TextError("it unpacks to far more than its size")
        return count


def _encoding(start: bytes) -> str:
    """The encoding of a text file, from its first bytes."""
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    even, odd = start[::2], start[1::2]
    if b"\0" in start:
        # Without a mark at its start, UTF-16 of plain letters has a zero in every other byte.
        for encoding, high, low in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
            if b"\0" not in low and high.count(0) > 0.9 * len(high):
                return encoding
    if start.translate(None, _FOREIGN) != start:
        raise TextError("it is not a text file")
    return "utf-8-sig"
