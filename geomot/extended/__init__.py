"""The map between the sites: continuous, but for the singular set of the optimal map."""

from geomot.extended.map import ExtendedMap

__all__ = ["ExtendedMap"]
