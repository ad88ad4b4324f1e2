"""The journal of a promotion: all that finishes or undoes it, and the steps of both.

It lies in ``packs/`` while a promotion is under way. Each step passes over what is done already,
so that after a kill all of them may be done again. Decides nothing: which way to go is for
``promote``. Knows nothing of gates, nor of the command that follows a promotion.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pytest_anchorgate import ledger
from pytest_anchorgate.certificate import certificate_path
from pytest_anchorgate.errors import PromotionError
from pytest_anchorgate.ledger import Attempt, append_attempt, read_ledger
from pytest_anchorgate.pack import production
from pytest_anchorgate.pack.atomic import replace_file, sync_directory, write_file
from pytest_anchorgate.pack.format import CHUNK_BYTES, digest_file
from pytest_anchorgate.surgery import lock

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = ".promotion.json"  # within packs/


class Direction(StrEnum):
    """Where a promotion that was begun goes."""

    FORWARD = "forward"
    BACK = "back"


class Journal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one promotion changes: the old and the new of every file.

    ``name`` is the pack's file within ``packs/``; ``new`` says that nothing lay there before, and
    ``keep`` that the pack stays at ``source`` too. Without a new certificate none is touched.
    ``attempts`` is how many the ledger held before, ``revert`` the line that it gets on the way
    back.
    """

    direction: Direction = Direction.FORWARD
    source: str
    name: str
    sha256: str
    new: bool
    keep: bool
    old_production: bytes | None
    new_production: bytes
    old_certificate: bytes | None
    new_certificate: bytes | None
    attempts: int
    attempt: Attempt
    revert: Attempt | None = None
    after: str | None
    root: str


def read_journal(packs: Path) -> Journal | None:
    """Return the journal in ``packs``, or None where there is none.

    :raises PromotionError: for a file that is not exactly that.
    """
    path = packs / FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Journal)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PromotionError(
            f"{path}: cannot be read: {error.strerror}. Give a readable file."
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise PromotionError(
            f"{path}: is no journal of a promotion: {reason}. See that {production.FILE} and its "
            "certificate belong together, and remove the file."
        ) from None


def write_journal(packs: Path, journal: Journal) -> None:
    """Write the journal, whole or not at all.

    :raises AnchorgateError: when the system refuses, or a text is no Unicode.
    """
    try:
        raw = msgspec.json.encode(journal, order="deterministic")
    except UnicodeEncodeError as error:
        raise PromotionError(
            f"{packs / FILE}: cannot hold this promotion: {error}. Give names in Unicode."
        ) from None
    write_file(packs / FILE, raw)


def remove_journal(packs: Path) -> None:
    """Remove the journal: the promotion is done, or undone.

    :raises PromotionError: when the system refuses.
    """
    with _changing(packs / FILE):
        (packs / FILE).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # if a power cut brings it back, all is done once more
        sync_directory(packs)


def read_file(path: Path) -> bytes | None:
    """Return the content of a file, or None where there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def carry_out(packs: Path, journal: Journal) -> None:
    """Place the pack, then write its certificate, ``production.toml`` and the ledger's line.

    :raises AnchorgateError: when the system refuses; then the rest is not done.
    """
    _place(packs, journal)
    if journal.new_certificate is not None:
        _put(certificate_path(packs, journal.name), journal.new_certificate)
    _put(packs / production.FILE, journal.new_production)
    _append(packs, journal, journal.attempt)


def undo(packs: Path, journal: Journal) -> None:
    """Make everything what it was, in the opposite order; the ledger gets a line more.

    :raises AnchorgateError: when the system refuses; then the rest is not done.
    """
    _put(packs / production.FILE, journal.old_production)
    if journal.new_certificate is not None:
        path = certificate_path(packs, journal.name)
        _put(path, journal.old_certificate)
        if journal.old_certificate is None:
            with contextlib.suppress(OSError):  # others are in it, or it was never made
                path.parent.rmdir()
    _take_back(packs, journal)
    if journal.revert is not None:
        _append(packs, journal, journal.revert)


def remove_source(packs: Path, journal: Journal) -> None:
    """Remove what was moved from another file system; only then, and unless it is to be kept.

    :raises AnchorgateError: when the system refuses.
    """
    source = Path(journal.source)
    if journal.new and not journal.keep and _holds(source, journal.sha256):
        with _changing(source):
            source.unlink()
            sync_directory(source.parent)


def in_ledger(packs: Path, journal: Journal, attempt: Attempt) -> bool:
    """Whether this promotion has written a line to the ledger.

    :raises LedgerError: when the ledger cannot be read.
    """
    return attempt in read_ledger(packs / ledger.FILE)[journal.attempts :]


def leftovers(packs: Path) -> bool:
    """Whether a promotion is under way or was killed; one look at the directory tells."""
    if not packs.is_dir():
        return False
    names = (FILE, lock.FILE)
    return any(p.name in names or _is_temporary(p, FILE) for p in packs.iterdir())


def sweep(packs: Path, journal: Journal | None) -> None:
    """Remove the unfinished files that a killed promotion left; its lock must be held.

    :raises PromotionError: when the system refuses.
    """
    places = [packs / FILE]
    if journal is not None:
        names = (production.FILE, ledger.FILE, journal.name)
        places += [*(packs / name for name in names), Path(journal.source)]
        places.append(certificate_path(packs, journal.name))
    with _changing(packs), _ledger_is_still(packs):
        for place in places:
            siblings = place.parent.iterdir() if place.parent.is_dir() else ()
            for path in [path for path in siblings if _is_temporary(path, place.name)]:
                path.unlink()


def _is_temporary(path: Path, name: str) -> bool:
    """Whether ``atomic.replace_file`` made this file on the way to one called ``name``."""
    return re.fullmatch(rf"\.{re.escape(name)}\.[0-9a-f]{{16}}\.tmp", path.name) is not None


@contextmanager
def _ledger_is_still(packs: Path) -> Iterator[None]:
    """Keep others from appending to the ledger, whose lock is the directory's."""
    fd = os.open(packs, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _place(packs: Path, journal: Journal) -> None:
    target, source = packs / journal.name, Path(journal.source)
    if target.exists():
        return
    if journal.keep:
        _copy(source, target, journal.sha256)
    else:
        _move(source, target, journal.sha256)


def _take_back(packs: Path, journal: Journal) -> None:
    """Give the pack back to where it came from; bytes that are not the pack's stay."""
    target, source = packs / journal.name, Path(journal.source)
    if not journal.new or not _holds(target, journal.sha256):
        return
    if not source.exists():
        with _changing(source):
            source.parent.mkdir(parents=True, exist_ok=True)
        _move(target, source, journal.sha256)
    if target.exists() and _holds(source, journal.sha256):  # it was copied, here or there
        with _changing(target):
            target.unlink()
            sync_directory(packs)


def _holds(path: Path, sha256: str) -> bool:
    return path.is_file() and digest_file(path) == sha256


def _move(source: Path, target: Path, sha256: str) -> None:
    """Move a pack; to another file system it is copied, and the source stays."""
    try:
        with _changing(target):
            source.rename(target)
            sync_directory(target.parent)
            sync_directory(source.parent)
    except _OtherFileSystem:
        _copy(source, target, sha256)


def _copy(source: Path, target: Path, sha256: str) -> None:
    digest = hashlib.sha256()
    with replace_file(target) as file, source.open("rb") as pack:
        while chunk := pack.read(CHUNK_BYTES):
            digest.update(chunk)
            file.write(chunk)
        if (found := digest.hexdigest()) != sha256:
            raise PromotionError(f"{source}: has sha256 {found} by now, not {sha256}. Gate it.")


def _put(path: Path, content: bytes | None) -> None:
    """Make a file's content this, or with None remove it."""
    with _changing(path):
        if read_file(path) == content:
            return
        if content is None:
            path.unlink()
            sync_directory(path.parent)
            return
    write_file(path, content, parents=True)


def _append(packs: Path, journal: Journal, attempt: Attempt) -> None:
    """Append one line, once; the ledger itself drops what tells nothing new."""
    if not in_ledger(packs, journal, attempt):
        append_attempt(packs / ledger.FILE, attempt)


class _OtherFileSystem(PromotionError):
    """A file cannot be renamed into another file system."""


@contextmanager
def _changing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        kind = _OtherFileSystem if error.errno == errno.EXDEV else PromotionError
        reason = error.strerror or str(error)
        raise kind(f"{path}: cannot be changed: {reason}. Give room and permission.") from None
