import numpy as np
from numpy.typing import ArrayLike, NDArray

GROUP_SIDE: int

def instructions() -> str: ...
def use_instructions(name: str) -> None: ...

class Winners:
    def __init__(self, m: int, runner: bool) -> None: ...
    @property
    def first(self) -> NDArray[np.int32]: ...
    @property
    def best(self) -> NDArray[np.float32]: ...
    @property
    def second(self) -> NDArray[np.int32]: ...
    @property
    def runner(self) -> NDArray[np.float32]: ...

class PointScores:
    n: int
    dim: int
    def __init__(self, sites: ArrayLike) -> None: ...
    def winners(
        self,
        points: ArrayLike,
        heights: ArrayLike,
        *,
        runner: bool = False,
        lead: NDArray[np.float32] | None = None,
        threads: int = 1,
    ) -> Winners: ...

class NearScores:
    n: int
    dim: int
    def __init__(self, sites: ArrayLike) -> None: ...
    def winners(
        self,
        points: ArrayLike,
        heights: ArrayLike,
        *,
        runner: bool = False,
        lead: NDArray[np.float32] | None = None,
        threads: int = 1,
    ) -> Winners: ...

class PairScores:
    n: int
    dim: int
    split: int
    def __init__(self, sites: ArrayLike, split: int) -> None: ...
    def winners(
        self,
        left: ArrayLike,
        right: ArrayLike,
        heights: ArrayLike,
        *,
        runner: bool = False,
        lead: NDArray[np.float32] | None = None,
        threads: int = 1,
    ) -> Winners: ...

class ExactSites:
    n: int
    dim: int
    n_tiles: int
    longest: float
    def __init__(self, sites: NDArray[np.float64], near: bool = False) -> None: ...
    def under(self, heights: NDArray[np.float64]) -> ExactScores: ...

class ExactScores:
    sites: ExactSites
    def __init__(self, sites: ExactSites, heights: NDArray[np.float64]) -> None: ...
    def largest(
        self,
        points: NDArray[np.float64],
        centre: NDArray[np.float64],
        factor: float,
        threads: int = 1,
    ) -> NDArray[np.int64]: ...

def add_points(
    points: NDArray[np.float32], labels: NDArray[np.int32], sums: NDArray[np.float64]
) -> None: ...
