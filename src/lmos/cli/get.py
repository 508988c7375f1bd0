"""`lmos get`: objects of the store as table, JSON, YAML or names."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from lmos.cli.columns import headers_of, row_of
from lmos.cli.documents import print_resources
from lmos.cli.errors import CommandError
from lmos.cli.options import AllNamespaces, ListFormat, Namespace, Selector
from lmos.cli.selection import LabelSelector, Target, parse_selector, parse_targets, qualified
from lmos.cli.terminal import error_console, output_console, table
from lmos.cli.where import HERE, Where
from lmos.cli.workspace import Workspace, listed
from lmos.operator.base import ALL_NAMESPACES, Store
from lmos.resources.base import Resource
from lmos.resources.kinds import Kind, kind_named

__all__ = ["find", "get"]


NoHeaders = Annotated[bool, Parameter(negative="", show_default=False, help="Leave the header line out.")]
Watch = Annotated[
    bool,
    Parameter(name=["--watch", "-w"], negative="", show_default=False, help="Go on showing changes, until Ctrl-C."),
]


def get(
    *targets: Annotated[str, Parameter(help="`TYPE[,TYPE]`, `TYPE NAME...` or `TYPE/NAME...`; `all` is every type.")],
    namespace: Namespace = None,
    all_namespaces: AllNamespaces = False,
    selector: Selector = "",
    output: ListFormat = "table",
    no_headers: NoHeaders = False,
    watch: Watch = False,
    where: Where = HERE,
) -> int:
    """Show agents, channels, routings and rollouts.

    Reads the data folder, where the platform need not be running, or a cluster.
    """
    workspace = where.workspace()
    wanted = parse_targets(targets)
    named = any(target.name is not None for target in wanted)
    if named and all_namespaces:
        raise CommandError("a name cannot be looked up in all namespaces", "leave out -A, or name the type only")
    if named and selector:
        raise CommandError("names and a selector exclude each other", "leave out -l, or name the type only")
    scope = ALL_NAMESPACES if all_namespaces else workspace.namespace(namespace)
    labels = parse_selector(selector)
    printer = _Printer(output, namespaces=all_namespaces, headers=not no_headers)
    if watch:
        _watch(workspace, wanted, scope, labels, printer)
        return 0
    found, missing = asyncio.run(_read(workspace, wanted, scope, labels))
    if found or not named:
        printer.show_all(found, single=named and len(wanted) == 1)
    _report(found, missing, scope, output)
    return 1 if missing else 0


def _watch(
    workspace: Workspace, wanted: Sequence[Target], scope: str, labels: LabelSelector, printer: _Printer
) -> None:
    from lmos.cli.watching import watch

    kinds = list(dict.fromkeys(target.kind for target in wanted))
    if len(kinds) > 1:
        raise CommandError("--watch shows one type at a time", f"name one of {', '.join(k.plural for k in kinds)}")
    names = {target.name for target in wanted} - {None}

    def chosen(resource: Resource) -> bool:
        return labels.matches(resource.metadata.labels) and (not names or resource.metadata.name in names)

    asyncio.run(watch(workspace, kinds[0].kind, scope, chosen, printer.show_next))


async def find(
    store: Store | None, wanted: Sequence[Target], namespace: str, selector: LabelSelector
) -> list[Resource]:
    """The objects that `wanted` names, or selects when it names none, each once and in that order."""
    found: dict[str, Resource] = {}
    for target in wanted:
        for resource in await _meant(store, target, namespace):
            if selector.matches(resource.metadata.labels):
                found.setdefault(str(resource.key), resource)
    return list(found.values())


async def _meant(store: Store | None, target: Target, namespace: str) -> Sequence[Resource]:
    if target.name is None:
        return await listed(store, target.kind.kind, namespace)
    resource = None if store is None else await store.get(target.kind.kind, namespace, target.name)
    return [] if resource is None else [resource]


async def _read(
    workspace: Workspace, wanted: Sequence[Target], namespace: str, selector: LabelSelector
) -> tuple[list[Resource], list[Target]]:
    async with workspace.opened_if_there() as store:
        found = await find(store, wanted, namespace, selector)
    keys = {(resource.KIND, resource.metadata.name) for resource in found}
    return found, [target for target in wanted if target.name and (target.kind.kind, target.name) not in keys]


class _Printer:
    """Shows objects in one format: all of them at once, or some more each time."""

    def __init__(self, output: ListFormat, *, namespaces: bool, headers: bool) -> None:
        self._output: ListFormat = output
        self._namespaces = namespaces
        self._headers = headers
        self._widths: list[int] = []

    def show_all(self, resources: Sequence[Resource], *, single: bool) -> None:
        """Tables a kind, a line a name, or one document."""
        if self._output == "json" or self._output == "yaml":
            print_resources(resources, self._output, single=single)
        elif self._output == "name":
            for resource in resources:
                print(qualified(kind_named(resource.KIND), resource.metadata.name))
        else:
            by_kind: dict[Kind, list[Resource]] = {}
            for resource in resources:
                by_kind.setdefault(kind_named(resource.KIND), []).append(resource)
            qualify = len(by_kind) > 1
            tables = [self._table(kind, found, [], qualify=qualify) for kind, found in by_kind.items()]
            if tables:
                output_console().print(Text("\n\n").join(tables))

    def show_next(self, resources: Sequence[Resource]) -> None:
        """The same for objects that follow others of their kind: a table goes on, documents come one by one."""
        if self._output in ("table", "wide"):
            if resources:
                lines = self._table(kind_named(resources[0].KIND), resources, self._widths, qualify=False)
                output_console().print(lines)
                self._headers = False
        else:
            for resource in resources:
                if self._output == "yaml":
                    print("---")
                self.show_all([resource], single=True)
        sys.stdout.flush()

    def _table(self, kind: Kind, resources: Sequence[Resource], widths: list[int], *, qualify: bool) -> Text:
        now, wide, namespaces = datetime.now(UTC), self._output == "wide", self._namespaces
        headers = headers_of(kind, wide=wide, namespaces=namespaces) if self._headers else ()
        rows = [row_of(r, kind, now, wide=wide, namespaces=namespaces, qualify=qualify) for r in resources]
        return table(headers, rows, widths=widths)


def _report(found: Sequence[Resource], missing: Sequence[Target], namespace: str, output: str) -> None:
    """On stderr: names that do not exist, and that nothing was found where people read."""
    console = error_console()
    for target in missing:
        where = f"in namespace {namespace!r}"
        console.print(f"error: {target.kind.singular} {target.name!r} not found {where}")
        console.print(f"  fix: see `lmos get {target.kind.plural} -A` for those that exist")
    if not found and not missing and output in ("table", "wide"):
        everywhere = namespace == ALL_NAMESPACES
        console.print("No resources found" if everywhere else f"No resources found in {namespace} namespace.")
