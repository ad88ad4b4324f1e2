"""`packs/ledger.jsonl`: every gate, surgery, promotion, refusal and revert, one JSON line each.

Append-only: what was tried stays, also what failed. Says what happened, and decides nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import textwrap
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from pytest_anchorgate.errors import LedgerError, PackError
from pytest_anchorgate.pack.atomic import write_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

FILE = "ledger.jsonl"  # within packs/
DECISIONS = ("accepted", "refused", "")
WIDTH = 100
_CELL = 28  # characters of a cell's line, after which it goes on in the next one
_GAP = "  "
_NARROWEST = 12 + len(_GAP)  # a column with the first digits of a sha256
_SHOWN = 60  # characters of a cut line that a message shows
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MEND = "Mend that line, or restore the file from version control"


class Event(StrEnum):
    """What an attempt was."""

    GATE = "gate"
    SURGERY = "surgery"
    PROMOTION = "promotion"
    REFUSAL = "refusal"
    REVERT = "revert"


class Attempt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of the ledger: what was done with a pack, and what came of it.

    ``time`` is UTC in ISO 8601 to the second, ``pack`` a file name, ``sha256`` the pack's.
    ``decision`` is one of `DECISIONS`, empty where none was made. ``gained`` and ``lost`` count
    over all suites, ``suites`` maps each to its passed and planned tasks. ``settings`` is what
    the pack's maker says (rank, lr, ...), as text, ``lost_anchors`` are ids. ``production`` says
    whether production.toml names the pack afterwards. Raises `ValueError` for what cannot be.
    """

    event: Event
    time: str
    pack: str
    sha256: str
    decision: str
    anchors_kept: int
    anchors: int
    sentinels_kept: int
    sentinels: int
    gained: int
    lost: int
    suites: dict[str, tuple[int, int]]
    settings: dict[str, str]
    production: bool = False
    note: str = ""
    lost_anchors: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if fault := next(_faults(self), None):
            raise ValueError(fault)


def _faults(attempt: Attempt) -> Iterator[str]:
    if not _is_time(attempt.time):
        yield f"time = {attempt.time!r} is not UTC as in 2026-11-22T10:00:00Z"
    if not _DIGEST.fullmatch(attempt.sha256):
        yield f"sha256 = {attempt.sha256!r} is not 64 hex digits"
    if attempt.decision not in DECISIONS:
        yield f"decision = {attempt.decision!r} is none of {', '.join(map(repr, DECISIONS))}"
    for name, (passed, total) in _counts(attempt).items():
        if not 0 <= passed <= total:
            yield f"{name}: {passed} of {total} cannot be"
    for name, count in (("gained", attempt.gained), ("lost", attempt.lost)):
        if count < 0:
            yield f"{name} = {count} cannot be"


def _is_time(text: str) -> bool:
    try:
        return bool(_TIME.fullmatch(text) and datetime.fromisoformat(text))
    except ValueError:  # the 31st of February
        return False


def _counts(attempt: Attempt) -> dict[str, tuple[int, int]]:
    return {
        "anchors": (attempt.anchors_kept, attempt.anchors),
        "sentinels": (attempt.sentinels_kept, attempt.sentinels),
        **{f"suite {name!r}": counts for name, counts in attempt.suites.items()},
    }


def read_ledger(path: Path) -> tuple[Attempt, ...]:
    """Return the attempts in the ledger ``path``, oldest first; none where there is no file.

    Raises `LedgerError` with the line's number for a line that is not an attempt.
    """
    return _parse(path, _read(path))


def append_attempt(path: Path, attempt: Attempt) -> bool:
    """Append ``attempt`` to the ledger ``path`` and return True, or False for a mere rerun.

    A rerun equals an attempt in the ledger in all but its time and leaves production as the
    ledger has it: nothing is written. The file is replaced whole, under a lock of its directory,
    so that processes appending at once lose nothing. Raises `LedgerError` where the ledger
    cannot be read, locked or written; then it stays as it was.
    """
    with _locked(path.parent):
        raw = _read(path)
        attempts = _parse(path, raw)
        if _is_rerun(attempt, attempts):
            return False
        try:
            write_file(path, raw + _render(path, attempt))
        except PackError as error:
            raise LedgerError(str(error)) from None
    return True


def history_json(attempts: Sequence[Attempt]) -> str:
    """Return the attempts as a JSON list, oldest first."""
    return msgspec.json.format(msgspec.json.encode(attempts, order="deterministic")).decode()


def production_sha256(attempts: Iterable[Attempt]) -> str:
    """Return the digest of the pack in production after these attempts, or "" if none says so."""
    digest = ""
    for attempt in attempts:
        if attempt.production:
            digest = attempt.sha256
        elif attempt.sha256 == digest:
            digest = ""
    return digest


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold the lock of ``directory`` itself, which needs no file of its own to lie there."""
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _unlockable(directory, error) from None
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
        except OSError as error:  # a file system without locks
            raise _unlockable(directory, error) from None
        yield
    finally:
        os.close(fd)


def _unlockable(directory: Path, error: OSError) -> LedgerError:
    return LedgerError(
        f"{directory}: cannot be locked: {error.strerror}. Name a directory on a local disk."
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise LedgerError(
            f"{path}: cannot be read: {error.strerror}. Give a readable file."
        ) from None


def _parse(path: Path, raw: bytes) -> tuple[Attempt, ...]:
    *lines, rest = raw.split(b"\n")
    attempts = tuple(_parse_line(f"{path}:{n}", line) for n, line in enumerate(lines, 1))
    if rest:
        end = rest[-_SHOWN:].decode("utf-8", "replace")
        raise LedgerError(f"{path}:{len(lines) + 1}: was cut, and ends in {end!r}. {_MEND}.")
    return attempts


def _parse_line(where: str, line: bytes) -> Attempt:
    try:
        return msgspec.json.decode(line, type=Attempt)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise LedgerError(f"{where}: {reason}. {_MEND}.") from None


def _render(path: Path, attempt: Attempt) -> bytes:
    try:
        line = msgspec.json.encode(attempt, order="deterministic")
        msgspec.json.decode(line, type=Attempt)  # a line that cannot be read would end the ledger
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        raise LedgerError(
            f"{path}: cannot hold this attempt: {error}. Give each field its type, text in Unicode."
        ) from None
    return line + b"\n"


def _is_rerun(attempt: Attempt, attempts: Sequence[Attempt]) -> bool:
    known = any(msgspec.structs.replace(old, time=attempt.time) == attempt for old in attempts)
    return known and production_sha256((*attempts, attempt)) == production_sha256(attempts)


def render_history(attempts: Sequence[Attempt], *, width: int = WIDTH) -> str:
    """Return a table with a column for each attempt, the latest last, and a row for each fact.

    Older attempts that do not fit ``width`` columns are left out and counted in a last line; the
    latest is always shown. Pack and status say what the whole ledger says.
    """
    if not attempts:
        return "no attempts yet"
    production = production_sha256(attempts)
    most = max(1, width // _NARROWEST)
    for left_out in range(max(0, len(attempts) - most), len(attempts)):
        lines = _table(attempts[left_out:], production)
        if max(map(len, lines)) <= width:
            break
    return "\n".join([*lines, *_older(attempts[:left_out], attempts[left_out:], production)])


def _older(older: Sequence[Attempt], shown: Sequence[Attempt], production: str) -> Iterator[str]:
    if older:
        count = "1 older attempt is" if len(older) == 1 else f"{len(older)} older attempts are"
        packs = {attempt.sha256: attempt.pack for attempt in older}
        hidden = production in packs and all(a.sha256 != production for a in shown)
        which = f", {_printable(packs[production])} in PRODUCTION among them" if hidden else ""
        yield f"{count} not shown{which}"


def _table(attempts: Sequence[Attempt], production: str) -> list[str]:
    """Return the lines of the table, each column as wide as its widest line."""
    rows = [[_wrap(cell) for cell in row] for row in _rows(attempts, production)]
    widths = [
        max(len(line) for cell in column for line in cell) for column in zip(*rows, strict=True)
    ]
    lines = []
    for row in rows:
        for k in range(max(map(len, row))):
            parts = [cell[k] if k < len(cell) else "" for cell in row]
            padded = [f"{part:{width}}" for part, width in zip(parts, widths, strict=True)]
            lines.append(_GAP.join(padded).rstrip())
    return lines


def _wrap(cell: str) -> list[str]:
    return textwrap.wrap(_printable(cell), _CELL) or [""]


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def _rows(attempts: Sequence[Attempt], production: str) -> Iterator[list[str]]:
    yield ["pack", *(a.pack for a in attempts)]
    yield ["event", *(a.event for a in attempts)]
    yield ["time", *(a.time.partition("T")[0] for a in attempts)]
    yield ["sha256", *(a.sha256[:12] for a in attempts)]
    for key in sorted({key for a in attempts for key in a.settings}):
        yield [key, *(_setting(key, a.settings.get(key, "-")) for a in attempts)]
    yield ["anchors", *(_share(a.anchors_kept, a.anchors) for a in attempts)]
    yield ["sentinels", *(_share(a.sentinels_kept, a.sentinels) for a in attempts)]
    for suite in sorted({suite for a in attempts for suite in a.suites}):
        yield [suite, *(_share(*a.suites.get(suite, (0, 0))) for a in attempts)]
    yield ["gained", *(str(a.gained) for a in attempts)]
    yield ["lost", *(str(a.lost) for a in attempts)]
    yield ["decision", *(a.decision or "-" for a in attempts)]
    yield ["status", *("PRODUCTION" if a.sha256 == production else "archived" for a in attempts)]


def _setting(key: str, text: str) -> str:
    """Return a setting's text, a digest cut as the pack's own is."""
    return text[:12] if key.endswith("sha256") else text


def _share(passed: int, total: int) -> str:
    return f"{passed} / {total}" if total else "not measured"
