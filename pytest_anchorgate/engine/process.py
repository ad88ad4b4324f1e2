"""The parent's half of the model's process: start it when needed, notice its death, end it.

Knows the store and the command line of ``engine.serve``; imports no torch and no pytest.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_anchorgate.errors import EngineError
from pytest_anchorgate.store import ModelState, Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_anchorgate.engine.protocol import Completion, EngineIdentity

POLL_S = 0.02
PROGRESS_S = 0.5
SILENCE_S = 300.0  # a model process that says nothing for this long is taken for dead
END_S = 5.0  # how long the process may take to end by itself
LOGS_KEPT = 20
# OpenMP's threads spin while they wait, which a busy core turns into seconds: 64 short answers
# took 0.6 s with sleeping threads and 2 to 25 s with spinning ones beside one busy process.
THREADS = {"OMP_WAIT_POLICY": "PASSIVE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCommand:
    """What the model's process is told to serve."""

    pack: Path
    identity: EngineIdentity
    batch_tokens: int
    store: Path
    run: str

    @property
    def log(self) -> Path:
        """The file that receives the process's standard error."""
        return self.store / "logs" / f"{self.run}.log"

    @property
    def argv(self) -> list[str]:
        """The command line."""
        return [
            *(sys.executable, "-m", "pytest_anchorgate.engine.serve"),
            *("--store", str(self.store), "--run", self.run, "--pack", str(self.pack)),
            *("--engine", self.identity.engine, "--device", self.identity.device),
            *("--dtype", self.identity.dtype, "--batch-tokens", str(self.batch_tokens)),
        ]


class ModelProcess:
    """Watches a run's queue from a thread and starts the model once a request is unanswered.

    ``progress`` is called from that thread with the number of answered and of all requests.
    """

    def __init__(
        self, command: ModelCommand, *, progress: Callable[[int, int], None] | None = None
    ) -> None:
        self.command = command
        self.process: subprocess.Popen[bytes] | None = None
        self._progress = progress
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="anchorgate-model", daemon=True)

    def start(self) -> None:
        """Begin to watch the queue."""
        self._thread.start()

    def stop(self) -> None:
        """End the process and the watching thread; returns once both are gone."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()
        if self.process is None:
            return
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _watch(self) -> None:
        store = Store(self.command.store)
        told = time.monotonic()
        try:
            while not self._ending.wait(POLL_S):
                if self.process is None:
                    if store.open_requests(self.command.run):
                        self.process = self._spawn()
                elif self.process.poll() is not None:
                    store.beat(self.command.run, ModelState.DEAD, note=self._last_words())
                    return
                elif self._progress is not None and time.monotonic() - told > PROGRESS_S:
                    told = time.monotonic()
                    self._progress(*store.progress(self.command.run))
        finally:
            store.close()

    def _spawn(self) -> subprocess.Popen[bytes]:
        log = self.command.log
        log.parent.mkdir(parents=True, exist_ok=True)
        for old in sorted(log.parent.glob("*.log"), key=lambda p: p.stat().st_mtime)[:-LOGS_KEPT]:
            old.unlink(missing_ok=True)
        with log.open("wb") as stream:
            return subprocess.Popen(
                self.command.argv,
                stdin=subprocess.PIPE,
                stdout=stream,
                stderr=stream,
                env={**os.environ, **THREADS},
                start_new_session=True,  # Ctrl-C is pytest's; it ends this process itself
            )

    def _last_words(self) -> str:
        assert self.process is not None
        status = self.process.returncode
        if status < 0:
            return (
                f"the model's process was killed by {signal.Signals(-status).name}; too little "
                f"memory is the usual reason. Lower --gate-batch-tokens, or see {self.command.log}."
            )
        lines = self.command.log.read_text("utf-8", "replace").strip().splitlines()
        last = lines[-1] if lines else f"it left no word in {self.command.log}"
        return f"the model's process died with exit status {status}: {last}"


def wait_for_completion(store: Store, run: str, key: str) -> Completion:
    """Return the answer to a queued request as soon as the model's process has given it.

    :raises EngineError: when that process died or has fallen silent.
    """
    pause = POLL_S / 4
    while (completion := store.completion(key)) is None:
        status = store.status(run)
        if status.state is ModelState.DEAD:
            raise EngineError(status.note)
        if status.state is not ModelState.IDLE and time.time() - status.beat > SILENCE_S:
            raise EngineError(
                f"the model's process has been silent for {SILENCE_S:.0f} s. Run the gate again."
            )
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)
    return completion
