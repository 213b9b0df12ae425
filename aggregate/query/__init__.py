"""Projections and queries (to come)."""
