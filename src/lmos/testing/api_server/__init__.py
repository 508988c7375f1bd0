"""A Kubernetes API server in this process: objects, versions, field owners, watches and garbage collection.

    server = ApiServer(clock)
    store = KubernetesStore(Client(server.transport()))

For tests of whatever speaks to an API server through a `Transport`, also in virtual time: all that waits, waits on the
event loop. It behaves as Kubernetes 1.37 does, field by field (a test sends the same requests to both), as far as it
goes; what it cannot do raises `NotImplementedError`. It defaults nothing in foreign kinds and runs no controllers but
the garbage collector and that of namespaces.
"""

from __future__ import annotations

from lmos.testing.api_server.requests import Request
from lmos.testing.api_server.server import ApiServer

__all__ = ["ApiServer", "Request"]
