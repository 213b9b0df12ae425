"""Which node serves which tenant (to come)."""
