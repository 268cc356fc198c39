"""Images from files and folders, and grids of images into files.

Read are npy and npz arrays, idx files (the format of MNIST and Fashion-MNIST, packed by gzip or
not) and folders of png, jpg and other pictures. Nothing is unpickled, and no size that a file
claims is believed before it has been compared with the file.

Images are arrays of shape (n, height, width), or (n, channels, height, width) in colour. Whole
numbers from 0 to 255 come as uint8, of which 255 is white; all others as float.
"""

from __future__ import annotations

import gzip
import itertools
import math
import os
import re
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from geomot._constants import IMAGE_CHANNELS
from geomot._files.arrays import npz_members, read_npy, read_npz
from geomot._files.replacing import replacing, replacing_figure
from geomot._files.text import open_text, readable
from geomot._validation import as_count, as_path

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

__all__ = ["load_images", "load_labels", "save_animation", "save_grid"]

# What files of pictures end in.
_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".pgm", ".ppm")

# Names under which npz files have images, each with those of its labels. The first found is taken.
_NAMES = {
    "images": ("labels", "y"),
    "x_train": ("y_train",),
    "train_images": ("train_labels",),
    "X": ("y", "labels"),
    "x": ("y", "labels"),
    "data": ("target", "labels", "y"),
    "arr_0": ("arr_1",),
}

# Types of numbers in idx files, by their code; big-endian.
_IDX_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}

# Images with large plain parts may unpack to this many times the size of their file.
_IMAGE_UNPACKED_RATIO = 200
_IMAGE_UNPACKED_ALLOWANCE = 2**28

# A number and a separator: the row of a table, not a label.
_ROW_OF_TABLE = re.compile(r"\s*\d+\s*[,;\t]")

# What stands for a missing label in a text file, as numpy and pandas write it.
_MISSING = ("nan", "<na>", "nat")

# Images that are checked at once.
_CHECKED_IMAGES = 4096

# Bytes that are read at once.
_READ_BYTES = 2**20

# Pixels of the screen in a pixel of a grid: at least 2, and so many that small grids can be seen.
_GRID_PIXELS = 900
_GRID_DPI = 100
_GRID_PAD = 0.08


def load_images(
    path: str | os.PathLike[str],
    *,
    array: str | None = None,
    labels: str | os.PathLike[str] | None = None,
    size: int | None = None,
    limit: int | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Read images, and their labels where there are some.

    Parameters
    ----------
    path : str or path-like
        An npy file; an npz file, of one array or with the names that are usual for images and
        labels; an idx file, packed by gzip or not; or a folder of png, jpg, bmp, webp, tif or pgm
        files of one size, taken in the order of their names (2 before 10). A folder without such
        files but with subfolders of them has one class per subfolder, whose names are the labels.
    array : str, optional
        Which array of an npz file holds the images.
    labels : str or path-like, optional
        The file of the labels, see `load_labels`.
    size : int, optional
        For folders: cut the middle square out of every image and scale it to this many pixels a
        side. None takes the images as they are, and they must have one size.
    limit : int, optional
        Keep this many images: the first, and of a folder of classes about as many from each.

    Returns
    -------
    images : ndarray of shape (n, height, width) or (n, channels, height, width)
        uint8 where all values are whole numbers from 0 to 255 of an integer type (booleans become
        0 and 255), else float32 or float64. Arrays (n, height, width, channels) of 1, 3 or 4
        channels are turned, and a table whose rows have a square number of columns holds square
        images. Pictures with transparency lose it; 16-bit pictures become floats from 0 to 1.
    labels : ndarray of shape (n,), or None
        Whole numbers or text.

    Raises
    ------
    ValueError
        If the file is damaged or of another kind, images have different sizes or hold NaN, there
        are none, or labels do not fit. The message names the file.
    OSError
        If the file cannot be opened.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from geomot.images import load_images
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = os.path.join(folder, "two.npz")
    ...     np.savez(file, images=np.zeros((2, 8, 8), np.uint8), labels=[3, 7])
    ...     images, labels = load_images(file)
    >>> images.shape, labels.tolist()
    ((2, 8, 8), [3, 7])
    """
    name = as_path(path)
    limit = None if limit is None else as_count(limit, "limit", 1)
    size = None if size is None else as_count(size, "size", 1)
    folder = Path(name).is_dir()
    if size is not None and not folder:
        raise ValueError(f"size applies only to folders of pictures, but {name} is a file")
    if folder and array is not None:
        raise ValueError(f"array applies only to npz files, but {name} is a folder")
    given = None if labels is None else load_labels(as_path(labels, "labels"))
    try:
        if folder:
            files, found = _pictures(name)
            kept = _spread(len(files), limit, found is not None)
            images = _read_pictures([files[k] for k in kept], size)
            total = len(files)
        else:
            read, found = _read_file(name, array)
            images = _as_images(read)
            total = len(images)
            kept = _spread(total, limit, False)
            images = images[: len(kept)]
        if given is not None:
            if len(given) != total:
                raise ValueError(f"it has {total} images, but there are {len(given)} labels")
            found = given
        return _as_values(images), None if found is None else found[kept]
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise ValueError(f"{name}: {error}") from None


def load_labels(path: str | os.PathLike[str]) -> np.ndarray:
    """Read labels: one whole number or word for each image.

    Parameters
    ----------
    path : str or path-like
        An npy file, an npz file of one array or with one named labels or y, an idx file, or a text
        file of one label per line (UTF-8 or UTF-16, quoted or not). Text and idx files may be
        packed by gzip.

    Returns
    -------
    ndarray of shape (n,)
        int64 or text.

    Raises
    ------
    ValueError
        If the file holds no labels. The message names the file.
    OSError
        If the file cannot be opened.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from geomot.images import load_labels
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = os.path.join(folder, "labels.txt")
    ...     np.savetxt(file, ["cat", "dog", "cat"], fmt="%s")
    ...     load_labels(file).tolist()
    ['cat', 'dog', 'cat']
    """
    name = as_path(path)
    try:
        with open(name, "rb") as file:
            kind = _kind(file.read(4))
        if kind is None or (kind == "gz" and not _packs_idx(name)):
            labels = _text_labels(name)
        else:
            labels = _read_array(name, kind, "labels")
        return _as_labels(labels)
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise ValueError(f"{name}: {error}") from None


def save_grid(
    path: str | os.PathLike[str],
    images: Any,
    *,
    columns: int | None = None,
    row_labels: Sequence[str] | None = None,
    title: str | None = None,
    vmin: float | None = None,
    vmax: float | None = None,
    gap: int = 1,
) -> None:
    """Draw images side by side, row by row, into a file.

    Parameters
    ----------
    path : str or path-like
        The file: png, or what else matplotlib writes.
    images : array_like of shape (n, height, width) or (n, channels, height, width)
        Grey values, or red, green and blue; one channel is grey.
    columns : int, optional
        Images per row; None makes the grid about square.
    row_labels : sequence of str, optional
        One text beside each row.
    title : str, optional
        A text above the grid.
    vmin, vmax : float, optional
        The values of black and white; None takes 0 and 255 for uint8, else the extremes of the
        images. What lies beyond is clipped.
    gap : int, default 1
        Pixels left blank between images.

    Examples
    --------
    >>> import os, tempfile
    >>> from geomot.datasets import digits
    >>> from geomot.images import save_grid
    >>> images = digits()[0][:6].reshape(-1, 8, 8)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_grid(os.path.join(folder, "digits.png"), images, columns=3)
    ...     os.listdir(folder)
    ['digits.png']
    """
    from matplotlib.figure import Figure

    from geomot import plotting

    stack = np.asarray(images)
    if stack.dtype == np.uint8:
        vmin, vmax = 0.0 if vmin is None else vmin, 255.0 if vmax is None else vmax
    figure = Figure(dpi=_GRID_DPI)
    ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    plotting.image_grid(
        stack, columns=columns, row_labels=row_labels, gap=gap, cmap="gray", vmin=vmin, vmax=vmax,
        ax=ax,
    )  # fmt: skip
    # Each pixel becomes a square of whole pixels of the file, so that none looks wider than others.
    height, width = ax.images[0].get_size()
    scale = max(2, _GRID_PIXELS // max(height, width))
    figure.set_size_inches(width * scale / _GRID_DPI, height * scale / _GRID_DPI)
    ax.set_aspect("auto")
    if title is not None:
        ax.set_title(title)
    name = as_path(path)
    # As matplotlib names files without an ending.
    name += "" if Path(name).suffix else ".png"
    replacing_figure(name, figure, dpi=_GRID_DPI, bbox_inches="tight", pad_inches=_GRID_PAD)


def save_animation(
    path: str | os.PathLike[str],
    frames: Any,
    *,
    vmin: float | None = None,
    vmax: float | None = None,
    milliseconds: int = 80,
    size: int = 256,
) -> None:
    """Write images as a GIF that plays forwards and backwards without end.

    Parameters
    ----------
    path : str or path-like
        The file, whose name ends in .gif.
    frames : array_like of shape (t, height, width) or (t, channels, height, width)
        The images in order, such as a path of `LatentGenerator.interpolate`; one channel is grey,
        three are red, green and blue.
    vmin, vmax : float, optional
        The values of black and white, as in `save_grid`.
    milliseconds : int, default 80
        Time that each frame is shown.
    size : int, default 256
        Images are enlarged by the largest whole number that keeps both sides within so many pixels.

    Raises
    ------
    ValueError
        If `frames` has another shape, or `path` another ending.
    ImportError
        If Pillow is missing.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from geomot.images import save_animation
    >>> frames = np.linspace(0.0, 1.0, 5)[:, None, None] * np.ones((8, 8))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_animation(os.path.join(folder, "dawn.gif"), frames)
    ...     os.listdir(folder)
    ['dawn.gif']
    """
    try:
        from PIL import Image
    except ImportError:
        raise ImportError("animations need Pillow: pip install pillow") from None

    name = as_path(path)
    if Path(name).suffix.lower() != ".gif":
        raise ValueError(f"path must end in .gif, got {name}")
    as_count(milliseconds, "milliseconds", 1)
    as_count(size, "size", 1)
    pixels = _pixels(np.asarray(frames), vmin, vmax)
    factor = max(size // max(pixels.shape[1:3]), 1)
    enlarged = pixels.repeat(factor, axis=1).repeat(factor, axis=2)
    pictures = [Image.fromarray(frame) for frame in (*enlarged, *enlarged[-2:0:-1])]
    with replacing(name) as file:
        pictures[0].save(
            file, "GIF", save_all=True, append_images=pictures[1:], duration=milliseconds, loop=0
        )


def _pixels(frames: np.ndarray, vmin: float | None, vmax: float | None) -> np.ndarray:
    """Frames as bytes, of shape (t, height, width) or (t, height, width, 3)."""
    if frames.ndim == 4 and frames.shape[1] == 1:
        frames = frames[:, 0]
    colour = frames.ndim == 4 and frames.shape[1] == 3
    if not (colour or frames.ndim == 3) or frames.size == 0:
        raise ValueError(
            "frames must have shape (t, height, width) or (t, channels, height, width) with 1 or "
            f"3 channels, got {frames.shape}"
        )
    values = frames.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("frames must be finite")
    byte = frames.dtype == np.uint8
    low = (0.0 if byte else values.min()) if vmin is None else vmin
    high = (255.0 if byte else values.max()) if vmax is None else vmax
    unit = np.clip((values - low) / (high - low if high > low else 1.0), 0.0, 1.0)
    found = np.rint(255.0 * unit).astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(found, 1, 3)) if colour else found


# ---------------------------------------------------------------------------------------------
# Files of arrays
# ---------------------------------------------------------------------------------------------


def _kind(start: bytes) -> str | None:
    """What a file holds, from its first four bytes."""
    if start == b"\x93NUM":
        return "npy"
    if start in (b"PK\x03\x04", b"PK\x05\x06"):
        return "npz"
    if start[:2] == b"\x1f\x8b":
        return "gz"
    if len(start) == 4 and start[:2] == b"\0\0" and start[2] in _IDX_TYPES:
        return "idx"
    return None


def _read_file(path: str, array: str | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Images of a file, and the labels that an npz file has for them."""
    with open(path, "rb") as file:
        kind = _kind(file.read(4))
    if array is not None and kind != "npz":
        raise ValueError("array applies only to npz files")
    if kind is None:
        raise ValueError(
            "it is neither an npy, npz or idx file nor a folder of pictures "
            "(pickles are never loaded)"
        )
    if kind != "npz":
        return _read_array(path, kind, "images"), None
    members = npz_members(path)
    names = ", ".join(members) or "none"
    if array is None:
        known = [name for name in _NAMES if name in members]
        array = known[0] if known else next(iter(members)) if len(members) == 1 else None
    if array is None:
        raise ValueError(f"choose the array that holds the images: {names}")
    if array not in members:
        raise ValueError(f"there is no array {array}, only: {names}")
    images = read_npz(path, array, members[array], _IMAGE_UNPACKED_RATIO)
    for name in _NAMES.get(array, ("labels", "y")):
        if name in members:
            labels = _as_labels(read_npz(path, name, members[name], _IMAGE_UNPACKED_RATIO))
            if len(labels) != len(images):
                raise ValueError(f"array {name} has {len(labels)} labels for {len(images)} images")
            return images, labels
    return images, None


def _read_array(path: str, kind: str, what: str) -> np.ndarray:
    if kind == "npy":
        return read_npy(path)
    if kind == "npz":
        members = npz_members(path)
        names = [name for name in ("labels", "y") if name in members]
        name = next(iter(names or members), None)
        if name is None or len(members) > 1 and not names:
            raise ValueError(f"it has no array labels, only: {', '.join(members) or 'none'}")
        return read_npz(path, name, members[name], _IMAGE_UNPACKED_RATIO)
    with open(path, "rb") as packed:
        allowed = os.path.getsize(path)
        if kind == "idx":
            return _read_idx(packed, allowed)
        allowed = max(_IMAGE_UNPACKED_RATIO * allowed, _IMAGE_UNPACKED_ALLOWANCE)
        with gzip.open(packed) as file:
            try:
                return _read_idx(file, allowed)
            except gzip.BadGzipFile as error:
                raise ValueError(str(error)) from None


def _read_idx(file: IO[bytes] | gzip.GzipFile, allowed: int) -> np.ndarray:
    """Read an idx array of at most so many bytes, to the end of the file."""
    start = file.read(4)
    if _kind(start) != "idx" or not 1 <= start[3] <= 4:
        raise ValueError("it is not an idx file")
    sizes = file.read(4 * start[3])
    if len(sizes) < 4 * start[3]:
        raise ValueError("it is cut short")
    shape = tuple(int(k) for k in np.frombuffer(sizes, ">u4"))
    dtype = np.dtype(_IDX_TYPES[start[2]])
    expected = dtype.itemsize * math.prod(shape)
    if expected > allowed:
        raise ValueError(f"it is too short for the shape {shape} in its header")
    array = np.empty(shape, dtype)
    buffer = array.reshape(-1).view(np.uint8)
    position = 0
    while position < expected:
        chunk = file.read(min(expected - position, _READ_BYTES))
        if not chunk:
            raise ValueError(f"it is cut short: {position} of {expected} bytes for shape {shape}")
        buffer[position : position + len(chunk)] = np.frombuffer(chunk, np.uint8)
        position += len(chunk)
    if file.read(1):
        raise ValueError(f"it is too long for the shape {shape} in its header")
    return array.astype(dtype.newbyteorder("="), copy=False)


def _packs_idx(path: str) -> bool:
    with gzip.open(path) as file:
        return _kind(file.read(4)) == "idx"


def _text_labels(path: str) -> np.ndarray:
    with open_text(path) as file:
        words = [word for line in file if (word := readable(line).strip('"'))]
    if words and all(_ROW_OF_TABLE.match(word) for word in words):
        raise ValueError("it must hold one label per line, but has several columns")
    for index, word in enumerate(words):
        if word.lower() in _MISSING:
            raise ValueError(f"labels must not be missing, got {word} at index {index}")
    return _numbered(words)


def _numbered(words: list[str]) -> np.ndarray:
    """Words as whole numbers, if they all are."""
    labels = np.array(words)
    try:
        return labels.astype(np.int64)
    except ValueError:
        return labels


def _as_labels(labels: np.ndarray) -> np.ndarray:
    """One label per image: int64 or text."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or len(labels) == 0:
        raise ValueError(f"labels must have shape (n,), got {labels.shape}")
    if labels.dtype.kind == "U":
        return labels
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        index = int(np.flatnonzero(~np.isfinite(labels))[0])
        raise ValueError(f"labels must not be missing, got {labels[index]} at index {index}")
    if labels.dtype.kind == "f" and not (labels == np.rint(labels)).all():
        raise ValueError("labels must be integers or strings, got non-integer numbers")
    if labels.dtype.kind not in "fiub":
        raise ValueError(f"labels must be integers or strings, got dtype {labels.dtype}")
    return labels.astype(np.int64)


# ---------------------------------------------------------------------------------------------
# Folders of pictures
# ---------------------------------------------------------------------------------------------


def _pictures(path: str) -> tuple[list[Path], np.ndarray | None]:
    """The pictures of a folder, and the names of their subfolders if they are in some."""
    files = _files(Path(path))
    if files:
        return files, None
    folders = sorted((p for p in Path(path).iterdir() if p.is_dir()), key=_natural)
    classes = [(folder.name, _files(folder)) for folder in folders]
    files = list(itertools.chain.from_iterable(found for _, found in classes))
    if not files:
        raise ValueError(f"the folder holds no images (files that end in {', '.join(_SUFFIXES)})")
    return files, _numbered([name for name, found in classes for _ in found])


def _files(folder: Path) -> list[Path]:
    found = (p for p in folder.iterdir() if p.suffix.lower() in _SUFFIXES and p.is_file())
    return sorted(found, key=_natural)


def _natural(path: Path) -> list[tuple[int, str]]:
    """Order by name with numbers by their value."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if k % 2 else (0, part) for k, part in enumerate(parts)]


def _spread(total: int, limit: int | None, over_all: bool) -> np.ndarray:
    """Which images to keep: the first, or about as many from each part."""
    if limit is None or limit >= total:
        return np.arange(total)
    return np.linspace(0, total - 1, limit).astype(int) if over_all else np.arange(limit)


def _read_pictures(files: list[Path], size: int | None) -> np.ndarray:
    first = _read_picture(files[0], size)
    images = np.empty((len(files), *first.shape), first.dtype)
    for k, file in enumerate(files):
        picture = _read_picture(file, size) if k else first
        if picture.shape[-2:] != first.shape[-2:]:
            raise ValueError(
                f"images must have one size: {files[0].name} has {_size(first)} pixels and "
                f"{file.name} {_size(picture)} (pass size to scale them)"
            )
        if picture.ndim > images.ndim - 1:
            # The first picture in colour: grey ones have three equal channels.
            images = np.repeat(images[:, None], 3, axis=1)
        if picture.dtype != images.dtype:
            images = _as_floats(images)
            picture = _as_floats(picture)
        images[k] = picture
    return images


def _size(picture: np.ndarray) -> str:
    return f"{picture.shape[-1]} x {picture.shape[-2]}"


def _as_floats(pixels: np.ndarray) -> np.ndarray:
    return pixels / np.float32(255.0) if pixels.dtype == np.uint8 else pixels


def _read_picture(file: Path, size: int | None) -> np.ndarray:
    """One picture: uint8, or float32 from 0 to 1 if it has 16 bits; the channels first."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise ImportError("folders of pictures need Pillow: pip install pillow") from None

    try:
        with Image.open(file) as opened:
            mode = opened.mode
            if mode == "F" or mode.startswith("I"):
                kept = "F"
            else:
                kept = "L" if mode in ("1", "L", "LA") else "RGB"
            picture = opened.convert(kept)
        pixels = np.asarray(picture if size is None else _squared(picture, size))
    except UnidentifiedImageError:
        raise ValueError(f"{file.name} is not a picture, or is damaged") from None
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{file.name} cannot be read: {error}") from None
    if mode.startswith("I"):
        return pixels / np.float32(65535.0)
    return np.moveaxis(pixels, -1, 0) if pixels.ndim == 3 else pixels


def _squared(picture: Picture, size: int) -> Picture:
    from PIL import Image

    side = min(picture.size)
    left, top = ((extent - side) // 2 for extent in picture.size)
    square = picture.crop((left, top, left + side, top + side))
    return square.resize((size, size), Image.Resampling.LANCZOS)


# ---------------------------------------------------------------------------------------------
# Values
# ---------------------------------------------------------------------------------------------


def _as_images(array: np.ndarray) -> np.ndarray:
    """Images of shape (n, height, width) or (n, channels, height, width)."""
    if array.dtype.kind not in "fiub":
        raise ValueError(f"images must hold real numbers, got dtype {array.dtype}")
    if array.ndim == 2 and array.shape[1] > 0:
        side = math.isqrt(array.shape[1])
        if side * side == array.shape[1]:
            array = array.reshape(len(array), side, side)
    if (
        array.ndim == 4
        and array.shape[1] not in IMAGE_CHANNELS
        and array.shape[3] in IMAGE_CHANNELS
    ):
        array = np.moveaxis(array, 3, 1)
    if array.ndim not in (3, 4):
        raise ValueError(
            "images must have shape (n, height, width) or (n, channels, height, width), "
            f"got {array.shape}"
        )
    if 0 in array.shape:
        raise ValueError(f"it holds no images: its shape is {array.shape}")
    return array


def _as_values(images: np.ndarray) -> np.ndarray:
    """Images as uint8, float32 or float64, C-contiguous; all finite."""
    kind, bits = images.dtype.kind, images.dtype.itemsize
    if kind == "b":
        return np.ascontiguousarray(images, np.uint8) * np.uint8(255)
    if kind in "iu":
        whole = images.dtype == np.uint8 or (images.min() >= 0 and images.max() <= 255)
        return np.ascontiguousarray(images, np.uint8 if whole else np.float64)
    for start in range(0, len(images), _CHECKED_IMAGES):
        part = images[start : start + _CHECKED_IMAGES]
        if not np.isfinite(part).all():
            index = tuple(int(k) for k in np.argwhere(~np.isfinite(part))[0])
            raise ValueError(
                f"images must be finite, got {part[index]} in image {start + index[0]} "
                f"at pixel {index[1:]}"
            )
    return np.ascontiguousarray(images, np.float32 if bits <= 4 else np.float64)
