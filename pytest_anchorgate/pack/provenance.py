"""What a pack's maker says of it beyond free text: the tasks it was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pytest_anchorgate.errors import PackError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_anchorgate.pack.format import Pack

TRAINED_ON = "trained_on"


def trained_on(pack: Pack) -> tuple[str, ...]:
    """Return the ids of the tasks that a pack was trained on, sorted; none where it says nothing.

    :raises PackError: when the provenance's ``trained_on`` is no JSON list of ids.
    """
    text = pack.provenance.get(TRAINED_ON, "[]")
    try:
        return tuple(sorted(set(msgspec.json.decode(text, type=list[str]))))
    except msgspec.DecodeError:
        raise PackError(
            f"{pack.path}: its provenance has trained_on = {text[:60]!r}, not a JSON list of task "
            "ids. Pack it again."
        ) from None


def render_trained_on(task_ids: Sequence[str]) -> str:
    """Return the text that `trained_on` reads back."""
    return msgspec.json.encode(sorted(set(task_ids))).decode()
