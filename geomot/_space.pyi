from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geomot._facets import Facets

class SpaceSites:
    def __init__(
        self,
        sites: NDArray[np.float64],
        planes: NDArray[np.float64],
        bounds: NDArray[np.float64],
        *,
        density: Callable[[float], Any] | None = None,
        volume: float | None = None,
        boxed: bool = False,
    ) -> None: ...
    def diagram(
        self,
        weights: NDArray[np.float64],
        weights_low: NDArray[np.float64] | None = None,
        *,
        threads: int = 1,
    ) -> SpaceDiagram: ...

class SpaceDiagram:
    # In the caller's order of sites; the domain's mass is 1.
    @property
    def masses(self) -> NDArray[np.float64]: ...
    @property
    def centroids(self) -> NDArray[np.float64]: ...
    @property
    def costs(self) -> NDArray[np.float64]: ...
    @property
    def empty(self) -> NDArray[np.bool_]: ...
    # (n, 6): lower and upper corner of each cell, NaN where it is empty; for sites that are boxed.
    @property
    def boxes(self) -> NDArray[np.float64]: ...
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
    ) -> tuple[
        NDArray[np.float64],
        NDArray[np.int64],
        NDArray[np.int64],
        NDArray[np.int64],
        NDArray[np.int64],
    ]: ...
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
