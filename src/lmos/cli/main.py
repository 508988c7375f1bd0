"""The command `lmos`: registers subcommands without loading them, and is the border where errors become exit codes.

Exit codes: 0 done, 1 an error, 2 a check that failed (`lmos plan`, `lmos router`), 130 interrupted, 141 nobody reads
the output any more.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Final, cast

from cyclopts import App, CycloptsError

from lmos import __version__
from lmos.cli.errors import DEBUG_VARIABLE, expected, explain
from lmos.cli.help import Frameless

__all__ = ["COMMANDS", "build_app", "main"]

_INTERRUPTED: Final = 130
_BROKEN_PIPE: Final = 141

# Name: where it lives, and its line in `lmos --help`. A module is imported when its command runs.
COMMANDS: Final = {
    "up": ("lmos.cli.up:up", "Run the whole platform in this process."),
    "operator": ("lmos.cli.operator:operator", "Run the operator of a Kubernetes cluster."),
    "runtime": ("lmos.cli.runtime:runtime", "Run the runtime alone, with the routings of an operator elsewhere."),
    "chat": ("lmos.cli.chat:chat", "Talk to the agents of a channel, or to one agent."),
    "route": ("lmos.cli.route:route", "Decide which agent would answer a query, and show why."),
    "router": ("lmos.cli.router:router", "Measure the router on your own data, and examine a roster."),
    "apply": ("lmos.cli.apply:apply", "Create or change objects as manifests declare them."),
    "get": ("lmos.cli.get:get", "Show agents, channels, routings and rollouts."),
    "describe": ("lmos.cli.describe:describe", "Tell everything about objects."),
    "delete": ("lmos.cli.delete:delete", "Delete objects by name, by label or by manifest."),
    "plan": ("lmos.cli.plan:plan", "Show what a change would do to channels, without applying it."),
    "agent": ("lmos.cli.agent:agent", "Write and run agents in Python."),
    "crds": ("lmos.cli.crds:crds", "Print the Kubernetes CustomResourceDefinitions."),
    "--install-completion": ("lmos.cli.completion:install_completion", "Install completion for this shell."),
}


def build_app(command: str | None = None) -> App:
    """The command line. `command` is the one that will run: its help is its whole docstring, not its line in the list.

    Naming the others' lines here keeps them from being imported for it.
    """
    app = App(
        name="lmos",
        help="Declare language-model agents and channels; route every query to the agent that can answer it.",
        version=f"lmos {__version__}",
        help_format="plaintext",
        help_formatter=Frameless(),
        version_format="plaintext",
        suppress_keyboard_interrupt=False,
        help_epilogue="Settings come from the environment too: LMOS_DATA, LMOS_NAMESPACE, LMOS_PORT, LMOS_MODEL, ...",
    )
    for position, (name, (path, text)) in enumerate(COMMANDS.items()):
        app.command(path, name=name, help=None if name == command else text, sort_key=position)
    return app


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (`sys.argv` by default) and return its exit code."""
    tokens = list(sys.argv[1:] if argv is None else argv)
    _replace_unprintable()
    try:
        code = _run(tokens)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    return code


def _run(tokens: list[str]) -> int:
    try:
        app = build_app(tokens[0] if tokens else None)
        result = app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        chain = " ".join(["lmos", *(error.command_chain or ())])
        _complain(f"error: {_sentence(error)}\n  fix: see `{chain} --help`")
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the border of the command line: every error becomes an exit code
        return _failed(error)
    return result if isinstance(result, int) else 0


def _failed(error: Exception) -> int:
    cause = _alone(error)
    if isinstance(cause, BrokenPipeError):
        raise cause
    if not expected(cause) and os.environ.get(DEBUG_VARIABLE):
        raise error
    _complain(explain(cause))
    return 1


def _alone(error: Exception) -> Exception:
    """The one error inside of the groups that task groups have put around it."""
    while isinstance(error, ExceptionGroup):
        group = cast("ExceptionGroup[Exception]", error)
        if len(group.exceptions) != 1:
            return group
        error = group.exceptions[0]
    return error


def _sentence(error: CycloptsError) -> str:
    text = " ".join(str(error).split())
    text = text if text.endswith("...") else text.removesuffix(".")
    return text[:1].lower() + text[1:]


def _complain(text: str) -> None:
    print(text, file=sys.stderr)


def _replace_unprintable() -> None:
    """A terminal without UTF-8, or half a surrogate pair in an answer, must not end a command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
