"""A Kubernetes cluster of one's own on loopback: started by `with`, ended with it or with this process.

    with Cluster(crds=[crds_yaml()]) as cluster:
        cluster.kubectl("get", "agents", "-A")

For tests and benchmarks. Real programs, no containers: what a Deployment's pods would do, kwok only claims.
"""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Self

import httpx2

from lmos.testing.processes import ProcessFailed
from tools.testcluster.access import Access
from tools.testcluster.binaries import Binaries
from tools.testcluster.credentials import ADMIN, ROLES, Credentials, Role
from tools.testcluster.parts import API, API_SERVER, CONTROLLERS, ETCD, KWOK, WHOLE, Site, command
from tools.testcluster.ports import HeldPort
from tools.testcluster.process import Janitor, Part

__all__ = ["Cluster"]

_START_SECONDS: Final = 60.0

_NODE: Final = """\
apiVersion: v1
kind: Node
metadata: {{name: {0}, labels: {{kubernetes.io/hostname: {0}, kubernetes.io/os: linux}}}}
status:
  allocatable: {{cpu: "64", memory: 256Gi, pods: "1000"}}
  capacity: {{cpu: "64", memory: 256Gi, pods: "1000"}}
"""


class Cluster(Access):
    """The parts named by `parts`, ready when entered.

    `crds` are applied before the controllers start, since a running garbage collector notices a new kind only after 30
    seconds. `roles` are known besides `ROLES`. `flags` are added to a part's own and win over them. `folder` must be
    new or empty and is kept; without it a temporary one is used and removed. Raises `ProcessFailed` with the end of a
    part's log, `NoBinaries`, `BadAssets`.
    """

    def __init__(
        self,
        *,
        parts: Sequence[str] = WHOLE,
        crds: Sequence[str] = (),
        roles: Sequence[Role] = (),
        flags: Mapping[str, Sequence[str]] | None = None,
        nodes: int = 1,
        folder: Path | None = None,
        binaries: Binaries | None = None,
    ) -> None:
        unknown = set(parts).difference(WHOLE)
        if unknown or not set(API_SERVER).issubset(parts):
            wrong = f"{', '.join(sorted(unknown))} is none of" if unknown else f"{', '.join(API_SERVER)} are needed of"
            raise ValueError(f"parts of a cluster: {wrong} {', '.join(WHOLE)}")
        self.binaries = binaries or Binaries.found()
        self._names, self._crds, self._roles, self._nodes = (
            [part for part in WHOLE if part in parts],
            crds,
            (*ROLES, *roles),
            nodes,
        )
        self._flags = {name: list(more) for name, more in (flags or {}).items()}
        self._given_folder = folder
        self._parts: dict[str, Part] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    @property
    def url(self) -> str:
        """Of the API server."""
        return self._site.credentials.url

    @property
    def etcd_url(self) -> str:
        """Of etcd, which speaks gRPC and, below `/v3/`, JSON."""
        return self._site.etcd_url

    @property
    def kubectl_program(self) -> Path:
        return self.binaries.program("kubectl")

    def kubeconfig(self, role: str = ADMIN) -> Path:
        return self._site.credentials.kubeconfig(role)

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that have a kubeconfig."""
        return tuple(self._site.credentials.roles)

    def check(self) -> None:
        """Raises `ProcessFailed`, with the end of its log, for a part that has ended."""
        for part in self._parts.values():
            if not part.running:
                raise ProcessFailed(f"{part.name} ended with {part.exit_code}\n{part.last_lines()}")

    def part(self, name: str) -> Part:
        """A part, running or not: to pause, kill or read the log of."""
        return self._parts[name]

    def start(self, name: str, *, flags: Sequence[str] | None = None) -> Part:
        """Start a part that has ended and wait until it serves. `flags` take the place of those it was given."""
        if flags is not None:
            self._flags[name] = list(flags)
        part = Part.start(command(name, self._site, self._flags.get(name, ())), folder=self.folder, name=name)
        self._parts[name] = part
        if name in (ETCD, API):
            self._until(part, self._etcd_ready if name == ETCD else self._api_ready, "being ready")
        return part

    def restart(self, name: str, *, flags: Sequence[str] | None = None, kill: bool = True) -> Part:
        """End a part, as a crash would or in order, and start it again on the same port and data."""
        part = self._parts[name]
        if kill:
            part.kill()
        else:
            part.stop(seconds=60.0)
        return self.start(name, flags=flags)

    def compact(self) -> int:
        """Make etcd forget all but the present; gives its revision.

        The API server answers what is in its watch cache all the same: restart it for a 410.
        """
        revision = int(self._etcd("kv/range", {"key": "AA=="})["header"]["revision"])
        self._etcd("kv/compaction", {"revision": str(revision), "physical": True})
        return revision

    def _start(self, stack: ExitStack) -> None:
        self.folder = _new_folder(self._given_folder)
        janitor = Janitor(self.folder, keep=self._given_folder is not None)
        stack.callback(janitor.dismiss)
        stack.callback(self._kill)
        etcd, peer, api = (stack.enter_context(HeldPort()).number for _ in range(3))
        credentials = Credentials(self.folder, f"https://127.0.0.1:{api}", self._roles)
        self._site = Site(self.folder, self.binaries, credentials, etcd, peer, api)
        tls = ssl.create_default_context(cafile=credentials.authority)
        token = {"Authorization": f"Bearer {credentials.roles[ADMIN].token}"}
        self._http = stack.enter_context(httpx2.Client(verify=tls, headers=token, trust_env=False, timeout=5))
        for name in self._names:
            if name == CONTROLLERS:
                self.install(self._crds)
            self.start(name)
        if CONTROLLERS not in self._names:
            self.install(self._crds)
        if KWOK in self._names:
            self._add_nodes()
        self.check()

    def _add_nodes(self) -> None:
        names = [f"node-{number}" for number in range(self._nodes)]
        self.kubectl("create", "-f", "-", stdin="---\n".join(_NODE.format(name) for name in names))
        nodes = [f"node/{name}" for name in names]
        self.kubectl("wait", *nodes, "--for=condition=Ready", "--timeout=30s", seconds=40.0)

    def _kill(self) -> None:
        for part in self._parts.values():
            part.kill()

    def _until(self, part: Part, done: Callable[[], bool], what: str) -> None:
        def done_with_etcd() -> bool:
            etcd = self._parts[ETCD]
            if etcd is not part and not etcd.running:
                raise ProcessFailed(f"etcd ended while {part.name} started\n{etcd.last_lines()}")
            return done()

        part.until(done_with_etcd, what, _START_SECONDS)

    def _etcd_ready(self) -> bool:
        return self._answers(f"{self.etcd_url}/health")

    def _api_ready(self) -> bool:
        return self._answers(f"{self.url}/readyz")

    def _answers(self, url: str) -> bool:
        try:
            return self._http.get(url).is_success
        except httpx2.TransportError:
            return False

    def _etcd(self, operation: str, body: Mapping[str, Any]) -> Any:
        return self._http.post(f"{self.etcd_url}/v3/{operation}", json=dict(body)).raise_for_status().json()


def _new_folder(given: Path | None) -> Path:
    if given is None:
        return Path(tempfile.mkdtemp(prefix="lmos-testcluster-"))
    given = given.absolute()
    given.mkdir(parents=True, exist_ok=True)
    if any(given.iterdir()):
        raise FileExistsError(f"{given} is not empty; a cluster starts in a folder of its own")
    return given
