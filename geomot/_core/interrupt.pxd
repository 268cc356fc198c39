"""Ctrl-C in kernels that run without the interpreter's lock."""

cdef bint interrupted() noexcept nogil
cdef int raise_pending() except -1
cdef int raise_for(int status, str memory) except -1
