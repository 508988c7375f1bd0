"""From a function's signature and docstring to what a model needs: description, JSON schema, argument validation.

Used by `tools` only. Types become JSON schema through pydantic; a Google-style docstring gives the descriptions.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, cast, get_type_hints

import docstring_parser
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema

from lmos.agents.errors import DefinitionError, ToolError
from lmos.agents.turn import Turn

__all__ = ["Signature", "read_signature"]


class _Untitled(GenerateJsonSchema):
    """JSON schema without generated titles: they repeat names and cost tokens in every request."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


@dataclass(frozen=True)
class Signature:
    """What was read: `parameters` is a JSON schema of an object, `turn_parameter` the one that gets the `Turn`."""

    description: str
    parameters: dict[str, Any]
    turn_parameter: str | None
    _model: type[BaseModel]

    def validate(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments converted to the function's types; what was not given is left to its defaults.

        Raises `ToolError` that names every bad argument, for the model to correct.
        """
        try:
            model = self._model.model_validate(dict(arguments))
        except ValidationError as error:
            found = "; ".join(
                f"{'.'.join(str(part) for part in detail['loc']) or 'arguments'}: {detail['msg']}"
                for detail in error.errors(include_url=False, include_context=False, include_input=False)
            )
            raise ToolError(f"invalid arguments: {found}") from None
        aliases = {name: field.alias or name for name, field in self._model.model_fields.items()}
        return {aliases[name]: getattr(model, name) for name in aliases if name in model.model_fields_set}


def read_signature(function: Callable[..., Any], name: str) -> Signature:
    """Read `function`. Raises `DefinitionError` for parameters that a model cannot fill."""
    doc = docstring_parser.parse(inspect.getdoc(function) or "", docstring_parser.DocstringStyle.GOOGLE)
    described = {entry.arg_name: " ".join((entry.description or "").split()) for entry in doc.params}
    text = "\n\n".join(part.strip() for part in (doc.short_description, doc.long_description) if part)
    hints = _hints(function, name)
    turn_parameter: str | None = None
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        hint = hints.get(parameter.name, parameter.annotation)
        if hint is Turn:
            turn_parameter = parameter.name
            continue
        _check_parameter(parameter, hint, name)
        # Neutral field names, so that a parameter may be called `schema` or `copy` as BaseModel's own attributes are.
        fields[f"field_{len(fields)}"] = _field(parameter, hint, described.get(parameter.name, ""))
    model = _model(name, fields)
    return Signature(
        description=text or name.replace("_", " "),
        parameters=_schema(model, name),
        turn_parameter=turn_parameter,
        _model=model,
    )


def _hints(function: Callable[..., Any], name: str) -> dict[str, Any]:
    target = function
    if not inspect.isroutine(function) and not isinstance(function, type):
        target = cast("Callable[..., Any]", getattr(function, "func", type(function).__call__))
    try:
        return get_type_hints(target, include_extras=True)
    except (NameError, TypeError) as error:
        raise DefinitionError(
            f"tool {name!r}: its annotations cannot be read ({error}); import their types at the module's top level"
        ) from None


def _check_parameter(parameter: inspect.Parameter, hint: Any, name: str) -> None:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
        raise DefinitionError(
            f"tool {name!r}: parameter {str(parameter)!r} cannot be given by name; a model passes arguments by name"
        )
    if hint is parameter.empty:
        raise DefinitionError(
            f"tool {name!r}: parameter {parameter.name!r} has no type; annotate it, e.g. '{parameter.name}: str'"
        )


def _field(parameter: inspect.Parameter, hint: Any, description: str) -> tuple[Any, Any]:
    metadata = getattr(hint, "__metadata__", ())
    given: object = parameter.default
    own = [m for m in (*metadata, given) if isinstance(m, FieldInfo)]
    if description and not any(m.description for m in own):
        annotated = Annotated[hint, Field(alias=parameter.name, description=description)]
    else:
        annotated = Annotated[hint, Field(alias=parameter.name)]
    return annotated, (... if given is parameter.empty else given)


def _model(name: str, fields: dict[str, Any]) -> type[BaseModel]:
    config = ConfigDict(extra="forbid", arbitrary_types_allowed=False)
    try:
        return create_model(name, __config__=config, **fields)
    except Exception as error:  # noqa: BLE001 - pydantic raises many types for an annotation it cannot validate
        reason = str(error).splitlines()[0]
        raise DefinitionError(f"tool {name!r}: a parameter's type cannot be given by a model: {reason}") from None


def _schema(model: type[BaseModel], name: str) -> dict[str, Any]:
    try:
        schema = model.model_json_schema(schema_generator=_Untitled)
    except Exception as error:  # noqa: BLE001 - as above, for types without a JSON form
        reason = str(error).splitlines()[0]
        raise DefinitionError(f"tool {name!r}: a parameter's type has no JSON form: {reason}") from None
    schema.pop("title", None)
    schema.setdefault("properties", {})
    return schema
