from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

def conjugate_gradients(
    data: NDArray[np.float64],
    indices: NDArray[np.int32],
    indptr: NDArray[np.int32],
    rhs: NDArray[np.float64],
    scale: NDArray[np.float64],
    precondition: Callable[..., object],
    rtol: float,
    max_iter: int,
) -> tuple[NDArray[np.float64], float, int]: ...
