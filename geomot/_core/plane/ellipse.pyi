from typing import Any

from numpy.typing import NDArray

class EllipseDensity:
    def __init__(
        self, center: NDArray[Any], whitening: NDArray[Any], radius: float, area: float
    ) -> None: ...
