from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_anchorgate import cli
from pytest_anchorgate.certificate import (
    Certificate,
    CertifiedPack,
    CertifiedTask,
    Decoding,
    Verification,
    render_certificate,
    sorted_tasks,
)
from pytest_anchorgate.compare import Side, compare, comparison_json, read_side
from pytest_anchorgate.engine.protocol import EngineIdentity
from pytest_anchorgate.errors import UsageError
from pytest_anchorgate.stats import loss_bound, mcnemar_p, wilson_interval
from pytest_anchorgate.verify import Status
from tests.strategies import CERTIFIED_TASKS, certificates

if TYPE_CHECKING:
    import random
    from pathlib import Path

PASSED, FAILED, TIMEOUT = Status.PASSED, Status.FAILED, Status.TIMEOUT
ENGINE = EngineIdentity(
    engine="transformers", versions=(("torch", "2.6.0"),), device="cpu", dtype="float32"
)


def task(key: str, status: Status = PASSED, **changed: Any) -> CertifiedTask:
    suite, _, name = key.partition(":")
    return CertifiedTask(id=name, suite=suite, task="d" * 64, status=status, **changed)


def certificate(*tasks: CertifiedTask, **changed: Any) -> Certificate:
    fields: dict[str, Any] = {
        "schema": 1,
        "pack": CertifiedPack(name="v1.planck", sha256="a" * 64),
        "engine": ENGINE,
        "decoding": Decoding(prompt="docstring", max_new_tokens=512),
        "verification": Verification(version="verify.2", timeout_s=3),
        "trained_on": (),
    }
    return Certificate(**(fields | changed), tasks=sorted_tasks(tasks))


def report(*tasks: dict[str, Any], **changed: Any) -> dict[str, Any]:
    return {
        "schema": 2,
        "decision": "accepted",
        "reasons": ["all"],
        "pack": {"path": "packs/v2.planck", "sha256": "b" * 64},
        "engine": ENGINE.to_json(),
        "decoding": {"prompt": "docstring", "max_new_tokens": 512},
        "verifier": "verify.2",
        "tasks": list(tasks),
        **changed,
    }


def reported(key: str, status: str = "passed", **changed: Any) -> dict[str, Any]:
    suite, _, name = key.partition(":")
    return {
        "id": name,
        "outcome": "kept",
        "suite": suite,
        "sample": 0,
        "status": status,
        "task": "d" * 64,
        "completion": "x",
        "token_ids": [1, 2],
        "margin": 0.5,
        "nodeid": "tests/gate/test_gate.py::test_anchor[x]",
        **changed,
    }


def side(*tasks: CertifiedTask) -> Side:
    return Side(where="x.json", about="", made={}, tasks={task.key: task for task in tasks})


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(here: Path, name: str, content: Certificate | dict[str, Any]) -> None:
    text = render_certificate(content) if isinstance(content, Certificate) else json.dumps(content)
    (here / name).write_text(text, "utf-8")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = cli.main(["compare", *arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


STATUSES = st.sampled_from([PASSED, FAILED, TIMEOUT])
SIDES = st.lists(CERTIFIED_TASKS, unique_by=lambda task: task.key, max_size=6).map(
    lambda found: side(*found)
)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Side, Side]:
    """Two sides that share most tasks, not all of them with the same digest and status."""
    first = draw(SIDES.filter(lambda made: made.tasks))
    shared = [made for made in first.tasks.values() if draw(st.integers(0, 3))]
    again = [
        msgspec.structs.replace(
            made, status=draw(STATUSES), task=draw(st.sampled_from([made.task, "0" * 64]))
        )
        for made in shared or list(first.tasks.values())
    ]
    assume(any(made.task == first.tasks[made.key].task for made in again))
    return first, side(*again)


@given(SIDES.filter(lambda made: made.tasks))
def test_nothing_is_lost_beside_oneself(made: Side) -> None:
    comparison = compare(made, made)
    assert (comparison.lost, comparison.gained, comparison.differences) == ((), (), ())
    assert sum(suite.a.total for suite in comparison.suites) == len(made.tasks)
    assert all(suite.mcnemar_p == 1 for suite in comparison.suites)


@given(pairs())
def test_what_one_way_loses_the_other_gains(pair: tuple[Side, Side]) -> None:
    there, back = compare(*pair), compare(*reversed(pair))
    assert (there.lost, there.gained) == (back.gained, back.lost)
    for one, other in zip(there.suites, back.suites, strict=True):
        assert (one.only_a, one.only_b, one.changed) == (other.only_b, other.only_a, other.changed)
        assert (one.a, one.b, one.mcnemar_p) == (other.b, other.a, other.mcnemar_p)


@given(pairs(), st.randoms(use_true_random=False))
def test_order_changes_nothing(pair: tuple[Side, Side], chance: random.Random) -> None:
    a, b = pair
    shuffled = list(a.tasks.items())
    chance.shuffle(shuffled)
    assert compare(replace(a, tasks=dict(shuffled)), b).suites == compare(a, b).suites


@given(pairs())
def test_every_task_of_a_suite_is_counted_once(pair: tuple[Side, Side]) -> None:
    a, b = pair
    for suite in compare(a, b).suites:
        apart = len(suite.changed) + suite.a.total
        found = [sum(task.suite == suite.name for task in one.tasks.values()) for one in (a, b)]
        assert found == [apart + len(suite.only_a), apart + len(suite.only_b)]
        assert suite.b.passed - suite.a.passed == len(suite.gained) - len(suite.lost)


def test_the_numbers_are_those_of_the_statistics() -> None:
    names = [f"mbpp:MBPP/{n}" for n in range(10)]
    a = side(*(task(name, PASSED if n < 7 else FAILED) for n, name in enumerate(names)))
    b = side(*(task(name, FAILED if n < 2 else PASSED) for n, name in enumerate(names)))
    (suite,) = compare(a, b).suites
    assert (suite.lost, len(suite.gained)) == (("mbpp:MBPP/0", "mbpp:MBPP/1"), 3)
    assert suite.mcnemar_p == mcnemar_p(2, 3)
    assert suite.loss_bound is None
    assert (suite.a.passed, suite.a.interval) == (7, wilson_interval(7, 10))
    assert (suite.b.passed, suite.b.interval) == (8, wilson_interval(8, 10))
    (same,) = compare(a, a).suites
    assert same.loss_bound == loss_bound(7)


def test_a_suite_that_a_solves_nothing_of_bounds_no_losses() -> None:
    a = side(task("mbpp:MBPP/1", FAILED))
    assert [suite.loss_bound for suite in compare(a, a).suites] == [None]


def test_tasks_are_in_the_order_of_certificates() -> None:
    names = ["mbpp:MBPP/10", "mbpp:MBPP/9", "anchor:b", "anchor:a"]
    a, b = side(*map(task, names)), side(*(task(name, TIMEOUT) for name in names))
    assert compare(a, b).lost == ("anchor:a", "anchor:b", "mbpp:MBPP/9", "mbpp:MBPP/10")


def test_a_task_whose_digest_differs_is_not_compared() -> None:
    a = side(task("anchor:x"), task("anchor:y"))
    b = side(msgspec.structs.replace(task("anchor:x", FAILED), task="e" * 64), task("anchor:y"))
    (suite,) = compare(a, b).suites
    assert (suite.changed, suite.lost, suite.a.total) == (("anchor:x",), (), 1)


@pytest.mark.parametrize(
    "b", [side(), side(task("anchor:other")), side(task("mbpp:own/x"))], ids=["none", "id", "suite"]
)
def test_nothing_in_common_is_no_comparison(b: Side) -> None:
    with pytest.raises(UsageError, match=r"x\.json and x\.json: have no task in common"):
        compare(side(task("anchor:own/x")), b)


@given(certificates())
def test_a_written_certificate_is_read_as_a_side(
    tmp_path_factory: pytest.TempPathFactory, made: Certificate
) -> None:
    path = tmp_path_factory.mktemp("side") / "c.json"
    path.write_bytes(render_certificate(made).encode("utf-8", "backslashreplace"))
    assert read_side(path).tasks == made.by_key()


def test_a_report_and_a_certificate_of_the_same_gate_are_alike(here: Path) -> None:
    key = "anchor:own/x"
    write(here, "a.json", certificate(task(key), task("mbpp:MBPP/1", sample=2)))
    write(here, "b.json", report(reported("mbpp:MBPP/1", sample=2), reported(key)))
    comparison = compare(read_side(here / "a.json"), read_side(here / "b.json"))
    assert (comparison.lost, comparison.gained, comparison.differences) == ((), (), ())
    assert [suite.a.total for suite in comparison.suites] == [1, 1]
    assert list(comparison.a.tasks) == ["anchor:own/x", "mbpp:MBPP/1-s2"]


LOSS = [task("anchor:own/x"), task("anchor:own/gained", FAILED), task("mbpp:MBPP/1")]


@pytest.fixture
def two(here: Path) -> Path:
    """Certificate a.json, and report b.json that lost one task and gained another."""
    write(here, "a.json", certificate(*LOSS))
    write(
        here,
        "b.json",
        report(
            reported("anchor:own/x", "timeout"),
            reported("anchor:own/gained"),
            reported("mbpp:MBPP/1"),
            decision="refused",
        ),
    )
    return here


def test_the_text_names_losses_first(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "a.json", "b.json") == (1, TEXT, "")


TEXT = """\
lost       1
    anchor:own/x  passed, now timeout
gained     1
    anchor:own/gained  failed, now passed
suite       tasks     A     rate     95 % interval     B     rate     95 % interval  lost  \
gained  McNemar p
anchor          2     1   50.0 %     9.5 to 90.5 %     1   50.0 %     9.5 to 90.5 %     1       \
1          1
mbpp            1     1  100.0 %   20.7 to 100.0 %     1  100.0 %   20.7 to 100.0 %     0       \
0          1
mbpp       0 lost of 1: at most 3/1, 100.0 % (95 % confidence)
A          a.json: certificate of v1.planck, sha256 aaaaaaaaaaaaaaaa
B          b.json: report on packs/v2.planck, sha256 bbbbbbbbbbbbbbbb, refused
"""


def test_the_json_holds_all_of_it(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "a.json", "b.json", "--json")
    assert (status, err) == (1, "")
    value = json.loads(out)
    made = compare(read_side(two / "a.json"), read_side(two / "b.json"))
    assert value["a"]["file"].endswith("a.json")
    assert value["suites"] == json.loads(json.dumps(comparison_json(made)["suites"]))
    assert (value["lost"], value["gained"]) == (["anchor:own/x"], ["anchor:own/gained"])
    anchors = value["suites"]["anchor"]
    assert anchors["a"] == {"passed": 1, "total": 2, **asdict(wilson_interval(1, 2))}
    assert (anchors["mcnemar_p"], anchors["loss_bound"], anchors["changed"]) == (1.0, None, [])
    assert value["suites"]["mbpp"]["loss_bound"] == 1.0


def test_nothing_lost_is_status_0_whatever_was_gained(
    two: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(two, "c.json", certificate(*LOSS[1:]))
    status, out, _ = run(capsys, "c.json", "b.json")
    assert status == 0
    assert out.startswith("lost       nothing\ngained     1\n    anchor:own/gained  failed, now ")
    assert "\nanchor     1 on side B only: anchor:own/x\n" in out


def test_long_lists_are_cut(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lost = [f"mbpp:MBPP/{n}" for n in range(1, 43)]
    gone = [f"mbpp:MBPP/{n}" for n in range(101, 110)]
    other = [f"mbpp:MBPP/{n}" for n in range(201, 242)]
    write(here, "a.json", certificate(*map(task, [*lost, *gone, *other])))
    write(
        here,
        "b.json",
        report(
            *(reported(key, "failed") for key in lost),
            *(reported(key, task="e" * 64) for key in other),
        ),
    )
    _, out, _ = run(capsys, "a.json", "b.json")
    assert "    mbpp:MBPP/40  passed, now failed\n    and 2 more\ngained     nothing\n" in out
    assert "MBPP/41" not in out
    named = ", ".join(gone[:8])
    assert f"\nmbpp       9 on side A only: {named} and 1 more\n" in out
    named = ", ".join(other[:40])
    assert f"\nmbpp       41 with another text or other tests, not compared: {named} and 1" in out
    _, out, _ = run(capsys, "a.json", "b.json", "--json")
    value = json.loads(out)
    assert (value["lost"], value["suites"]["mbpp"]["only_a"]) == (lost, gone)
    assert value["suites"]["mbpp"]["changed"] == other


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, None),
        ({"engine": ENGINE.to_json() | {"device": "cuda"}}, "engine.device: cpu, then cuda"),
        (
            {"engine": ENGINE.to_json() | {"versions": {"torch": "2.7.0"}}},
            "engine.versions: torch 2.6.0, then torch 2.7.0",
        ),
        ({"engine": None, "decoding": None}, "engine: one, then none; decoding: one, then none"),
        (
            {"decoding": {"prompt": "chat", "max_new_tokens": 512}, "verifier": "verify.3"},
            "decoding.prompt: docstring, then chat; verification.version: verify.2, then verify.3",
        ),
    ],
)
def test_what_was_made_otherwise_is_a_note(
    here: Path, capsys: pytest.CaptureFixture[str], changed: dict[str, Any], said: str | None
) -> None:
    write(here, "a.json", certificate(task("anchor:x")))
    write(here, "b.json", report(reported("anchor:x"), **changed))
    status, out, _ = run(capsys, "a.json", "b.json")
    notes = [line for line in out.splitlines() if line.startswith("note ")]
    assert (status, notes) == (0, [f"note       made otherwise: {said}"] if said else [])


def test_given_completions_have_no_pack(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = report(reported("anchor:x"), pack=None, engine=None, decoding=None, decision="partial")
    write(here, "a.json", made)
    _, out, _ = run(capsys, "a.json", "a.json")
    assert "\nB          a.json: report on given completions, partial\n" in out


def test_names_that_would_move_the_cursor_are_escaped(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(here, "a.json", report(reported("mi\x1bne:x\n\x1b[31m")))
    write(here, "b.json", report(reported("mi\x1bne:x\n\x1b[31m", "failed")))
    _, out, _ = run(capsys, "a.json", "b.json")
    assert "    mi\\x1bne:x\\n\\x1b[31m  passed, now failed\n" in out
    assert all(line.isprintable() for line in out.splitlines())


REWRITE = "Write it again with --gate-json."


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "b.json: cannot be read: No such file or directory. Name a certificate, or a "),
        (b"{", "b.json: is not JSON: Input data was truncated. Name a certificate, or a report"),
        (b"\xff{}", "b.json: is not JSON: "),
        (b"[]", "b.json: is neither a certificate nor a report. Name a certificate, or a report "),
        (b'{"tasks": []}', "b.json: is neither a certificate nor a report. "),
        (
            report(schema=1),
            "b.json: is no report of this version: Invalid enum value 1 - at `$.schema`. Write it ",
        ),
        (
            report({"id": "x"}),
            "b.json: is no report of this version: Object missing required field `suite` - at "
            "`$.tasks[0]`. ",
        ),
        (
            report(reported("anchor:x", "great")),
            "Invalid enum value 'great' - at `$.tasks[0].status`. ",
        ),
        (
            report(reported("anchor:x", "error")),
            f"b.json: 'anchor:x' has the status 'error', which is no verdict. {REWRITE}",
        ),
        (
            report(reported("anchor:x"), reported("anchor:x")),
            f"b.json: 'anchor:x' stands there twice. {REWRITE}",
        ),
        (
            certificate(task("anchor:x", Status.ERROR)),
            "b.json: 'anchor:x' has the status 'error', which is no verdict. Write one with ",
        ),
        (report(), "a.json and b.json: have no task in common with the same text and tests. "),
    ],
)
def test_what_cannot_be_compared_is_one_line_and_status_2(
    here: Path, capsys: pytest.CaptureFixture[str], content: Any, said: str
) -> None:
    write(here, "a.json", certificate(task("anchor:x")))
    if isinstance(content, bytes):
        (here / "b.json").write_bytes(content)
    elif content is not None:
        write(here, "b.json", content)
    status, out, err = run(capsys, "a.json", "b.json")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("anchorgate: ")
    assert said in err


def test_a_directory_is_no_side(here: Path) -> None:
    with pytest.raises(UsageError, match=re.escape("cannot be read: Is a directory. Name ")):
        read_side(here)
