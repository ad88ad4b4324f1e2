"""What confirming a certificate finds, a line at a time: held, not looked at, or wrong."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from pytest_anchorgate.errors import AnchorgateError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

AGAIN = "Restore what was changed, or gate the pack again with --gate-certify."


class Mark(Enum):
    """What a finding says."""

    CONFIRMED = auto()
    UNCHECKED = auto()
    WRONG = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of what was found."""

    mark: Mark
    text: str


def confirmed(name: str, text: str) -> Finding:
    """Return what holds, its name aligned."""
    return Finding(mark=Mark.CONFIRMED, text=f"{name:13}{text}")


def unchecked(text: str) -> Finding:
    """Return what could not be looked at, or was not to be."""
    return Finding(mark=Mark.UNCHECKED, text=f"{'not checked':13}{text}")


def wrong(text: str) -> Finding:
    """Return what does not hold."""
    return Finding(mark=Mark.WRONG, text=text)


def guarded(step: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """Yield a step's findings; what cannot be read is wrong, and a usage error ends them all."""
    try:
        yield from step()
    except UsageError:
        raise
    except AnchorgateError as error:
        yield wrong(str(error))
