"""Sentences that several reports share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_anchorgate.verify import cut

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_anchorgate.report.gated import BaselineReport, Divergence, PackReport, Row
    from pytest_anchorgate.report.suites import Share, SuiteReport

NAMED = 8  # so many case keys are named in one line


def some(keys: Sequence[str]) -> str:
    """Return the first keys, and how many more there are."""
    more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    return ", ".join(keys[:NAMED]) + more


def comparison(baseline: BaselineReport) -> Iterator[str]:
    """Yield what the verdicts were held against."""
    if not baseline.pack:
        yield f"baseline   {baseline.where}"
        return
    yield f"baseline   {baseline.where}: {baseline.pack}, sha256 {baseline.sha256[:16]}"
    if baseline.differs:
        again = f"; {baseline.redecided}" if baseline.redecided else ""
        yield f"           certified under another {' and '.join(baseline.differs)}{again}"


def engine_line(pack: PackReport) -> str:
    """Return what answered and how it was asked."""
    engine, decoding = pack.engine, pack.decoding
    versions = "".join(f" {name} {version}" for name, version in engine["versions"].items())
    return (
        f"{engine['engine']} on {engine['device']} in {engine['dtype']}{versions}; "
        f"{decoding['prompt']} prompts, up to {decoding['max_new_tokens']} tokens"
    )


def failure_lines(row: Row) -> list[str]:
    """Return the failed assertion with its values, or the reason where none was reached."""
    failure = row.verdict["failure"]
    if not failure or not failure["assertion"]:
        return [cut(row.verdict["reason"])]
    lines = [cut(failure["assertion"].partition("\n")[0])]
    if failure["left"]:
        values = (cut(failure[name]) for name in ("left", "operator", "right") if failure[name])
        lines.append(f"was: {' '.join(values)}")
    elif row.verdict["reason"]:
        lines.append(cut(row.verdict["reason"]))
    return lines


def parting(divergence: Divergence) -> str:
    """Return where two answers part."""
    before, now = (cut(repr(t)) if t else "its end" for t in (divergence.before, divergence.now))
    where = f"token {divergence.position + 1} of the answer was {before}, is {now}"
    if divergence.now_chance is None or divergence.before_chance is None:
        return where
    return f"{where}; the candidate finds them {chance(divergence.before_chance)} and " + (
        f"{chance(divergence.now_chance)} likely"
    )


def chance(share: float) -> str:
    """Return a probability in percent, with as many digits as tell it from 0 and 1."""
    return f"{100 * share:.3g} %"


def bounds(share: Share) -> str:
    """Return the 95 % interval of a rate."""
    return f"{100 * share.interval.low:.1f} to {100 * share.interval.high:.1f} %"


def p_value(suite: SuiteReport) -> str:
    """Return McNemar's p, or nothing where nothing was compared."""
    return "" if suite.mcnemar_p is None else f"{suite.mcnemar_p:.3g}"


def remarks(suite: SuiteReport) -> Iterator[str]:
    """Yield what a table of suites has no column for."""
    if suite.loss_bound is not None:
        yield (
            f"0 of {suite.solved_before} lost: with 95 % confidence at most "
            f"{100 * suite.loss_bound:.1f} % of such tasks are"
        )
    if suite.trained is not None and suite.unseen is not None:
        yield f"trained on {_rate(suite.trained)}, unseen {_rate(suite.unseen)}"
    if suite.pass_at:
        yield ", ".join(f"pass@{k} {100 * rate:.1f} %" for k, rate in suite.pass_at.items())


def _rate(share: Share) -> str:
    return f"{share.passed} of {share.total}"
