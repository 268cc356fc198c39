from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

class Pixels:
    def __init__(
        self,
        values: NDArray[Any],
        lower: NDArray[Any],
        upper: NDArray[Any],
        repeats: Sequence[int] = (1, 1),
    ) -> None: ...
