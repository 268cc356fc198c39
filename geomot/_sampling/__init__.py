"""Solves in any dimension by stochastic approximation from samples."""
