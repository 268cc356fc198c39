"""Compiled kernels: exact signs, regular triangulations, cells. Use them through geomot._power."""
