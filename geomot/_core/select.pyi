import numpy as np
from numpy.typing import NDArray

def largest(
    table: NDArray[np.float32], k: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]: ...
