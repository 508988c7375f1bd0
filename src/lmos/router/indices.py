"""Indices by URL: what the setting `router_index` says. Loads only what is named."""

from __future__ import annotations

from lmos.router.base import Index, IndexUnavailable

__all__ = ["index_at"]


def index_at(url: str, *, api_key: str | None = None) -> Index:
    """The index at `url`: `memory:`, `postgresql://...`, or `http(s)://...` of a Qdrant server.

    Connects to nothing yet. Raises `IndexUnavailable` for another URL, and where the needed package is missing.
    """
    scheme, colon, _ = url.partition(":")
    if colon and scheme == "memory":
        from lmos.router.numpy_index import NumpyIndex

        return NumpyIndex()
    if colon and scheme in ("postgresql", "postgres"):
        from lmos.router.pgvector_index import PgVectorIndex

        return PgVectorIndex(url)
    if colon and scheme in ("http", "https"):
        try:
            from lmos.router.qdrant_index import QdrantIndex
        except ModuleNotFoundError as error:
            raise IndexUnavailable(f"The index {url!r} needs a package: pip install 'lmos[qdrant]'") from error
        return QdrantIndex.at(url, api_key=api_key)
    raise IndexUnavailable(f"There is no index {url!r}: use postgresql://USER@HOST/DATABASE or http://QDRANT-HOST:6333")
