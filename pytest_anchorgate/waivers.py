"""`anchors/waivers.toml`: anchors that may be lost for a while, each with a reason and an owner.

::

    [[waiver]]
    task = "demo/x"
    reason = "Its prompt is wrong; a new one is under way."
    owner = "Ada"
    expires = 2026-12-31

Knows nothing of verdicts: it reads rows and tells which of them are over.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from pytest_anchorgate.errors import UsageError
from pytest_anchorgate.tasks.rows import clip
from pytest_anchorgate.tasks.task import canonical_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FILE = "waivers.toml"
_FIELDS = ("task", "reason", "owner", "expires")
_FORM = 'A row reads: [[waiver]] task = "ID", reason = "…", owner = "…", expires = 2026-12-31'


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """One anchor whose loss or change is accepted up to and on the day ``expires``."""

    task: str
    reason: str
    owner: str
    expires: date

    def expired(self, today: date) -> bool:
        """Say whether the waiver held until some day before ``today``."""
        return today > self.expires


def read_waivers(path: Path) -> tuple[Waiver, ...]:
    """Return the waivers in the file, in its order; none where there is no file.

    Raises `UsageError` in one line for a file that cannot be read or is not exactly that.
    """
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return ()
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(f"{path}: cannot be read: {why}. Give a readable file.") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: byte {error.start} is not UTF-8. Save it as UTF-8.") from None
    return parse_waivers(text, str(path))


def parse_waivers(text: str, where: str) -> tuple[Waiver, ...]:
    """Return the waivers that ``text`` holds; ``where`` is what messages begin with."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{where}: {error}. {_FORM}.") from None
    rows = document.pop("waiver", [])
    if document:
        raise UsageError(f"{where}: {next(iter(document))!r} is not a waiver. {_FORM}.")
    if not isinstance(rows, list):
        raise UsageError(f"{where}: waiver = {clip(rows)} is not a list of rows. {_FORM}.")
    waivers = [_parse_row(row, f"{where}: row {number}") for number, row in enumerate(rows, 1)]
    _refuse_duplicates(waivers, where)
    return tuple(waivers)


def expired_lines(waivers: Sequence[Waiver], today: date, where: str) -> tuple[str, ...]:
    """Return a sentence for each waiver that is over, in their order."""
    return tuple(
        f"{where}: the waiver of {waiver.task!r} ({waiver.owner}, {waiver.reason}) expired on "
        f"{waiver.expires}. Remove the row, or renew it with a reason."
        for waiver in waivers
        if waiver.expired(today)
    )


def _parse_row(row: object, where: str) -> Waiver:
    if not isinstance(row, dict):
        raise UsageError(f"{where}: {clip(row)} is not a row. {_FORM}.")
    for key in row:
        if key not in _FIELDS:
            raise UsageError(f"{where}: unknown key {key!r}. {_FORM}.")
    for key in _FIELDS:
        if key not in row:
            raise UsageError(f"{where}: the key {key!r} is missing. {_FORM}.")
    expires = row["expires"]
    if type(expires) is not date:  # a date with a time of day is a `date` too
        shown = clip(str(expires) if isinstance(expires, date) else expires)
        raise UsageError(f"{where}: expires = {shown} is not a date. Write 2026-12-31, unquoted.")
    return Waiver(
        task=canonical_id(_text(row, "task", where)),
        reason=_text(row, "reason", where),
        owner=_text(row, "owner", where),
        expires=expires,
    )


def _text(row: dict[str, Any], key: str, where: str) -> str:
    """Return a text on one line: reports put it into their own sentences."""
    value = row[key]
    text = " ".join(value.split()) if isinstance(value, str) else ""
    if not text or not text.isprintable():
        raise UsageError(
            f"{where}: {key} = {clip(value)} is no text that can be read. "
            "Each waiver names a task, a reason and an owner."
        )
    return text


def _refuse_duplicates(waivers: Sequence[Waiver], where: str) -> None:
    rows: dict[str, int] = {}
    for number, waiver in enumerate(waivers, 1):
        if (first := rows.setdefault(waiver.task, number)) != number:
            raise UsageError(
                f"{where}: row {number}: {waiver.task!r} has a waiver in row {first} already. "
                "Keep one of them."
            )
