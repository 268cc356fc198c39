"""What notebooks show of a diagram: a table of facts, and a small picture of cells in the plane."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Any

from geomot._exchange.svg import MOST_PATHS, draw_cells, draw_pixels

__all__ = ["MOST_SITES", "as_html", "beside", "picture", "table"]

# The longer side of the picture, in pixels.
_SIDE = 240.0
# Sites up to which there is a picture: it must not take much longer than the cell that asks for it.
MOST_SITES = 200_000


def as_html(diagram: Any) -> str:
    """Return a table of facts and a picture."""
    n, d = diagram.sites.shape
    empty = int(diagram.empty.sum())
    facts = [
        (
            "Power diagram",
            f"{n} site{'s' if n != 1 else ''} in {d} dimension{'s' if d != 1 else ''}",
        ),
        ("Source", str(diagram.source)),
        ("Masses", f"{diagram.masses.min():.4g} to {diagram.masses.max():.4g}"),
        ("Cost", f"{diagram.costs.sum():.6g}"),
    ]
    if diagram.partial:
        facts.append(("Partial", f"{diagram.masses.sum():.6g} of the source is in cells"))
    if empty:
        facts.append(("Empty cells", str(empty)))
    return beside(table(facts), picture(diagram))


def picture(diagram: Any) -> str:
    """Return the cells coloured by mass, or nothing where there is no such picture."""
    if diagram.source.dim != 2 or len(diagram) > MOST_SITES:
        return ""
    draw = draw_cells if len(diagram) <= MOST_PATHS else draw_pixels
    return draw(diagram, diagram.masses, _SIDE)


def table(facts: Iterable[tuple[str, str]]) -> str:
    """Return facts as a table in HTML."""
    rows = "".join(
        f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
        f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
        for name, text in facts
    )
    return f"<table>{rows}</table>"


def beside(facts: str, drawn: str) -> str:
    """Return a table with a picture beside it, or below where the page is narrow."""
    if not drawn:
        return facts
    style = "display:flex;flex-wrap:wrap;gap:1em;align-items:flex-start"
    return f"<div style='{style}'>{facts}\n{drawn}</div>"
