"""Figures of diagrams, potentials, maps and solves, with matplotlib.

Every function draws on `ax`, one Axes (`transport_map` on `axes`, two), or makes a figure in the
style of `style`. It returns the artists as a `Drawing`, passes further keywords on to the main one,
and changes of the axes only what the user has not set: limits grow, labels stay. Titles, sizes and
files are left to the caller. Artists follow light and dark backgrounds; the colours can be told
apart with the usual forms of colour blindness; what would make a vector file large is stored in it
as pixels.

`convergence`, `mass_errors` and `site_cloud` work in any dimension, `power_diagram` up to space,
`solid_cells` and `planar_cut` in space, `brenier_potential` and `source_density` on the line and in
the plane, `monotone_map` and `distribution_functions` on the line; what else draws cells needs a
diagram in the plane. `scene` is a plotter of PyVista in place of axes.
"""

from geomot.plotting._classes import class_colors, class_names
from geomot.plotting._drawing import Drawing
from geomot.plotting._rc import style
from geomot.plotting.densities import source_density
from geomot.plotting.diagrams import power_diagram, site_cloud
from geomot.plotting.images import image_grid
from geomot.plotting.line import distribution_functions, monotone_map
from geomot.plotting.maps import permutation, singular_set, transport_map, transport_plan
from geomot.plotting.polytopes import polytope
from geomot.plotting.potentials import brenier_contours, brenier_potential
from geomot.plotting.scenes import scene
from geomot.plotting.solves import convergence, mass_errors
from geomot.plotting.space import planar_cut, solid_cells

__all__ = [
    "Drawing",
    "brenier_contours",
    "brenier_potential",
    "class_colors",
    "class_names",
    "convergence",
    "distribution_functions",
    "image_grid",
    "mass_errors",
    "monotone_map",
    "permutation",
    "planar_cut",
    "polytope",
    "power_diagram",
    "scene",
    "singular_set",
    "site_cloud",
    "solid_cells",
    "source_density",
    "style",
    "transport_map",
    "transport_plan",
]
