import numpy as np
from numpy.typing import NDArray

def laplacian(
    n: int, edges: NDArray[np.int64], conductance: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int32]]: ...
