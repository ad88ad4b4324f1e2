from __future__ import annotations

from pathlib import Path

import pytest

from pytest_anchorgate.errors import UsageError
from pytest_anchorgate.tasks.suites import SuiteSpec, parse_suite_spec


@pytest.mark.parametrize(
    ("text", "path", "first", "last"),
    [
        ("mbpp.jsonl", "mbpp.jsonl", None, None),
        ("a/mbpp.jsonl:11-110", "a/mbpp.jsonl", 11, 110),
        ("mbpp.jsonl:7-7", "mbpp.jsonl", 7, 7),
        ("a:b/mbpp.jsonl", "a:b/mbpp.jsonl", None, None),
        ("12:30.jsonl", "12:30.jsonl", None, None),
        ("12:30.jsonl:0-9", "12:30.jsonl", 0, 9),
    ],
)
def test_a_spec_is_a_path_and_perhaps_a_range(text, path, first, last):
    spec = parse_suite_spec(text)
    assert spec == SuiteSpec(path=Path(path), first=first, last=last)
    assert parse_suite_spec(str(spec)) == spec


@pytest.mark.parametrize(
    "tail", ["110-11", "11-", "-5", "11", "", "a-b", "11..110", "1-2-3", "1,2"]
)
def test_a_bad_range_is_named(tail):
    with pytest.raises(UsageError, match=f"'mbpp.jsonl:{tail}': '{tail}' is not a range"):
        parse_suite_spec(f"mbpp.jsonl:{tail}")


@pytest.mark.parametrize("text", ["", "  ", ":1-2"])
def test_a_spec_without_a_path_is_refused(text):
    with pytest.raises(UsageError, match=f"'{text}' names no file"):
        parse_suite_spec(text)


def test_both_ends_of_a_range_are_taken():
    spec = parse_suite_spec("x.jsonl:11-110")
    assert [spec.takes(n) for n in (10, 11, 110, 111)] == [False, True, True, False]
    assert parse_suite_spec("x.jsonl").takes(5)
