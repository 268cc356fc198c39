"""Arrays from npy and npz files of other makers: nothing is unpickled, no claimed size believed."""

from __future__ import annotations

import math
import os
import zipfile

import numpy as np

__all__ = ["npz_members", "read_npy", "read_npz"]

# A compressed array may unpack to this many bytes whatever the size of its file; beyond, to a given
# multiple of the file, so that a small hostile file cannot fill the memory.
UNPACKED_ALLOWANCE = 64 * 2**20


def read_npy(path: str) -> np.ndarray:
    """Return the array of an npy file.

    Parameters
    ----------
    path : str
        The file.

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError, EOFError
        If it is none, or holds objects.
    """
    # Mapping checks the length against the header before anything is allocated.
    return np.array(np.load(path, mmap_mode="r", allow_pickle=False))


def npz_members(path: str) -> dict[str, zipfile.ZipInfo]:
    """Return the arrays of an npz file by name, unread.

    Parameters
    ----------
    path : str
        The file.

    Returns
    -------
    dict
        The member of each array.

    Raises
    ------
    zipfile.BadZipFile
        If it is no zip archive.
    """
    with zipfile.ZipFile(path) as archive:
        return {
            info.filename.removesuffix(".npy"): info
            for info in archive.infolist()
            if info.filename.endswith(".npy")
        }


def read_npz(path: str, name: str, info: zipfile.ZipInfo, ratio: int) -> np.ndarray:
    """Return one array of an npz file.

    Parameters
    ----------
    path : str
        The file.
    name : str
        The array's name, for messages.
    info : ZipInfo
        Its member, from `npz_members`.
    ratio : int
        How many times the file's size it may unpack to, if that is much.

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError, EOFError, zipfile.BadZipFile
        If it is damaged, far larger than its file, or holds objects.
    """
    allowed = max(ratio * os.path.getsize(path), UNPACKED_ALLOWANCE)
    with zipfile.ZipFile(path) as archive:
        with archive.open(info) as member:
            version = np.lib.format.read_magic(member)
            if version not in ((1, 0), (2, 0)):
                raise ValueError(f"array {name} has an unknown version")
            read_header = getattr(np.lib.format, f"read_array_header_{version[0]}_0")
            shape, _, dtype = read_header(member)
        if max(info.file_size, math.prod(shape) * dtype.itemsize) > allowed:
            raise ValueError(f"array {name} is far larger than its file")
        with archive.open(info) as member:
            return np.lib.format.read_array(member, allow_pickle=False)
