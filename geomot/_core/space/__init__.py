"""Kernels in space."""
