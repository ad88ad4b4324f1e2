from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_anchorgate.gate import Coverage, Decision, Outcome, Rules, Ruling, exit_status, judge
from pytest_anchorgate.verify import Status
from tests.strategies import verdict_maps

PASSED, FAILED, TIMEOUT, ERROR = Status.PASSED, Status.FAILED, Status.TIMEOUT, Status.ERROR
Statuses = dict[str, Status]
VERDICTS = (PASSED, FAILED, TIMEOUT)
anchor = "anchor:t"


def decide(verdicts: Statuses, baseline: Statuses | None = None, **changed: Any) -> Ruling:
    """Judge a run in which everything planned was selected, unless ``changed`` says otherwise."""
    coverage = {"planned": verdicts, "selected": verdicts} | {
        name: changed.pop(name)
        for name in ("planned", "selected", "narrowed", "whole")
        if name in changed
    }
    judged = {name: changed.pop(name) for name in ("faults", "breaches") if name in changed}
    rules = Rules(baseline=baseline or {}, **changed)
    return judge(verdicts, Coverage(**coverage), rules, **judged)


@pytest.mark.parametrize(
    ("before", "now", "anchors", "others"),
    [
        pytest.param(PASSED, PASSED, Outcome.KEPT, Outcome.KEPT, id="kept"),
        pytest.param(PASSED, FAILED, Outcome.LOST, Outcome.LOST, id="lost"),
        pytest.param(PASSED, TIMEOUT, Outcome.LOST, Outcome.LOST, id="a timeout is a loss"),
        pytest.param(FAILED, FAILED, Outcome.KNOWN, Outcome.KNOWN, id="known"),
        pytest.param(TIMEOUT, FAILED, Outcome.KNOWN, Outcome.KNOWN, id="known, otherwise"),
        pytest.param(FAILED, PASSED, Outcome.GAINED, Outcome.GAINED, id="gained"),
        pytest.param(None, PASSED, Outcome.PASSED, Outcome.PASSED, id="new, passed"),
        pytest.param(None, FAILED, Outcome.LOST, Outcome.FAILED, id="new, failed"),
        pytest.param(PASSED, ERROR, Outcome.ERROR, Outcome.ERROR, id="our error"),
    ],
)
def test_what_a_verdict_means(
    before: Status | None, now: Status, anchors: Outcome, others: Outcome
) -> None:
    for key, outcome in ((anchor, anchors), ("mbpp:t", others)):
        rules = Rules(baseline={} if before is None else {key: before})
        assert rules.outcome(key, now) is outcome


def test_a_first_baseline_knows_what_fails_but_no_anchor_may() -> None:
    rules = Rules(recording=True)
    assert rules.outcome("mbpp:t", FAILED) is Outcome.KNOWN
    assert rules.outcome(anchor, FAILED) is Outcome.LOST


@pytest.mark.parametrize(
    ("status", "decision"),
    [
        pytest.param(PASSED, Decision.ACCEPTED, id="passed"),
        pytest.param(FAILED, Decision.REFUSED, id="failed"),
        pytest.param(TIMEOUT, Decision.REFUSED, id="a timeout"),
        pytest.param(ERROR, Decision.INVALID, id="our error is no verdict"),
    ],
)
@pytest.mark.parametrize("key", [anchor, "mbpp:t"])
def test_one_task_without_a_baseline(key: str, status: Status, decision: Decision) -> None:
    assert decide({key: status}).decision is decision


def test_nothing_planned_is_invalid_because_silence_is_not_a_pass() -> None:
    ruling = decide({})
    assert ruling.decision is Decision.INVALID
    assert "silence is not a pass" in ruling.reasons[0]


def test_a_missing_verdict_is_invalid_and_named() -> None:
    ruling = decide({"t": PASSED}, planned={"t", "u"}, selected={"t", "u"})
    assert (ruling.decision, ruling.not_run) == (Decision.INVALID, ("u",))
    assert ruling.reasons == ("1 selected task gave no verdict",)


def test_a_loss_refuses_even_when_others_did_not_run() -> None:
    ruling = decide({anchor: FAILED}, planned={anchor, "u"}, selected={anchor, "u"})
    assert (ruling.decision, ruling.lost, ruling.not_run) == (Decision.REFUSED, (anchor,), ("u",))
    assert ruling.reasons == ("1 anchor lost", "1 selected task gave no verdict")


def test_a_narrowed_run_is_partial_whatever_its_verdicts() -> None:
    facts: dict[str, Any] = {"planned": {"t", "u"}, "selected": {"t"}, "narrowed": True}
    for status in Status:
        assert decide({"t": status}, **facts).decision is Decision.PARTIAL


def test_gate_whole_makes_a_narrowed_run_invalid() -> None:
    ruling = decide({"t": PASSED}, planned={"t", "u"}, selected={"t"}, narrowed=True, whole=True)
    assert ruling.decision is Decision.INVALID
    assert ruling.reasons == (
        "1 of 2 planned tasks were left out, and --gate-whole wants every one",
    )


def test_narrowing_that_left_nothing_out_decides_as_usual() -> None:
    assert decide({"t": PASSED}, narrowed=True).decision is Decision.ACCEPTED


def test_a_case_that_vanished_without_the_user_asking_is_invalid() -> None:
    ruling = decide({"t": PASSED}, planned={"t", "u"}, selected={"t"})
    assert (ruling.decision, ruling.deselected) == (Decision.INVALID, ("u",))


def test_an_anchor_taken_away_refuses_though_all_others_are_kept() -> None:
    ruling = decide({anchor: PASSED}, {anchor: PASSED}, breaches=["anchor/u was removed"])
    assert (ruling.decision, ruling.reasons) == (Decision.REFUSED, ("anchor/u was removed",))


@pytest.mark.parametrize(
    ("allowed", "decision", "reason"),
    [
        (None, Decision.ACCEPTED, "nothing lost that may not be, 2 lost"),
        (2, Decision.ACCEPTED, "nothing lost that may not be, 2 lost"),
        (1, Decision.REFUSED, "2 tasks of mbpp lost, 1 may be"),
        (0, Decision.REFUSED, "2 tasks of mbpp lost, 0 may be"),
    ],
)
def test_losses_of_other_suites_are_reported_unless_a_number_is_set(
    allowed: int | None, decision: Decision, reason: str
) -> None:
    before = {"mbpp:1": PASSED, "mbpp:2": PASSED}
    allowances = {} if allowed is None else {"mbpp": allowed}
    ruling = decide(dict.fromkeys(before, FAILED), before, allowed_losses=allowances)
    assert (ruling.decision, ruling.reasons) == (decision, (reason,))
    assert ruling.lost == ("mbpp:1", "mbpp:2")


def test_an_accepted_candidate_is_told_in_one_clause() -> None:
    before = {"anchor:a": PASSED, "anchor:b": PASSED, "mbpp:1": FAILED, "mbpp:2": FAILED}
    now = {**before, "mbpp:1": PASSED}
    assert decide(now, before).reasons == ("all 2 anchors kept, 1 gained, 1 known failure",)


@given(verdict_maps(VERDICTS))
def test_an_unchanged_model_is_always_accepted(verdicts: Statuses) -> None:
    assert decide(verdicts, verdicts).decision is Decision.ACCEPTED


@given(
    verdict_maps(VERDICTS), verdict_maps(VERDICTS), st.sampled_from([FAILED, TIMEOUT]), st.data()
)
def test_a_lost_anchor_always_refuses_and_gains_never_pay(
    before: Statuses, now: Statuses, lost: Status, data: st.DataObject
) -> None:
    number = data.draw(st.integers(0, 9))
    gains = {f"{suite}:gain {n}": PASSED for suite in ("anchor", "mbpp") for n in range(number)}
    before |= {anchor: PASSED} | dict.fromkeys(gains, FAILED)
    now |= {anchor: lost} | gains
    missing = data.draw(st.sets(st.sampled_from(sorted(now.keys() - {anchor, *gains}) or ["-"])))
    kept = {key: status for key, status in now.items() if key not in missing}
    ruling = decide(kept, before, planned=now, selected=now, recording=data.draw(st.booleans()))
    assert ruling.decision is Decision.REFUSED
    assert anchor in ruling.lost


@given(verdict_maps(Status), st.booleans(), st.booleans())
def test_a_fault_is_always_invalid(verdicts: Statuses, narrowed: bool, whole: bool) -> None:
    ruling = decide(verdicts, narrowed=narrowed, whole=whole, faults=["the digests differ"])
    assert (ruling.decision, ruling.reasons) == (Decision.INVALID, ("the digests differ",))


@given(verdict_maps(Status), verdict_maps(VERDICTS), st.randoms())
def test_the_order_of_verdicts_changes_nothing(
    verdicts: Statuses, before: Statuses, random: Any
) -> None:
    shuffled = list(verdicts.items())
    random.shuffle(shuffled)
    assert decide(dict(shuffled), before) == decide(verdicts, before)


@given(verdict_maps(Status), verdict_maps(VERDICTS))
def test_accepted_means_that_nothing_is_missing_and_no_anchor_lost(
    now: Statuses, before: Statuses
) -> None:
    ruling = decide(now, before)
    outcomes = {key: Rules(baseline=before).outcome(key, status) for key, status in now.items()}
    lost = [key for key, o in outcomes.items() if o is Outcome.LOST and key.startswith("anchor:")]
    expected = not lost and not {Outcome.ERROR, Outcome.FAILED} & set(outcomes.values())
    assert (ruling.decision is Decision.ACCEPTED) == expected


@pytest.mark.parametrize(
    ("decision", "pytest_status", "status"),
    [
        (Decision.ACCEPTED, 0, 0),
        pytest.param(Decision.ACCEPTED, 1, 1, id="an ordinary test failed"),
        (Decision.REFUSED, 1, 1),
        pytest.param(Decision.REFUSED, 0, 1, id="a loss that pytest did not see"),
        (Decision.INVALID, 0, 10),
        pytest.param(Decision.INVALID, 5, 10, id="nothing collected"),
        pytest.param(Decision.INVALID, 2, 2, id="Ctrl-C"),
        pytest.param(Decision.REFUSED, 3, 3, id="pytest broke"),
        pytest.param(Decision.ACCEPTED, 4, 4, id="a usage error"),
        pytest.param(Decision.PARTIAL, 0, 0, id="partial, passed"),
        pytest.param(Decision.PARTIAL, 1, 1, id="partial, failed"),
    ],
)
def test_exit_status(decision: Decision, pytest_status: int, status: int) -> None:
    assert exit_status(decision, pytest_status) == status
