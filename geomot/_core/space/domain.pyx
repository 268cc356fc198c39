"""Convex polyhedra as domains of diagrams in space.

A domain is the intersection of half-spaces normal.x <= offset in doubles, which are exact as they
stand: a polyhedron given by its corners is what its rounded planes enclose.
"""

import numpy as np

from libc.math cimport fabs

from geomot._core.predicates cimport ROUNDOFF

# So far inside the border, relative to the diameter, is inside.
_MARGIN = 2.0**-28


cdef class Domain3D:
    """Convex polyhedron with an interior.

    Parameters
    ----------
    plane : (n, 4) array
        Normals, the largest component at most 1 in magnitude, and offsets.
    bounds : (2, 3) array
        Corners of a box around it.
    volume : float
    further : (p, 4) array, optional
        Planes that do not bound it: a density's, which follow its own in `plane`.
    """

    def __init__(self, plane, bounds, double volume, further=None):
        cdef Py_ssize_t k
        plane = np.ascontiguousarray(plane, dtype=np.float64)
        lower, upper = np.asarray(bounds, dtype=np.float64)
        self.plane = plane if further is None else np.concatenate([plane, further])
        self.n = len(plane)
        self.volume = volume
        self.diameter = float((upper - lower).max())
        centre = 0.5 * lower + 0.5 * upper
        for k in range(3):
            self.centre[k] = centre[k]
        normal, offset = plane[:, :3], plane[:, 3]
        local = np.empty((self.n, 5))
        local[:, :3] = normal
        local[:, 3] = offset - np.sum(normal * centre, axis=1)
        size = np.abs(offset) + np.sum(np.abs(normal * centre), axis=1)
        local[:, 4] = 8.0 * ROUNDOFF * size
        self.local = local
        self.slope = np.abs(normal).sum(axis=1)
        self.margin = _MARGIN * self.diameter
        room = (local[:, 3] - local[:, 4]) / np.sqrt(np.sum(normal**2, axis=1)) - self.margin
        self.safe_radius2 = float(room.min() ** 2) if room.min() > 0.0 else -1.0

    cdef bint surely_inside(self, const double* x, double error) noexcept nogil:
        """Is a point, given about the centre up to an error, inside by more than the margin?"""
        cdef Py_ssize_t k
        if not 8.0 * error < self.margin:
            return False
        if x[0] * x[0] + x[1] * x[1] + x[2] * x[2] < self.safe_radius2:
            return True
        for k in range(self.n):
            if not (self.local[k, 0] * x[0] + self.local[k, 1] * x[1] + self.local[k, 2] * x[2]
                    < self.local[k, 3] - self.margin):
                return False
        return True

    cdef bint surely_outside(self, const double* x, double error) noexcept nogil:
        """Is a point, given about the centre up to an error, outside for certain?"""
        cdef Py_ssize_t k
        cdef double value, size
        for k in range(self.n):
            value = self.local[k, 0] * x[0] + self.local[k, 1] * x[1] + self.local[k, 2] * x[2]
            size = fabs(x[0]) + fabs(x[1]) + fabs(x[2])
            if value - self.local[k, 3] > (self.slope[k] * error + self.local[k, 4]
                                           + 8.0 * ROUNDOFF * (size + fabs(self.local[k, 3]))):
                return True
        return False
