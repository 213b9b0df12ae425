"""Aggregate: a multi-tenant, event-sourced aggregate node."""
