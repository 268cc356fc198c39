"""Which cell a point lies in: scores, their largest, and where they are computed."""
