"""The offline model: answers with an agent's tools, without a language model. See `OfflineModel` for what it is not."""

from lmos.models.offline.model import OfflineModel

__all__ = ["OfflineModel"]
