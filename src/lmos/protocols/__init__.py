"""Wires: types, client and server adapter of each protocol. They translate and decide nothing."""
