"""As whom the API server knows us. The admission webhook lets the operator's own writes pass."""

from __future__ import annotations

from typing import Any, Final, Protocol

__all__ = ["own_name"]

_API_VERSION: Final = "authentication.k8s.io/v1"
_PATH: Final = f"/apis/{_API_VERSION}/selfsubjectreviews"


class _Api(Protocol):
    async def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]: ...


async def own_name(api: _Api) -> str:
    """The user name of our requests, `system:serviceaccount:...` in a Pod. Every user may ask. Raises `StoreError`."""
    answer = await api.create(_PATH, {"apiVersion": _API_VERSION, "kind": "SelfSubjectReview"})
    return str(answer["status"]["userInfo"]["username"])
