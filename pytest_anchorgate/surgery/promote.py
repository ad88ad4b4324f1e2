"""Promotion and revert: pack, certificate, ``production.toml`` and ledger, all of them or none.

docs/promotion.md has the order of it and what a kill leaves. Knows nothing of gates: that the
pack may be in production was decided before.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import msgspec

from pytest_anchorgate import ledger
from pytest_anchorgate.errors import AnchorgateError, LockHeldError, PackError, PromotionError
from pytest_anchorgate.ledger import Attempt, Event, read_ledger
from pytest_anchorgate.pack import production
from pytest_anchorgate.pack.format import digest_file
from pytest_anchorgate.pack.production import (
    Production,
    parse_production,
    read_production,
)
from pytest_anchorgate.surgery.after import run_after
from pytest_anchorgate.surgery.journal import (
    FILE,
    Direction,
    Journal,
    carry_out,
    in_ledger,
    leftovers,
    read_file,
    read_journal,
    remove_journal,
    remove_source,
    sweep,
    undo,
    write_journal,
)
from pytest_anchorgate.surgery.lock import lock
from pytest_anchorgate.surgery.prepare import Promotion, prepare

if TYPE_CHECKING:
    from collections.abc import Callable

    Say = Callable[[str], None]

__all__ = ["Promotion", "promote", "recover"]
NOT_MEASURED = Attempt(
    event=Event.REVERT, time="2026-01-01T00:00:00Z", pack="", sha256="0" * 64, decision="",
    anchors_kept=0, anchors=0, sentinels_kept=0, sentinels=0, gained=0, lost=0, suites={},
    settings={},
)  # fmt: skip


def promote(promotion: Promotion, *, say: Say) -> None:
    """Put a pack in production, whole or not at all; ``say`` is given the lines for the user.

    :raises LockHeldError: when another process is changing production.
    :raises AnchorgateError: in one line, when production is as it was; or when it could be neither
        changed nor be made what it was, which `recover` then does.
    """
    packs = promotion.packs
    with lock(packs, f"promotion of {promotion.name}"):
        recover(packs, say=say)
        old = read_production(packs)
        if old is not None and old.sha256 == promotion.sha256:
            say(f"{packs / production.FILE}: {old.pack} is in production already")
            return
        journal = prepare(promotion, old)
        try:
            fault = _perform(packs, journal, say)
        except KeyboardInterrupt:
            say(f"{journal.name}: is not promoted: {_before(journal)}")
            raise
        if fault:
            raise PromotionError(f"{journal.name}: {fault}, so {_before(journal)}.")
        _close(packs, journal)


def recover(packs: Path, *, say: Say) -> None:
    """Finish or undo the promotion that a kill left in ``packs``, and say so in one line.

    Does nothing where nothing was left, or while another process changes production: that is
    whole at every moment.

    :raises AnchorgateError: when it can be neither finished nor undone.
    """
    if not leftovers(packs):
        return
    begun = (packs / FILE).exists()
    try:
        with lock(packs, "recovery of a promotion"):
            journal = read_journal(packs)
            sweep(packs, journal)
            if journal is not None:
                say(f"{packs / FILE}: {_settle(packs, journal, say)}")
    except LockHeldError:
        return
    except PromotionError:
        if begun:  # else only a file is left that hurts nobody, in a directory not to be written
            raise


def _perform(packs: Path, journal: Journal, say: Say) -> str | None:
    """Promote, or undo all of it; return what is wrong with the command that follows."""
    try:
        write_journal(packs, journal)
        carry_out(packs, journal)
    except BaseException as error:
        if (packs / FILE).exists():
            _go_back(packs, journal, _one_line(str(error)) or "interrupted")
        if isinstance(error, AnchorgateError):
            said = f"{error} {journal.name} is not promoted: {_before(journal)}."
            raise PromotionError(said) from None
        raise
    return _follow(packs, journal, say)


def _follow(packs: Path, journal: Journal, say: Say) -> str | None:
    """Run the command that follows; when it fails, undo everything and return how it failed."""
    if not journal.after:
        return None
    what = f"after_promote `{_one_line(journal.after)}`"
    try:
        fault = run_after(journal.after, Path(journal.root), say=say)
    except BaseException:
        _go_back(packs, journal, f"{what} was interrupted")
        raise
    if fault:
        _go_back(packs, journal, f"{what} {fault}")
        return f"{what} {fault}"
    return None


def _go_back(packs: Path, journal: Journal, reason: str) -> None:
    """Undo a promotion; once that is in the journal, recovery does so too."""
    try:
        if journal.direction is Direction.FORWARD:
            line = _revert_line(packs, journal, reason)
            journal = msgspec.structs.replace(journal, direction=Direction.BACK, revert=line)
            write_journal(packs, journal)
        undo(packs, journal)
        remove_journal(packs)
    except AnchorgateError as error:
        raise _unfinished(packs, journal, error) from None


def _close(packs: Path, journal: Journal) -> None:
    try:
        remove_source(packs, journal)
        remove_journal(packs)
    except AnchorgateError as error:
        raise _unfinished(packs, journal, error) from None


def _settle(packs: Path, journal: Journal, say: Say) -> str:
    """Take a promotion that was cut short to one of its ends, and return which."""
    what = f"the promotion of {journal.name} was cut short"
    known = (journal.old_production, journal.new_production)
    if read_file(packs / production.FILE) not in known:
        remove_journal(packs)
        return f"{what}, and is forgotten: {production.FILE} was changed since"
    if journal.direction is Direction.BACK:
        _go_back(packs, journal, "")
        return f"{what}, and is undone: {_before(journal)}"
    if not _pack_is_here(packs, journal):
        gone = f"neither {packs / journal.name} nor {journal.source} has sha256 {journal.sha256}"
        _go_back(packs, journal, gone)
        return f"{what}, and is undone, as {gone}: {_before(journal)}"
    try:
        carry_out(packs, journal)
    except AnchorgateError as error:
        raise _unfinished(packs, journal, error) from None
    if fault := _follow(packs, journal, say):
        return f"{what}, and is undone, as {fault}: {_before(journal)}"
    _close(packs, journal)
    return f"{what}, and is finished: {journal.name} is in production"


def _pack_is_here(packs: Path, journal: Journal) -> bool:
    target = packs / journal.name
    path = target if os.path.lexists(target) else Path(journal.source)
    try:
        return digest_file(path) == journal.sha256
    except PackError:
        return False


def _revert_line(packs: Path, journal: Journal, reason: str) -> Attempt | None:
    """Return the ledger's line for a promotion that is undone; None when it got none itself."""
    if not in_ledger(packs, journal, journal.attempt):
        return None
    line, old = journal.attempt, _old(journal)
    if old is not None:
        attempts = read_ledger(packs / ledger.FILE)
        known = [attempt for attempt in attempts if attempt.sha256 == old.sha256]
        line = known[-1] if known else NOT_MEASURED
        name = PurePosixPath(old.pack).name
        line = msgspec.structs.replace(line, pack=name, sha256=old.sha256, decision="")
    time = datetime.now(tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return msgspec.structs.replace(
        line, event=Event.REVERT, time=time, production=old is not None, note=reason
    )


def _old(journal: Journal) -> Production | None:
    if journal.old_production is None:
        return None
    return parse_production(journal.old_production, production.FILE)


def _before(journal: Journal) -> str:
    old = _old(journal)
    return f"{old.pack if old else 'no pack'} is in production, as before"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _unfinished(packs: Path, journal: Journal, error: AnchorgateError) -> PromotionError:
    return PromotionError(
        f"{packs / FILE}: the promotion of {journal.name} is neither finished nor undone: {error} "
        "The next gate, promote or revert goes on with it."
    )
