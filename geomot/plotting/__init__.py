"""Figures of diagrams, potentials and maps, with matplotlib.

Every function takes `ax=None` (then it makes a figure with pyplot) and returns the axes it drew on;
titles, sizes and files are left to the caller. Each set of cells is a single collection, so that
100 000 cells take seconds, and what has many parts is rasterised inside vector files. The colours
can be told apart with the usual forms of colour blindness. `style` is how figures of geomot look,
for axes of one's own as well.

`convergence`, `mass_errors` and `site_cloud` work in any dimension; what draws cells needs a
diagram in the plane.
"""

from geomot.plotting._classes import class_colors
from geomot.plotting._rc import style
from geomot.plotting.diagrams import power_diagram, site_cloud
from geomot.plotting.images import image_grid
from geomot.plotting.maps import permutation, singular_set, transport_map, transport_plan
from geomot.plotting.potentials import brenier_contours, brenier_potential
from geomot.plotting.solves import convergence, mass_errors

__all__ = [
    "brenier_contours",
    "brenier_potential",
    "class_colors",
    "convergence",
    "image_grid",
    "mass_errors",
    "permutation",
    "power_diagram",
    "singular_set",
    "site_cloud",
    "style",
    "transport_map",
    "transport_plan",
]
