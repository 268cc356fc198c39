"""What notebooks show: facts, and a picture that is light however many sites there are."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

import geomot


def shown(thing):
    """The HTML, which must be well-formed."""
    text = thing._repr_html_()
    ElementTree.fromstring(text)
    return text


@pytest.mark.parametrize(("n", "mark"), [(30, "<path fill="), (3000, "<image")])
def test_cells_in_the_plane_are_drawn(n, mark):
    sites = np.random.default_rng(0).random((n, 2))
    diagram = geomot.PowerDiagram(sites)
    text = shown(diagram)
    assert mark in text and f"{n} sites in 2 dimensions" in text
    assert len(text) < 60_000
    solution = geomot.solve(sites, tol=1e-3)
    assert mark in shown(solution) and "W2^2" in shown(solution)


def test_a_thousand_paths_are_light():
    assert len(shown(geomot.PowerDiagram(np.random.default_rng(0).random((1000, 2))))) < 150_000


@pytest.mark.parametrize("d", [1, 3])
def test_other_dimensions_have_a_table_alone(d):
    sites = np.random.default_rng(0).random((5, d))
    for thing in (geomot.PowerDiagram(sites), geomot.solve(sites)):
        assert "<svg" not in shown(thing) and "5 sites" in shown(thing)


def test_sources_without_exact_diagrams_have_a_table_alone():
    source = geomot.Samples(np.random.default_rng(0).random((50, 2)))
    solution = geomot.solve([[0.2, 0.5], [0.7, 0.5]], source=source, tol=0.2, random_state=0)
    assert "<svg" not in shown(solution)


def test_partial_and_empty_cells_are_told():
    diagram = geomot.PowerDiagram([[0.5, 0.5], [0.5, 0.5]], [0.04, 0.0], partial=True)
    text = shown(diagram)
    assert (
        "0.125664 of the source" in text and "<th style='text-align:left'>Empty cells</th>" in text
    )


def test_maps_keep_the_diagram_of_scikit_learn():
    assert "sk-" in geomot.BrenierMap()._repr_html_()
