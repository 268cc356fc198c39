"""Cells in the formats of other packages, all of which are optional, and as pictures."""
