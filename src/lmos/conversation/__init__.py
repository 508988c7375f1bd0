"""Messages, turns, events and errors: the language in which runtime, agents, wires and surfaces speak. Pure."""
