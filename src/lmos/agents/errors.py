"""What can be wrong with an agent as written. Raised while it is defined or loaded, never while it answers.

DefinitionError(ValueError)   an Agent, Capability or Tool is not valid; the message names field, value and fix
LoadError(Exception)          a file of agents cannot be used; the message names file and line
ToolError(Exception)          a call of a tool failed; the model reads the message and goes on
"""

from __future__ import annotations

__all__ = ["DefinitionError", "LoadError", "ToolError"]


class DefinitionError(ValueError):
    """An Agent, Capability or Tool is not valid."""


class LoadError(Exception):
    """A file of agents cannot be used."""


class ToolError(Exception):
    """A call of a tool failed. Raise it in a tool to tell the model why, without the exception's type before it."""
