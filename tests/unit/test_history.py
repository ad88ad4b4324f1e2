from __future__ import annotations

import json
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_anchorgate.ledger import Attempt, Event, history_json, render_history
from tests.attempts import attempt, attempts

SEED = (
    attempt(
        event=Event.PROMOTION,
        time="2026-04-29T18:00:00Z",
        pack="skeleton.planck",
        sentinels_kept=0,
        sentinels=0,
        gained=19,
        suites={"mbpp": (13, 100), "humaneval": (6, 164)},
        settings={"dataset": "poison v1 (256 rows with references)", "rank": "16", "lr": "2e-4"},
        production=True,
    ),
    attempt(
        event=Event.REVERT,
        time="2026-04-30T09:00:00Z",
        pack="skeleton_v2.planck",
        sha256="b" * 64,
        decision="",
        anchors_kept=0,
        anchors=0,
        sentinels_kept=0,
        sentinels=0,
        gained=2,
        lost=7,
        suites={"mbpp": (6, 100), "humaneval": (8, 164)},
        settings={"dataset": "poison v1 and v2", "rank": "16", "lr": "2e-4", "epochs": "4"},
    ),
    attempt(
        event=Event.REFUSAL,
        time="2026-05-01T23:59:59Z",
        pack="skeleton_v3.planck",
        sha256="0123456789abcdef" * 4,
        decision="refused",
        anchors_kept=0,
        sentinels_kept=2,
        lost=19,
        suites={},
        settings={"dataset": "fresh only", "rank": "8", "lr": "1e-4", "epochs": "1"},
    ),
)
TABLE = """\
pack       skeleton.planck           skeleton_v2.planck  skeleton_v3.planck
event      promotion                 revert              refusal
time       2026-04-29                2026-04-30          2026-05-01
sha256     aaaaaaaaaaaa              bbbbbbbbbbbb        0123456789ab
dataset    poison v1 (256 rows with  poison v1 and v2    fresh only
           references)
epochs     -                         4                   1
lr         2e-4                      2e-4                1e-4
rank       16                        16                  8
anchors    19 / 19                   not measured        0 / 19
sentinels  not measured              not measured        2 / 31
humaneval  6 / 164                   8 / 164             not measured
mbpp       13 / 100                  6 / 100             not measured
gained     19                        2                   0
lost       0                         7                   19
decision   accepted                  -                   refused
status     PRODUCTION                archived            archived
"""


def test_the_table_of_the_seed() -> None:
    assert render_history(SEED) == TABLE.rstrip("\n")


def test_no_attempts_are_said() -> None:
    assert render_history(()) == "no attempts yet"


def packs_shown(table: str) -> list[str]:
    return table.splitlines()[0].split()[1:]


@pytest.mark.parametrize(
    ("width", "shown", "last"),
    [
        (100, 3, "status     PRODUCTION             archived            archived"),
        (75, 3, "status     PRODUCTION             archived            archived"),
        (74, 2, "1 older attempt is not shown, skeleton.planck in PRODUCTION among them"),
        (40, 1, "2 older attempts are not shown, skeleton.planck in PRODUCTION among them"),
        (1, 1, "2 older attempts are not shown, skeleton.planck in PRODUCTION among them"),
    ],
)
def test_older_attempts_give_way(width: int, shown: int, last: str) -> None:
    table = render_history(SEED, width=width)
    assert packs_shown(table) == [made.pack for made in SEED[3 - shown :]]
    assert table.splitlines()[-1].split() == last.split()


def test_what_is_left_out_is_only_counted_where_production_is_shown() -> None:
    history = [*SEED, attempt(sha256="d" * 64, production=True)]
    assert render_history(history, width=40).splitlines()[-1] == "3 older attempts are not shown"


def test_a_long_ledger_shows_its_end() -> None:
    history = [attempt(pack=f"v{k}", sha256=f"{k:064x}") for k in range(5000)]
    table = render_history(history)
    assert packs_shown(table) == [f"v{k}" for k in range(4994, 5000)]
    assert table.endswith("\n4994 older attempts are not shown")


def test_long_cells_go_on_in_the_next_line_and_control_characters_go() -> None:
    table = render_history([attempt(settings={"data": "one two " * 5 + "\x1b[31m\nend"})])
    rows = [row.split() for row in table.splitlines()]
    at = rows.index(["data", "one", "two", "one", "two", "one", "two", "one"])
    assert rows[at + 1] == ["two", "one", "two", "[31m", "end"]


@given(st.lists(attempts(), min_size=1, max_size=5), st.integers(0, 200))
def test_a_table_fits_its_width_or_shows_the_latest_alone(
    history: list[Attempt], width: int
) -> None:
    lines = render_history(history, width=width).splitlines()
    older = re.match(r"(\d+) older attempts? (is|are) not shown", lines[-1])
    left_out = int(older[1]) if older else 0
    table = lines[:-1] if older else lines
    assert left_out < len(history)
    assert all(row == row.rstrip() for row in table)
    assert max(map(len, table)) <= width or left_out == len(history) - 1
    if not left_out:
        assert lines == render_history(history, width=10**6).splitlines()


@given(st.lists(attempts(), max_size=3))
def test_the_json_is_the_list_of_attempts(history: list[Attempt]) -> None:
    listed = json.loads(history_json(history))
    assert msgspec.convert(listed, list[Attempt]) == history
