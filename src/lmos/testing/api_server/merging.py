"""What becomes of an object when somebody applies to it: fields are merged, and what nobody owns any more goes. Pure.

The rules are those of structured-merge-diff, which Kubernetes applies with. Nothing here changes what it is given.
"""

from __future__ import annotations

from typing import Any, cast

from lmos.resources.schema import Schema
from lmos.testing.api_server.fields import Fields, Json, child_schema, is_atomic, is_member, keyed_items

__all__ = ["merge", "merge_patch", "prune"]


def merge(live: Json, applied: Json, schema: Schema) -> Json:
    """`live` with what is `applied`: maps and keyed lists field by field, all else as a whole."""
    merged = dict(live)
    for name, value in applied.items():
        known = live.get(name)
        below = child_schema(schema, name) or {}
        merged[name] = _merged(known, value, below) if name in live else value
    return merged


def _merged(live: Any, applied: Any, schema: Schema) -> Any:
    """One field of both."""
    if isinstance(live, dict) and isinstance(applied, dict) and not is_atomic(schema):
        return merge(cast("Json", live), cast("Json", applied), schema)
    left, right = keyed_items(live, schema), keyed_items(applied, schema)
    if left is None or right is None:
        return cast("Any", applied)
    below = schema.get("items", {})
    return [
        _merged(left[step], right[step], below) if step in left and step in right else {**left, **right}[step]
        for step in _order(list(left), list(right))
    ]


def _order(left: list[str], right: list[str]) -> list[str]:
    """Items of both in the order of `right`; those of `left` alone stay before what they stood before."""
    wanted, known = set(right), set(left)
    shared = [step for step in right if step in known]
    order: list[str] = []
    i = j = 0
    while i < len(left) or j < len(right):
        if i < len(left):
            step = left[i]
            if step not in wanted:
                order.append(step)
                i += 1
                continue
            if step in order or (j < len(right) and shared and step != shared[0]):
                i += 1
                continue
        if j < len(right):
            order.append(right[j])
            if shared and right[j] == shared[0]:
                shared.pop(0)
            j += 1
    return order


def prune(merged: Json, before: Fields, owned: Fields, schema: Schema) -> Json:
    """Without the fields of `before`, which one manager has applied last, that nobody owns now."""
    kept = dict(merged)
    for name, value in merged.items():
        step = f"f:{name}"
        if (last := before.get(step)) is None:
            continue
        pruned = _pruned(value, last, owned.get(step), child_schema(schema, name) or {})
        if pruned is None:
            del kept[name]
        else:
            kept[name] = pruned[0]
    return kept


def _pruned(value: Any, before: Fields, owned: Fields | None, schema: Schema) -> tuple[Any] | None:
    """What stays of the value; `None` when it goes itself."""
    left: Any
    if isinstance(value, dict) and value and not is_atomic(schema):
        left = prune(cast("Json", value), before, owned or {}, schema)
    elif items := keyed_items(value, schema):
        left = _pruned_items(items, before, owned or {}, schema)
    else:
        return (cast("Any", value),) if owned is not None else None
    if not left and owned is not None:
        return (None,)  # as the real one does: what is owned, and emptied, is null, which most schemas refuse
    return (left,) if left else None


def _pruned_items(items: Json, before: Fields, owned: Fields, schema: Schema) -> list[Any]:
    left: list[Any] = []
    for step, item in items.items():
        if (last := before.get(step)) is None:
            left.append(item)
        elif is_member(last) and (step not in owned or not is_member(owned[step])):
            continue  # an item goes with its last owner, whoever owns fields of it
        elif isinstance(item, dict):
            pruned = _pruned(item, last, owned.get(step), schema.get("items", {}))
            left += [] if pruned is None else [pruned[0]]
        else:
            left.append(item)
    return left


def merge_patch(value: Any, patch: Any) -> Any:
    """RFC 7386: `null` removes, maps are merged, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged: Json = dict(cast("Json", value)) if isinstance(value, dict) else {}
    for name, change in cast("Json", patch).items():
        if change is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), change)
    return merged
