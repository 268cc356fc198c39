"""Standard error, which may be missing, closed or broken: then what it would show is lost, no more.

Programs without a console have no standard error, and a pipe loses its reader. Progress bars,
warnings and complaints must not take results with them.
"""

from __future__ import annotations

import contextlib
import sys
import warnings
from importlib.util import find_spec
from typing import Any

__all__ = ["is_terminal", "progress_bar", "say", "warn"]


def progress_bar(*arguments: Any, **options: Any) -> Any:
    """Return a bar of tqdm on standard error that survives a standard error which fails.

    In a notebook it is a widget, if ipywidgets is installed: without it tqdm would warn.
    """
    if "ipykernel.zmqshell" in sys.modules and find_spec("ipywidgets"):
        from tqdm.auto import tqdm as bar
    else:
        from tqdm import tqdm as bar

        options = {"file": _Stream(sys.stderr), **options}
    return bar(*arguments, dynamic_ncols=True, **options)


def warn(message: str, category: type[Warning], stacklevel: int = 1) -> None:
    """Warn, and go on where the warning cannot be shown.

    Parameters
    ----------
    message : str
        The text.
    category : type of Warning
        Not derived from what a stream raises. Where filters turn it into an error, it is raised.
    stacklevel : int, default 1
        As in `warnings.warn`: 1 is the caller of this function.
    """
    # Python itself lets errors of the operating system pass, but not those of a closed stream.
    with contextlib.suppress(AttributeError, OSError, ValueError):
        warnings.warn(message, category, stacklevel=stacklevel + 1)


def say(line: str) -> None:
    """Write to standard error what is not worth failing for."""
    with contextlib.suppress(AttributeError, OSError, ValueError):
        sys.stderr.write(line)


def is_terminal() -> bool:
    """Whether somebody watches standard error."""
    with contextlib.suppress(AttributeError, OSError, ValueError):
        return bool(sys.stderr.isatty())
    return False


class _Stream:
    """A stream whose failures nobody sees."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(Exception):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(Exception):
            self._stream.flush()

    def isatty(self) -> bool:
        with contextlib.suppress(Exception):
            return bool(self._stream.isatty())
        return False

    def __getattr__(self, name: str) -> Any:
        with contextlib.suppress(Exception):
            return getattr(self._stream, name)
        raise AttributeError(name)
