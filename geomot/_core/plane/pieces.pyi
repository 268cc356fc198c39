from typing import Any

import numpy as np
from numpy.typing import NDArray

class Pieces:
    def __init__(
        self,
        start: NDArray[Any],
        corners: NDArray[Any],
        values: NDArray[Any],
        outer: NDArray[np.bool_],
    ) -> None: ...
