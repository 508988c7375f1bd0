"""The test kit's real processes: found when they are ready, explained when they are not, gone at the end."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import pytest

from lmos.testing import LmosProcess, ProcessFailed
from lmos.testing.processes import ChildProcess, run_lmos, until

pytestmark = pytest.mark.timeout(60)


def python(program: str, folder: Path) -> ChildProcess:
    return ChildProcess([sys.executable, "-u", "-c", program], folder=folder)


def test_a_platform_is_found_by_the_address_that_it_prints_and_ends_with_its_context(tmp_path: Path) -> None:
    with LmosProcess("up", "--port", "0", "--data", "data", folder=tmp_path) as platform:
        url = platform.ready()

    assert url.startswith("http://127.0.0.1:")
    assert platform.exit_code == 0


def test_a_process_that_ends_too_early_is_explained_by_what_it_wrote(tmp_path: Path) -> None:
    with (
        LmosProcess("up", "--port", "0", "-f", "missing.yaml", folder=tmp_path) as platform,
        pytest.raises(ProcessFailed, match=r"lmos ended with 1 before printing its address\n(?s:.*)missing.yaml"),
    ):
        platform.ready()


def test_a_process_that_stays_silent_is_waited_for_so_long_only(tmp_path: Path) -> None:
    with (
        python("print('hello'); __import__('time').sleep(60)", tmp_path) as child,
        pytest.raises(ProcessFailed, match=r"process: the answer: not within 0.2 seconds"),
    ):
        child.until(lambda: "answer" in child.out, "the answer", seconds=0.2)


def test_a_killed_process_has_the_signal_as_its_code(tmp_path: Path) -> None:
    with python("__import__('time').sleep(60)", tmp_path) as child:
        child.kill()

    assert child.exit_code == -signal.SIGKILL


def test_a_process_that_ignores_the_request_to_end_is_ended(tmp_path: Path) -> None:
    program = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); time.sleep(60)"
    with python(program, tmp_path) as child:
        child.until(lambda: "up" in child.out, "being up")
        assert child.stop(seconds=0.2) == -signal.SIGKILL


def test_output_and_errors_are_kept_apart(tmp_path: Path) -> None:
    with python("import sys; print('out'); print('err', file=sys.stderr)", tmp_path) as child:
        assert child.wait() == 0

    assert (child.out, child.err, child.last_lines()) == ("out\n", "err\n", "out\nerr")


def test_the_callers_settings_are_not_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMOS_DATA", "elsewhere")
    (tmp_path / "data").mkdir()
    done = run_lmos("get", "channels", folder=tmp_path, settings={"LMOS_NAMESPACE": "blue"})

    assert (done.returncode, done.stderr) == (0, "No resources found in blue namespace.\n")


def test_until_names_what_it_waited_for() -> None:
    began = time.monotonic()
    with pytest.raises(ProcessFailed, match=r"the moon: not within 0.05 seconds"):
        until(lambda: False, "the moon", seconds=0.05)

    assert time.monotonic() - began < 5
