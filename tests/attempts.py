"""Attempts for the ledger's tests; free of torch, since processes are started that import it."""

from __future__ import annotations

import string
from typing import Any

from hypothesis import strategies as st

from pytest_anchorgate.ledger import DECISIONS, Attempt, Event

FACTS: dict[str, Any] = {
    "event": Event.GATE,
    "time": "2026-11-22T10:00:00Z",
    "pack": "demo-v1.planck",
    "sha256": "a" * 64,
    "decision": "accepted",
    "anchors_kept": 19,
    "anchors": 19,
    "sentinels_kept": 31,
    "sentinels": 31,
    "gained": 0,
    "lost": 0,
    "suites": {"mbpp": (13, 100)},
    "settings": {"rank": "16"},
}


def attempt(**changed: object) -> Attempt:
    """Give one attempt, which every fact that is not given makes an accepted gate run."""
    return Attempt(**FACTS | changed)


TEXT = st.text(max_size=12)
COUNTS = st.integers(0, 2**53)
SHARES = st.tuples(COUNTS, COUNTS).map(sorted).map(tuple)
DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64)


@st.composite
def attempts(draw: st.DrawFn) -> Attempt:
    """Give any attempt that there can be."""
    (kept, anchors), (sentinels_kept, sentinels) = draw(SHARES), draw(SHARES)
    return Attempt(
        event=draw(st.sampled_from(Event)),
        time=draw(st.datetimes()).strftime("%Y-%m-%dT%H:%M:%SZ").zfill(20),
        pack=draw(TEXT),
        sha256=draw(DIGESTS),
        decision=draw(st.sampled_from(DECISIONS)),
        anchors_kept=kept,
        anchors=anchors,
        sentinels_kept=sentinels_kept,
        sentinels=sentinels,
        gained=draw(COUNTS),
        lost=draw(COUNTS),
        suites=draw(st.dictionaries(TEXT, SHARES, max_size=3)),
        settings=draw(st.dictionaries(TEXT, TEXT, max_size=3)),
        production=draw(st.booleans()),
        note=draw(TEXT | st.text(string.printable, max_size=8)),
        lost_anchors=draw(st.lists(TEXT, max_size=3).map(tuple)),
    )
