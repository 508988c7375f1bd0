"""Who may talk to a test cluster: a certificate authority of its own, a token for each role, a kubeconfig for each.

The API server reads the tokens when it starts; whoever comes later is a ServiceAccount: `Access.service_account`.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import trustme
import yaml

__all__ = ["ADMIN", "ROLES", "Credentials", "Role"]


@dataclass(frozen=True)
class Role:
    """A user of the cluster. What it may do is up to the RBAC rules about `user` and `groups`."""

    name: str
    user: str
    groups: tuple[str, ...] = ()
    token: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)


def _service_account(role: str, namespace: str, name: str) -> Role:
    """The user that a ServiceAccount is, so that a chart's bindings hold for it."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    return Role(role, f"system:serviceaccount:{namespace}:{name}", groups)


ADMIN: Final = "admin"
ROLES: Final = (
    Role(ADMIN, "admin", ("system:masters",)),
    _service_account("operator", "lmos", "lmos-operator"),
    _service_account("runtime", "lmos", "lmos-runtime"),
    Role("nobody", "nobody"),
)
"""`admin` may do everything; the others may do what the test grants them, which at first is nothing."""


class Credentials:
    """Files in `folder`: `ca.crt`, `server.crt`, `server.key`, `accounts.key`, `tokens.csv`, `<role>.kubeconfig`."""

    def __init__(self, folder: Path, url: str, roles: Sequence[Role]) -> None:
        self.folder, self.url = folder, url
        self.roles = {role.name: role for role in roles}
        authority = trustme.CA(organization_name="LMOS test cluster")
        server = authority.issue_cert("127.0.0.1", "localhost", "kubernetes.default.svc")
        authority.cert_pem.write_to_path(self.authority)
        server.private_key_pem.write_to_path(folder / "server.key")
        for certificate in server.cert_chain_pems:
            certificate.write_to_path(folder / "server.crt", append=True)
        # Signs the tokens of ServiceAccounts: any key does.
        authority.issue_cert("serviceaccounts").private_key_pem.write_to_path(folder / "accounts.key")
        lines = [f'{role.token},{role.user},{role.name},"{",".join(role.groups)}"\n' for role in roles]
        (folder / "tokens.csv").write_text("".join(lines))
        for role in roles:
            self.write_kubeconfig(role.name, role.token)

    @property
    def authority(self) -> Path:
        """The certificate that clients trust."""
        return self.folder / "ca.crt"

    def kubeconfig(self, role: str) -> Path:
        """The file of a role."""
        if role not in self.roles:
            raise KeyError(f"no role {role!r} in this cluster, it has {', '.join(self.roles)}")
        return self._path(role)

    def write_kubeconfig(self, name: str, token: str) -> Path:
        """A file for whoever `token` belongs to. It needs no other file, so it can be copied."""
        authority = base64.b64encode(self.authority.read_bytes()).decode()
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "testcluster", "cluster": {"server": self.url, "certificate-authority-data": authority}}
            ],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": name, "context": {"cluster": "testcluster", "user": name}}],
            "current-context": name,
        }
        path = self._path(name)
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        path.chmod(0o600)
        return path

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.kubeconfig"
