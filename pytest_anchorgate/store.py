"""The completion store and request queue: one SQLite file that several processes share.

Completions are kept between runs under their request's key; requests, expected items and
the state of the model's process belong to one run and go with it. The file may be deleted
between runs: it only saves time. Knows nothing of pytest, torch or tasks.
"""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

from pytest_anchorgate.engine.protocol import Completion, FinishReason, Parting, Request
from pytest_anchorgate.errors import StoreError

SCHEMA_VERSION = 2
STALE_RUN_S = (
    24 * 3600.0
)  # a run that was killed leaves rows; the next run after a day removes them
BUSY_S = 30.0  # how long one process waits for another's write

SCHEMA = """
CREATE TABLE IF NOT EXISTS completions (
    key TEXT PRIMARY KEY, run TEXT, text TEXT, token_ids TEXT, finish_reason TEXT,
    margin REAL, seconds REAL, parting TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (
    run TEXT PRIMARY KEY, state TEXT, note TEXT, beat REAL, stats TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS requests (
    run TEXT, key TEXT, request TEXT, reused INTEGER, PRIMARY KEY (run, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS expected (
    run TEXT, case_id TEXT, selected INTEGER, PRIMARY KEY (run, case_id)
) WITHOUT ROWID;
"""


class ModelState(StrEnum):
    """Where the model's process of a run stands."""

    IDLE = "idle"
    LOADING = "loading"
    SERVING = "serving"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStatus:
    """The model process's last word: its state, why it died, when it last spoke, its counts."""

    state: ModelState
    note: str
    beat: float  # seconds since the epoch
    stats: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """How many completions a run asked for, and how many the store already held."""

    generated: int
    generated_tokens: int
    reused: int
    reused_tokens: int


class Store:
    """One process's (and one thread's) connection to the store.

    :raises StoreError: from every method, when the file is damaged, locked or cannot be written.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / "store.sqlite"
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"{directory}: cannot be created: {error.strerror}. "
                "Name a writable directory with --gate-store."
            ) from None
        with self._readable_errors():
            self._db = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None)
            self._use_write_ahead_log()
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._refuse_other_version()
            self._db.executescript(SCHEMA)
            self._db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    def _use_write_ahead_log(self) -> None:
        """Set the journal's mode; SQLite does not wait for others who do so at the same time."""
        deadline = time.monotonic() + BUSY_S
        while True:
            try:
                self._db.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return

    def _refuse_other_version(self) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version not in (0, SCHEMA_VERSION):
            raise StoreError(
                f"{self.path}: is a store of version {version}, this release reads version "
                f"{SCHEMA_VERSION}. Delete it (it only saves time) or name another --gate-store."
            )

    @contextmanager
    def _readable_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(
                f"{self.path}: the completion store cannot be used: {error}. "
                "Delete it (it only saves time) or name another directory with --gate-store."
            ) from None

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._readable_errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def begin(self, run: str) -> None:
        """Open a run, and forget what runs that were killed left behind."""
        with self._transaction():
            now = time.time()
            stale = "SELECT run FROM runs WHERE beat < ?"
            for table in ("requests", "expected", "runs"):
                self._db.execute(
                    f"DELETE FROM {table} WHERE run IN ({stale})", (now - STALE_RUN_S,)
                )
            self._db.execute(
                "INSERT INTO runs VALUES (?, ?, '', ?, '{}')", (run, ModelState.IDLE, now)
            )

    def forget(self, run: str) -> None:
        """Remove all that belongs to a run; its completions stay."""
        with self._transaction():
            for table in ("requests", "expected", "runs"):
                self._db.execute(f"DELETE FROM {table} WHERE run = ?", (run,))

    def request(self, run: str, requests: Iterable[Request]) -> None:
        """Queue requests; one that is queued or answered already costs nothing."""
        rows = [(run, request.key, request.to_json(), request.key) for request in requests]
        with self._transaction():
            self._db.executemany(
                "INSERT OR IGNORE INTO requests VALUES "
                "(?, ?, ?, EXISTS (SELECT 1 FROM completions WHERE key = ?))",
                rows,
            )

    def open_requests(self, run: str) -> list[Request]:
        """Return the run's requests that nobody has answered yet."""
        with self._readable_errors():
            rows = self._db.execute(
                "SELECT key, request FROM requests WHERE run = ? "
                "AND NOT EXISTS (SELECT 1 FROM completions WHERE completions.key = requests.key)",
                (run,),
            ).fetchall()
        return [Request.from_json(key, text) for key, text in rows]

    def add(self, run: str, completions: Iterable[Completion]) -> None:
        """Store answers; the first answer to a key stays."""
        rows = [
            (
                *(c.key, run, c.text, json.dumps(c.token_ids), c.finish_reason),
                *(c.margin, c.seconds, json.dumps(c.parting)),
            )
            for c in completions
        ]
        with self._transaction():
            self._db.executemany(
                "INSERT OR IGNORE INTO completions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows
            )

    def completion(self, key: str) -> Completion | None:
        """Return the stored answer to a request, or None."""
        with self._readable_errors():
            row = self._db.execute(
                "SELECT text, token_ids, finish_reason, margin, seconds, parting FROM completions "
                "WHERE key = ?",
                (key,),
            ).fetchone()
        if row is None:
            return None
        text, token_ids, finish_reason, margin, seconds, parting = row
        parted = json.loads(parting)
        return Completion(
            key=key,
            text=text,
            token_ids=tuple(json.loads(token_ids)),
            finish_reason=FinishReason(finish_reason),
            margin=margin,
            seconds=seconds,
            parting=Parting(*parted) if parted else None,
        )

    def beat(
        self, run: str, state: ModelState, *, note: str = "", stats: dict[str, float] | None = None
    ) -> None:
        """Say that the model's process is alive and in ``state``; dead stays dead."""
        with self._transaction():
            self._db.execute(
                "UPDATE runs SET state = ?, note = ?, beat = ?, stats = coalesce(?, stats) "
                "WHERE run = ? AND state != 'dead'",
                (state, note, time.time(), json.dumps(stats) if stats else None, run),
            )

    def status(self, run: str) -> ModelStatus:
        """Return the model process's last word in a run.

        :raises StoreError: also when the run is unknown, because somebody deleted the store.
        """
        with self._readable_errors():
            row = self._db.execute(
                "SELECT state, note, beat, stats FROM runs WHERE run = ?", (run,)
            ).fetchone()
        if row is None:
            raise StoreError(
                f"{self.path}: run {run} is gone; was the store deleted during the run? Run again."
            )
        state, note, beat, stats = row
        return ModelStatus(state=ModelState(state), note=note, beat=beat, stats=json.loads(stats))

    def expect(self, run: str, cases: Iterable[tuple[str, bool]]) -> None:
        """Note which cases a process collected, and whether each stayed selected."""
        with self._transaction():
            self._db.executemany(
                "INSERT OR REPLACE INTO expected VALUES (?, ?, ?)",
                [(run, case_id, selected) for case_id, selected in cases],
            )

    def expected(self, run: str) -> dict[str, bool]:
        """Return collected case ids and whether each stayed selected."""
        with self._readable_errors():
            rows = self._db.execute(
                "SELECT case_id, selected FROM expected WHERE run = ?", (run,)
            ).fetchall()
        return {case_id: bool(selected) for case_id, selected in rows}

    def traffic(self, run: str) -> Traffic:
        """Count the answered requests of a run, newly generated against reused."""
        with self._readable_errors():
            rows = self._db.execute(
                "SELECT reused, count(*), coalesce(sum(json_array_length(token_ids)), 0) "
                "FROM requests JOIN completions USING (key) WHERE requests.run = ? "
                "GROUP BY reused",
                (run,),
            ).fetchall()
        count = {bool(reused): (number, tokens) for reused, number, tokens in rows}
        generated, generated_tokens = count.get(False, (0, 0))
        reused, reused_tokens = count.get(True, (0, 0))
        return Traffic(
            generated=generated,
            generated_tokens=generated_tokens,
            reused=reused,
            reused_tokens=reused_tokens,
        )

    def progress(self, run: str) -> tuple[int, int]:
        """Return how many of the run's requests are answered, and how many there are."""
        with self._readable_errors():
            answered, total = self._db.execute(
                "SELECT count(completions.key), count(*) FROM requests "
                "LEFT JOIN completions USING (key) WHERE requests.run = ?",
                (run,),
            ).fetchone()
        return answered, total
