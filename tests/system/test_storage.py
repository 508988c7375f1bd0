"""The data folder under two processes, and when it fails: clear lines, exit codes, and nothing that was shown lost."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Generator
from pathlib import Path

import httpx2
import pytest

from lmos.testing import LmosProcess
from lmos.testing.processes import run_lmos
from tests.system.platforms import ECHO_AGENT, body, channel, logged, message_path, up

pytestmark = pytest.mark.timeout(60)

DATA = ("--data", "data")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "echo.agent.py").write_text(ECHO_AGENT.replace("NAME", "echo"))
    (tmp_path / "channel.yaml").write_text(channel("echo"))
    return tmp_path


@pytest.fixture
def platform(folder: Path) -> Generator[tuple[LmosProcess, httpx2.Client]]:
    process = up(folder, "echo.agent.py", "channel.yaml")
    with process, httpx2.Client(base_url=process.ready(), timeout=20) as http:
        yield process, http


def ask(http: httpx2.Client, turn: str, channel_name: str = "web") -> httpx2.Response:
    message = body(agent="echo") | {"systemContext": {"channelId": channel_name}}
    return http.post(message_path("c1"), json=message, headers={"x-turn-id": turn})


def test_what_another_process_applies_and_deletes_is_seen(
    platform: tuple[LmosProcess, httpx2.Client], folder: Path
) -> None:
    _, http = platform
    (folder / "late.yaml").write_text(channel("echo", name="late"))
    assert ask(http, "before", "late").status_code == 404

    assert run_lmos("apply", "-f", "late.yaml", *DATA, folder=folder).returncode == 0
    # A second is promised; CI machines may be slow.
    assert _becomes(http, 200) < 5
    assert run_lmos("delete", "channel", "late", *DATA, folder=folder).returncode == 0
    assert _becomes(http, 404) < 5


def _becomes(http: httpx2.Client, status: int) -> float:
    """Seconds until a turn on the channel `late` is answered so."""
    began, number = time.monotonic(), 0
    while ask(http, f"{status}-{number}", "late").status_code != status:
        number += 1
        assert time.monotonic() - began < 10
        time.sleep(0.02)
    return time.monotonic() - began


def test_a_second_platform_on_the_folder_is_refused_and_the_first_goes_on(
    platform: tuple[LmosProcess, httpx2.Client], folder: Path
) -> None:
    process, http = platform
    second = run_lmos("up", "--port", "0", *DATA, folder=folder)

    assert second.returncode == 1
    assert second.stderr == (
        f"error: another platform (process {process.pid}) runs on data; stop it or choose another folder with --data\n"
    )
    assert ask(http, "t1").status_code == 200


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="another process's limits are Linux's")
def test_a_disk_that_fails_fails_turns_clearly_and_loses_nothing(
    platform: tuple[LmosProcess, httpx2.Client],
) -> None:
    process, http = platform
    assert ask(http, "before").status_code == 200
    kept = logged(http, "c1", "before")
    _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    # The log file is shorter than this, the database's write-ahead log longer: to it, the disk fails.
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (32_768, hard))
    try:
        failed = ask(http, "during")
        stream = {"x-turn-id": "streamed", "accept": "text/event-stream"}
        streamed = http.post(message_path("c1"), json=body(agent="echo"), headers=stream)
        read = logged(http, "c1", "before")
        assert http.get("/livez").status_code == 200
    finally:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, hard))

    recorded = {"errorCode": "INTERNAL_SERVER_ERROR", "message": "the turn could not be recorded; post it again later"}
    assert (failed.status_code, failed.json()) == (500, recorded)
    assert (streamed.status_code, streamed.json()) == (500, recorded)
    assert read == kept
    lines = [line for line in process.err.splitlines() if "turn not recorded" in line]
    assert len(lines) == 2
    assert all("disk I/O error" in line for line in lines)
    assert "Traceback" not in process.err
    again = ask(http, "during")
    assert (again.status_code, again.json()["content"]) == (200, "c1 u1 during")
    assert logged(http, "c1", "before") == kept


def _noise(database: Path) -> None:
    database.write_bytes(bytes(range(1, 251)) * 100)


def _cut(database: Path) -> None:
    os.truncate(database, 20_000)


def _pages_lost(database: Path) -> None:
    content = database.read_bytes()
    database.write_bytes(content[:4096] + b"\x5a" * (len(content) - 4096))


UP, GET, APPLY = ("up", "--port", "0"), ("get", "channels"), ("apply", "-f", "channel.yaml")


@pytest.mark.parametrize(
    ("words", "damage", "problem"),
    [
        pytest.param(UP, _noise, "it is no SQLite database", id="up, no database"),
        pytest.param(UP, _cut, "the file is damaged", id="up, cut off"),
        pytest.param(UP, _pages_lost, "the file is damaged", id="up, pages lost"),
        pytest.param(GET, _pages_lost, "the file is damaged", id="get, pages lost"),
        pytest.param(APPLY, _cut, "the file is damaged", id="apply, cut off"),
    ],
)
def test_a_damaged_database_is_one_line_and_stays_as_it_is(
    folder: Path, words: tuple[str, ...], damage: Callable[[Path], None], problem: str
) -> None:
    assert run_lmos("apply", "-f", "channel.yaml", *DATA, folder=folder).returncode == 0
    database = folder / "data" / "lmos.db"
    damage(database)
    before = database.read_bytes()
    done = run_lmos(*words, *DATA, folder=folder)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: database 'data/lmos.db': ")
    assert problem in done.stderr
    assert done.stderr.count("\n") == 1
    assert database.read_bytes() == before


@pytest.mark.parametrize("words", [UP, APPLY], ids=["up", "apply"])
def test_a_data_folder_that_is_a_file_is_one_line(folder: Path, words: tuple[str, ...]) -> None:
    (folder / "data").touch()
    done = run_lmos(*words, *DATA, folder=folder)

    assert done.returncode == 1
    assert done.stderr.startswith("error: data: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("words", [UP, APPLY], ids=["up", "apply"])
def test_a_data_folder_that_cannot_be_written_is_one_line(folder: Path, words: tuple[str, ...]) -> None:
    assert run_lmos("apply", "-f", "channel.yaml", *DATA, folder=folder).returncode == 0
    for path in (*(folder / "data").iterdir(), folder / "data"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    done = run_lmos(*words, *DATA, folder=folder)

    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
