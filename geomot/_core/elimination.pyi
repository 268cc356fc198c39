import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

class Elimination:
    def __init__(
        self,
        n: int,
        edges: NDArray[np.int64],
        conductances: FloatArray,
        order: NDArray[np.int64],
    ) -> None: ...
    def solve(self, rhs: FloatArray, rhs_low: FloatArray) -> tuple[FloatArray, FloatArray]: ...

def excess(
    edges: NDArray[np.int64],
    conductances: FloatArray,
    x: FloatArray,
    x_low: FloatArray,
    rhs: FloatArray,
) -> tuple[FloatArray, FloatArray]: ...
