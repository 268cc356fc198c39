"""Types shared by the kernels."""

# Vertices and triangles: 32 bits halve the memory traffic of the mesh, the bound of the plane core.
ctypedef int index_t
