"""The SDK: `Agent`, `Capability`, tools, the engine that runs them, and serving them over ARC."""
