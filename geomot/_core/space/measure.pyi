from typing import Any

class Uniform3D:
    def __init__(self, value: float) -> None: ...

class Blend3D:
    def __init__(self, density: Any, uniform: Uniform3D, share: float) -> None: ...
