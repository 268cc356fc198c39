from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geomot._facets import Facets

BOUNDS_CHECKED: bool

class PlaneSites:
    def __init__(
        self,
        sites: NDArray[np.float64],
        polygon: NDArray[np.float64],
        density: Callable[[float], Any] | None = None,
        boxed: bool = False,
    ) -> None: ...
    def diagram(
        self,
        weights: NDArray[np.float64],
        weights_low: NDArray[np.float64] | None = None,
        *,
        threads: int = 1,
    ) -> PlaneDiagram: ...

class PlaneDiagram:
    # In the caller's order of sites; the domain's mass is 1.
    @property
    def masses(self) -> NDArray[np.float64]: ...
    @property
    def centroids(self) -> NDArray[np.float64]: ...
    @property
    def costs(self) -> NDArray[np.float64]: ...
    @property
    def empty(self) -> NDArray[np.bool_]: ...
    # (n, 4): lower and upper corner of each cell, NaN where it is empty; for sites that are boxed.
    @property
    def boxes(self) -> NDArray[np.float64]: ...
    # Integrals along the arcs that end cells; for densities whose cells may have some.
    @property
    def arcs(self) -> NDArray[np.float64]: ...
    # (n, 4): integrals along them of the cosine and the sine of the direction from the site, and of
    # those of twice the direction.
    @property
    def turns(self) -> NDArray[np.float64]: ...
    # Sites without a cell that lie on facets of others.
    @property
    def flat(self) -> NDArray[np.int32]: ...
    @property
    def facets(self) -> Facets: ...
    def facet_moments(
        self, *, threads: int = 1
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...
    def cells(
        self, *, threads: int = 1
    ) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]: ...
    def cells_in_part(
        self,
        part: NDArray[np.float64],
        inner: NDArray[np.bool_],
        chosen: NDArray[np.bool_],
        *,
        threads: int = 1,
    ) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]: ...
    def simplices(self) -> NDArray[np.int64]: ...
    def locate(self, points: NDArray[np.float64], *, threads: int = 1) -> NDArray[np.int64]: ...
    def insert(
        self,
        points: NDArray[np.float64],
        masses: NDArray[np.float64],
        own: NDArray[np.integer] | None = None,
        *,
        threads: int = 1,
    ) -> NDArray[np.float64]: ...

def hilbert_order(
    points: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]: ...
def coincident(
    points: NDArray[np.float64], keys: NDArray[np.uint64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]: ...
