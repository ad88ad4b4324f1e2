from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_anchorgate.gate import Decision, Ruling, exit_status, judge
from pytest_anchorgate.verify import Status

PASSED, FAILED, TIMEOUT, ERROR = Status.PASSED, Status.FAILED, Status.TIMEOUT, Status.ERROR
statuses = st.dictionaries(st.text(max_size=4), st.sampled_from(Status), min_size=1)


def whole(verdicts: dict[str, Status], **changed: object) -> Ruling:
    facts = {"planned": verdicts, "selected": verdicts, "narrowed": False} | changed
    return judge(verdicts, **facts)  # type: ignore[arg-type] # each test varies one fact


@pytest.mark.parametrize(
    ("status", "decision"),
    [
        pytest.param(PASSED, Decision.ACCEPTED, id="passed"),
        pytest.param(FAILED, Decision.REFUSED, id="failed"),
        pytest.param(TIMEOUT, Decision.REFUSED, id="a timeout is a loss"),
        pytest.param(ERROR, Decision.INVALID, id="our error is no verdict"),
    ],
)
def test_one_task(status: Status, decision: Decision) -> None:
    assert whole({"a:t": status}).decision is decision


def test_nothing_planned_is_invalid_because_silence_is_not_a_pass() -> None:
    ruling = whole({})
    assert ruling.decision is Decision.INVALID
    assert "silence is not a pass" in ruling.reasons[0]


def test_a_missing_verdict_is_invalid_and_named() -> None:
    ruling = whole({"t": PASSED}, planned={"t", "u"}, selected={"t", "u"})
    assert (ruling.decision, ruling.not_run) == (Decision.INVALID, ("u",))
    assert ruling.reasons == ("1 selected task gave no verdict",)


def test_a_loss_refuses_even_when_others_did_not_run() -> None:
    ruling = whole({"t": FAILED}, planned={"t", "u"}, selected={"t", "u"})
    assert (ruling.decision, ruling.lost, ruling.not_run) == (Decision.REFUSED, ("t",), ("u",))
    assert ruling.reasons == ("1 task did not pass", "1 selected task gave no verdict")


def test_a_narrowed_run_is_partial_whatever_its_verdicts() -> None:
    facts = {"planned": {"t", "u"}, "selected": {"t"}, "narrowed": True}
    for status in Status:
        assert whole({"t": status}, **facts).decision is Decision.PARTIAL


def test_gate_whole_makes_a_narrowed_run_invalid() -> None:
    ruling = whole({"t": PASSED}, planned={"t", "u"}, selected={"t"}, narrowed=True, whole=True)
    assert ruling.decision is Decision.INVALID
    assert ruling.reasons == (
        "1 of 2 planned tasks were left out, and --gate-whole wants every one",
    )


def test_narrowing_that_left_nothing_out_decides_as_usual() -> None:
    assert whole({"t": PASSED}, narrowed=True).decision is Decision.ACCEPTED


def test_a_case_that_vanished_without_the_user_asking_is_invalid() -> None:
    ruling = whole({"t": PASSED}, planned={"t", "u"}, selected={"t"})
    assert (ruling.decision, ruling.deselected) == (Decision.INVALID, ("u",))


@given(statuses, st.booleans())
def test_a_fault_is_always_invalid(verdicts: dict[str, Status], narrowed: bool) -> None:
    ruling = whole(verdicts, narrowed=narrowed, faults=["the digests differ"])
    assert (ruling.decision, ruling.reasons) == (Decision.INVALID, ("the digests differ",))


@given(statuses, st.randoms())
def test_the_order_of_verdicts_changes_nothing(verdicts: dict[str, Status], random: object) -> None:
    shuffled = list(verdicts.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined] # hypothesis gives a random.Random
    assert whole(dict(shuffled)) == whole(verdicts)


@given(statuses)
def test_accepted_means_that_every_task_passed(verdicts: dict[str, Status]) -> None:
    accepted = whole(verdicts).decision is Decision.ACCEPTED
    assert accepted == all(status is PASSED for status in verdicts.values())


@given(statuses, statuses)
def test_passes_elsewhere_never_pay_for_a_loss(
    verdicts: dict[str, Status], more: dict[str, Status]
) -> None:
    gains = {f"gain {name}": PASSED for name in more}
    before, after = (
        whole({**verdicts, "lost": FAILED}),
        whole({**verdicts, "lost": FAILED, **gains}),
    )
    assert before.decision is after.decision is Decision.REFUSED


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
