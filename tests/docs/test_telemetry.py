"""`reference/telemetry.md` names every metric, span, attribute and log event that the code emits, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

from lmos.operator import metrics as operator_metrics
from lmos.operator.metrics import Computed
from lmos.telemetry import metrics, names
from tests.docs.pages import ROOT, spans_in, tables, text_of

_METRICS, _SPANS, _ATTRIBUTES, _EVENTS = tables(text_of("reference/telemetry.md"))
_SOURCES = sorted((ROOT / "src" / "lmos").rglob("*.py"))
_LEVELS = {"debug", "info", "warning", "error", "exception"}


def test_every_metric_is_documented_with_type_and_labels() -> None:
    documented = {row[0].strip("`"): (row[1], tuple(spans_in(row[2]))) for row in _METRICS}
    assert documented == dict(_metrics())


def _metrics() -> Iterator[tuple[str, tuple[str, tuple[str, ...]]]]:
    for module in (metrics, operator_metrics):
        for name in module.__all__:
            metric: object = getattr(module, name)
            if isinstance(metric, MetricWrapperBase):
                (family,) = metric.describe()
                assert family.documentation
                suffix = "_total" if family.type == "counter" else ""
                yield family.name + suffix, (family.type, tuple(vars(metric)["_labelnames"]))
            elif isinstance(metric, Computed):
                yield metric.name, ("gauge", metric.labels)


def test_every_span_is_documented() -> None:
    documented = {row[0].strip("`").removesuffix(" <agent>") for row in _SPANS}
    assert documented == {text for name, text in _used_names() if name.startswith("SPAN_")}


def test_every_attribute_is_documented() -> None:
    assert {row[0].strip("`") for row in _ATTRIBUTES} == {
        text for name, text in _used_names() if not name.startswith(("SPAN_", "METRIC_", "EVENT_"))
    }


def test_every_log_event_is_documented() -> None:
    assert {row[0].strip("`") for row in _EVENTS} == {event for path in _SOURCES for event in _events_of(path)}


def _used_names() -> Iterator[tuple[str, str]]:
    """Constants of `telemetry.names` that some other module uses."""
    code = "\n".join(path.read_text() for path in _SOURCES if path != Path(str(names.__file__)))
    for name, text in vars(names).items():
        if isinstance(text, str) and name.isupper() and re.search(rf"\bnames\.{name}\b", code):
            yield name, text


def _events_of(path: Path) -> Iterator[str]:
    """What the module logs: literal texts, constants of its own, and constants of the tables of names."""
    tree = ast.parse(path.read_text())
    own = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Constant)
        for target in [node.target]
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args or not _is_log(node.func):
            continue
        match node.args[0]:
            case ast.Constant(value=str(text)):
                yield text
            case ast.Name(id=name) if isinstance(own.get(name), str):
                yield str(own[name])
            case ast.Attribute(value=ast.Name(id=module), attr=name):
                yield _constants()[module, name]
            case other:
                raise AssertionError(f"{path}:{node.lineno}: logs {ast.unparse(other)}, which is no constant")


def _is_log(function: ast.expr) -> bool:
    """`_log.info`, `self._log.error`, `logger("room").exception`, or `log`, one of these chosen before."""
    if isinstance(function, ast.Name):
        return function.id == "log"
    return isinstance(function, ast.Attribute) and function.attr in _LEVELS and "log" in ast.unparse(function.value)


def _constants() -> dict[tuple[str, str], str]:
    from lmos.operator import reasons

    return {
        (module.__name__.rpartition(".")[2], name): text
        for module in (names, reasons)
        for name, text in vars(module).items()
        if isinstance(text, str)
    }
