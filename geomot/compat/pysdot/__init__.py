"""The interface of pysdot 0.2.16, computed by geomot.

A script for pysdot runs after changing its imports: ``from geomot.compat.pysdot import
PowerDiagram`` in place of ``from pysdot import PowerDiagram``, and so for ``pysdot.domain_types``
and ``pysdot.radial_funcs``. Names, arguments, signs and units are those of pysdot: integrals are in
units of the domain's measure (densities are not normalised), centroids of empty cells are 0, images
are indexed ``img[y, x]``, and the derivatives of masses are those in the weights. Calls that geomot
cannot answer exactly raise a `NotImplementedError` that says what to use. ``docs/pysdot.md`` lists
every call.
"""

from __future__ import annotations

from geomot.compat.pysdot import domain_types, radial_funcs
from geomot.compat.pysdot._diagram import DerResult, PowerDiagram
from geomot.compat.pysdot._transport import (
    BadInitialGuess,
    OptimalTransport,
    TransportMap,
    find_transport_map,
)
from geomot.compat.pysdot.domain_types import ConvexPolyhedraAssembly, ScaledImage

__all__ = [
    "BadInitialGuess",
    "ConvexPolyhedraAssembly",
    "DerResult",
    "OptimalTransport",
    "PowerDiagram",
    "ScaledImage",
    "TransportMap",
    "domain_types",
    "find_transport_map",
    "radial_funcs",
]
