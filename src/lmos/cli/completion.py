"""`lmos --install-completion`: completes commands and options in the user's shell."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from lmos.cli.errors import CommandError

__all__ = ["install_completion"]

Shell = Literal["bash", "zsh", "fish"]


def install_completion(
    *, shell: Annotated[Shell | None, Parameter(show_default=False, help="The shell; this one when not given.")] = None
) -> None:
    """Install completion for a shell, and say where."""
    from cyclopts.completion.detect import ShellDetectionError

    from lmos.cli.main import build_app

    try:
        path = build_app().install_completion(shell=shell)
    except ShellDetectionError as error:
        raise CommandError(f"the shell is unknown: {error}", "name it with --shell bash, zsh or fish") from error
    print(f"completion installed in {path}; it works in the next shell")
