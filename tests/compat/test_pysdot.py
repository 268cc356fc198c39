"""Scripts for pysdot run on geomot, with the results that pysdot 0.2.16 has stored."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pysdot_scripts import SCRIPTS, matrix

import geomot
from geomot.compat import pysdot as sdot
from geomot.compat.pysdot import radial_funcs
from geomot.compat.pysdot.radial_funcs import RadialFuncInBall

STORED = json.loads(
    (Path(__file__).resolve().parents[1] / "data" / "pysdot.json").read_text(encoding="utf-8")
)

# What follows from weights is as exact as pysdot's and geomot's tolerances of the weights.
OF_SOLVES = {
    ("image_density", "positions_0"),
    ("image_density", "positions_1"),
    ("image_density", "positions_2"),
    ("image_density", "weights"),
    ("assembly", "weights"),
    ("balls", "weights"),
    ("balls", "crowd"),
    ("periodic", "weights"),
    ("space", "weights"),
}

RNG = np.random.default_rng
CORNER = [([0, 0], [2, 1]), ([0, 1], [1, 2])]


def domain_of(*boxes, coeff=1.0):
    domain = sdot.ConvexPolyhedraAssembly()
    for lower, upper in boxes:
        domain.add_box(lower, upper, coeff)
    return domain


@pytest.mark.parametrize("name", list(SCRIPTS))
@pytest.mark.filterwarnings("error")
def test_scripts_have_the_results_of_pysdot(name):
    assert STORED["version"] == "0.2.16"
    found, expected = SCRIPTS[name](sdot), STORED[name]
    assert list(found) == list(expected)
    for key, values in expected.items():
        wanted = np.array(values, dtype=float)
        scale = np.abs(wanted).max()
        error = 1e-8 if (name, key) in OF_SOLVES else 1e-13
        np.testing.assert_allclose(
            np.array(found[key], dtype=float), wanted, rtol=0, atol=error * scale, err_msg=key
        )


def test_derivatives_on_copies_are_differences():
    # pysdot has no derivatives in the sites with replications
    positions, weights = RNG(0).random((6, 2)), 0.02 * RNG(1).random(6)

    def diagram(y, w):
        pd = sdot.PowerDiagram(y, w, domain_of(([-1, -1], [2, 2]), coeff=2.0))
        for shift in np.ndindex(3, 3):
            if shift != (1, 1):
                pd.add_replication(np.array(shift) - 1.0)
        return pd

    result = diagram(positions, weights).der_centroids_and_integrals_wrt_weight_and_positions()
    step, rates = 1e-6, matrix(result)
    for column in (0, 1, 2, 10, 14):
        ends = []
        for sign in (-1.0, 1.0):
            moved = np.column_stack([positions, weights])
            moved.flat[column] += sign * step
            pd = diagram(moved[:, :2], moved[:, 2])
            ends.append(np.column_stack([pd.centroids(), pd.integrals()]).ravel())
        slope = (ends[1] - ends[0]) / (2 * step)
        np.testing.assert_allclose(rates[:, column], slope, atol=1e-7 * np.abs(rates).max())


def test_a_ball_within_its_cell_has_the_density():
    # pysdot 0.2.16 leaves the density out here
    pd = sdot.PowerDiagram([[0.25, 0.5]], [0.01], domain_of(([0, 0], [1, 1]), coeff=2.0),
                           RadialFuncInBall())  # fmt: skip
    assert pd.integrals() == pytest.approx([0.02 * np.pi], rel=1e-14)


def test_what_is_written_to_arrays_counts():
    domain = domain_of(([0, 0], [1, 1]))
    pd = sdot.PowerDiagram([[0.25, 0.5], [0.75, 0.5]], np.zeros(2), domain)
    assert pd.integrals().tolist() == [0.5, 0.5]
    pd.get_weights()[1] += 0.25
    assert pd.integrals().tolist() == [0.25, 0.75]
    pd.weights = np.array([0.25, 0.0])
    assert pd.integrals().tolist() == [0.75, 0.25]
    domain.add_box([1, 0], [2, 1])
    assert pd.integrals().tolist() == [0.75, 1.25]
    pd.set_positions([[0.25, 0.5], [0.5, 0.5]])
    assert pd.integrals().tolist() == pytest.approx([0.875, 1.125])


@pytest.mark.filterwarnings("error")
def test_defaults():
    pd = sdot.PowerDiagram([[0.25, 0.5], [0.75, 0.5]], [0.5, 0.5])  # sum to 1, and are weights
    assert pd.integrals().tolist() == [0.5, 0.5]
    one, other = sdot.PowerDiagram(), sdot.PowerDiagram()
    one.add_replication([1.0, 0.0])
    assert other._replications == []
    with pytest.raises(RuntimeError, match="positions in PowerDiagram must be specified"):
        other.integrals()
    assert sdot.PowerDiagram(RNG(0).random((4, 3))).integrals().sum() == pytest.approx(1.0)


def as_own(name):
    """A radial function of the user's, known by its name."""
    function = RadialFuncInBall()
    function.name = lambda: name
    return function


def test_radial_functions_go_by_their_names():
    positions, weights = RNG(0).random((5, 2)), np.full(5, 0.02)
    for name, function in {
        "in_ball(weight**0.5)": radial_funcs.RadialFuncInBall(),
        "1": radial_funcs.RadialFuncUnit(),
        "pos_part(w-r^2)": radial_funcs.RadialFuncPpWmR2(),
        "r^2": radial_funcs.RadialFuncR2(),
    }.items():
        found = [sdot.PowerDiagram(positions, weights, None, f) for f in (as_own(name), function)]
        assert np.array_equal(*(pd.integrals() for pd in found))
    with pytest.raises(NotImplementedError, match=r"radial_func 'exp\(r\)' has no exact integrals"):
        sdot.PowerDiagram(positions, weights, None, as_own("exp(r)")).integrals()


# ---- domains ----


def test_domains_as_sources_have_their_masses():
    positions = RNG(0).random((8, 2)) * 2
    triangle = [[0, 0, 0, -1], [1, 0, 1, 1], [0, 1, -1, 0]]
    kinds = {}
    for name, pieces in {
        "UniformBox": [([0, 0], [1, 1], 2.0)],
        "GridDensity": [([0, 0], [1, 1], 2.0), ([1, 1], [2, 2], 1.0)],
        "MeshDensity": [([0, 0], [1, 1], 2.0), ([0.25, 0], [2, 1], 1.0)],
        "UniformPolygon": [([1, 1], [2, 2], 2.0), (triangle, 2.0)],
        "Mixture": [([0, 0], [2, 2], 2.0), (triangle, 1.0)],
    }.items():
        domain = sdot.ConvexPolyhedraAssembly()
        alone = []
        for piece in pieces:
            for some in (domain, sdot.ConvexPolyhedraAssembly()):
                (some.add_box if len(piece) == 3 else some.add_convex_polyhedron)(*piece)
            alone.append(some)
        kinds[name] = type(domain._whole().source).__name__
        expected = sum(sdot.PowerDiagram(positions, None, part).integrals() for part in alone)
        found = sdot.PowerDiagram(positions, None, domain)
        np.testing.assert_allclose(found.integrals(), expected, rtol=1e-12, atol=1e-14)
        assert domain._whole().mass == pytest.approx(domain.measure(), rel=1e-14)
        ot = sdot.OptimalTransport(positions, None, domain)
        assert not ot.adjust_weights()
        np.testing.assert_allclose(ot.pd.integrals(), domain.measure() / 8, rtol=1e-8)
    assert kinds == {name: name for name in kinds}


def test_balls_on_boxes_of_one_density():
    corner = domain_of(*CORNER, coeff=3.0)
    positions = RNG(0).random((6, 2)) + 0.2
    ot = sdot.OptimalTransport(positions, None, corner, np.full(6, 0.6), RadialFuncInBall())
    assert not ot.adjust_weights()
    np.testing.assert_allclose(ot.pd.integrals(), 0.6, rtol=1e-8)
    assert ot.solution.partial and ot.pd.to_geomot().partial
    frame = domain_of(([0, 0], [3, 3]))
    frame.sub_box([1, 1], [2, 2])
    assert frame._uniform().source == geomot.UniformPolygon(
        [(0, 0), (3, 0), (3, 3), (0, 3)], holes=[[(1, 1), (2, 1), (2, 2), (1, 2)]]
    )


def test_an_obstacle_is_a_hole():
    angles = 2 * np.pi * np.arange(16) / 16
    around = np.column_stack([np.cos(angles), np.sin(angles)])
    domain = domain_of(([0, 0], [2, 1]), ([2, 0.4], [4, 0.6]))
    domain.add_convex_polyhedron(np.hstack([[1.5, 0.5] + 0.2 * around, around]), -1.0)
    assert len(domain._uniform().source.holes) == 1
    assert domain._uniform().mass == pytest.approx(domain.measure(), rel=1e-13)
    for function, mass in ((RadialFuncInBall(), 0.01), (None, domain.measure() / 20)):
        positions = RNG(0).random((20, 2)) * [1, 1] + [0.5, 0.0]
        ot = sdot.OptimalTransport(positions, None, domain, np.full(20, mass), function)
        assert not ot.adjust_weights()
        np.testing.assert_allclose(ot.pd.integrals(), mass, rtol=1e-7)


def test_cells_with_copies_are_shown(tmp_path):
    pd = sdot.PowerDiagram([[0.25, 0.5], [0.5, 0.5]], None, domain_of(([-1, 0], [2, 1])))
    pd.add_replication([1, 0])
    pd.add_replication([-1, 0])
    first, second = pd.cell_coordinates()
    assert [first[:, 0].min(), first[:, 0].max()] == [-0.125, 0.375]
    assert [second[:, 0].min(), second[:, 0].max()] == [0.375, 0.875]
    assert pd.vtk_mesh_data()[1] == [7, 7]


def test_overlaps_and_negative_densities_add_up_in_space():
    domain = domain_of(([0, 0, 0], [1, 1, 1]))
    domain.add_box([0.5, 0, 0], [1.5, 1, 1], 2.0)
    domain.sub_box([0, 0, 0], [0.5, 0.5, 0.5], 1.0)
    pd = sdot.PowerDiagram([[0.25, 0.5, 0.5], [1.25, 0.5, 0.5]], np.zeros(2), domain)
    assert pd.integrals() == pytest.approx([0.75 + 0.5 - 0.125, 0.25 + 1.5], rel=1e-13)
    with pytest.raises(NotImplementedError, match="densities below zero cannot be a source"):
        domain._whole()
    domain = domain_of(([0, 0, 0], [1, 1, 1]), ([1, 0, 0], [2, 1, 1]))
    with pytest.raises(NotImplementedError, match="several pieces in space cannot be a source"):
        sdot.OptimalTransport(RNG(0).random((3, 3)), None, domain).adjust_weights()


def test_polyhedra_in_space():
    octant = [[0, 0, 0, -1, 0, 0], [0, 0, 0, 0, -1, 0], [0, 0, 0, 0, 0, -1], [1, 0, 0, 1, 1, 1]]
    domain = sdot.ConvexPolyhedraAssembly()
    domain.add_convex_polyhedron(octant, 6.0)
    assert domain.measure() == pytest.approx(1.0, rel=1e-14)
    assert domain.coeff_at([0.1, 0.1, 0.1]) == 6.0 and not domain.contains([0.5, 0.5, 0.5])
    transport = sdot.find_transport_map(RNG(0).random((4, 3)) / 3, domain=domain)
    np.testing.assert_allclose(transport.pd.integrals(), 0.25, rtol=1e-8)


# ---- solves ----


def test_all_derivatives_in_space_are_those_of_geomot():
    positions = RNG(0).random((7, 3))
    pd = sdot.PowerDiagram(positions, np.zeros(7), domain_of(([0, 0, 0], [1, 1, 1]), coeff=2.0))
    rates = matrix(pd.der_centroids_and_integrals_wrt_weight_and_positions())
    rates = rates.reshape(7, 4, 7, 4)
    own = geomot.PowerDiagram(positions).derivatives()
    np.testing.assert_allclose(rates[:, 3, :, 3], 2 * own.masses_in_weights.toarray(), atol=1e-13)
    centroids = own.centroids_in_sites.toarray().reshape(7, 3, 7, 3)
    np.testing.assert_allclose(rates[:, :3, :, :3], centroids, atol=1e-12)


def test_solves_start_from_weights_that_leave_cells_empty():
    positions = RNG(0).random((20, 2))
    weights = np.zeros(20)
    weights[4] = -3.0
    ot = sdot.OptimalTransport(positions, weights)
    assert not ot.adjust_weights()
    assert ot.get_weights()[0] == 0.0
    np.testing.assert_allclose(ot.pd.integrals(), 1 / 20, rtol=1e-8)
    assert ot.delta_m[-1] <= 1e-9 / 20 and ot.solution.converged
    assert ot.dim() == 2 and ot.nb_diracs() == 20


def test_stopping_criteria():
    ot = sdot.OptimalTransport(RNG(0).random((30, 2)))
    ot.set_stopping_criterion(1e-3, "max delta masses")
    assert (ot.obj_max_dm, ot.obj_max_dw) == (1e-3, 0)
    assert not ot.adjust_weights()
    assert ot.delta_m[-1] <= 1e-3 and ot.solution.atol == 1e-3
    ot.set_stopping_criterion(0.0, "max delta weights")
    with pytest.raises(ValueError, match="obj_max_dw or obj_max_dm must be positive"):
        ot.adjust_weights()
    with pytest.raises(ValueError, match="type must be 'max delta masses' or"):
        ot.set_stopping_criterion(1e-3, "time")
    ot.set_stopping_criterion(1e-9, "max delta weights")
    ot.max_iter, ot.masses = 0, np.arange(1, 31) / 465
    with pytest.warns(geomot.ConvergenceWarning):
        assert ot.adjust_weights(np.zeros(30))


def test_masses_must_fit():
    ot = sdot.OptimalTransport(RNG(0).random((4, 2)), masses=np.full(4, 0.3))
    with pytest.raises(ValueError, match=r"masses must sum to the measure of the domain, 1, got 1"):
        ot.adjust_weights()


def test_replications_that_are_no_torus():
    positions = RNG(0).random((4, 2))
    ot = sdot.OptimalTransport(positions, None, domain_of(([-1, -1], [2, 2])), np.full(4, 0.25))
    ot.pd.add_replication([1.0, 0.0])
    with pytest.raises(NotImplementedError, match="replications must be all neighbouring"):
        ot.adjust_weights()
    ot.pd.add_replication([-1.0, 0.0])
    ot.set_domain(domain_of(([0, 0], [1, 1])))
    with pytest.raises(NotImplementedError, match="domain must contain the whole cells"):
        ot.adjust_weights()
    # a cylinder
    ot.set_domain(domain_of(([-1, 0], [2, 1])))
    assert not ot.adjust_weights()
    np.testing.assert_allclose(ot.pd.integrals(), 0.25, rtol=1e-8)
    with pytest.raises(NotImplementedError, match="periodic=True"):
        ot.pd.to_geomot()


# ---- files and pictures ----


def test_files_are_those_of_pysdot(tmp_path):
    domain = domain_of(([0, 0], [1, 1]), ([1, 0], [2, 1]), coeff=0.5)
    pd = sdot.PowerDiagram([[0.5, 0.5], [1.25, 0.5]], np.zeros(2), domain)
    path = tmp_path / "new" / "cells.vtk"
    pd.display_vtk(str(path), points=True, centroids=True)
    lines = path.read_text().splitlines()
    # three polygons in two pieces, two sites, two centroids
    assert "POINTS 19 double" in lines and "CELLS 7 26" in lines
    assert lines[lines.index("num 1 7 double") + 1] == "0 1 1 0 1 0 1"
    assert lines[lines.index("kind 1 7 double") + 1] == "0 0 0 1 1 2 2"
    cells, kinds, points = pd.vtk_mesh_data()
    assert kinds == [7, 7, 7] and len(points) == 36
    assert cells == [4, 0, 1, 2, 3, 4, 4, 5, 6, 7, 4, 8, 9, 10, 11]
    assert [len(part) for part in pd.cell_coordinates()] == [1, 2]
    domain.display_boundaries_vtk(str(tmp_path / "domain.vtk"))
    assert "CELLS 2 12" in (tmp_path / "domain.vtk").read_text()
    pd.display_vtk_points(str(tmp_path / "points.vtk"))
    assert "CELLS 2 4" in (tmp_path / "points.vtk").read_text()
    image = sdot.ScaledImage([0, 0], [1, 1], np.ones((2, 2)))
    image.display_boundaries_vtk(str(tmp_path / "image.vtk"))
    assert "CELLS 1 6" in (tmp_path / "image.vtk").read_text()


def test_files_in_space(tmp_path):
    meshio = pytest.importorskip("meshio")
    pd = sdot.PowerDiagram(RNG(0).random((3, 3)), np.zeros(3))
    pd.display_vtk(str(tmp_path / "cells.vtk"))
    mesh = meshio.read(tmp_path / "cells.vtk")
    assert sum(len(block.data) for block in mesh.cells) == sum(map(len, pd.cell_coordinates()))


def test_notebooks_show_the_diagram():
    assert "<svg" in sdot.PowerDiagram([[0.2, 0.5], [0.7, 0.5]]).display_jupyter()._repr_html_()


@pytest.mark.parametrize(
    ("call", "instead"),
    [
        (lambda pd: pd.centroids(0.5), "rand_ratio must be 0"),
        (lambda pd: pd.display_asy("a.asy"), "power_diagram"),
        (lambda pd: pd.image_integrals([0, 0], [1, 1], [2, 2]), "locate"),
        (lambda pd: pd.distances_from_boundaries([[0.5, 0.5]]), "to_shapely"),
        (lambda pd: sdot.TransportMap(pd.positions).show(), "power_diagram"),
        (lambda pd: sdot.ScaledImage([0, 0], [1, 1], np.ones((2, 2, 3))), "MeshDensity"),
        (lambda pd: sdot.ScaledImage([0, 0], [1, 1], -np.ones((2, 2))), "must not be negative"),
        (lambda pd: sdot.ScaledImage([0, 0], [1, 1], np.ones((2, 2)))._pieces(), "few boxes"),
    ],
)
def test_calls_that_are_not_supported_say_what_to_use(call, instead):
    with pytest.raises(NotImplementedError, match=instead):
        call(sdot.PowerDiagram([[0.2, 0.5], [0.7, 0.5]]))


def test_functions_without_derivatives_say_so():
    pd = sdot.PowerDiagram([[0.5, 0.5]], [0.04], None, radial_funcs.RadialFuncPpWmR2())
    with pytest.raises(NotImplementedError, match="der_integrals_wrt_weights has no exact"):
        pd.der_integrals_wrt_weights()
    pd = sdot.PowerDiagram([[0.5, 0.5, 0.5]], [0.04], None, RadialFuncInBall())
    with pytest.raises(NotImplementedError, match="has exact integrals in the plane only"):
        pd.integrals()
    ot = sdot.OptimalTransport([[0.5, 0.5]], radial_func=radial_funcs.RadialFuncR2())
    with pytest.raises(NotImplementedError, match="has no exact solves"):
        ot.adjust_weights()


def test_invalid_arguments():
    domain = sdot.ConvexPolyhedraAssembly()
    with pytest.raises(ValueError, match="domain must have at least one piece"):
        sdot.PowerDiagram([[0.5, 0.5]], None, domain).integrals()
    assert domain.measure() == 0.0
    with pytest.raises(TypeError, match="domain must be a ConvexPolyhedraAssembly"):
        sdot.PowerDiagram([[0.5, 0.5]], None, geomot.UniformBox.unit(2))
    domain.add_box([0, 0], [1, 1])
    with pytest.raises(ValueError, match="point must have 2 coordinates"):
        domain.coeff_at([0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="positions_and_normals must enclose a bounded region"):
        domain.add_convex_polyhedron([[0, 0, -1, 0], [0, 0, 0, -1]])
    with pytest.raises(ValueError, match="positions_and_normals must have normals that are not"):
        domain.add_convex_polyhedron([[0, 0, 0, 0], [0, 0, 0, -1], [0, 0, 1, 1]])
    with pytest.raises(ValueError, match="positions_and_normals must have 4 or 6 columns"):
        domain.add_convex_polyhedron([[0, 0, 0]])
    with pytest.raises(ValueError, match="img must have 2 axes"):
        domain.add_img([0, 0], [1, 1], [1.0, 2.0])
