from typing import Any

from numpy.typing import NDArray

class Tetrahedra:
    def __init__(
        self,
        corners: NDArray[Any],
        values: NDArray[Any],
        planes: NDArray[Any],
        faces: NDArray[Any],
    ) -> None: ...
