"""`Prompts`: the texts that instruct a model, as MiniJinja templates. Users replace any of them by files of their own.

A template gets what it needs as variables, documented in `docs/reference/router.md`; it can run no code, read no file
and loop no longer than its fuel lasts.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from lmos.router.base import ClassifierError
from lmos.router.language import Language

__all__ = ["KINDS", "Prompts"]

KINDS: Final = ("route", "abstract", "clarify")
_LANGUAGES: Final[tuple[Language, ...]] = ("en", "de")
_FUEL: Final = 200_000
_AGENT: Final[dict[str, Any]] = {
    "name": "a",
    "version": "1.0.0",
    "description": "d",
    "capabilities": [{"name": "c", "version": "1.0.0", "description": "d", "examples": ["e"]}],
}
# What every template may use: it is rendered with these once when it is loaded, so that a misspelt name is found then.
_SAMPLE: Final[dict[str, Any]] = {
    "agents": [_AGENT],
    "agents_list_json": "[]",
    "agents_list_xml": "<agents_list>\n</agents_list>",
    "roster": "[]",
    "tenant": "t",
    "channel": "c",
    "subset": "stable",
    "current_agent": "a",
    "query": "q",
    "topics": ["a", "b"],
    "language": "en",
}
_EMPTY: Final[dict[str, Any]] = {
    name: [] if isinstance(value, list) else "" for name, value in _SAMPLE.items() if not name.startswith("agents_list")
}


class Prompts:
    """The templates `{kind}.{language}.jinja` of a folder, and ours where it has none."""

    def __init__(self, folder: Path | None = None) -> None:
        """Raises `ClassifierError`, naming file and line, for a template that cannot work."""
        import minijinja

        self._environment = minijinja.Environment(undefined_behavior="strict", fuel=_FUEL, keep_trailing_newline=False)
        self._environment.auto_escape_callback = lambda name: False
        self._error = minijinja.TemplateError
        if folder is not None and not folder.is_dir():
            raise ClassifierError(f"The folder of prompts {str(folder)!r} does not exist: see LMOS_ROUTER_PROMPTS")
        for kind in KINDS:
            for language in _LANGUAGES:
                self._add(folder, _name(kind, language))
        if folder is not None:
            self._refuse_strangers(folder)

    def render(self, kind: str, language: Language, variables: Mapping[str, Any]) -> str:
        """The text of one prompt. Raises `ClassifierError`."""
        name = _name(kind, language)
        try:
            return self._environment.render_template(name, **{**_EMPTY, **variables}).strip()
        except self._error as error:
            raise ClassifierError(f"The prompt {name!r} cannot be rendered: {_first_line(error)}") from error

    def _add(self, folder: Path | None, name: str) -> None:
        path = folder / name if folder is not None else None
        if path is not None and path.exists():
            try:
                text = path.read_text(encoding="utf-8")
            except UnicodeDecodeError as error:
                raise ClassifierError(f"The prompt {str(path)!r} is not UTF-8: {error.reason}") from error
        else:
            text = (files("lmos.router") / "prompts" / name).read_text(encoding="utf-8")
        try:
            self._environment.add_template(name, text)
        except self._error as error:
            raise ClassifierError(f"The prompt {name!r} is no template: {_first_line(error)}") from error
        self.render(*_parts(name), _SAMPLE)

    def _refuse_strangers(self, folder: Path) -> None:
        known = {_name(kind, language) for kind in KINDS for language in _LANGUAGES}
        strange = sorted(path.name for path in folder.glob("*.jinja") if path.name not in known)
        if strange:
            raise ClassifierError(f"There is no prompt {strange[0]!r} to replace: name it one of {sorted(known)}")


def _name(kind: str, language: Language) -> str:
    return f"{kind}.{language}.jinja"


def _parts(name: str) -> tuple[str, Language]:
    kind, language, _ = name.split(".")
    return kind, "de" if language == "de" else "en"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
