"""What a JSON schema says of each parameter, in the few kinds that the offline model can find in a text. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

__all__ = ["Kind", "Parameter", "read_parameters", "words_of"]

Kind = Literal[
    "enum",
    "boolean",
    "integer",
    "number",
    "date",
    "month",
    "email",
    "phone",
    "uuid",
    "pattern",
    "iban",
    "id",
    "text",
    "name",
]
"""`text` takes what the customer wrote as a whole, `name` a quotation or a proper name."""

# Words of a parameter's name or description that say what a plain string holds; the first that fits wins.
_HINTS: Final[tuple[tuple[Kind, str], ...]] = (
    ("email", r"e-?mail"),
    ("phone", r"phone|telephone|mobile|msisdn|telefon\w*|handy\w*|rufnummer"),
    ("month", r"months?|monats?|yyyy-mm(?!-)"),
    ("date", r"dates?|days?|datum|tag|yyyy-mm-dd|birthday"),
    ("iban", r"iban"),
    ("id", r"ids?|numbers?|no|nr|nummer|kennung|code|reference|zip|postcode|plz"),
    (
        "text",
        (
            r"descriptions?|text|message|question|query|problem|issue|reason|details?|comments?|notes?|summary|subject|"
            r"beschreibung|frage|nachricht|grund|anliegen|request|content|body|title"
        ),
    ),
)


@dataclass(frozen=True)
class Parameter:
    """One parameter. `schema` is its own, with references resolved and `null` left out of the alternatives."""

    name: str
    kind: Kind
    required: bool
    is_list: bool
    description: str
    schema: Mapping[str, Any] = field(repr=False)
    choices: tuple[Any, ...] = ()

    @property
    def words(self) -> frozenset[str]:
        """Lower-case words of name and description, by which a value near them is told to be meant."""
        return words_of(f"{self.name.replace('_', ' ')} {self.description}")

    def accepts(self, value: Any) -> bool:
        """Whether `value` lies within the schema's bounds and pattern."""
        schema = self.schema
        if isinstance(value, int | float) and not isinstance(value, bool):
            low, high = schema.get("minimum"), schema.get("maximum")
            above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
            return not (
                (low is not None and value < low)
                or (high is not None and value > high)
                or (above is not None and value <= above)
                or (below is not None and value >= below)
            )
        if isinstance(value, str):
            pattern = schema.get("pattern")
            fits = pattern is None or re.search(pattern, value) is not None
            return fits and schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
        return True


def read_parameters(schema: Mapping[str, Any]) -> tuple[Parameter, ...]:
    """The parameters of a tool, required ones first, each group in the schema's order."""
    required = set(cast("Sequence[str]", schema.get("required", ())))
    definitions = cast("Mapping[str, Any]", schema.get("$defs", {}))
    properties = cast("Mapping[str, Mapping[str, Any]]", schema.get("properties", {}))
    found = [_read(name, entry, definitions, name in required) for name, entry in properties.items()]
    return tuple(sorted(found, key=lambda parameter: not parameter.required))


def _read(name: str, entry: Mapping[str, Any], definitions: Mapping[str, Any], required: bool) -> Parameter:
    schema = _resolved(entry, definitions)
    is_list = schema.get("type") == "array"
    inner = _resolved(cast("Mapping[str, Any]", schema.get("items", {})), definitions) if is_list else schema
    description = str(entry.get("description") or schema.get("description") or "")
    choices = tuple(cast("Sequence[Any]", inner.get("enum", (inner["const"],) if "const" in inner else ())))
    return Parameter(name, _kind(name, description, inner, choices), required, is_list, description, inner, choices)


def _resolved(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    """`schema` with `$ref` followed and, of alternatives, the first that is not null."""
    for _ in range(10):  # deeper nesting is no parameter a text could fill; a self-reference ends here too
        reference = schema.get("$ref")
        found = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf") or ()
        alternatives = cast("Sequence[Mapping[str, Any]]", found)
        if isinstance(reference, str):
            schema = definitions.get(reference.rpartition("/")[2], {})
        elif alternatives:
            chosen = next((option for option in alternatives if option.get("type") != "null"), alternatives[0])
            schema = {**{k: v for k, v in schema.items() if k == "description"}, **chosen}
        else:
            break
    return schema


def _kind(name: str, description: str, schema: Mapping[str, Any], choices: tuple[Any, ...]) -> Kind:
    if choices:
        return "enum"
    declared = schema.get("type")
    if declared in ("boolean", "integer", "number"):
        named = declared == "integer" and re.search(r"(?i)(^|_)(month|monat)(_|$)", name)
        return "month" if named else cast("Kind", declared)
    by_format: dict[str, Kind] = {"email": "email", "date": "date", "date-time": "date", "uuid": "uuid"}
    stated = by_format.get(str(schema.get("format")))
    if stated:
        return stated
    hinted = _hinted(name, description)
    if schema.get("pattern"):
        return hinted if hinted in ("month", "date", "phone", "email") else "pattern"
    return hinted


def _hinted(name: str, description: str) -> Kind:
    """By the name's words first: a description may mention much else."""
    for text in (name.replace("_", " "), description):
        for kind, words in _HINTS:
            if re.search(rf"(?<![\w-])(?:{words})(?![\w-])", text, re.IGNORECASE):
                return kind
    return "name"


def words_of(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[^\W\d_]{3,}", text.lower()))
