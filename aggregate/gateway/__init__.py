"""The gRPC surface of a node: decode, tenant, deadline, trace; the handler; receipt or status."""
