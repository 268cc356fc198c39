"""Scripts for pysdot: each takes the package, or what stands in for it, and returns numbers.

`data/make_pysdot.py` runs them with pysdot 0.2.16 and stores what they return.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array


def matrix(result):
    arrays = result.m_values, result.m_columns.astype(int), result.m_offsets.astype(int)
    return csr_array(arrays).toarray()


def box_with_weights(sdot):
    rng = np.random.default_rng(0)
    domain = sdot.ConvexPolyhedraAssembly()
    domain.add_box([0, 0], [2, 1], 3.0)
    positions = rng.random((12, 2)) * [2, 1]
    pd = sdot.PowerDiagram(positions, 0.03 * rng.random(12), domain)
    der = pd.der_integrals_wrt_weights()
    both = pd.der_centroids_and_integrals_wrt_weight_and_positions()
    found = {
        "measure": domain.measure(),
        "coeffs": [domain.coeff_at([0.5, 0.5]), domain.coeff_at([5.0, 0.5])],
        "integrals": pd.integrals(),
        "centroids": pd.centroids(),
        "moments": pd.second_order_moments(),
        "der": matrix(der),
        "der_offsets": der.m_offsets,
        "der_error": der.error,
        "der_columns": der.m_columns,
        "der_values": der.v_values,
        "der_both": matrix(both),
        "der_both_values": both.v_values,
    }
    # an empty cell
    weights = pd.get_weights().copy()
    weights[3] -= 5.0
    pd.set_weights(weights)
    found |= {"some_integrals": pd.integrals(), "some_centroids": pd.centroids()}
    found["void"] = pd.der_integrals_wrt_weights(stop_if_void=True).error
    # another domain: no weights
    pd = sdot.PowerDiagram(positions / 2.0)
    return found | {"plain": pd.integrals(), "plain_weights": pd.weights}


def image_density(sdot):
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:12, 0:16]
    image = 0.2 + np.exp(-((x - 5) ** 2 + (y - 7) ** 2) / 9.0)
    domain = sdot.ScaledImage([0, 0], [4, 3], image)
    positions = rng.random((25, 2)) * [4, 3]
    pd = sdot.PowerDiagram(positions, 0.1 * rng.random(25), domain)
    found = {
        "measure": domain.measure(),
        "coeffs": [domain.coeff_at(p) for p in ([0.1, 0.1], [3.9, 0.1], [0.1, 2.9])],
        "corners": [domain.min_position(), domain.max_position()],
        "integrals": pd.integrals(),
        "centroids": pd.centroids(),
        "moments": pd.second_order_moments(),
        "der": matrix(pd.der_integrals_wrt_weights()),
    }
    # blue noise, as in pysdot's examples
    ot = sdot.OptimalTransport(positions, np.zeros(25), domain, obj_max_dw=1e-9)
    for step in range(3):
        found[f"failed_{step}"] = ot.adjust_weights(np.zeros(25))
        ot.set_positions(ot.get_centroids())
        found[f"positions_{step}"] = ot.get_positions()
    return found | {"weights": ot.get_weights(), "masses": ot.get_masses(), "n": ot.nb_diracs()}


def assembly(sdot):
    rng = np.random.default_rng(2)
    positions = rng.random((15, 2)) * [2, 1]
    domain = sdot.ConvexPolyhedraAssembly()
    domain.add_box([0, 0], [1, 1])
    domain.add_box([0.5, 0], [2, 1], 2.0)
    domain.sub_box([0.2, 0.2], [0.4, 0.4])
    pd = sdot.PowerDiagram(positions, 0.05 * rng.random(15), domain)
    found = {
        "measure": domain.measure(),
        "coeffs": [domain.coeff_at([0.7, 0.5]), domain.coeff_at([0.3, 0.3])],
        "corners": [domain.min_position(), domain.max_position()],
        "integrals": pd.integrals(),
        "centroids": pd.centroids(),
        "moments": pd.second_order_moments(),
        "der": matrix(pd.der_integrals_wrt_weights()),
    }
    ot = sdot.OptimalTransport(positions, np.zeros(15), domain)
    ot.set_masses(domain.measure() * np.arange(1, 16) / 120)
    ot.set_stopping_criterion(1e-10, "max delta masses")
    found |= {"failed": ot.adjust_weights(), "weights": ot.get_weights()}
    # polygons by their corners and the normals of the sides that begin there
    pieces = sdot.ConvexPolyhedraAssembly()
    pieces.add_convex_polyhedron([[0, 0, 0, -1], [1, 0, 1, 1], [0, 1, -1, 0]])
    pieces.add_convex_polyhedron([[0, 1, -1, -1], [2, -1, 1, 0], [2, 1, 0, 1]], 0.5)
    pd = sdot.PowerDiagram(positions, np.zeros(15), pieces)
    found |= {"pieces": pieces.measure(), "pieces_integrals": pd.integrals()}
    found |= {"pieces_centroids": pd.centroids()}
    image = sdot.ConvexPolyhedraAssembly()
    image.add_img([0, 0], [2, 1], np.arange(1.0, 7.0).reshape(2, 3))
    pd.set_domain(image)
    return found | {"image": image.measure(), "image_integrals": pd.integrals()}


def balls(sdot):
    rng = np.random.default_rng(3)
    positions = rng.random((14, 2))
    domain = sdot.ConvexPolyhedraAssembly()
    domain.add_box([0, 0], [1, 1])
    weights = 0.03 * rng.random(14)
    in_ball = sdot.radial_funcs.RadialFuncInBall()
    pd = sdot.PowerDiagram(positions, weights, domain, in_ball)
    found = {
        "integrals": pd.integrals(),
        "centroids": pd.centroids(),
        "moments": pd.second_order_moments(),
        "der": matrix(pd.der_integrals_wrt_weights()),
    }
    for name in ("RadialFuncPpWmR2", "RadialFuncR2"):
        arguments = (0.1,) if name == "RadialFuncR2" else ()
        function = getattr(sdot.radial_funcs, name)(*arguments)
        pd = sdot.PowerDiagram(positions, weights, domain, function)
        found[name] = pd.integrals()
    # a crowd: everybody takes the same room
    ot = sdot.OptimalTransport(
        positions, np.full(14, 1e-4), domain, np.full(14, 0.02), in_ball, obj_max_dw=1e-10
    )
    found |= {"failed": ot.adjust_weights(), "weights": ot.get_weights()}
    found["crowd"] = ot.get_centroids()
    # two boxes; pysdot forgets their densities where a ball lies within its cell
    halves = sdot.ConvexPolyhedraAssembly()
    halves.add_box([0, 0], [0.5, 1], 2.0)
    halves.add_box([0.5, 0], [1, 1], 0.5)
    pd = sdot.PowerDiagram(positions, weights + 0.02, halves, in_ball)
    return found | {"halves": pd.integrals(), "halves_der": matrix(pd.der_integrals_wrt_weights())}


def periodic(sdot):
    rng = np.random.default_rng(4)
    positions = rng.random((9, 2))
    domain = sdot.ConvexPolyhedraAssembly()
    domain.add_box([-1, -1], [2, 2], 2.0)
    shifts = [[x, y] for x in (-1.0, 0.0, 1.0) for y in (-1.0, 0.0, 1.0) if x or y]
    pd = sdot.PowerDiagram(positions, 0.02 * rng.random(9), domain, replications=[])
    for shift in shifts:
        pd.add_replication(np.array(shift))
    found = {
        "integrals": pd.integrals(),
        "centroids": pd.centroids(),
        "moments": pd.second_order_moments(),
        "der": matrix(pd.der_integrals_wrt_weights()),
    }
    # clipped to one period: cells at the border are not whole
    unit = sdot.ConvexPolyhedraAssembly()
    unit.add_box([0, 0], [1, 1])
    pd.set_domain(unit)
    found |= {"clipped": pd.integrals(), "clipped_der": matrix(pd.der_integrals_wrt_weights())}
    ot = sdot.OptimalTransport(positions, np.zeros(9), domain, np.full(9, 2.0 / 9))
    for shift in shifts:
        ot.pd.add_replication(np.array(shift))
    return found | {"failed": ot.adjust_weights(), "weights": ot.get_weights()}


def space(sdot):
    rng = np.random.default_rng(5)
    positions = rng.random((10, 3)) * [1, 1, 2]
    domain = sdot.ConvexPolyhedraAssembly()
    domain.add_box([0, 0, 0], [1, 1, 2], 1.5)
    pd = sdot.PowerDiagram(positions, 0.02 * rng.random(10), domain)
    found = {
        "integrals": pd.integrals(),
        "centroids": pd.centroids(),
        "der": matrix(pd.der_integrals_wrt_weights()),
    }
    transport = sdot.find_transport_map(positions, None, np.zeros(10), domain)
    return found | {"weights": transport.pd.get_weights(), "masses": transport.masses}


SCRIPTS = {
    script.__name__: script
    for script in (box_with_weights, image_density, assembly, balls, periodic, space)
}
