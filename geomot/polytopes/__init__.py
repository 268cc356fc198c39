"""Convex polytopes of Minkowski's and Alexandrov's problems.

`minkowski` finds the bounded convex polytope whose facets have given normals and areas, and
`alexandrov` the convex surface over a domain whose facets have given normals and projections of
given masses: the graph of a Brenier potential. `graph_polytope` closes the graph of any diagram or
solution. Both rest on exact power diagrams: see Lei et al., "A Geometric View of Optimal
Transportation and Generative Model" (2017), section 4.

Examples
--------
>>> from geomot.polytopes import minkowski
>>> triangle = minkowski([(1, 0), (0, 1), (-1, -1)], [1, 1, 2**0.5])
>>> round(triangle.volume, 12)
0.5
"""

from geomot.polytopes.graph import AlexandrovSolution, alexandrov, graph_polytope
from geomot.polytopes.minkowski import MinkowskiSolution, minkowski
from geomot.polytopes.polytope import Polytope

__all__ = [
    "AlexandrovSolution",
    "MinkowskiSolution",
    "Polytope",
    "alexandrov",
    "graph_polytope",
    "minkowski",
]
