"""A shell command that ends with whoever waits for it: ``python -I attended.py COMMAND``.

Its standard input is a pipe from that process, which closes when that is gone, killed or not; then
this one ends its process group. Run as a file: it stands in the user's directory, and imports
nothing from there.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading


def main() -> None:
    """Run the command, and end as it does."""
    signal.signal(signal.SIGTERM, _let_the_command_decide)
    threading.Thread(target=_watch, daemon=True).start()
    command = subprocess.run(sys.argv[1], shell=True, stdin=subprocess.DEVNULL, check=False)
    if command.returncode < 0:
        with contextlib.suppress(OSError):  # as KILL's cannot be
            signal.signal(-command.returncode, signal.SIG_DFL)
        os.kill(os.getpid(), -command.returncode)
    sys.exit(command.returncode)


def _let_the_command_decide(number: int, frame: object) -> None:
    """Outlive a signal to the group: the command has it too, and may take its time to end."""


def _watch() -> None:
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
