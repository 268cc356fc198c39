"""Packages that geomot does not need for its own work."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["optional"]


def optional(name: str, user: str, extra: str) -> Any:
    """Return an optional package.

    Parameters
    ----------
    name : str
        The package.
    user : str
        The function that needs it.
    extra : str
        The extra of geomot that contains it.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(f'{user} needs {name}: pip install "geomot[{extra}]"') from error
