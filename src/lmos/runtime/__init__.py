"""One turn, start to end: routing table, classification, dispatch to agents, turn log. Surfaces project its events."""
