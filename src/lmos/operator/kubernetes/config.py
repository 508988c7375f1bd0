"""Which cluster, as whom: kubeconfig files, merged as kubectl does, or the ServiceAccount of the Pod we run in.

`connect` asks for a `Configuration` and makes connections of it; here only files are read. Errors name the file, the
field, and the fix. Ours rather than lightkube's: docs/adr/0006 has the reasons and the measurements.
"""

from __future__ import annotations

import os
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import yaml

from lmos.operator.base import StoreError

__all__ = ["BadConfiguration", "Configuration", "ExecSpec", "User", "configuration"]

_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_HOME: Final = "~/.kube/config"
_EXEC_VERSIONS: Final = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
_HOW: Final = "name a kubeconfig (--kubeconfig, LMOS_KUBECONFIG or KUBECONFIG)"

Data = dict[str, Any]


class BadConfiguration(StoreError):
    """The configuration does not say which cluster, or as whom."""


@dataclass(frozen=True, slots=True)
class ExecSpec:
    """A command that prints credentials. `source` says where it stands."""

    source: str
    api_version: str
    command: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    install_hint: str = ""
    provide_cluster_info: bool = False


@dataclass(frozen=True, slots=True)
class User:
    """At most one of token file, token, username and password, exec plugin is used, in this order."""

    token_file: Path | None = None
    token: str | None = field(default=None, repr=False)
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    exec_spec: ExecSpec | None = None
    certificate: bytes | None = None
    key: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Configuration:
    """One cluster and one user. `source` says where it is from; certificates and keys are PEM."""

    source: str
    server: str
    namespace: str
    user: User
    authority: bytes | None = None
    insecure: bool = False
    tls_name: str | None = None
    proxy: str | None = None


def configuration(
    *,
    kubeconfig: str | None = None,
    context: str | None = None,
    environ: Mapping[str, str] = os.environ,
    account: Path = _ACCOUNT,
) -> Configuration:
    """The configuration of `context`, by default the current one.

    Looked for in `kubeconfig` (one file, or several as in `KUBECONFIG`), else `KUBECONFIG`, else the ServiceAccount of
    the Pod unless a context is named, else `~/.kube/config`. Raises `BadConfiguration`.
    """
    if kubeconfig:
        return _of_files(_paths(kubeconfig), context)
    if files := environ.get("KUBECONFIG"):
        return _of_files([path for path in _paths(files) if path.exists()] or _paths(files), context)
    if context is None and "KUBERNETES_SERVICE_HOST" in environ:
        return _of_account(environ, account)
    home = Path(_HOME).expanduser()
    if not home.exists():
        raise BadConfiguration(f"no cluster is configured: there is no {_HOME}, and this is no Pod; {_HOW}")
    return _of_files([home], context)


def _paths(files: str) -> list[Path]:
    return [Path(file).expanduser() for file in files.split(os.pathsep) if file]


def _of_account(environ: Mapping[str, str], account: Path) -> Configuration:
    host, port = environ["KUBERNETES_SERVICE_HOST"], environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not (account / "token").exists():
        raise BadConfiguration(f"this Pod has no {account}/token; set automountServiceAccountToken: true, or {_HOW}")
    return Configuration(
        source="the Pod's ServiceAccount",
        server=f"https://{f'[{host}]' if ':' in host else host}:{port}",
        namespace=_read(account / "namespace", "the Pod's ServiceAccount").decode().strip() or "default",
        user=User(token_file=account / "token"),
        authority=_read(account / "ca.crt", "the Pod's ServiceAccount"),
    )


def _of_files(paths: Iterable[Path], context: str | None) -> Configuration:
    merged = _Merged([_File.load(path) for path in paths])
    name = context or merged.current_context
    if not name:
        raise BadConfiguration(f"{merged.names} names no current-context; add one, or name a context (--context)")
    used = merged.entry("contexts", name)
    cluster = merged.entry("clusters", used.text("cluster", required=True))
    user_name = used.text("user")
    server = cluster.text("server", required=True)
    if not server.startswith(("https://", "http://")):
        raise cluster.bad("server", server, "begin it with https://")
    return Configuration(
        source=f"context {name!r} of {used.file}",
        server=server,
        namespace=used.text("namespace") or "default",
        user=_user(merged.entry("users", user_name)) if user_name else User(),
        authority=cluster.pem("certificate-authority"),
        insecure=cluster.flag("insecure-skip-tls-verify"),
        tls_name=cluster.text("tls-server-name") or None,
        proxy=cluster.text("proxy-url") or None,
    )


def _user(entry: _Entry) -> User:
    for unsupported, instead in (
        ("auth-provider", "Kubernetes dropped it in 1.26: use an exec plugin"),
        ("as", "name a user who may do the work himself"),
    ):
        if entry.data.get(unsupported):
            raise BadConfiguration(f"{entry.where}.{unsupported} is not supported; {instead}")
    token_file = entry.text("tokenFile")
    return User(
        token_file=entry.path(token_file) if token_file else None,
        token=entry.text("token") or None,
        username=entry.text("username") or None,
        password=entry.text("password") or None,
        exec_spec=_exec(entry),
        certificate=entry.pem("client-certificate"),
        key=entry.pem("client-key"),
    )


def _exec(user: _Entry) -> ExecSpec | None:
    if not user.data.get("exec"):
        return None
    entry = user.part("exec")
    version, command = entry.text("apiVersion", required=True), entry.text("command", required=True)
    if version not in _EXEC_VERSIONS:
        raise entry.bad("apiVersion", version, f"configure the plugin for {' or '.join(_EXEC_VERSIONS)}")
    if entry.text("interactiveMode") == "Always":
        raise entry.bad("interactiveMode", "Always", "there is no terminal: use IfAvailable or Never")
    return ExecSpec(
        source=f"{entry.where}",
        api_version=version,
        # A name is looked up in PATH; a path is relative to its file, as for kubectl.
        command=str(entry.path(command)) if os.sep in command else command,
        args=tuple(str(arg) for arg in entry.items("args")),
        env=_variables(entry),
        install_hint=entry.text("installHint"),
        provide_cluster_info=entry.flag("provideClusterInfo"),
    )


def _variables(entry: _Entry) -> dict[str, str]:
    try:
        return {str(pair["name"]): str(pair["value"]) for pair in entry.items("env")}
    except (KeyError, TypeError) as error:
        raise entry.bad("env", entry.data["env"], "write a list of mappings with 'name' and 'value'") from error


def _read(path: Path, source: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadConfiguration(
            f"{source}: {path} cannot be read: {error.strerror}; correct the path or the file"
        ) from error


@dataclass(frozen=True, slots=True)
class _Entry:
    """A mapping in a kubeconfig: a cluster, a user, a context."""

    file: Path
    where: str
    data: Data

    def text(self, key: str, *, required: bool = False) -> str:
        value = self.data.get(key)
        if value is None or value == "":
            if required:
                raise BadConfiguration(f"{self.where}.{key} is missing; add it")
            return ""
        if not isinstance(value, str):
            raise self.bad(key, value, "write a text")
        return value

    def flag(self, key: str) -> bool:
        value = self.data.get(key) or False
        if not isinstance(value, bool):
            raise self.bad(key, value, "write true or false")
        return value

    def items(self, key: str) -> list[Any]:
        value: Any = self.data.get(key) or []
        if not isinstance(value, list):
            raise self.bad(key, value, "write a list")
        return cast("list[Any]", value)

    def pem(self, key: str) -> bytes | None:
        """What `key`-data holds in base64, else the file that `key` names, as kubectl prefers it."""
        if data := self.text(f"{key}-data"):
            try:
                return b64decode(data, validate=True)
            except Base64Error as error:
                raise BadConfiguration(f"{self.where}.{key}-data is no base64: {error}; correct it") from error
        path = self.text(key)
        return _read(self.path(path), f"{self.where}.{key}") if path else None

    def path(self, path: str) -> Path:
        """Relative ones are relative to their file."""
        return self.file.parent / Path(path).expanduser()

    def part(self, key: str) -> _Entry:
        value = self.data[key]
        if not isinstance(value, dict):
            raise self.bad(key, value, "write a mapping")
        return _Entry(self.file, f"{self.where}.{key}", cast("Data", value))

    def bad(self, key: str, value: object, fix: str) -> BadConfiguration:
        return BadConfiguration(f"{self.where}.{key} is {value!r}; {fix}")


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    data: Data

    @classmethod
    def load(cls, path: Path) -> _File:
        try:
            loaded = yaml.safe_load(_read(path, "kubeconfig"))
        except yaml.YAMLError as error:
            raise BadConfiguration(f"{path} is no YAML: {error}; correct it") from error
        if not isinstance(loaded or {}, dict):
            raise BadConfiguration(f"{path} is no kubeconfig: it holds no mapping; {_HOW}")
        return cls(path, cast("Data", loaded or {}))

    def entries(self, section: str) -> dict[str, _Entry]:
        """By name, those of one of the sections `clusters`, `contexts`, `users`."""
        single = section.removesuffix("s")
        try:
            return {
                str(item["name"]): _Entry(
                    self.path, f"{self.path}: {section}[{item['name']}]", dict(item[single] or {})
                )
                for item in self.data.get(section) or ()
            }
        except (KeyError, TypeError, ValueError) as error:
            raise BadConfiguration(
                f"{self.path}: {section} is no list of mappings with 'name' and {single!r}; correct it"
            ) from error


class _Merged:
    """Several files as one: what stands in the first of them wins."""

    def __init__(self, files: list[_File]) -> None:
        self._files = files
        self.names = ", ".join(str(file.path) for file in files) or "KUBECONFIG"

    @property
    def current_context(self) -> str | None:
        return next((name for file in self._files if (name := file.data.get("current-context"))), None)

    def entry(self, section: str, name: str) -> _Entry:
        known: list[str] = []
        for file in self._files:
            entries = file.entries(section)
            if name in entries:
                return entries[name]
            known += entries
        raise BadConfiguration(
            f"{self.names}: there is no {section.removesuffix('s')} {name!r}; "
            f"known: {', '.join(sorted(known)) or 'none'}"
        )
