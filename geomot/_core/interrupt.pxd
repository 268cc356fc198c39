"""Ctrl-C in kernels that run without the interpreter's lock."""

cdef enum:
    INTERRUPTED = -2        # status of a kernel that found an interrupt; the exception is set

cdef bint interrupted() noexcept nogil
cdef int raise_pending() except -1
