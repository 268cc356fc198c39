from typing import Any

from numpy.typing import NDArray

def _disk_in_polygon(
    corners: NDArray[Any], x: float, y: float, radius: float
) -> tuple[float, ...]: ...
