"""Desired state: resolver, plan, reconcilers, stores the REST API. Unaware of queries and turns."""
