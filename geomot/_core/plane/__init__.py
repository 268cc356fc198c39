"""Kernels of the plane: triangulation, cells, what they measure, location, insertion."""
