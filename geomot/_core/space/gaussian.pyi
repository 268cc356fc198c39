from numpy.typing import ArrayLike

class NormalDensity:
    def __init__(self, mean: ArrayLike, factor: ArrayLike, volume: float) -> None: ...
