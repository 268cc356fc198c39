from typing import Any

from numpy.typing import NDArray

class Voxels:
    def __init__(
        self, values: NDArray[Any], edges: list[NDArray[Any]], copies: int = 1
    ) -> None: ...
