"""`reference/settings.md` names every setting with its default, and nothing else."""

from __future__ import annotations

from pydantic.fields import FieldInfo

from lmos.settings import Settings
from tests.docs.pages import rows, text_of

_PAGE = text_of("reference/settings.md")


def test_every_setting_is_documented_with_its_default_and_no_other() -> None:
    documented = {cells[0].strip("`"): cells[1].strip("`") for cells in rows(_PAGE)}
    assert documented == {f"LMOS_{name.upper()}": _default(field) for name, field in Settings.model_fields.items()}


def _default(field: FieldInfo) -> str:
    """The default as the page writes it."""
    match field.get_default(call_default_factory=True, validated_data={}):
        case None:
            return "unset"
        case "" | () | {}:
            return "empty"
        case bool() as value:
            return str(value).lower()
        case float() as value:
            return f"{value:g}"
        case value:
            return str(value)
