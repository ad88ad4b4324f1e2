"""Cases and attempts of gate runs, made of plain values.

Import as ``from tests.rows import ...``; whole runs are in `tests.reports`.
"""

from __future__ import annotations

import hashlib
from typing import Any

from pytest_anchorgate.certificate import CertifiedTask
from pytest_anchorgate.gate import Outcome
from pytest_anchorgate.ledger import Attempt, Event
from pytest_anchorgate.report.gated import Divergence, Row
from pytest_anchorgate.verify import Status

SIMPLE = {
    "square": "return n * n",
    "last_two": "return s[-2:]",
    "is_even": "return n % 2 == 0",
    "total": "return sum(xs)",
    "longest": "return max(xs, key=len)",
    "vowels": "return sum(c in 'aeiou' for c in s)",
    "reverse": "return s[::-1]",
    "smallest": "return min(xs)",
}
TYPED = """from typing import List, Optional, Tuple


def {name}({argument}: {kind}) -> Optional[{kind}]:
    \"\"\"Return the answer.\"\"\"
    if {argument} is None:
        return None
    found: List[Tuple[int, str]] = []
    for index, value in enumerate(str({argument})):
        if index % 2:
            continue
        found.append((index, value))
    return {expression}
"""


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def simple_program(name: str) -> str:
    body = SIMPLE[name]
    argument = next(a for a in ("xs", "s", "n") if a in body.replace("sum", "").replace("is", ""))
    return f'def {name}({argument}):\n    """Return the answer."""\n    {body}\n'


def typed_program(name: str) -> str:
    """Write what the easy program became: the idioms of harder tasks, and wrong."""
    first = simple_program(name).partition("(")[2].partition(")")[0]
    kind = {"xs": "List[int]", "s": "str", "n": "int"}[first]
    expression = SIMPLE[name].removeprefix("return ").replace("*", "+")
    return TYPED.format(name=name, argument=first, kind=kind, expression=expression)


def verdict(key: str, status: str = "passed", **changed: Any) -> dict[str, Any]:
    suite, _, item = key.partition(":")
    name, _, sample = item.partition("-s")
    return {
        "key": key,
        "task_id": name,
        "suite": suite,
        "sample": int(sample or 0),
        "status": status,
        "kind": "passed" if status == "passed" else "assertion",
        "reason": "" if status == "passed" else "assert 6 == 9",
        "completion": "    return n * n\n\n\nprint(square(3))\n",
        "program": simple_program("square"),
        "stage": "completion",
        "failure": None,
        "stdout_tail": "",
        "together": False,
        "first_reason": "",
        "seconds": 0.0312,
        "task": digest(key),
        "prompt_ids": digest(key + "prompt"),
        "sentinel": False,
        "origin": "anchors/demo.jsonl:7",
        "nodeid": f"tests/gate/test_gate.py::test_{suite}[{item}]",
        **changed,
    }


def failure(**changed: Any) -> dict[str, Any]:
    return {
        "where": "test",
        "test": 0,
        "line": 1,
        "assertion": "assert square(3) == 9",
        "left": "6",
        "operator": "==",
        "right": "9",
        "exception": "AssertionError",
        "program_line": None,
        "frames": [],
        **changed,
    }


def certified(
    key: str, status: str, *, margin: float | None = None, **changed: Any
) -> CertifiedTask:
    suite, _, name = key.partition(":")
    return CertifiedTask(
        id=name,
        suite=suite,
        task=digest(key),
        status=Status(status),
        margin=margin,
        token_ids=(1, 2, 3),
        **changed,
    )


def row(
    key: str,
    outcome: Outcome,
    *,
    margin: float | None = None,
    before_margin: float | None = None,
    before_program: str | None = None,
    compared: bool = True,
    divergence: Divergence | None = None,
    trained_on: bool = False,
    **changed: Any,
) -> Row:
    """Make a case of a given outcome; ``changed`` are keys of its verdict."""
    solved = outcome in (Outcome.KEPT, Outcome.GAINED, Outcome.PASSED)
    status = "error" if outcome is Outcome.ERROR else "passed" if solved else "failed"
    found = verdict(key, **{"status": status, **changed})
    before = "passed" if outcome in (Outcome.KEPT, Outcome.LOST) else "failed"
    reason = "" if before == "passed" else "assert None == 12"
    return Row(
        key=key,
        verdict=found,
        outcome=outcome,
        refuses=outcome is Outcome.FAILED or (outcome is Outcome.LOST and key.startswith("anchor")),
        trained_on=trained_on,
        margin=margin,
        before=certified(key, before, margin=before_margin, reason=reason) if compared else None,
        before_program=found["program"] if before_program is None else before_program,
        divergence=divergence,
    )


def attempt(pack: str, **changed: Any) -> Attempt:
    facts: dict[str, Any] = {
        "event": Event.GATE,
        "time": "2026-05-01T10:00:00Z",
        "pack": pack,
        "sha256": digest(pack),
        "decision": "refused",
        "anchors_kept": 19,
        "anchors": 19,
        "sentinels_kept": 31,
        "sentinels": 31,
        "gained": 0,
        "lost": 0,
        "suites": {"mbpp": (13, 100), "humaneval": (6, 164)},
        "settings": {},
    }
    return Attempt(**facts | changed)


def settings(dataset: str, rank: int, lr: str, epochs: int, loss: str) -> dict[str, str]:
    return {
        "dataset": dataset,
        "rank": str(rank),
        "alpha": str(2 * rank),
        "lr": lr,
        "epochs": str(epochs),
        "final loss": loss,
    }


def lost_row(key: str, name: str, **changed: Any) -> Row:
    facts: dict[str, Any] = {
        "program": typed_program(name),
        "before_program": simple_program(name),
        "failure": failure(assertion=f"assert {name}(3) == 9"),
        "margin": 0.412,
        "before_margin": 1.73,
        "divergence": Divergence(position=14, before=" n", now=" found"),
    }
    return row(key, Outcome.LOST, **facts | changed)
