from typing import Any

from numpy.typing import ArrayLike, NDArray

class GaussianDensity:
    def __init__(
        self, means: NDArray[Any], whitenings: NDArray[Any], shares: ArrayLike, area: float
    ) -> None: ...
