"""Arithmetic as the kernels do it, for `geomot.diagnostics`: compiled like them, with their flags.

Exact signs rest on error-free transformations (Dekker 1971; Knuth 1969): the rounding error of a
sum or a product is itself a float64, and a few operations compute it.  That holds for IEEE 754
arithmetic, rounded to nearest, with gradual underflow, compiled as written.  The arguments of these
functions are known at run time only, so that no compiler computes the results in advance.
"""

from geomot._core.predicates cimport two_product, two_sum


def summed(double a, double b):
    """a + b rounded, and its error: together exactly a + b."""
    cdef double s, e
    two_sum(a, b, &s, &e)
    return s, e


def multiplied(double a, double b):
    """a * b rounded, and its error: together exactly a * b."""
    cdef double p, e
    two_product(a, b, &p, &e)
    return p, e


# One expression for each function: compilers fuse a product with one sum rather than with several.

def product_plus(double a, double b, double c):
    """a * b + c, rounded twice."""
    return a * b + c


def product_minus(double a, double b, double c):
    """a * b - c, rounded twice."""
    return a * b - c


def minus_product(double a, double b, double c):
    """c - a * b, rounded twice."""
    return c - a * b


def sum_minus(double a, double b, double c):
    """(a + b) - c, rounded twice."""
    return (a + b) - c


def simple(double a, double b):
    """a + b, a - b, a * b and a / b."""
    return a + b, a - b, a * b, a / b
