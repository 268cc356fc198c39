"""Exact solves by Newton's method on power diagrams."""
