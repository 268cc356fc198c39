import numpy as np
from numpy.typing import ArrayLike, NDArray

class EllipsoidDensity:
    def __init__(
        self, center: NDArray[np.float64], whitening: ArrayLike, radius: float, volume: float
    ) -> None: ...
