import numpy as np
from numpy.typing import NDArray

def _orient3(
    a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64], d: NDArray[np.float64]
) -> int: ...
def _power3(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    c: NDArray[np.float64],
    d: NDArray[np.float64],
    p: NDArray[np.float64],
) -> int: ...
def _compare_power3(
    a: NDArray[np.float64], b: NDArray[np.float64], q: NDArray[np.float64]
) -> int: ...
