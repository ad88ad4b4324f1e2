"""The model's own process: ``python -m pytest_anchorgate.engine.serve``.

It loads the engine once, answers a run's requests from the store's queue, and ends when the
pipe that its parent holds closes: when pytest says so, and also when pytest was killed. Its
standard error is the run's log; its last line there is what pytest shows when it dies.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anchorgate.errors import AnchorgateError, UsageError
from pytest_anchorgate.store import ModelState, Store

if TYPE_CHECKING:
    from pytest_anchorgate.engine.protocol import Engine

POLL_S = 0.01
BEAT_S = 1.0


def main() -> int:
    """Serve until the parent's pipe closes; return the exit status."""
    arguments = _arguments()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        Server(arguments).serve()
    except AnchorgateError as error:
        _log(str(error))
        return 1
    except MemoryError as error:
        _log(f"out of memory: {error}. Lower --gate-batch-tokens or use a larger machine.")
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="pytest_anchorgate.engine.serve")
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--engine", required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("--dtype", required=True)
    parser.add_argument("--batch-tokens", type=int, required=True)
    return parser.parse_args()


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)  # the main thread may be deep in a matrix product; nothing of ours is half-written


class Server:
    """One run's model process: an engine, the queue it serves, and its heartbeat."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.run: str = arguments.run
        self.state = ModelState.LOADING
        self.stats = {"load_s": 0.0, "generate_s": 0.0}
        self.store = Store(arguments.store)

    def serve(self) -> None:
        """Load the engine, then answer whatever the queue holds, forever."""
        threading.Thread(target=self._beat_on, daemon=True).start()
        began = time.perf_counter()
        engine = load_engine(self.arguments)
        self.stats["load_s"] = time.perf_counter() - began
        _log(f"loaded {self.arguments.pack} in {self.stats['load_s']:.2f} s, pid {os.getpid()}")
        self.state = ModelState.SERVING
        self._beat(self.store)
        while True:
            self._answer(engine)
            time.sleep(POLL_S)

    def _answer(self, engine: Engine) -> None:
        requests = self.store.open_requests(self.run)
        if not requests:
            return
        began = time.perf_counter()
        before = self.stats["generate_s"]
        tokens = 0
        for completion in engine.generate(requests):
            self.store.add(self.run, [completion])
            tokens += len(completion.token_ids)
            self.stats["generate_s"] = before + time.perf_counter() - began
        self._beat(self.store)
        _log(f"answered {len(requests)} requests with {tokens} tokens")

    def _beat_on(self) -> None:
        store = Store(self.arguments.store)
        while True:
            self._beat(store)
            time.sleep(BEAT_S)

    def _beat(self, store: Store) -> None:
        store.beat(self.run, self.state, stats=self.stats)


def load_engine(arguments: argparse.Namespace) -> Engine:
    """Return the engine that ``--engine`` names: ``transformers`` or ``module:Class``.

    A class of a user's own is called with the pack (or None) as its only argument.

    :raises UsageError: when the module or class does not exist.
    """
    from pytest_anchorgate.pack.format import read_pack

    pack = read_pack(arguments.pack)
    if arguments.engine == "transformers":
        from pytest_anchorgate.engine.lean import lean_imports

        with lean_imports():
            from pytest_anchorgate.engine.transformers import TransformersEngine

            return TransformersEngine(
                pack,
                device=arguments.device,
                dtype=arguments.dtype,
                batch_tokens=arguments.batch_tokens,
            )
    module, _, name = arguments.engine.partition(":")
    try:
        made: Engine = getattr(importlib.import_module(module), name)(pack)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"--gate-engine={arguments.engine}: {error}.") from None
    return made


def _log(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
