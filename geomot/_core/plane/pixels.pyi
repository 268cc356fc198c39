from typing import Any

from numpy.typing import NDArray

class Pixels:
    def __init__(self, values: NDArray[Any], lower: NDArray[Any], upper: NDArray[Any]) -> None: ...
