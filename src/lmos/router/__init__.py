"""Which agent can answer a query: index, classifiers, clarification. Unaware of turns, stores and wires."""
