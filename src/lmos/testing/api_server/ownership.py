"""Who owns which field: `managedFields` of an object through applies and updates. Pure.

An apply and an update of one manager are two owners, as are its writes of the object and of its status.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from lmos.testing.api_server.answers import Json, Refusal, cause, status
from lmos.testing.api_server.fields import Change, Fields, compare, difference, fields_of, overlap, paths, union
from lmos.testing.api_server.merging import merge, prune
from lmos.testing.api_server.served import Served

__all__ = ["Owner", "Part", "owned_part", "with_applied", "with_updated"]

Part = Literal["", "status"]
"""The object itself, or its subresource."""

_OWNED_METADATA: Final = ("labels", "annotations", "finalizers", "ownerReferences")


@dataclass(frozen=True, slots=True)
class Owner:
    """One who writes, how, and when."""

    manager: str
    operation: Literal["Apply", "Update"]
    part: Part
    time: str

    def entry(self, served: Served, fields: Fields) -> Json:
        """As `managedFields` tells of it."""
        found: Json = {
            "manager": self.manager,
            "operation": self.operation,
            "apiVersion": served.api_version,
            "time": self.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": fields,
        }
        return found | {"subresource": self.part} if self.part else found

    def is_of(self, entry: Json) -> bool:
        return _identity(entry) == (self.operation, self.manager, self.part)


def owned_part(served: Served, found: Json, part: Part) -> Json:
    """What a write to `part` can change, and own, of an object."""
    if part == "status":
        return {"status": found["status"]} if "status" in found else {}
    hidden = ("apiVersion", "kind", "metadata", "status" if served.has_status else "")
    seen = {name: value for name, value in found.items() if name not in hidden}
    metadata = {name: found["metadata"][name] for name in _OWNED_METADATA if name in found["metadata"]}
    return seen | {"metadata": metadata} if metadata else seen


def _put_back(served: Served, live: Json, after: Json, part: Part) -> Json:
    """`live` with `after` in place of its part."""
    if part == "status":
        return {name: value for name, value in live.items() if name != "status"} | after
    kept = {name: live[name] for name in ("apiVersion", "kind")}
    if served.has_status and "status" in live:
        kept["status"] = live["status"]
    meta = {name: value for name, value in live["metadata"].items() if name not in _OWNED_METADATA}
    return kept | after | {"metadata": meta | after.get("metadata", {})}


def with_applied(served: Served, live: Json, applied: Json, owner: Owner, *, force: bool) -> Json:
    """`live` after `owner` has applied the part `applied`; `live` itself when nothing differs.

    Raises `Misfit`, and the `Refusal` that names the fields that others own, unless it is forced.
    """
    entries: Sequence[Json] = live["metadata"].get("managedFields", ())
    mine = next((entry for entry in entries if owner.is_of(entry)), None)
    others = [entry for entry in entries if entry is not mine]
    before, fields = owned_part(served, live, owner.part), fields_of(applied, served.schema)
    after = merge(before, applied, served.schema)
    if mine is not None:
        owned = union(fields, *(entry["fieldsV1"] for entry in others))
        after = prune(after, mine["fieldsV1"], owned, served.schema)
    change = compare(before, after, served.schema)
    if not force:
        _check(others, union(change.modified, change.added))
    kept = _lessened(others, change)
    if fields:
        kept.append(owner.entry(served, fields))
    if _untimed(kept) == _untimed(entries) and after == before:
        return live
    return _with_entries(_put_back(served, live, after, owner.part), kept)


def with_updated(served: Served, live: Json | None, found: Json, owner: Owner) -> Json:
    """`found`, which is to stand in place of `live`, with its owners."""
    before = {} if live is None else owned_part(served, live, owner.part)
    entries: Sequence[Json] = () if live is None else live["metadata"].get("managedFields", ())
    change = compare(before, owned_part(served, found, owner.part), served.schema)
    kept = _lessened(entries, change)
    gained = union(change.modified, change.added)
    if gained:
        mine = next((entry for entry in kept if owner.is_of(entry)), None)
        kept = [entry for entry in kept if entry is not mine]
        kept.append(owner.entry(served, gained if mine is None else union(mine["fieldsV1"], gained)))
    return _with_entries(found, kept)


def _lessened(entries: Sequence[Json], change: Change) -> list[Json]:
    """Entries of others, without what was taken from them or removed; those that are left with nothing go."""
    lost = union(change.modified, change.added, change.removed)
    if not lost:
        return list(entries)
    left = ((entry, difference(entry["fieldsV1"], lost)) for entry in entries)
    return [entry if fields == entry["fieldsV1"] else entry | {"fieldsV1": fields} for entry, fields in left if fields]


def _with_entries(found: Json, entries: list[Json]) -> Json:
    meta = {name: value for name, value in found["metadata"].items() if name != "managedFields"}
    if entries:
        meta["managedFields"] = sorted(
            entries, key=lambda entry: (entry["operation"], entry["time"], *_identity(entry))
        )
    return found | {"metadata": meta}


def _identity(entry: Json) -> tuple[str, str, str]:
    return entry["operation"], entry["manager"], entry.get("subresource", "")


def _untimed(entries: Sequence[Json]) -> list[Json]:
    found = ({name: value for name, value in entry.items() if name != "time"} for entry in entries)
    return sorted(found, key=_identity)


def _check(others: Sequence[Json], touched: Fields) -> None:
    """Raise the `Refusal` of an apply that would take fields of others."""
    causes: list[Json] = []
    words: list[str] = []
    for entry in sorted(others, key=lambda entry: _identity(entry)[1]):
        taken = paths(overlap(entry["fieldsV1"], touched))
        if not taken:
            continue
        who = _in_words(entry)
        causes += [cause("FieldManagerConflict", f"conflict with {who}", path) for path in taken]
        words.append(
            f"conflict with {who}: {taken[0]}"
            if len(taken) == 1
            else f"conflicts with {who}:\n" + "\n".join(f"- {path}" for path in taken)
        )
    if causes:
        counted = "1 conflict" if len(causes) == 1 else f"{len(causes)} conflicts"
        message = f"Apply failed with {counted}: " + "\n".join(words)
        raise Refusal(status(409, message, "Conflict", causes=causes))


def _in_words(entry: Json) -> str:
    sub = f' with subresource "{entry["subresource"]}"' if "subresource" in entry else ""
    return f'"{entry["manager"]}"{sub} using {entry["apiVersion"]}'
