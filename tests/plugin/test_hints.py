"""What the baseline tells before a run: drafts for the model, and whom to judge first."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from pytest_anchorgate.certificate import read_certificate
from tests.attempts import attempt
from tests.plugin.conftest import GateProject, row
from tests.plugin.test_decisions import WAYS

if TYPE_CHECKING:
    from pytest_anchorgate.ledger import Attempt

MARGINS = {"own/two": 5.0, "own/three": 3.0, "own/seven": 4.0, "own/eleven": 0.1}


@pytest.fixture
def fragile(certified: GateProject) -> GateProject:
    """The certified project; the model was least sure of the last anchor."""
    path = certified.certificate()
    lines = path.read_text().splitlines(keepends=True)
    for number, line in enumerate(lines):
        for task_id, margin in MARGINS.items():
            if f'"{task_id}"' in line:
                lines[number] = line.replace('"margin": null', f'"margin": {margin}')
    path.write_text("".join(lines))
    assert {task.id: task.margin for task in read_certificate(path).tasks} == MARGINS
    return certified


def order(project: GateProject, *arguments: str) -> list[str]:
    """Return the anchors in the order in which a run judged them."""
    result = project.run("--pack", "next", "-m", "anchor", "-v", *arguments)
    lines = (line for line in result.stdout.lines if "::test_anchor[own/" in line)
    return [line.partition("[own/")[2].partition("]")[0] for line in lines if " PASSED" in line]


def test_a_run_that_may_stop_early_judges_the_most_fragile_first(fragile: GateProject) -> None:
    assert order(fragile) == ["two", "three", "seven", "eleven"]
    assert order(fragile, "-x") == ["eleven", "three", "seven", "two"]
    assert order(fragile, "--gate-fail-fast") == ["eleven", "three", "seven", "two"]


def test_what_attempts_have_lost_comes_before_what_is_fragile(fragile: GateProject) -> None:
    attempts: list[Attempt] = [
        attempt(lost_anchors=lost, sha256=digit * 64)
        for digit, lost in (("1", ["own/two"]), ("2", ["own/seven", "own/two"]), ("3", []))
    ]
    lines = [msgspec.json.encode(one).decode() for one in attempts]
    (fragile.path / "packs" / "ledger.jsonl").write_text("\n".join(lines) + "\n")
    assert order(fragile, "-x") == ["two", "seven", "eleven", "three"]


@WAYS
def test_fail_fast_stops_at_the_first_loss_and_refuses(
    fragile: GateProject, way: tuple[str, ...]
) -> None:
    fragile.answer("eleven", "    return 0\n", pack="next")
    result, report = fragile.gate("--gate-fail-fast", *way, pack="next")
    assert (result.ret, report["decision"]) == (1, "refused")
    assert report["lost"] == ["anchor:own/eleven"]
    if "-n2" not in way:
        assert len(report["not_run"]) == 3


def test_anchors_that_nobody_certified_come_last(fragile: GateProject) -> None:
    fragile.add_anchor("four")
    assert order(fragile, "-x")[-1] == "four"


def asked(project: GateProject) -> list[list[int]]:
    """Return the rank and the length of the draft of each request that the engine was given."""
    log = project.path / "requests.log"
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return [list(map(int, line.split())) for line in lines]


@WAYS
def test_the_baselines_answers_are_the_candidates_drafts(
    fragile: GateProject, way: tuple[str, ...]
) -> None:
    asked(fragile)
    fragile.gate(*way, pack="next")
    recorded = [len(task.token_ids) for task in read_certificate(fragile.certificate()).tasks]
    assert sorted(asked(fragile)) == sorted([0, length] for length in recorded)


def test_the_first_batch_of_a_run_that_may_stop_early_is_small(fragile: GateProject) -> None:
    names = [f"name_{number}" for number in range(9)]
    with (fragile.path / "anchors.jsonl").open("a") as file:
        file.writelines(json.dumps(row(name)) + "\n" for name in names)
    asked(fragile)
    fragile.gate("-x", pack="next")
    assert [rank for rank, _ in asked(fragile)][:5] == [0, 0, 0, 0, 1]


def test_without_a_baseline_there_are_no_hints(project: GateProject) -> None:
    project.gate("-x")
    assert asked(project) == [[0, 0]] * 4
