from __future__ import annotations

import json
import re
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_anchorgate.errors import UsageError
from pytest_anchorgate.waivers import Waiver, expired_lines, parse_waivers, read_waivers

ROW = {"task": "demo/x", "reason": "It is slow.", "owner": "Ada", "expires": date(2026, 1, 1)}
WAIVER = Waiver(task="demo/x", reason="It is slow.", owner="Ada", expires=date(2026, 1, 1))
WORDS = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=9)


def toml(*rows: dict[str, object]) -> str:
    def text(value: object) -> str:
        return str(value) if isinstance(value, date) else json.dumps(value, ensure_ascii=False)

    blocks = ("".join(f"{key} = {text(row[key])}\n" for key in row) for row in rows)
    return "".join(f"[[waiver]]\n{block}" for block in blocks)


def row(**changes: object) -> dict[str, object]:
    return {key: value for key, value in {**ROW, **changes}.items() if value is not None}


def test_rows_are_waivers_in_the_files_order(tmp_path):
    path = tmp_path / "waivers.toml"
    path.write_text(toml(row(), row(task="a::test_b")), encoding="utf-8", newline="\r\n")
    assert read_waivers(path) == (WAIVER, Waiver(**{**ROW, "task": "a::test_b"}))


def test_no_file_and_an_empty_file_waive_nothing(tmp_path):
    assert read_waivers(tmp_path / "waivers.toml") == ()
    assert parse_waivers("# none yet\n", "w") == parse_waivers("waiver = []", "w") == ()


def test_an_id_has_one_spelling_and_a_reason_one_line():
    (waiver,) = parse_waivers(toml(row(task="mbpp/017", reason=" two\n  lines\t")), "w")
    assert (waiver.task, waiver.reason) == ("MBPP/17", "two lines")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"until": 3}, "unknown key 'until'. A row reads: [[waiver]] task = "),
        ({"owner": None}, "the key 'owner' is missing. A row reads"),
        ({"expires": None}, "the key 'expires' is missing"),
        ({"reason": "  "}, "reason = '  ' is no text that can be read. Each waiver names"),
        ({"reason": "\x1b[31m"}, r"reason = '\x1b[31m' is no text"),
        ({"owner": ""}, "owner = '' is no text"),
        ({"owner": 7}, "owner = 7 is no text"),
        ({"task": "\n"}, r"task = '\n' is no text"),
        ({"expires": "2026-01-01"}, "expires = '2026-01-01' is not a date. Write 2026-12-31, un"),
        ({"expires": 2026}, "expires = 2026 is not a date"),
    ],
)
def test_a_bad_row_is_refused_with_its_number_and_value(tmp_path, changes, message):
    path = tmp_path / "waivers.toml"
    path.write_text(toml(row(task="good"), row(**changes)), encoding="utf-8")
    with pytest.raises(UsageError, match=re.escape(f"{path}: row 2: {message}")) as caught:
        read_waivers(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[waiver]]\ntask = x", "w: Invalid value (at line 2, column 8). A row reads"),
        ("[[waivers]]", "w: 'waivers' is not a waiver. A row reads"),
        ("waiver = 'x'", "w: waiver = 'x' is not a list of rows"),
        ("[waiver]\ntask = 'x'", "w: waiver = {'task': 'x'} is not a list of rows"),
        ("waiver = ['x']", "w: row 1: 'x' is not a row"),
        (
            toml(row()).replace("2026-01-01", "2026-01-01T12:00:00"),
            "w: row 1: expires = '2026-01-01 12:00:00' is not a date",
        ),
        (toml(row(task="MBPP/7"), row(), row(task="mbpp/7")), "w: row 3: 'MBPP/7' has a waiver"),
    ],
)
def test_what_is_not_such_a_file_is_refused(text, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        parse_waivers(text, "w")


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(UsageError, match=f"^{tmp_path}: cannot be read: Is a directory"):
        read_waivers(tmp_path)
    path = tmp_path / "waivers.toml"
    path.write_bytes(b"# \xff")
    with pytest.raises(UsageError, match=r"waivers\.toml: byte 2 is not UTF-8"):
        read_waivers(path)


def test_a_waiver_holds_on_its_last_day():
    assert not WAIVER.expired(WAIVER.expires)
    assert WAIVER.expired(WAIVER.expires + timedelta(days=1))


def test_an_expired_row_is_one_sentence():
    later = Waiver(**{**ROW, "task": "demo/y", "expires": date(2026, 1, 2)})
    assert expired_lines([later, WAIVER], date(2026, 1, 2), "anchors/waivers.toml") == (
        "anchors/waivers.toml: the waiver of 'demo/x' (Ada, It is slow.) expired on 2026-01-01. "
        "Remove the row, or renew it with a reason.",
    )


@given(st.lists(st.builds(Waiver, task=WORDS, reason=WORDS, owner=WORDS, expires=st.dates())))
def test_what_is_written_is_read(waivers):
    unique = list({waiver.task: waiver for waiver in waivers}.values())
    rows = [{field: getattr(waiver, field) for field in ROW} for waiver in unique]
    assert parse_waivers(toml(*rows), "w") == tuple(unique)
