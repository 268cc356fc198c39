"""Preconditioned conjugate gradients for symmetric CSR matrices, fused loops in fixed order.

Sequential sums keep the result independent of any thread count, which a BLAS would not.
"""

import numpy as np

from cpython.exc cimport PyErr_CheckSignals

from geomot._core.types cimport index_t


def conjugate_gradients(const double[::1] data, const index_t[::1] indices,
                        const index_t[::1] indptr, const double[::1] rhs,
                        const double[::1] scale, precondition, double rtol, Py_ssize_t max_iter):
    """Solve A x = rhs from x = 0 (Hestenes and Stiefel 1952).

    Parameters
    ----------
    data, indices, indptr : arrays
        A, positive definite on the span of what is met (a Laplacian, with rhs of mean zero).
    rhs : (n,) array
    scale : (n,) array
        Units of the residual's components.
    precondition : callable
        `precondition(r, z)` writes the preconditioned residual into z.
    rtol : float
        Stop when |r / scale| <= rtol |rhs / scale|.
    max_iter : int

    Returns
    -------
    x : (n,) array
    residual : float
        |r / scale| / |rhs / scale| reached.
    iterations : int
    """
    cdef Py_ssize_t n = rhs.shape[0], k, e, iteration
    cdef double[::1] x = np.zeros(n), r = np.array(rhs), z = np.zeros(n), p = np.zeros(n)
    cdef double[::1] ap = np.zeros(n)
    cdef double rz = 0.0, before, pap, alpha, beta = 0.0, rr = 0.0, rr0, s, v
    with nogil:
        for k in range(n):
            v = r[k] / scale[k]
            rr += v * v
    rr0 = rr
    if rr0 == 0.0:
        return np.asarray(x), 0.0, 0
    for iteration in range(1, max_iter + 1):
        PyErr_CheckSignals()
        precondition(r, z)
        with nogil:
            before = rz
            rz = 0.0
            for k in range(n):
                rz += r[k] * z[k]
            beta = rz / before if iteration > 1 else 0.0
            for k in range(n):
                p[k] = z[k] + beta * p[k]
            pap = 0.0
            for k in range(n):
                s = 0.0
                for e in range(indptr[k], indptr[k + 1]):
                    s += data[e] * p[indices[e]]
                ap[k] = s
                pap += s * p[k]
            if pap > 0.0:
                alpha = rz / pap
                rr = 0.0
                for k in range(n):
                    x[k] += alpha * p[k]
                    v = r[k] - alpha * ap[k]
                    r[k] = v
                    v /= scale[k]
                    rr += v * v
        if not pap > 0.0 or rr <= rtol * rtol * rr0:
            break
    return np.asarray(x), (rr / rr0) ** 0.5, iteration
