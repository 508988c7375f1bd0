"""A server's certificate from files that somebody renews: Kubernetes' kubelet, cert-manager, an administrator.

New connections get the new certificate; those that are open go on. `serving` takes the context.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from lmos.server.background import running
from lmos.telemetry import names
from lmos.telemetry.logs import logger

__all__ = ["BadCertificate", "renewed_certificate"]

_LOOK_SECONDS: Final = 10.0

_log = logger("server")

Version = tuple[tuple[int, int, int], ...]


class BadCertificate(Exception):
    """The files hold no certificate with its key. The message names them, and the fix."""


@asynccontextmanager
async def renewed_certificate(cert: Path, key: Path, *, every: float = _LOOK_SECONDS) -> AsyncGenerator[ssl.SSLContext]:
    """The TLS context of a server with these PEM files, looked at again after `every` seconds. Raises `BadCertificate`.

    Files that are wrong later are logged, and what was read before stays in use.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    seen = _version(cert, key)
    _load(context, cert, key)
    async with running(_follow(context, cert, key, seen, every), "certificate"):
        yield context


async def _follow(context: ssl.SSLContext, cert: Path, key: Path, seen: Version, every: float) -> None:
    while True:
        await asyncio.sleep(every)
        try:
            found = _version(cert, key)
            if found == seen:
                continue
            # First into another context: half of a pair would leave this one with nothing that works.
            _load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), cert, key)
            _load(context, cert, key)
        except BadCertificate as fault:
            _log.warning(names.EVENT_CERTIFICATE_BAD, error=str(fault))
            continue
        seen = found
        _log.info(names.EVENT_CERTIFICATE_RENEWED, file=str(cert))


def _load(context: ssl.SSLContext, cert: Path, key: Path) -> None:
    try:
        context.load_cert_chain(cert, key)
    except ssl.SSLError as error:
        raise BadCertificate(
            f"{cert} and {key} are no certificate with its key ({error.reason or error}); write both as PEM"
        ) from error
    except OSError as error:
        raise _unreadable(f"{cert} or {key}", error) from error


def _version(cert: Path, key: Path) -> Version:
    """Changes with the files, also when they are links that are turned to others, as those of a Secret."""
    found: list[tuple[int, int, int]] = []
    for path in (cert, key):
        try:
            stat = path.stat()
        except OSError as error:
            raise _unreadable(str(path), error) from error
        found.append((stat.st_ino, stat.st_mtime_ns, stat.st_size))
    return tuple(found)


def _unreadable(what: str, error: OSError) -> BadCertificate:
    return BadCertificate(f"{what} cannot be read: {error.strerror}; check the path and its permissions")
