"""From a run's records to its decision: what was planned, and what may not be lost.

Opens nothing; ``gate`` decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_anchorgate.baseline import anchors_of
from pytest_anchorgate.gate import Coverage, Decision, Ruling, judge
from pytest_anchorgate.verify import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_anchorgate.breaches import Breaches
    from pytest_anchorgate.session import GateSession


def rule(
    gate: GateSession,
    records: Mapping[str, Mapping[str, Any]],
    expected: Mapping[str, bool],
    *,
    faults: Sequence[str],
    breaches: Breaches,
    dead: str | None,
) -> Ruling:
    """Return the decision on these records, by case key.

    ``expected`` says of each collected case whether it stayed selected. ``dead`` is the last word
    of a model that died: a confirmed loss stands though it died before the rest.
    """
    verdicts = {key: Status(record["status"]) for key, record in records.items()}
    rules = gate.rules
    for record in records.values():
        rules = rules.today(record)
    anchors = anchors_of(rules.baseline, breaches.waived) if gate.options.anchors else set()
    coverage = Coverage(
        planned=gate.planned().keys() | expected.keys() | anchors,
        selected={key for key, kept in expected.items() if kept},
        narrowed=gate.options.narrowed or gate.options.anchors_chosen,
        whole=gate.options.whole,
    )
    ruling = judge(verdicts, coverage, rules, faults=faults, breaches=breaches.lines)
    if dead is None or ruling.decision is Decision.REFUSED:
        return ruling
    return judge(verdicts, coverage, rules, faults=[*faults, dead], breaches=breaches.lines)
