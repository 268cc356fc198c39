import numpy as np
from numpy.typing import NDArray

def first_equal(points: NDArray[np.float64]) -> NDArray[np.int64] | None: ...
