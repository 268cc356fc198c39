"""Pictures in SVG: well-formed, with every cell where it is, light, and the same each time."""

from __future__ import annotations

import base64
import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest

import geomot
from geomot._exchange.svg import draw_pixels, shades

NAMESPACE = "{http://www.w3.org/2000/svg}"


def elements(picture, name):
    return list(ElementTree.fromstring(picture).iter(NAMESPACE + name))


def rings_of(path):
    for text in re.findall(r"M([^Z]*)Z", path.get("d")):
        yield np.array(text.split(), float).reshape(-1, 2)


def cells_of(picture):
    return [path for path in elements(picture, "path") if path.get("fill") != "none"]


def area(path):
    # y runs down: rings with the cell on their left have it on their right in the picture
    return sum(-0.5 * np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)
               for x, y in (ring.T for ring in rings_of(path)))  # fmt: skip


def test_paths_have_the_areas_of_the_cells():
    hole = geomot.UniformPolygon(
        [(0, 0), (4, 0), (4, 2), (0, 2)], holes=[[(1, 1), (2, 1), (2, 1.5)]]
    )
    rng = np.random.default_rng(0)
    diagram = geomot.PowerDiagram(rng.random((20, 2)) * [4, 2], np.append(np.zeros(19), -9.0), hole)
    picture = diagram.to_svg(width=1000.0)
    root = ElementTree.fromstring(picture)
    assert (root.get("width"), root.get("height")) == ("1000", "500")
    paths = cells_of(picture)
    assert len(paths) == 19
    masses = np.array([area(path) for path in paths]) / (250.0**2 * hole.area)
    # corners are rounded to a hundredth of a pixel
    np.testing.assert_allclose(masses, diagram.masses[:19], rtol=2e-3)
    assert len(elements(picture, "circle")) == 20
    border = elements(picture, "path")[-1]
    assert area(border) == pytest.approx(250.0**2 * hole.area) and border.get("fill") == "none"


def test_names_are_shown_and_escaped():
    diagram = geomot.PowerDiagram([[0.25, 0.5], [0.75, 0.5]])
    picture = diagram.to_svg([1.0, 2.0], names=["<a>", "b & c"])
    assert [title.text for title in elements(picture, "title")] == ["<a>: 1", "b & c: 2"]
    first, second = cells_of(picture)
    assert first.get("fill") == "#440154" and second.get("fill") == "#b5de2b"
    with pytest.raises(ValueError, match="width must be"):
        diagram.to_svg(width=0.0)
    with pytest.raises(ValueError, match=r"values must have shape \(2,\)"):
        diagram.to_svg([1.0])


def test_shades_order_values_and_tell_equal_ones_apart():
    assert shades(np.array([3.0, 1.0, 2.0])).tolist() == [63, 0, 32]
    decades = shades(np.array([0.0, 1e-4, 1e-2, 1.0]))
    assert decades.tolist() == [0, 0, 32, 63]
    assert len(set(shades(np.full(10, 0.1)).tolist())) == 10
    assert shades(np.array([-1e308, 1e308])).tolist() == [0, 63]
    assert shades(np.zeros(2)).tolist()[0] == 0


def test_pixels_are_those_of_the_cells():
    image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    corner = geomot.UniformPolygon([(0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)])
    diagram = geomot.PowerDiagram(2 * rng.random((50, 2)), None, corner)
    picture = draw_pixels(diagram, diagram.masses, 240.0)
    (found,) = elements(picture, "image")
    data = base64.b64decode(found.get("href").partition(",")[2])
    pixels = np.array(image.open(io.BytesIO(data)).convert("RGBA"))
    assert pixels.shape == (240, 240, 4)
    colours = {
        int(path[0].text.partition(":")[0]): path.get("fill")[1:] + "ff"
        for path in cells_of(diagram.to_svg())
    }
    rows, columns = rng.integers(0, 240, (2, 200))
    inside = (columns < 120) | (rows >= 120)
    rows, columns = rows[inside], columns[inside]
    places = np.column_stack([(columns + 0.5) / 120, 2 - (rows + 0.5) / 120])
    drawn = [pixels[r, c].tobytes().hex() for r, c in zip(rows, columns, strict=True)]
    assert drawn == [colours[i] for i in diagram.locate(places).tolist()]
    (clip,) = elements(picture, "clipPath")
    (outline,) = clip
    assert area(outline) == pytest.approx(3 * 120**2)
    assert f"url(#{clip.get('id')})" == found.get("clip-path")


def test_what_stays_is_clear():
    image = pytest.importorskip("PIL.Image")
    diagram = geomot.PowerDiagram([[0.5, 0.5]], [0.04], partial=True)
    (found,) = elements(draw_pixels(diagram, diagram.masses, 100.0), "image")
    data = base64.b64decode(found.get("href").partition(",")[2])
    clear = np.array(image.open(io.BytesIO(data)).convert("RGBA"))[..., 3] == 0
    assert 1 - clear.mean() == pytest.approx(np.pi * 0.04, abs=1e-3)


@pytest.mark.parametrize(
    "source",
    [
        geomot.Gaussian([1.0, 2.0], 4.0),
        geomot.UniformBall([0.0, 0.0], 3.0),
        geomot.UniformBox([0.0, 0.0], [1.0, 1.0], periodic=True),
        geomot.Mixture([geomot.Gaussian([0.0, 0.0], 1.0), geomot.UniformBox([0, 0], [1, 1])]),
    ],
)
def test_every_kind_of_domain(source):
    diagram = geomot.PowerDiagram(source.sample(7, 0), None, source)
    assert len(cells_of(diagram.to_svg())) == 7
    assert len(elements(draw_pixels(diagram, diagram.masses, 100.0), "image")) == 1
