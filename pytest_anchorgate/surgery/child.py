"""Training and folding as processes: started, shown and ended by one that waits for them.

Knows command lines and exit statuses; imports no torch and no pytest.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anchorgate.errors import (
    AnchorgateError,
    InvalidTrainingError,
    SurgeryError,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EXIT_USAGE, EXIT_INVALID = 2, 10
PREFIX = "anchorgate: "  # of the line that says why
LAST_LINES = 20


def run_child(module: str, arguments: Sequence[str], log: Path, say: Callable[[str], None]) -> None:
    """Run ``python -m module`` to its end; ``say`` receives its lines, and ``log`` all of them.

    Ctrl-C, and the death of this process, end it.

    :raises UsageError: for what it refuses before it begins.
    :raises InvalidTrainingError: when nothing can come of what it did.
    :raises SurgeryError: when it died.
    """
    command = [sys.executable, "-m", module, *arguments, "--attended"]
    last: collections.deque[str] = collections.deque(maxlen=LAST_LINES)
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("a", encoding="utf-8") as file,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # which closes when this process is gone
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,  # Ctrl-C is this process's, which ends that one
        ) as child,
    ):
        try:
            ended = threading.Thread(target=_end_what_it_leaves, args=(child.pid,), daemon=True)
            ended.start()
            assert child.stderr is not None
            for line in child.stderr:
                file.write(line)
                last.append(line.rstrip())
                if not line.startswith(PREFIX) and line.strip():
                    say(line.rstrip())
            ended.join()
        finally:
            _end_group(child.pid)
            child.wait()
    _require_success(module, child.returncode, last, log)


def _end_what_it_leaves(pid: int) -> None:
    """Wait for a process, and end what it started, which may hold its standard error open."""
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # so that its number stays its own
        _end_group(pid)


def _end_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def child_parser(module: str) -> argparse.ArgumentParser:
    """Return the parser of what training and folding both take."""
    parser = argparse.ArgumentParser(prog=module)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="the directory of this training")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--judged", type=Path, help="prompts that the session judges")
    parser.add_argument("--attended", action="store_true", help="end when standard input closes")
    return parser


def exit_status(error: AnchorgateError) -> int:
    """Return what a child that raised this ends with."""
    return EXIT_INVALID if isinstance(error, InvalidTrainingError) else EXIT_USAGE


def end_with_parent() -> None:
    """End this process when its standard input closes: then nobody waits for it any more."""

    def watch() -> None:
        while os.read(0, 1):  # unbuffered: a buffer's lock would outlive the interpreter
            pass
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="anchorgate-parent", daemon=True).start()


def _require_success(module: str, status: int, last: Sequence[str], log: Path) -> None:
    if status == 0:
        return
    why = next((line[len(PREFIX) :] for line in reversed(last) if line.startswith(PREFIX)), "")
    if why and status in (EXIT_USAGE, EXIT_INVALID):
        raise (UsageError if status == EXIT_USAGE else InvalidTrainingError)(why)
    if status < 0:
        name = signal.Signals(-status).name
        raise SurgeryError(
            f"{module}: was killed by {name}; too little memory is the usual reason. Lower "
            f"training.batch, or see {log}; the same command goes on from the last checkpoint."
        )
    words = last[-1] if last else "it left no word"
    raise SurgeryError(f"{module}: died with exit status {status}: {words}. See {log}.")
