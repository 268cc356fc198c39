from typing import Any

class Uniform:
    def __init__(self, value: float) -> None: ...

class Blend:
    def __init__(self, density: Any, uniform: Uniform, share: float) -> None: ...
