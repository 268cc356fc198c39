"""Ctrl-C in kernels that run without the interpreter's lock.

A kernel asks `interrupted` every few milliseconds, frees its scratch if so and returns a status;
the function that called it raises.  Python delivers signals to the main thread only: other threads
that work for the same call are told by a flag, which they `watch`.
"""

import threading

from geomot._core.status cimport INTERRUPTED, NO_MEMORY

cdef extern from "Python.h":
    # without cpython.exc's "except -1": the exception must stay set while scratch is freed
    int PyErr_CheckSignals() noexcept
    void PyErr_SetNone(object) noexcept

# Flag, a list of one truth value, of each thread that watches one.
cdef dict watched = {}


def watch(list flag):
    """Let kernels of this thread end as soon as flag[0] is true."""
    watched[threading.get_ident()] = flag


def unwatch():
    """Undo `watch`."""
    watched.pop(threading.get_ident(), None)


cdef bint interrupted() noexcept nogil:
    """Has a signal's handler raised, or the flag of this thread been set?  The exception is set:
    free scratch, then return to a function that raises it."""
    with gil:
        if PyErr_CheckSignals() != 0:
            return True
        if watched:
            flag = watched.get(threading.get_ident())
            if flag is not None and flag[0]:
                PyErr_SetNone(KeyboardInterrupt)
                return True
        return False


cdef int raise_pending() except -1:
    """Raise the exception that `interrupted` has left."""
    return -1


cdef int raise_for(int status, str memory) except -1:
    """Raise what a kernel's status stands for; `memory` says what did not fit into memory."""
    if status == INTERRUPTED:
        return -1
    if status == NO_MEMORY:
        raise MemoryError(memory)
    return 0


# ---- wrapper for tests ----

def _look():
    """Raise if there is an interrupt, as a kernel does."""
    if interrupted():
        raise_pending()
