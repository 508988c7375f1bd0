"""What server-side apply leaves standing of other managers' fields, and the patch that removes it. Pure."""

from __future__ import annotations

from typing import Any, cast

__all__ = ["leftovers"]


def leftovers(stored: Any, wanted: Any) -> Any:
    """A JSON merge patch that turns `stored` into `wanted`: nulls for fields too many, whole lists; `None` if equal.

    For data that holds no null, as an API server's.
    """
    if stored == wanted:
        return None
    if not (isinstance(stored, dict) and isinstance(wanted, dict)):
        return wanted
    before, after = cast("dict[str, Any]", stored), cast("dict[str, Any]", wanted)
    patch: dict[str, Any] = {field: None for field in before if field not in after}
    for field, value in after.items():
        if before.get(field) != value:
            patch[field] = leftovers(before.get(field), value)
    return patch
