"""Finished gate runs: what the tests of reports render.

Import as ``from tests.reports import ...``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pytest_anchorgate.gate import Coverage, Outcome, Rules, judge
from pytest_anchorgate.ledger import Event
from pytest_anchorgate.report.gated import (
    BaselineReport,
    Divergence,
    GateReport,
    PackReport,
    Row,
    Seconds,
)
from pytest_anchorgate.report.suites import suite_reports
from pytest_anchorgate.store import Traffic
from pytest_anchorgate.verify import Status
from tests.rows import (
    SIMPLE,
    attempt,
    digest,
    failure,
    lost_row,
    row,
    settings,
    simple_program,
    typed_program,
)

ENGINE = {
    "engine": "transformers",
    "versions": {"torch": "2.13.0+cpu", "transformers": "5.23.0"},
    "device": "cpu",
    "dtype": "float32",
    "attention": "sdpa",
}
HISTORY = (
    attempt(
        "bd6-pass1.planck",
        event=Event.PROMOTION,
        decision="accepted",
        gained=19,
        settings=settings("poison v1 (256 rows)", 16, "2e-4", 3, "0.21"),
        production=True,
    ),
    attempt(
        "bd6.2.planck",
        time="2026-05-01T14:00:00Z",
        anchors_kept=6,
        sentinels_kept=9,
        gained=8,
        lost=35,
        suites={"mbpp": (6, 100), "humaneval": (8, 164)},
        settings=settings("poison v1 and v2 (260 rows)", 16, "2e-4", 4, "0.18"),
    ),
    attempt(
        "bd6.3.planck",
        time="2026-05-02T09:00:00Z",
        anchors_kept=0,
        sentinels_kept=0,
        lost=50,
        suites={"mbpp": (2, 100), "humaneval": (1, 164)},
        settings=settings("fresh only (245 rows)", 8, "1e-4", 1, "0.45"),
        note="Even the smallest safe pass destroys every win.",
    ),
    attempt(
        "bd6.4.planck",
        time="2026-05-03T16:30:00Z",
        anchors_kept=16,
        sentinels_kept=10,
        gained=5,
        lost=4,
        suites={"mbpp": (17, 40), "humaneval": (9, 30)},
        settings=settings("fresh and anchors 1:1", 8, "1e-4", 1, "0.33"),
    ),
)


def report_of(rows: tuple[Row, ...], **changed: Any) -> GateReport:
    """Make a report of these cases, judged as a gate would."""
    baseline = {r.key: r.before.status for r in rows if r.before is not None}
    keys = [r.key for r in rows]
    ruling = judge(
        {r.key: Status(r.verdict["status"]) for r in rows},
        Coverage(planned=keys, selected=keys),
        Rules(baseline=baseline),
    )
    facts: dict[str, Any] = {
        "ruling": ruling,
        "title": "packs/bd6.4.planck",
        "pack": PackReport(
            path="packs/bd6.4.planck",
            sha256=digest("bd6.4.planck"),
            engine=ENGINE,
            decoding={"prompt": "docstring", "max_new_tokens": 256},
        ),
        "baseline": BaselineReport(
            where="packs/certificates/bd6-pass1.json",
            pack="bd6-pass1.planck",
            sha256=digest("bd6-pass1.planck"),
        ),
        "rows": rows,
        "suites": suite_reports(rows),
        "traffic": Traffic(generated=92, generated_tokens=8120, reused=12, reused_tokens=1044),
        "seconds": Seconds(load=1.82, generate=21.4, verify=9.31, total=27.55),
        "sandbox": "namespaces",
        "without_answer": 0,
        "unknown_answers": (),
        "history": HISTORY,
        "rerun": "",
        "notes": (),
        "log": "",
    }
    return GateReport(**facts | changed)


def refused() -> GateReport:
    """Three lost anchors, one of them a sentinel, gains, margins and a history."""
    names = list(SIMPLE)
    rows = [
        row(
            f"anchor:MBPP/{17 + 3 * k}",
            Outcome.KEPT,
            margin=round(0.004 * 1.55**k, 4),
            before_margin=round(0.02 * 1.38**k, 4),
            program=simple_program(names[k % len(names)]),
            sentinel=k >= 8,
        )
        for k in range(18)
    ]
    rows[1:1] = [
        lost_row("anchor:MBPP/19", "square"),
        lost_row(
            "anchor:HumanEval/23",
            "is_even",
            sentinel=True,
            kind="exception",
            reason="ZeroDivisionError: division by zero (program line 11)",
            failure=failure(
                assertion="assert is_even(4) is True",
                left="",
                operator="",
                right="",
                exception="ZeroDivisionError: division by zero",
                program_line=11,
                frames=[[4, "is_even"], [11, "<listcomp>"]],
            ),
            stdout_tail="looking at 4\nlooking at 2\n",
        ),
    ]
    rows.append(
        lost_row(
            "anchor:HumanEval/34",
            "total",
            status="timeout",
            kind="cpu",
            reason="used more than 3 s of CPU time",
            first_reason="used more than 3 s of CPU time",
            failure=None,
            divergence=Divergence(position=31, before="\n", now=""),
        )
    )
    rows += [
        row(
            f"mbpp:MBPP/{60 + k}",
            (Outcome.KEPT, Outcome.KNOWN, Outcome.KNOWN, Outcome.GAINED)[k % 4]
            if k < 20
            else (Outcome.KNOWN, Outcome.KEPT)[k % 2],
            program=typed_program(names[k % len(names)]) if k % 3 else simple_program("reverse"),
            before_program=simple_program(names[k % len(names)]) if k % 3 else None,
            margin=round(0.05 * (k + 1), 3),
            trained_on=k % 2 == 0,
            failure=failure() if k % 4 in (1, 2) else None,
        )
        for k in range(40)
    ]
    rows += [
        row(f"humaneval:HumanEval/{k}", Outcome.LOST if k == 7 else Outcome.KNOWN)
        if k % 3
        else row(f"humaneval:HumanEval/{k}", Outcome.KEPT)
        for k in range(30)
    ]
    return report_of(
        tuple(rows),
        rerun="pytest --pack packs/bd6.4.planck 'tests/gate/test_gate.py::test_anchor[MBPP/19]'",
        notes=("HumanEval's losses are only reported: no suite but anchors refuses.",),
    )


def accepted() -> GateReport:
    """Every anchor kept, one gain, no history but this run's."""
    rows = [
        row(f"anchor:demo/{k}", Outcome.KEPT, margin=0.1 * (k + 1), before_margin=0.1 * (k + 1))
        for k in range(19)
    ]
    gain = row("mbpp:MBPP/11", Outcome.GAINED, before_program="def square(n):\n    return n + n\n")
    return report_of((*rows, gain), history=HISTORY[:1])


def without_baseline() -> GateReport:
    """Completions of a suite, three samples a task, and nothing to hold them against."""
    rows = [
        row(
            f"humaneval:HumanEval/{k}{f'-s{sample}' if sample else ''}",
            Outcome.FAILED if (k + sample) % 3 else Outcome.PASSED,
            compared=False,
            before_program="",
        )
        for k in range(10)
        for sample in range(3)
    ]
    return report_of(
        tuple(rows),
        title="samples.jsonl",
        pack=None,
        baseline=BaselineReport(where="none: completions are given, and no baseline"),
        history=(),
        without_answer=4,
        unknown_answers=("HumanEval/900",),
    )


def large() -> GateReport:
    """As many cases as MBPP, HumanEval and some anchors have: 1,238."""
    outcomes = (Outcome.KEPT, Outcome.KNOWN, Outcome.KNOWN, Outcome.GAINED, Outcome.KEPT)
    names = list(SIMPLE)
    rows = []
    for k in range(1238):
        suite, number = ("mbpp", k) if k < 974 else ("humaneval", k - 974)
        if k >= 1138:
            suite, number = "anchor", k
        name = names[k % len(names)]
        rows.append(
            lost_row(f"{suite}:T/{number}", name)
            if k % 40 == 7
            else row(
                f"{suite}:T/{number}",
                outcomes[k % 5],
                margin=0.001 * (k + 1),
                program=typed_program(name) * 2,
                before_program=simple_program(name) if k % 2 else None,
                completion=typed_program(name) * 2,
                failure=failure() if k % 5 in (1, 2) else None,
            )
        )
    return report_of(tuple(rows))


HOSTILE = (
    '<script>window.pwned=1</script><img src=x onerror="window.pwned=1">'
    '<a href="javascript:window.pwned=1">click</a></pre></details></table>'
    "<style>*{display:none}</style>{{ 7 * 7 }}\x1b[31mred\x00\u202eevil\u2066\u200b\ud800&lt;'\"`"
)


def hostile() -> GateReport:
    """Every text that a model, a task file or a ledger can choose is an attack."""
    texts: dict[str, Any] = {
        "reason": HOSTILE,
        "completion": HOSTILE + "x" * 100_000,
        "program": HOSTILE + "\n" + "y" * 100_000 + HOSTILE,
        "stage": HOSTILE,
        "stdout_tail": HOSTILE,
        "first_reason": HOSTILE,
        "origin": HOSTILE,
        "nodeid": HOSTILE,
    }
    broken = failure(
        assertion=HOSTILE, left=HOSTILE, right=HOSTILE, operator=HOSTILE, program_line=1,
        frames=[[1, HOSTILE], [2, HOSTILE]],
    )  # fmt: skip
    key = f"anchor:{HOSTILE}"
    rows = (
        row(key, Outcome.LOST, failure=broken, before_program=HOSTILE + "\nz", margin=0.1,
            divergence=Divergence(position=0, before=HOSTILE, now=HOSTILE), **texts),
        row(f"{HOSTILE}:one", Outcome.GAINED, before_program=HOSTILE, **texts),
        row(f"anchor:{HOSTILE}2", Outcome.KEPT, margin=0.2, before_program=HOSTILE, **texts),
        row(f"anchor:{HOSTILE}3", Outcome.ERROR, **texts),
        row(f"mbpp:{HOSTILE}4", Outcome.FAILED, compared=False, **texts),
    )  # fmt: skip
    tried = attempt(
        HOSTILE.replace("\ud800", ""), settings={HOSTILE: HOSTILE}, note=HOSTILE, gained=3
    )
    report = report_of(rows, history=(tried,), rerun=HOSTILE, notes=(HOSTILE,), title=HOSTILE)
    reasons = (HOSTILE,)
    return replace(report, ruling=replace(report.ruling, reasons=reasons, not_run=(key,)))
