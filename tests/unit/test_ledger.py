from __future__ import annotations

import errno
import fcntl
import json
import multiprocessing
import os
import threading
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_anchorgate.errors import LedgerError
from pytest_anchorgate.ledger import Event, append_attempt, production_sha256, read_ledger
from tests.attempts import attempt, attempts

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_anchorgate.ledger import Attempt

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


HISTORIES = st.lists(attempts(), max_size=5, unique_by=lambda made: made.sha256)


def test_no_file_holds_no_attempts(ledger: Path) -> None:
    assert read_ledger(ledger) == ()


@settings(max_examples=40, deadline=None)  # disks
@given(HISTORIES)
def test_what_is_appended_is_read_back_in_order(
    tmp_path_factory: pytest.TempPathFactory, history: list[Attempt]
) -> None:
    packs = tmp_path_factory.mktemp("packs")
    path = packs / "ledger.jsonl"
    for made in history:
        assert append_attempt(path, made)
    assert read_ledger(path) == tuple(history)
    assert path.exists() == bool(history)
    assert set(packs.iterdir()) <= {path}  # no lock file, no temporary file


@settings(max_examples=40, deadline=None)  # disks
@given(HISTORIES)
def test_appending_a_whole_history_again_changes_no_byte(
    tmp_path_factory: pytest.TempPathFactory, history: list[Attempt]
) -> None:
    path = tmp_path_factory.mktemp("packs") / "ledger.jsonl"
    settled = [msgspec.structs.replace(made, production=False) for made in history]
    for made in settled:
        append_attempt(path, made)
    before = path.read_bytes() if settled else b""
    later = "2031-01-01T00:00:00Z"
    again = [append_attempt(path, msgspec.structs.replace(made, time=later)) for made in settled]
    assert not any(again)
    assert (path.read_bytes() if settled else b"") == before


def test_one_line_is_one_object_in_the_order_of_its_fields(ledger: Path) -> None:
    append_attempt(ledger, attempt(settings={"rank": "8", "alpha": "16", "lr": "1e-4"}))
    assert ledger.read_text() == (
        '{"event":"gate","time":"2026-11-22T10:00:00Z","pack":"demo-v1.planck",'
        f'"sha256":"{"a" * 64}","decision":"accepted","anchors_kept":19,"anchors":19,'
        '"sentinels_kept":31,"sentinels":31,"gained":0,"lost":0,"suites":{"mbpp":[13,100]},'
        '"settings":{"alpha":"16","lr":"1e-4","rank":"8"},"production":false,"note":"","lost_anchors":[]}\n'
    )


def test_lines_written_by_others_are_kept_to_the_byte(ledger: Path) -> None:
    spaced = json.dumps(msgspec.to_builtins(attempt()), indent=None, sort_keys=True).encode()
    ledger.write_bytes(spaced + b"\n")
    assert append_attempt(ledger, attempt(lost=1))
    assert ledger.read_bytes().startswith(spaced + b"\n{")
    assert read_ledger(ledger) == (attempt(), attempt(lost=1))


@pytest.mark.parametrize(
    "changed",
    [
        {"event": Event.REFUSAL},
        {"sha256": "b" * 64},
        {"decision": "refused"},
        {"anchors_kept": 18},
        {"sentinels": 32},
        {"gained": 1},
        {"suites": {"mbpp": (12, 100)}},
        {"settings": {"rank": "8"}},
        {"note": "again, with another engine"},
    ],
)
def test_what_differs_from_every_attempt_is_a_new_one(
    ledger: Path, changed: dict[str, object]
) -> None:
    append_attempt(ledger, attempt())
    assert append_attempt(ledger, attempt(**changed))
    assert not append_attempt(ledger, attempt())  # it is not the last one any more
    assert len(read_ledger(ledger)) == 2


def test_promoting_again_what_was_reverted_is_no_rerun(ledger: Path) -> None:
    old, new = {"sha256": "a" * 64, "production": True}, {"sha256": "b" * 64, "production": True}
    steps = [
        (attempt(event=Event.PROMOTION, **old), True),
        (attempt(event=Event.PROMOTION, **new), True),
        (attempt(event=Event.PROMOTION, **new), False),
        (attempt(event=Event.REVERT, **old), True),
        (attempt(event=Event.REVERT, **old), False),
        (attempt(event=Event.PROMOTION, **new), True),
        (attempt(event=Event.REVERT, **old), True),
    ]
    assert [append_attempt(ledger, step) for step, _ in steps] == [new for _, new in steps]
    assert production_sha256(read_ledger(ledger)) == "a" * 64


def test_production_is_what_the_last_attempts_say() -> None:
    first, second = attempt(production=True), attempt(sha256="b" * 64, production=True)
    assert production_sha256([]) == ""
    assert production_sha256([first, second]) == "b" * 64
    assert production_sha256([first, second, attempt(sha256="c" * 64)]) == "b" * 64
    assert production_sha256([first, attempt(event=Event.REVERT)]) == ""


def append_many(path: Path, worker: int, count: int) -> None:
    for k in range(count):
        assert append_attempt(path, attempt(note=f"worker {worker}", gained=k))
        assert not append_attempt(path, attempt(note=f"worker {worker}", gained=k))


def test_processes_that_append_at_once_lose_nothing(ledger: Path) -> None:
    workers = [SPAWN.Process(target=append_many, args=(ledger, k, 12)) for k in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    written = {(made.note, made.gained) for made in read_ledger(ledger)}
    assert written == {(f"worker {worker}", k) for worker in range(4) for k in range(12)}
    assert len(ledger.read_bytes().splitlines()) == 48
    assert list(ledger.parent.iterdir()) == [ledger]


def test_who_holds_the_directory_makes_others_wait(ledger: Path) -> None:
    fd = os.open(ledger.parent, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    waiting = threading.Thread(target=append_attempt, args=(ledger, attempt()))
    waiting.start()
    waiting.join(0.1)
    assert waiting.is_alive()
    assert not ledger.exists()
    os.close(fd)
    waiting.join(10)
    assert read_ledger(ledger) == (attempt(),)


def test_a_full_disk_leaves_the_old_ledger(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append_attempt(ledger, attempt())
    before = ledger.read_bytes()

    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(LedgerError, match=r"ledger.jsonl: cannot be written: No space left "):
            append_attempt(ledger, attempt(lost=1))
    assert ledger.read_bytes() == before
    assert list(ledger.parent.iterdir()) == [ledger]
    assert append_attempt(ledger, attempt(lost=1))  # the lock was given back


def line(**changed: object) -> bytes:
    fields = msgspec.to_builtins(attempt()) | changed
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (b"", r"Input data was truncated"),
        (b"{]", r"JSON is malformed"),
        (b"\xff", r"JSON is malformed"),
        (line(note="X").replace(b"X", b"\xff"), r"can't decode byte 0xff"),
        (line(surprise=1), r"unknown field `surprise`"),
        (line(lost=None), r"missing required field `lost`"),
        (line(event="party"), r"Invalid enum value 'party'"),
        (line(gained="3"), r"Expected `int`, got `str` - at `\$.gained`"),
        (line(gained=-3), r"gained = -3 cannot be"),
        (line(lost=-4), r"lost = -4 cannot be"),
        (line(time="2026-11-22 10:00"), r"time = '2026-11-22 10:00' is not UTC as in 2026-"),
        (line(time="2026-02-31T10:00:00Z"), r"time = '2026-02-31T10:00:00Z' is not UTC"),
        (line(sha256="A" * 64), r"sha256 = 'AAAA.*A' is not 64 hex digits"),
        (line(decision="invalid"), r"decision = 'invalid' is none of 'accepted', 'refused', ''"),
        (line(anchors_kept=20), r"anchors: 20 of 19 cannot be"),
        (line(sentinels_kept=-1), r"sentinels: -1 of 31 cannot be"),
        (line(suites={"a\nb": [3, 2]}), r"suite 'a\\nb': 3 of 2 cannot be"),
        (line(suites={"mbpp": [3]}), r"Expected `array` of length 2"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_written(ledger: Path, bad: bytes, said: str) -> None:
    raw = line() + b"\n" + bad + b"\n" + line(lost=1) + b"\n"
    ledger.write_bytes(raw)
    with pytest.raises(
        LedgerError, match=rf"ledger\.jsonl:2: .*{said}.*\. Mend that line, "
    ) as got:
        read_ledger(ledger)
    assert "\n" not in str(got.value)
    with pytest.raises(LedgerError, match=r":2: "):
        append_attempt(ledger, attempt(lost=2))
    assert ledger.read_bytes() == raw


@pytest.mark.parametrize(
    ("kept", "end"),
    [
        pytest.param(5, """'{"eve'""", id="early"),
        pytest.param(300, "'", id="late"),
        pytest.param(None, """"lost_anchors": []}'""", id="its newline alone"),
    ],
)
def test_a_cut_last_line_is_refused_and_not_extended(
    ledger: Path, kept: int | None, end: str
) -> None:
    raw = line() + b"\n" + line(lost=1, note="")[:kept]
    ledger.write_bytes(raw)
    for use in (read_ledger, lambda path: append_attempt(path, attempt(lost=2))):
        with pytest.raises(LedgerError, match=r"ledger\.jsonl:2: was cut, and ends in '") as caught:
            use(ledger)
        assert f"{end}. Mend that line, " in str(caught.value)
    assert ledger.read_bytes() == raw


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"event": "party"}, r"Invalid enum value 'party'"),
        ({"settings": {"rank": 8}}, r"Expected `str`, got `int` - at `\$.settings"),
        ({"pack": "v\udcff.planck"}, r"can't encode character '\\udcff' in position 1"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(
    ledger: Path, changed: dict[str, object], said: str
) -> None:
    with pytest.raises(LedgerError, match=rf"ledger\.jsonl: cannot hold this attempt: .*{said}"):
        append_attempt(ledger, attempt(**changed))
    assert not ledger.exists()


def test_an_attempt_that_cannot_be_is_not_made() -> None:
    with pytest.raises(ValueError, match=r"anchors: 20 of 19 cannot be"):
        attempt(anchors_kept=20)


def test_a_directory_that_is_not_there(ledger: Path) -> None:
    path = ledger.parent / "nowhere" / ledger.name
    assert read_ledger(path) == ()
    with pytest.raises(LedgerError, match=r"nowhere: cannot be locked: No such file or directory"):
        append_attempt(path, attempt())


def test_a_file_system_without_locks(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(fd: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(LedgerError, match=r"cannot be locked: No locks available\. Name a dir"):
        append_attempt(ledger, attempt())
    assert not ledger.exists()


def test_a_directory_in_its_place(ledger: Path) -> None:
    ledger.mkdir()
    with pytest.raises(LedgerError, match=r"ledger.jsonl: cannot be read: Is a directory\. Give"):
        read_ledger(ledger)
