"""Resources as JSON or YAML documents for `-o`: what Kubernetes would print, several of them as one `List`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any, Literal

from lmos.resources.base import Resource

__all__ = ["document", "print_document", "print_resources"]

Format = Literal["json", "yaml"]


def document(resource: Resource) -> dict[str, Any]:
    """The object with its members in Kubernetes' order: apiVersion, kind, metadata, spec, status."""
    return dict(sorted(resource.as_written().items()))


def print_resources(resources: Sequence[Resource], output: Format, *, single: bool) -> None:
    """One object alone when `single`, else all of them in a `List`."""
    documents = [document(resource) for resource in resources]
    if single and len(documents) == 1:
        print_document(documents[0], output)
    else:
        print_document({"apiVersion": "v1", "items": documents, "kind": "List"}, output)


def print_document(data: Any, output: Format) -> None:
    """`data` to stdout, nothing around it."""
    if output == "json":
        sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
        return
    import yaml

    sys.stdout.write(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120))
