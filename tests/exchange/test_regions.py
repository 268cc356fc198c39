"""Cells as GeoJSON and as geometries of shapely and tables of GeoPandas; areas by their masses."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

import geomot

SQUARE = [(0, 0), (3, 0), (3, 3), (0, 3)]
HOLE = [(1, 1), (2, 1), (2, 2), (1, 2)]
ISLANDS = [[(0, 0), (1, 0), (1, 2), (0, 2)], [(2, 0), (3, 0), (3, 2), (2, 2)]]


def diagrams():
    rng = np.random.default_rng(0)
    weights = np.append(np.zeros(29), -1.0)
    yield "square", geomot.PowerDiagram(rng.random((30, 2)), weights), 1.0
    ring = geomot.UniformPolygon(SQUARE, holes=[HOLE])
    yield "hole", geomot.PowerDiagram(3 * rng.random((12, 2)), None, ring), 8.0
    yield "around", geomot.PowerDiagram([(1.5, 1.5), (0, 0), (9, 9)], [0, -1, -99], ring), 8.0
    both = geomot.UniformPolygon(ISLANDS)
    yield "islands", geomot.PowerDiagram([(1.5, 0.5), (1.4, 2.0)], None, both), 4.0
    # both holes touch the border, one of them in the middle of an edge
    notches = [[(0, 0), (1, 2), (2, 1)], [(3, 1), (2.5, 1.5), (2.5, 0.75)]]
    touching = geomot.UniformPolygon(SQUARE, holes=notches)
    yield "touching", geomot.PowerDiagram([(1.5, 1.5), (0, 3)], [0.5, 0], touching), 7.3125
    torus = geomot.UniformBox([0.0, 0.0], [1.0, 1.0], periodic=True)
    yield "torus", geomot.PowerDiagram(rng.random((12, 2)), None, torus), 1.0


CASES = {name: (diagram, size) for name, diagram, size in diagrams()}


@pytest.fixture(params=list(CASES))
def case(request):
    return CASES[request.param]


def shoelace(ring):
    x, y = np.array(ring[:-1]).T
    return 0.5 * np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)


def polygons_of(geometry):
    kind, coordinates = geometry["type"], geometry["coordinates"]
    assert kind in ("Polygon", "MultiPolygon")
    return [coordinates] if kind == "Polygon" else coordinates


def test_geojson_has_the_masses(case):
    diagram, size = case
    names = [f"site {i}" for i in range(len(diagram))]
    written = json.dumps(diagram.to_geojson({"twice": 2 * diagram.masses}, names=names))
    features = json.loads(written)["features"]
    found = np.zeros(len(diagram))
    for feature in features:
        facts = feature["properties"]
        i = facts["site"]
        assert facts["name"] == names[i] and facts["twice"] == 2 * facts["mass"]
        assert [facts["centroid_x"], facts["centroid_y"]] == diagram.centroids[i].tolist()
        for outer, *holes in polygons_of(feature["geometry"]):
            assert all(ring[0] == ring[-1] and len(ring) > 3 for ring in [outer, *holes])
            # outer rings counter-clockwise, holes clockwise: RFC 7946
            assert shoelace(outer) > 0 and all(shoelace(hole) < 0 for hole in holes)
            found[i] += sum(map(shoelace, [outer, *holes]))
    np.testing.assert_allclose(found / size, diagram.masses, rtol=1e-11)
    assert len(features) == np.count_nonzero(~diagram.empty)


def test_shapely_has_the_masses(case):
    shapely = pytest.importorskip("shapely")
    diagram, size = case
    cells = diagram.to_shapely()
    assert shapely.is_valid(cells).all()
    np.testing.assert_allclose(shapely.area(cells) / size, diagram.masses, rtol=1e-11)
    assert np.array_equal(shapely.is_empty(cells), diagram.empty)
    some = diagram.masses > 0
    centroids = shapely.get_coordinates(shapely.centroid(cells[some]))
    np.testing.assert_allclose(centroids, diagram.centroids[some], atol=1e-11)
    for cell, feature in zip(cells[some], diagram.to_geojson()["features"], strict=True):
        assert shapely.normalize(shapely.geometry.shape(feature["geometry"])) == shapely.normalize(
            cell
        )


def test_cells_that_the_domain_cuts_have_several_polygons_and_holes():
    pytest.importorskip("shapely")
    left, right = CASES["islands"][0].to_shapely()
    assert left.geom_type == right.geom_type == "MultiPolygon"
    around = CASES["around"][0].to_shapely()[0]
    assert around.geom_type == "Polygon" and len(around.interiors) == 1


def test_a_domain_of_shapely_comes_back():
    shapely = pytest.importorskip("shapely")
    domain = shapely.union(shapely.Polygon(SQUARE, [HOLE]), shapely.box(4, 0, 5, 1))
    (cell,) = geomot.PowerDiagram([[1.0, 1.0]], None, domain).to_shapely()
    assert cell.normalize() == domain.normalize()


def test_arcs_are_as_near_as_stated():
    shapely = pytest.importorskip("shapely")
    pair = geomot.PowerDiagram([[0.3, 0.5], [0.6, 0.5]], [0.04, 0.05], partial=True)
    disk = geomot.PowerDiagram([[0.0, 0.0]], None, geomot.UniformBall([0.0, 0.0], 2.0))
    for diagram, radii, share in ((pair, np.sqrt(pair.weights), 0.00054), (disk, [2.0], 5e-6)):
        for cell, site, radius in zip(diagram.to_shapely(), diagram.sites, radii, strict=True):
            corners = (shapely.get_coordinates(cell) - site) / radius
            middles = 0.5 * (corners[1:] + corners[:-1])
            lengths = np.hypot(*np.diff(corners, axis=0).T)
            on_rim = np.hypot(*corners.T) > 1 - 1e-9
            arc = on_rim[1:] & on_rim[:-1] & (lengths < 0.1)
            assert 0.0 < 1 - np.hypot(*middles[arc].T).min() <= share
            assert np.hypot(*corners.T).max() <= 1 + 1e-12


def test_tables_have_names_and_reference_systems(tmp_path):
    geopandas = pytest.importorskip("geopandas")
    diagram, size = CASES["hole"]
    names = [f"town {i}" for i in range(len(diagram))]
    extra = {"people": np.arange(12.0), "place": diagram.sites}
    frame = diagram.to_geopandas(extra, names=names, crs="EPSG:28992")
    assert frame.index.tolist() == names and frame.crs == "EPSG:28992"
    assert np.array_equal(frame["mass"], diagram.masses)
    assert np.array_equal(frame[["place_0", "place_1"]], diagram.sites)
    assert np.array_equal(frame[["centroid_x", "centroid_y"]], diagram.centroids)
    np.testing.assert_allclose(frame.area / size, diagram.masses, rtol=1e-11)
    frame.to_file(tmp_path / "cells.gpkg")
    again = geopandas.read_file(tmp_path / "cells.gpkg")
    assert again.crs == frame.crs and np.array_equal(again["mass"], diagram.masses)
    plain = diagram.to_geopandas()
    assert plain.crs is None and plain.index.name == "site"
    series = pytest.importorskip("pandas").Index(names, name="town")
    assert diagram.to_geopandas(names=series).index.name == "town"


def test_the_reference_system_of_the_domain_is_kept():
    geopandas = pytest.importorskip("geopandas")
    shapely = pytest.importorskip("shapely")
    parts = [shapely.box(0, 0, 2, 1), shapely.box(3, 0, 4, 1)]
    table = geopandas.GeoDataFrame({"n": [1, 2], "m": [1, 2]}, geometry=parts, crs=28992)
    for domain in (table, table.geometry):
        solution = geomot.solve([[0.5, 0.5], [3.0, 0.5]], [0.25, 0.75], domain)
        frame = solution.to_geopandas(names=["a", "b"])
        assert frame.crs == table.crs
        assert frame["target_mass"].to_dict() == {"a": 0.25, "b": 0.75}
        np.testing.assert_allclose(frame.area, [0.75, 2.25], rtol=1e-9)
        assert solution.to_geopandas(crs=3035).crs == "EPSG:3035"
    with pytest.warns(UserWarning, match="vertices are in degrees"):
        geomot.UniformPolygon(table.set_crs(4326, allow_override=True))


@pytest.mark.parametrize("name", ["to_shapely", "to_geojson", "to_geopandas", "to_svg"])
def test_only_cells_in_the_plane(name):
    for d in (1, 3):
        diagram = geomot.PowerDiagram(np.full((1, d), 0.5))
        with pytest.raises(
            ValueError, match=rf"{name} needs a diagram in the plane, got one in {d}"
        ):
            getattr(diagram, name)()


def test_refusals():
    diagram = geomot.PowerDiagram([[0.5, 0.5], [0.2, 0.2]])
    with pytest.raises(ValueError, match=r"names must have 2 entries, got 1"):
        diagram.to_geojson(names=["a"])
    with pytest.raises(TypeError, match=r"names must be a sequence"):
        diagram.to_geojson(names="ab")
    with pytest.raises(ValueError, match=r"cell_data must have other names than site, mass"):
        diagram.to_geojson({"centroid_x": [1.0, 2.0]})
    solution = geomot.solve([[0.5, 0.5]])
    with pytest.raises(ValueError, match=r"cell_data must have other names"):
        solution.diagram().to_geojson({"mass": [1.0]})


@pytest.mark.parametrize("name", ["shapely", "geopandas"])
def test_missing_packages_are_named(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    diagram = geomot.PowerDiagram([[0.5, 0.5]])
    with pytest.raises(ImportError, match=rf'to_{name} needs {name}: pip install "geomot\[geo\]"'):
        getattr(diagram, f"to_{name}")()


HOLED = geomot.UniformPolygon(
    [(0, 0), (3, 0), (3, 2), (2, 2), (2, 1.5), (0, 1.5)],
    holes=[[(0.5, 0.5), (1.1, 0.4), (1.0, 0.9)], [(2.0, 0.7), (2.4, 0.7), (2.2, 1.2)]],
)
PINCHED = geomot.UniformPolygon(
    [(0, 0), (3, 0), (3, 3), (0, 3)],
    holes=[
        [(0, 0), (1, 2), (2, 1)],
        [(3, 1), (2.5, 1.5), (2.5, 0.75)],
        [(1, 2), (2, 2), (2, 1)],
    ],
)
CHAIN = geomot.UniformPolygon(
    [
        [(0, 0), (1, 0), (1, 1), (0, 1)],
        [(1, 1), (2, 1), (2, 2), (1, 2)],
        [(2, 0), (3, 0), (3, 1), (2, 1)],
    ]
)


# 54: a cell reaches a part of the domain only by rounding; 202: a hole of a cell touches its border
# twice; 0, 35, 40: balls leave cells without mass between others; 210: a chord is all of an arc
@pytest.mark.parametrize("seed", [0, 35, 40, 54, 202, 210])
def test_sites_on_grids_have_valid_cells(seed):
    shapely = pytest.importorskip("shapely")
    rng = np.random.default_rng(seed)
    source = (HOLED, PINCHED, CHAIN)[seed % 3]
    n = int(rng.integers(1, 40))
    sites = 3 * rng.random((n, 2)) if seed % 2 else rng.integers(0, 7, (n, 2)) / 2.0
    weights = rng.random(n) * rng.choice([0.0, 0.1, 1.0])
    partial = seed % 5 == 0
    diagram = geomot.PowerDiagram(sites, weights, source, partial=partial)
    cells = diagram.to_shapely()
    assert shapely.is_valid(cells).all()
    error = np.abs(shapely.area(cells) / source.area - diagram.masses)
    # of the areas of balls, the share that 96 chords to a circle cut off
    lost = 8e-4 * np.pi * weights / source.area if partial else 0.0
    assert (error <= lost + 1e-14).all()
    if not partial:
        assert shapely.union_all(cells).area == pytest.approx(source.area, rel=1e-9)
