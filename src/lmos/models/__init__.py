"""Language models by name. `base` holds the port; pydantic-ai stays behind this room and `agents/engine.py`."""
