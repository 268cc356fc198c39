"""Files and folders that are replaced as a whole.

New content is written beside its target under a name of its own, flushed to the disk, and put in
place in one step. Whoever opens the target finds the old content or the new one, complete, however
many threads and processes write to it, and whenever one of them is killed.

A process that is killed while it writes leaves what it has written: `.NAME.TOKEN.partial`, with
16 hexadecimal digits for the token. The next save to NAME removes it if it is an hour old.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import stat
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, Any

from geomot._constants import STALE_SECONDS
from geomot._validation import as_path

__all__ = [
    "put_aside",
    "replacing",
    "replacing_figure",
    "replacing_folder",
    "replacing_text",
    "try_replacing",
]

_PARTIAL, _OLD = "partial", "old"

# Names of files have at most 255 bytes; the token and the ending take 26 of them.
_LONGEST = 220

_SEPARATORS = tuple(s for s in (os.sep, os.altsep) if s)


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open a file whose content takes the place of another's when the block ends.

    If the block raises, nothing has changed. Links are followed, and the permissions of a file that
    is replaced are kept, as if it had been opened for writing.

    Parameters
    ----------
    path : str or path-like
        The file, exactly as named.

    Yields
    ------
    binary file
        To be written to, and left open.

    Raises
    ------
    TypeError
        If `path` is not a path.
    ValueError
        If `path` names something that is not a regular file.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(os.path.join(folder, "a.txt")) as file:
    ...         written = file.write(b"whole")
    ...     os.listdir(folder), open(os.path.join(folder, "a.txt")).read()
    (['a.txt'], 'whole')
    """
    target = _file(path)
    before = _regular(target)
    with _partial(target) as file:
        if before is not None:
            _keep_access(before, Path(file.name))
        yield file
        with _naming(target):
            file.flush()
            os.fsync(file.fileno())
            now = os.fstat(file.fileno()).st_mtime
            file.close()
            os.replace(file.name, target)
    _sync_folder(target.parent)
    _remove_stale(target, now)


def try_replacing(path: str | os.PathLike[str], name: str = "path") -> None:
    """Raise what `replacing` would, before the work starts whose result it is to write.

    Parameters
    ----------
    path : str or path-like
        The file.
    name : str
        The argument's name, for the message.
    """
    target = _file(path, name)
    _regular(target, name)
    with _partial(target):
        pass


def replacing_text(path: str | os.PathLike[str], text: str) -> None:
    """Replace a file by a text, in UTF-8; see `replacing`."""
    with replacing(path) as file:
        # Messages may quote names of files that are not text.
        file.write(text.encode(errors="backslashreplace"))


def replacing_figure(path: str | os.PathLike[str], figure: Any, **options: Any) -> None:
    """Replace a file by a figure of matplotlib, in the format that its name ends in."""
    with replacing(path) as file:
        figure.savefig(file, format=Path(as_path(path)).suffix[1:].lower(), **options)


@contextlib.contextmanager
def replacing_folder(path: str | os.PathLike[str], names: Collection[str]) -> Iterator[Path]:
    """Make a folder of files that takes the place of another when the block ends.

    If the block raises, nothing has changed. The old folder stays complete until the new one is on
    the disk. No file system moves two folders at once: for a moment the name is missing, and the
    old folder is among those of `put_aside`.

    Parameters
    ----------
    path : str or path-like
        The folder.
    names : collection of str
        Names of the files that it may hold.

    Yields
    ------
    Path
        The new folder, to be filled.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    target = _resolved(path)
    partial = _beside(target, _PARTIAL)
    _check_writable(target)
    try:
        with _naming(target):
            partial.mkdir()
        yield partial
        now = partial.stat().st_mtime
        for name in (*names, ""):
            # Another save may be moving the old folder away.
            with contextlib.suppress(FileNotFoundError):
                _keep_access(os.stat(target / name), partial / name)
        _exchange(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    _sync_folder(target.parent)
    for old in put_aside(target):
        _remove_old(old, names)
    _remove_stale(target, now)


def put_aside(path: str | os.PathLike[str]) -> list[Path]:
    """Find the old folders that a save has moved away, and not removed yet.

    Parameters
    ----------
    path : str or path-like
        The folder that they were.

    Returns
    -------
    list of Path
    """
    return _leftovers(_resolved(path), _OLD)


@contextlib.contextmanager
def _partial(target: Path) -> Iterator[IO[bytes]]:
    """A new file beside a target, which is gone afterwards."""
    path = _beside(target, _PARTIAL)
    try:
        with _naming(target):
            file = open(path, "xb")  # noqa: SIM115
        with file:
            yield file
    finally:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def _file(path: str | os.PathLike[str], name: str = "path") -> Path:
    """Where a file is that may be written to."""
    if as_path(path, name).endswith(_SEPARATORS):
        raise ValueError(f"{name} must name a file, got {path}")
    return _resolved(path)


def _resolved(path: str | os.PathLike[str]) -> Path:
    return Path(os.path.realpath(as_path(path)))


def _regular(target: Path, name: str = "path") -> os.stat_result | None:
    """What the file system says of a file that may be written to; None if there is none."""
    try:
        found = target.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"{name} must name a regular file, got {target}")
    _check_writable(target)
    return found


def _check_writable(target: Path) -> None:
    """Refuse what an ordinary write would: to take a name, a writable folder is enough."""
    while not os.access(target, os.W_OK):
        # Another save may move a folder away just now, or put one there: only of one that was there
        # before and after is it known what was refused.
        with contextlib.suppress(FileNotFoundError):
            before = target.stat()
            if not os.access(target, os.W_OK) and os.path.samestat(before, target.stat()):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))
            continue
        return


def _keep_access(before: os.stat_result, path: Path) -> None:
    """Give new content the permissions, and as far as allowed the owners, of the old."""
    if os.name == "posix":
        for owners in ((-1, before.st_gid), (before.st_uid, -1)):
            with contextlib.suppress(OSError):
                os.chown(path, *owners)
    os.chmod(path, stat.S_IMODE(before.st_mode))


@contextlib.contextmanager
def _naming(target: Path) -> Iterator[None]:
    """Errors name the target: it says more than the name of a file that is gone again."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(target)) from error


def _beside(target: Path, ending: str) -> Path:
    return target.with_name(f".{_stem(target)}.{secrets.token_hex(8)}.{ending}")


def _stem(target: Path) -> str:
    return os.fsencode(target.name)[:_LONGEST].decode(errors="ignore")


def _leftovers(target: Path, ending: str) -> list[Path]:
    """Files and folders that saves to a target have made beside it."""
    pattern = re.compile(rf"\.{re.escape(_stem(target))}\.[0-9a-f]{{16}}\.{ending}")
    try:
        return [target.with_name(n) for n in os.listdir(target.parent) if pattern.fullmatch(n)]
    except OSError:
        return []


def _remove_stale(target: Path, now: float) -> None:
    """Remove what killed processes have left; `now` is the time by the file system's own clock."""
    for path in _leftovers(target, _PARTIAL):
        # Another process may be doing the same.
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < now - STALE_SECONDS:
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()


def _remove_old(folder: Path, names: Collection[str]) -> None:
    """Remove a folder that has been replaced; what it holds beside the named files is kept."""
    with contextlib.suppress(OSError):
        for name in names:
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()


def _exchange(new: Path, target: Path) -> None:
    """Put a folder in the place of another, which is moved aside."""
    while True:
        old = _beside(target, _OLD)
        with contextlib.suppress(FileNotFoundError):
            target.rename(old)
        try:
            new.rename(target)
            return
        except OSError as error:
            # Another save has put its folder there meanwhile, which is then replaced; even if a
            # third one has moved that away already.
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) and not target.exists():
                if old.exists():
                    old.rename(target)
                raise


def _sync_folder(folder: Path) -> None:
    """Bring names to the disk; the content is there already."""
    if os.name != "posix":
        return
    # Not every file system can, and not every folder may be read.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
