"""How a kernel that runs without the interpreter's lock ended."""


cdef enum Status:
    OK = 0
    NO_MEMORY = -1
    INTERRUPTED = -2        # by Ctrl-C; the exception is set
