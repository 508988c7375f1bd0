"""Who owns which field: `managedFields` of an object through applies and updates. Pure.

An apply and an update of one manager are two owners, as are its writes of the object and of its status.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from lmos.testing.api_server.answers import Json, Refusal, cause, status
from lmos.testing.api_server.fields import Change, Fields, compare, difference, fields_of, overlap, paths, union
from lmos.testing.api_server.merging import merge, prune
from lmos.testing.api_server.served import Served

__all__ = ["Owner", "Part", "owned_part", "with_applied", "with_updated"]

Part = Literal["", "status"]
"""The object itself, or its subresource."""

_EARLIER: Final = "before-first-apply"
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
    known: Sequence[Json] = live["metadata"].get("managedFields", ())
    entries = known or _before_first_apply(served, live, owner)
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
        kept.append(_entry_after_apply(served, owner, fields, mine, changed=after != before))
    if after == before and _untimed(kept) == _untimed(known):
        return live
    return _with_entries(_put_back(served, live, after, owner.part), kept)


def _before_first_apply(served: Served, live: Json, owner: Owner) -> list[Json]:
    """Who owns what is there when somebody applies for the first time: one owner of that name."""
    change = compare(_bare(served, owner), _bare(served, owner) | owned_part(served, live, owner.part), served.schema)
    earlier = replace(owner, manager=_EARLIER, operation="Update")
    return [earlier.entry(served, change.added)] if change.added else []


def _entry_after_apply(served: Served, owner: Owner, fields: Fields, mine: Json | None, *, changed: bool) -> Json:
    """The time is that of the last apply which changed the object; who has never changed it has none."""
    entry = owner.entry(served, fields)
    if not changed:
        del entry["time"]
        if mine is not None and "time" in mine:
            entry["time"] = mine["time"]
    return entry


def _bare(served: Served, owner: Owner) -> Json:
    """The part of an object before anybody writes it. Metadata as such is nobody's."""
    if owner.part:
        return {}
    return {"metadata": {}, "spec": {}} if served.has_bare_spec else {"metadata": {}}


def with_updated(served: Served, live: Json | None, found: Json, owner: Owner) -> Json:
    """`found`, which is to stand in place of `live`, with its owners."""
    bare = _bare(served, owner)
    before = bare if live is None else bare | owned_part(served, live, owner.part)
    entries: Sequence[Json] = () if live is None else live["metadata"].get("managedFields", ())
    if live is not None and not entries:
        return found  # owners are told apart from the first apply on
    change = compare(before, bare | owned_part(served, found, owner.part), served.schema)
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
            entries, key=lambda entry: (entry["operation"], entry.get("time", ""), *_identity(entry))
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
    taken: list[tuple[str, list[str]]] = []
    for entry in sorted(others, key=_identity):
        if fields := paths(overlap(entry["fieldsV1"], touched)):
            who = _in_words(entry)
            taken.append((who, fields))
            causes += [cause("FieldManagerConflict", f"conflict with {who}", path) for path in fields]
    if len(causes) == 1:
        told = f"Apply failed with 1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        lines = [f"conflicts with {who}:\n" + "\n".join(f"- {path}" for path in fields) for who, fields in taken]
        told = f"Apply failed with {len(causes)} conflicts: " + "\n".join(lines)
    if causes:
        raise Refusal(status(409, told, "Conflict", causes=causes))


def _in_words(entry: Json) -> str:
    sub = f' with subresource "{entry["subresource"]}"' if "subresource" in entry else ""
    version = f" using {entry['apiVersion']}" if entry["operation"] == "Update" else ""
    return f'"{entry["manager"]}"{sub}{version}'
