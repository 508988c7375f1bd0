"""What can be wrong with an agent as written. Raised while it is defined or loaded, never while it answers.

DefinitionError(ValueError)   an Agent, Capability or Tool is not valid; the message names field, value and fix
LoadError(ManifestError)      a file of agents cannot be used; the message names file and line
ToolError(Exception)          a call of a tool failed; the model reads the message and goes on
"""

from __future__ import annotations

from lmos.resources.manifest_errors import ManifestError
from lmos.resources.validation import Place, Problem

__all__ = ["DefinitionError", "LoadError", "ToolError"]


class DefinitionError(ValueError):
    """An Agent, Capability or Tool is not valid."""


class LoadError(ManifestError):
    """A file of agents cannot be used. Told among the problems of other manifests, or alone in one line."""

    def __init__(self, place: Place, message: str, fix: str = "") -> None:
        super().__init__([Problem((), None, message, fix, place=place)])

    def __str__(self) -> str:
        (problem,) = self.problems
        return f"{problem.place}: {problem.message}" + (f"; {problem.fix}" if problem.fix else "")


class ToolError(Exception):
    """A call of a tool failed. Raise it in a tool to tell the model why, without the exception's type before it."""
