"""Options that several commands share, so that `-n` or `-o` means the same everywhere.

Defaults of `--data` and `--namespace` are those of `lmos.settings.Settings` (a test compares): reading them here keeps
short commands from loading it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final, Literal

from cyclopts import Parameter

__all__ = [
    "DEFAULT_DATA",
    "DEFAULT_NAMESPACE",
    "AllNamespaces",
    "Data",
    "Filenames",
    "ListFormat",
    "Namespace",
    "ReportFormat",
    "Selector",
    "namespace_or_default",
]

DEFAULT_DATA: Final = Path(".lmos")
DEFAULT_NAMESPACE: Final = "default"

Data = Annotated[
    Path,
    Parameter(name="--data", env_var="LMOS_DATA", help="Data folder of the platform; need not be running."),
]
Namespace = Annotated[
    str | None,
    Parameter(
        name=["--namespace", "-n"],
        help=f"Namespace of the objects; when not given `LMOS_NAMESPACE`, else `{DEFAULT_NAMESPACE}`, on a cluster the "
        "context's.",
        show_default=False,
    ),
]
AllNamespaces = Annotated[
    bool, Parameter(name=["--all-namespaces", "-A"], negative="", show_default=False, help="Look in all namespaces.")
]
Filenames = Annotated[
    tuple[str, ...],
    Parameter(
        name=["--filename", "-f"],
        negative="",
        allow_leading_hyphen=True,  # `-` is standard input
        show_default=False,
        help="Manifest: a file, a folder, or `-` for standard input. May be given several times.",
    ),
]
Selector = Annotated[
    str,
    Parameter(
        name=["--selector", "-l"],
        show_default=False,
        help="Only objects with these labels: `key=value`, `key!=value`, `key`, `!key`, `key in (a,b)`, "
        "joined by commas.",
    ),
]
ListFormat = Annotated[
    Literal["table", "wide", "json", "yaml", "name"], Parameter(name=["--output", "-o"], help="Output format.")
]
ReportFormat = Annotated[Literal["table", "json", "yaml"], Parameter(name=["--output", "-o"], help="Output format.")]


def namespace_or_default(given: str | None) -> str:
    """The namespace that `-n` named, else the environment's, else `default`."""
    return given or os.environ.get("LMOS_NAMESPACE") or DEFAULT_NAMESPACE
