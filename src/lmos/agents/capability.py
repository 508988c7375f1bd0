"""`Capability`: one thing that an agent can do, in one version, with example queries by which the router finds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lmos.agents.errors import DefinitionError
from lmos.resources.versions import BadVersion, parse_version

__all__ = ["Capability", "check_version"]

_EXAMPLES_LIMIT: Final = 1000


def check_version(where: str, version: object) -> None:
    """Raise `DefinitionError` unless `version` is a semantic version; `where` names the field."""
    if not isinstance(version, str):
        raise DefinitionError(f"{where}={version!r} is not a text; write three numbers, as in '1.0.0'")
    try:
        parse_version(version)
    except BadVersion as error:
        raise DefinitionError(f"{where}={version!r} {error.reason}; {error.fix}") from None


@dataclass(frozen=True, init=False)
class Capability:
    """What channels require and the router matches.

    `version` is a semantic version; left out, it is the agent's own. `examples` are queries as customers write them:
    five or more per capability let the router tell topics apart.
    """

    name: str
    version: str | None
    description: str
    examples: tuple[str, ...]

    def __init__(
        self, name: str, version: str | None = None, description: str = "", examples: Sequence[str] = ()
    ) -> None:
        where = f"Capability({name!r})"
        if not isinstance(name, str) or not name.strip() or len(name) > 253:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise DefinitionError(f"{where}: name must be a text of 1 to 253 characters")
        if version is not None:
            check_version(f"{where}: version", version)
        if isinstance(examples, str):
            raise DefinitionError(f"{where}: examples={examples!r} is one text; write a list, e.g. [{examples!r}]")
        texts = tuple(examples)
        for position, text in enumerate(texts):
            if not isinstance(text, str) or not text.strip():  # pyright: ignore[reportUnnecessaryIsInstance]
                raise DefinitionError(f"{where}: examples[{position}]={text!r} must be a text a customer could write")
        if len(texts) > _EXAMPLES_LIMIT:
            raise DefinitionError(f"{where}: {len(texts)} examples; keep at most {_EXAMPLES_LIMIT}")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "version", version)
        object.__setattr__(self, "description", description)
        object.__setattr__(self, "examples", texts)
