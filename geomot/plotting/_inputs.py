"""What can be drawn: diagrams, solutions and fitted maps, in which dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.utils.validation import check_is_fitted

if TYPE_CHECKING:
    from geomot.diagram import PowerDiagram

__all__ = ["as_diagram", "as_mapped", "as_names", "axis_names", "check_plane"]

_PLACES = {
    (1,): "on the line",
    (2,): "in the plane",
    (3,): "in space",
    (1, 2): "on the line or in the plane",
    (2, 3): "in the plane or in space",
    (1, 2, 3): "on the line, in the plane or in space",
}


def as_mapped(thing: Any, name: str, dims: tuple[int, ...] | None = None) -> Any:
    """Return the solution of a fitted map; a solution or a diagram itself.

    Parameters
    ----------
    thing : PowerDiagram, Solution or BrenierMap
        What is to be drawn.
    name : str
        The argument's name, for messages.
    dims : tuple of int, optional
        The dimensions in which it can be drawn; None for all.

    Returns
    -------
    PowerDiagram or Solution
    """
    if hasattr(thing, "fit"):
        check_is_fitted(thing)
        thing = getattr(thing, "solution_", thing)
    if not hasattr(thing, "sites"):
        raise TypeError(
            f"{name} must be a PowerDiagram, a Solution or a fitted BrenierMap, "
            f"got {type(thing).__name__}"
        )
    dim = thing.sites.shape[1]
    if dims is not None and dim not in dims:
        raise ValueError(
            f"{name} must lie {_PLACES[dims]} for its cells to be drawn, got {dim} dimension(s)"
        )
    return thing


def as_diagram(thing: Any, name: str = "diagram", dims: tuple[int, ...] = (2,)) -> PowerDiagram:
    """Return the diagram of what is to be drawn, which has cells."""
    thing = as_mapped(thing, name, dims)
    return thing if hasattr(thing, "cells") else thing.diagram()


def axis_names(thing: Any, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the features that a map was fitted to, or of axes without such names.

    Parameters
    ----------
    thing : PowerDiagram, Solution or BrenierMap
        What is drawn. Only a map that was fitted to a table knows names.
    names : tuple of str
        What axes are called otherwise, as many as there are features.
    """
    known = getattr(thing, "feature_names_in_", ())
    return tuple(map(str, known)) if len(known) == len(names) else names


def check_plane(thing: Any, name: str) -> None:
    """Refuse what has no diagram in the plane."""
    as_mapped(thing, name, (2,))


def as_names(names: Any, n: int) -> list[str] | None:
    """Return one text for each site."""
    if names is None:
        return None
    if isinstance(names, str):
        raise TypeError("names must be a sequence of one text per site, got str")
    texts = ["" if name is None else str(name) for name in names]
    if len(texts) != n:
        raise ValueError(f"names must have {n} entries, got {len(texts)}")
    return texts
