"""What a command says when it cannot do what was asked: one line on stderr, the fix below it, exit code 1.

Commands raise `CommandError`, or let the errors of the rooms below pass: `expected` knows their families by name, so
that nothing heavy is imported for an error that was never raised.
"""

from __future__ import annotations

import os
import sys
from typing import Final

__all__ = ["EXPECTED", "CommandError", "expected", "explain"]

DEBUG_VARIABLE: Final = "LMOS_DEBUG"

# Faults of input, environment or peers: a traceback would tell the user nothing. `module:class`, subclasses included.
EXPECTED: Final = (
    "lmos.cli.errors:CommandError",
    "lmos.resources.manifest_errors:ManifestError",
    "lmos.operator.base:StoreError",
    "lmos.database.base:DatabaseError",
    "lmos.agents.errors:DefinitionError",
    "lmos.models.base:ModelError",
    "lmos.encoders.base:EncoderError",
    "lmos.router.base:ClassifierError",
    "lmos.router.evaluation.data:DataError",
    "lmos.conversation.errors:TurnError",
    "lmos.server.serve:PortInUse",
    "lmos.server.tls:BadCertificate",
    "lmos.telemetry.export:CannotExport",
    "lmos.server.folder:DataFolderInUse",
    "builtins:OSError",
)


class CommandError(Exception):
    """A command cannot do what was asked. `fix` says what to do about it."""

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix


def expected(error: BaseException) -> bool:
    """Whether `error` is of a known family. One that was raised has its module loaded."""
    for path in EXPECTED:
        module, _, name = path.partition(":")
        family = getattr(sys.modules.get(module), name, None)
        if family is not None and isinstance(error, family):
            return True
    return False


def explain(error: BaseException) -> str:
    """The lines for stderr, without line end."""
    if isinstance(error, OSError):
        return f"error: {_os_error(error)}"
    if not expected(error):
        hint = f"set {DEBUG_VARIABLE}=1 to see where, and please report it"
        return f"error: unexpected {type(error).__name__}: {_first_line(error)}\n  fix: {hint}"
    fix = error.fix if isinstance(error, CommandError) else ""
    return f"error: {error}" + (f"\n  fix: {fix}" if fix else "")


def _os_error(error: OSError) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    name = error.filename
    return reason if name is None else f"{os.fsdecode(name) if isinstance(name, (str, bytes)) else name}: {reason}"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or ["no message"])[0]
