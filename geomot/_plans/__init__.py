"""Exact plans between discrete measures, and their certificates."""
