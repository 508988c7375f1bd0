"""Run as a file: becomes the program that its arguments name, in a process group of its own, bound to its parent.

`subprocess` could do this between fork and exec (`preexec_fn`), but not safely in a process with threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Final

__all__: list[str] = []

_PR_SET_PDEATHSIG: Final = 1


def _main() -> None:
    parent, *command = sys.argv[1:]
    os.setpgid(0, 0)  # Ctrl-C in a terminal is for the launcher, which ends its parts in order
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != int(parent):  # it died before we asked
            sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 - what the launcher wants run


if __name__ == "__main__":
    _main()
