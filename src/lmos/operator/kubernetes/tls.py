"""TLS contexts for an API server: whom to trust, and the client's own certificate."""

from __future__ import annotations

import os
import ssl
import tempfile

__all__ = ["load_client_certificate", "tls_context"]


def tls_context(*, authority: bytes | None, insecure: bool) -> ssl.SSLContext:
    """Trusts the PEM certificates of `authority`, without it those of the system; with `insecure` anybody.

    Raises `ssl.SSLError` or `ValueError` for what is no certificate.
    """
    if insecure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    return ssl.create_default_context(cadata=authority.decode("ascii") if authority is not None else None)


def load_client_certificate(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Present `certificate` (PEM, its key may be in it) to servers. Raises `ssl.SSLError`, `OSError`."""
    # The ssl module takes files only. This one is ours alone (0600) and there for a moment.
    descriptor, path = tempfile.mkstemp(prefix="lmos-client-", suffix=".pem")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(certificate + b"\n" + key)
        context.load_cert_chain(path)
    finally:
        os.unlink(path)
