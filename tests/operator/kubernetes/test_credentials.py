"""Exec plugins, as real processes: what they are told, what they give, and when they are run again."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lmos.clock import rfc3339
from lmos.operator.kubernetes.config import ExecSpec
from lmos.operator.kubernetes.credentials import CredentialsFault, ExecPlugin
from lmos.testing.clock import VirtualClock

pytestmark = pytest.mark.anyio

V1 = "client.authentication.k8s.io/v1"


def plugin(
    tmp_path: Path, clock: VirtualClock, program: str, *, cluster: Mapping[str, Any] | None = None, **spec: Any
) -> ExecPlugin:
    """A plugin that runs `program` and counts its runs in `tmp_path / "runs"`."""
    path = tmp_path / "plugin.py"
    count = "runs = open('runs', 'a'); runs.write('x'); runs.close(); n = len(open('runs').read())"
    path.write_text(f"import json, os, sys, time\nos.chdir({str(tmp_path)!r})\n{count}\n{program}\n")
    told = ExecSpec("users[u].exec", V1, sys.executable, (str(path), "argument"), **spec)
    return ExecPlugin(told, clock=clock, tls=None, cluster=cluster or {})


def runs(tmp_path: Path) -> int:
    return len((tmp_path / "runs").read_text())


GIVE = "print(json.dumps({'kind': 'ExecCredential', 'status': {'token': f't{n}'}}))"


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


async def test_a_plugin_is_run_once_for_many_requests(tmp_path: Path, clock: VirtualClock) -> None:
    credentials = plugin(tmp_path, clock, GIVE)
    found = await asyncio.gather(*[credentials.headers() for _ in range(16)])
    assert found == [{"Authorization": "Bearer t1"}] * 16
    assert runs(tmp_path) == 1


async def test_a_plugin_is_run_once_when_many_requests_were_refused(tmp_path: Path, clock: VirtualClock) -> None:
    credentials = plugin(tmp_path, clock, GIVE)
    refused = await credentials.headers()
    assert await asyncio.gather(*[credentials.renew(refused) for _ in range(16)]) == [True] * 16
    assert await credentials.headers() == {"Authorization": "Bearer t2"}
    assert runs(tmp_path) == 2


async def test_a_plugin_is_run_again_when_its_token_has_expired(tmp_path: Path, clock: VirtualClock) -> None:
    expires = rfc3339(clock.now() + timedelta(minutes=10))
    program = f"print(json.dumps({{'status': {{'token': f't{{n}}', 'expirationTimestamp': {expires!r}}}}}))"
    credentials = plugin(tmp_path, clock, program)
    assert await credentials.headers() == {"Authorization": "Bearer t1"}
    clock.advance(599)
    assert await credentials.headers() == {"Authorization": "Bearer t1"}
    clock.advance(1)
    assert await credentials.headers() == {"Authorization": "Bearer t2"}


async def test_a_plugin_gets_arguments_variables_and_what_it_needs_to_know(tmp_path: Path, clock: VirtualClock) -> None:
    program = (
        "json.dump([sys.argv[1], os.environ['REGION'], json.loads(os.environ['KUBERNETES_EXEC_INFO'])],"
        f"open('seen', 'w'))\n{GIVE}"
    )
    cluster = {"server": "https://c.example"}
    credentials = plugin(tmp_path, clock, program, cluster=cluster, env={"REGION": "eu"}, provide_cluster_info=True)
    await credentials.headers()
    argument, region, info = json.loads((tmp_path / "seen").read_text())
    assert (argument, region) == ("argument", "eu")
    assert info == {"apiVersion": V1, "kind": "ExecCredential", "spec": {"interactive": False, "cluster": cluster}}


async def test_a_plugin_that_did_not_ask_is_not_told_of_the_cluster(tmp_path: Path, clock: VirtualClock) -> None:
    program = f"open('seen', 'w').write(os.environ['KUBERNETES_EXEC_INFO'])\n{GIVE}"
    await plugin(tmp_path, clock, program, cluster={"server": "x"}).headers()
    assert "cluster" not in json.loads((tmp_path / "seen").read_text())["spec"]


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("sys.exit('please log in')", "ended with code 1: please log in"),
        ("print('hello')", "printed no ExecCredential with a status: hello"),
        ("print('{}')", "printed no ExecCredential"),
        ("print('[]')", "printed no ExecCredential"),
        ("print(json.dumps({'status': None}))", "printed no ExecCredential"),
        ("print(json.dumps({'status': {}}))", "gave neither a token nor a client certificate"),
        ("print(json.dumps({'status': {'token': 't', 'expirationTimestamp': 'soon'}}))", "printed no ExecCredential"),
        ("print(json.dumps({'status': {'clientCertificateData': 'PEM'}}))", "but the server's address is no https://"),
    ],
)
async def test_a_plugin_that_fails_is_named_with_what_it_said(
    tmp_path: Path, clock: VirtualClock, program: str, told: str
) -> None:
    with pytest.raises(CredentialsFault, match=r"the exec plugin .* of users\[u\].exec") as caught:
        await plugin(tmp_path, clock, program).headers()
    assert told in str(caught.value)


async def test_a_plugin_that_is_not_installed_is_named_with_its_hint(clock: VirtualClock) -> None:
    spec = ExecSpec("users[u].exec", V1, "lmos-no-such-plugin", install_hint="get it from the shop")
    with pytest.raises(CredentialsFault, match=r"'lmos-no-such-plugin' of users\[u\].exec .*get it from the shop"):
        await ExecPlugin(spec, clock=clock, tls=None, cluster={}).headers()


async def test_a_plugin_that_failed_is_run_again_by_the_next_request(tmp_path: Path, clock: VirtualClock) -> None:
    credentials = plugin(tmp_path, clock, f"n > 1 or sys.exit('not yet')\n{GIVE}")
    with pytest.raises(CredentialsFault):
        await credentials.headers()
    assert await credentials.headers() == {"Authorization": "Bearer t2"}


async def test_a_plugin_that_gives_the_same_token_is_not_worth_another_attempt(
    tmp_path: Path, clock: VirtualClock
) -> None:
    credentials = plugin(tmp_path, clock, "print(json.dumps({'status': {'token': 't'}}))")
    assert await credentials.renew(await credentials.headers()) is False
    assert runs(tmp_path) == 2
