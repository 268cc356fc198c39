"""Exact solves and diagrams on the line."""
