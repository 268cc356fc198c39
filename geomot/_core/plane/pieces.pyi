from typing import Any

from numpy.typing import NDArray

class Pieces:
    def __init__(
        self, start: NDArray[Any], corners: NDArray[Any], values: NDArray[Any]
    ) -> None: ...
