"""The draw of sentinels, the rows of anchors, why a task is unstable, and where they go."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_anchorgate.engine.ask import groups_again, second_batch_tokens
from pytest_anchorgate.engine.protocol import Request
from pytest_anchorgate.errors import PackError, UsageError
from pytest_anchorgate.record import (
    Anchor,
    Attempt,
    Recording,
    instability,
    require_place,
    write_anchors,
)
from pytest_anchorgate.tasks.rows import Line
from pytest_anchorgate.tasks.sentinels import anchor_row, draw_sentinels
from pytest_anchorgate.tasks.spec import SuiteSpec
from pytest_anchorgate.tasks.suites import load_own
from pytest_anchorgate.tasks.task import Task
from pytest_anchorgate.verify import Status
from tests.strategies import TEXT

IDS = st.sets(TEXT, max_size=30)
SHARES = st.floats(0, 1)
SEEDS = st.integers()


def attempt(*token_ids: int, status: Status = Status.PASSED) -> Attempt:
    return Attempt(status=status, token_ids=token_ids)


def rank_of(task_id: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{task_id}".encode()).hexdigest()


@given(IDS, SHARES, SEEDS, st.randoms(use_true_random=False))
def test_the_draw_does_not_depend_on_the_order(ids, share, seed, random):
    shuffled = sorted(ids)
    random.shuffle(shuffled)
    assert draw_sentinels(shuffled, share=share, seed=seed) == draw_sentinels(
        ids, share=share, seed=seed
    )


@given(IDS, SHARES, SEEDS)
def test_the_share_is_the_nearest_number(ids, share, seed):
    drawn = draw_sentinels(ids, share=share, seed=seed)
    assert drawn <= ids
    near = abs(len(drawn) - share * len(ids)) <= 0.5 + 1e-9
    assert near or (len(drawn) == 1 and len(ids) >= 3 and share > 0)
    if share > 0 and len(ids) >= 3:
        assert drawn


@given(IDS, SHARES, SEEDS)
def test_the_lowest_ranks_are_drawn(ids, share, seed):
    drawn = draw_sentinels(ids, share=share, seed=seed)
    ranked = sorted(ids, key=lambda task_id: rank_of(task_id, seed))
    assert drawn == set(ranked[: len(drawn)])


@given(IDS, IDS, SHARES, SEEDS)
def test_a_mark_goes_only_where_an_added_task_ranks_lower(ids, added, share, seed):
    before = draw_sentinels(ids, share=share, seed=seed)
    after = draw_sentinels(ids | added, share=share, seed=seed)
    assert len(after) >= len(before)
    for task_id in before - after:
        pushing = [new for new in after - ids if rank_of(new, seed) < rank_of(task_id, seed)]
        assert len(pushing) >= len(before - after)


@given(IDS, SHARES, SEEDS, st.data())
def test_marked_rows_stay_sentinels_and_count(ids, share, seed, data):
    marked = data.draw(st.sets(st.sampled_from(sorted(ids)))) if ids else set()
    number = len(draw_sentinels(ids, share=share, seed=seed))
    drawn = draw_sentinels(ids, share=share, seed=seed, marked=marked)
    assert marked <= drawn <= ids
    assert len(drawn) == max(number, len(marked))


@pytest.mark.parametrize(
    ("tasks", "share", "drawn"),
    [(19, 0.3, 6), (5, 0.3, 2), (3, 0.01, 1), (2, 0.01, 0), (1, 0.3, 0), (9, 0.0, 0), (4, 1.0, 4)],
)
def test_how_many_are_drawn(tasks, share, drawn):
    ids = [f"MBPP/{number}" for number in range(tasks)]
    assert len(draw_sentinels(ids, share=share, seed=17)) == drawn


def test_the_draw_is_the_documented_one_forever():
    ids = [f"MBPP/{number}" for number in range(10)]
    assert draw_sentinels(ids, share=0.3, seed=17) == {"MBPP/3", "MBPP/6", "MBPP/8"}
    assert draw_sentinels(ids, share=0.3, seed=18) != draw_sentinels(ids, share=0.3, seed=17)


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        (attempt(1, 2, 3), attempt(1, 2, 3), ""),
        (attempt(1, 2, 3), attempt(1, 2, 4), "answers differ from token 3 on"),
        (attempt(1, 2), attempt(1, 2, 4), "answers differ from token 3 on"),
        (attempt(1), attempt(), "answers differ from token 1 on"),
        (attempt(1), attempt(1, status=Status.TIMEOUT), "passed, then timeout"),
        (
            attempt(1),
            attempt(2, status=Status.FAILED),
            "passed, then failed; answers differ from token 1 on",
        ),
    ],
)
def test_why_a_task_is_unstable(first, second, why):
    assert instability(first, second) == why


@st.composite
def own_rows(draw: st.DrawFn) -> bytes:
    """Give any spelling of a row that is no sentinel, with texts that look like its own keys."""
    texts = TEXT | st.sampled_from(['"sentinel": false', ', "sentinel": false}', "}", '\\"'])
    row = {
        "id": "own/f",
        "prompt": draw(texts),
        "entry_point": "f",
        "tests": ["assert f(1)"],
        "text": draw(texts),
    }
    if draw(st.booleans()):
        row["sentinel"] = False
    keys = draw(st.permutations(sorted(row)))
    text = json.dumps(
        {key: row[key] for key in keys},
        ensure_ascii=draw(st.booleans()),
        separators=draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " : ")])),
    )
    return f"{text}{draw(st.sampled_from(['', ' ', chr(13)]))}".encode()


def task_of(text: bytes) -> Task:
    spec, line = SuiteSpec(path=Path("a.jsonl")), Line(path=Path("a.jsonl"), number=1, text=text)
    (task,) = load_own("anchor", [(spec, [line])], resolve={})
    return task


@given(own_rows())
def test_an_own_row_stays_as_it_is_but_for_its_mark(text):
    task = task_of(text)
    sources = {task.origin: text}
    assert anchor_row(task, sources, sentinel=False) == text
    marked = anchor_row(task, sources, sentinel=True)
    assert json.loads(marked) == json.loads(text) | {"sentinel": True}
    assert task_of(marked).digest == task.digest
    if b'"sentinel"' not in text.replace(b'\\"', b""):
        assert marked.startswith(text[: text.rindex(b"}")])
    assert anchor_row(task_of(marked), {task.origin: marked}, sentinel=True) == marked


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"id": 1}', b'{"id": 1, "sentinel": true}'),
        (b'{"id": 1 } \r', b'{"id": 1, "sentinel": true} \r'),
        (b'{"sentinel" :  false, "id": 1}', b'{"sentinel" :  true, "id": 1}'),
    ],
)
def test_how_a_row_is_marked(before, after):
    task = Task(id="f", suite="anchor", prompt="", entry_point="f", tests=("1",), origin="a:1")
    assert anchor_row(task, {"a:1": before}, sentinel=True) == after


def test_a_suites_task_becomes_a_reference_row():
    task = Task(id="MBPP/17", suite="mbpp", prompt="p", entry_point="f", tests=("1",), origin="m:1")
    digest = "148de9c5a7a44d19e56cd9ae1a554bf67847afb0c58f6e12fa29ac7ddfca9940"
    plain = f'{{"ref": "MBPP/17", "prompt_sha256": "{digest}"'
    assert anchor_row(task, {}, sentinel=False).decode() == f"{plain}}}"
    assert anchor_row(task, {}, sentinel=True).decode() == f'{plain}, "sentinel": true}}'


def request(number: int) -> Request:
    return Request(key=str(number), prompt_ids=(number,), stop=(), max_new_tokens=1)


@given(st.lists(st.integers(0, 50).map(request), max_size=40), SEEDS)
def test_the_second_run_asks_everything_once_by_seven_and_one(requests, seed):
    groups = list(groups_again(requests, seed=seed))
    assert sorted(r.key for group in groups for r in group) == sorted({r.key for r in requests})
    sizes = [len(group) for group in groups]
    assert sizes[:-1] == [7, 1, 7, 1, 7, 1, 7, 1, 7, 1][: len(sizes[:-1])]
    assert groups == list(groups_again(requests, seed=seed))


def test_the_second_run_asks_in_another_order():
    requests = [request(number) for number in range(40)]
    asked = [[r for group in groups_again(requests, seed=seed) for r in group] for seed in (17, 18)]
    assert asked[0] != requests
    assert asked[0] != asked[1]


@pytest.mark.parametrize(
    ("first", "row_tokens", "second"),
    [(16384, 600, 4200), (3000, 600, 2400), (1000, 600, 400), (600, 600, 1), (1, 600, 1)],
)
def test_the_second_runs_batches_are_smaller(first, row_tokens, second):
    assert second_batch_tokens(first, row_tokens=row_tokens) == second


def recording(*rows: bytes) -> Recording:
    anchors = tuple(
        Anchor(task_id=str(number), suite="anchor", sentinel=False, row=row)
        for number, row in enumerate(rows)
    )
    return Recording(
        pack="p", pack_sha256="", tasks=3, anchors=anchors, unstable=(), batch_tokens=(2, 1)
    )


def test_anchors_are_written_once(tmp_path):
    out = tmp_path / "new" / "mine.jsonl"
    assert write_anchors(out, recording(b"1", b"2"))
    assert out.read_bytes() == b"1\n2\n"
    assert not write_anchors(out, recording(b"1", b"2"))


def test_other_anchors_are_never_overwritten(tmp_path):
    out = tmp_path / "mine.jsonl"
    out.write_bytes(b"1\n2\n4\n")
    said = (
        rf"--out={out}: exists, with 2 rows that were not recorded now and without 1 that were\. "
        r"Name a new file; anchors are changed by hand, which --gate-ratchet judges\."
    )
    with pytest.raises(UsageError, match=said):
        write_anchors(out, recording(b"1", b"3"))
    assert out.read_bytes() == b"1\n2\n4\n"


@pytest.mark.parametrize(
    ("out", "said"),
    [
        (".", r"--out=.*: is a directory\. Name a file, as in anchors/mine\.jsonl\."),
        ("file/mine.jsonl", r"--out=.*/file/mine\.jsonl: .*/file is no directory to write to\. "),
        ("file/a/b.jsonl", r"--out=.*/a/b\.jsonl: .*/file is no directory to write to\. "),
    ],
)
def test_a_place_that_cannot_be_written_is_refused_first(tmp_path, out, said):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=said):
        require_place(tmp_path / out)


def test_a_place_that_can_be_written_is_left_as_it_is(tmp_path):
    require_place(tmp_path / "new" / "deep" / "mine.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_read_is_one_line(tmp_path):
    out: Any = tmp_path / "loop.jsonl"
    out.symlink_to(out)
    with pytest.raises(PackError, match=r"loop\.jsonl: "):
        write_anchors(out, recording(b"1"))
