"""How long the gate takes beside what others would use: the same tasks, weights and cores.

    python benchmarks/gate_vs_peers.py                     both parts, about an hour and a half
    python benchmarks/gate_vs_peers.py --part demo
    python benchmarks/gate_vs_peers.py --quick --no-peers  a minute

Part `demo`: the 76 anchors on the demo pack unchanged, on one that lost a single anchor and on one
that lost all, from a cold process to the last verdict, and generation alone, also of the long
answers alone. Part `wide`: generation alone on a random model of Qwen2.5-0.5B's shape, unchanged
and slightly changed, 19 prompts of 100 tokens, 128 tokens each. Contestants take turns; of the
batch sizes that are tried the fastest of the first round goes on, and who was ten times slower
than we stays with the first. Prints tables and writes JSON and bars. Peers come from the package
index, into virtual environments of their own, and read local files alone. OMP_NUM_THREADS, if set,
holds for all.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from bars import render, render_svg
from checkers import Peer, Unavailable
from contestants import (
    Contestant,
    Gate,
    Run,
    cores,
    evalplus,
    generates,
    install,
    lm_eval,
    ours,
    peers,
    threads,
)
from progress import say
from work import CHANGED, Work, changed, demo_work, long_work, wide_work

if TYPE_CHECKING:
    from collections.abc import Sequence

GATE, PLAIN, DRAFTED = "anchorgate", "anchorgate's engine, no drafts", "anchorgate's engine, drafts"
LM_EVAL_BATCHES, GENERATE_BATCHES = (8, 19, 38, 76), (19, 38, 76)
SHARE = 3  # rows of the wide model that are answered one by one
SLOW = 10.0  # times ours: not measured again
QUIET = 0.25  # load average per core over which timings are not to be believed
NOTES = (
    "cold: from the start of the process to its end. anchorgate: every task judged by running its "
    "program, fully isolated, held against the certificate, whose answers are the drafts; an "
    "empty store. EvalPlus: programs run on inputs recorded from the same tests. lm-eval: its "
    "exact_match with the recorded answers, offline the nearest it has; it runs no program. "
    "transformers: no verdicts at all.",
    "All: greedy, float32, SDPA attention, the same torch, the same token ids (the peers' "
    "AutoTokenizer is replaced, since it reads others from this directory), the same stop "
    "sequences, but for EvalPlus's own. lm-eval is told that no text is longer than the longest "
    "here, or its batch 'auto' would try the whole context. 'as ours': the answers equal those of "
    "our engine without drafts, of so many; where these are fewer than the tasks, the seconds were "
    "computed from them.",
)


@dataclass
class Runs:
    """All runs of one contestant on one work, by round; ``dropped``: others were faster."""

    runs: dict[int, Run] = field(default_factory=dict)
    dropped: bool = False


def main() -> int:
    """Measure, print and write."""
    options = parse_options()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        measured = measure(Path(folder), options)
    print(render(measured))
    for name, text in (
        ("gate_vs_peers.json", json.dumps(measured, indent=1) + "\n"),
        ("gate_vs_peers.svg", render_svg(measured)),
    ):
        (options.out / name).write_text(text, "utf-8")
    return 0


def parse_options() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--part", choices=("demo", "wide"), help="one of the two parts")
    parser.add_argument("--peers", type=Path, default=Path.home() / ".cache/anchorgate-benchmarks")
    parser.add_argument("--no-peers", action="store_true", help="no lm-eval and no EvalPlus")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round of little work")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    if options.quick:
        options.rounds = 1
    return options


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Return everything that was measured, as plain JSON values."""
    skipped: list[str] = []
    load = os.getloadavg()[0]
    if load > QUIET * cores():
        say(f"load average {load:.1f} on {cores()} cores: others are at work, and it will show")
    there = [] if options.no_peers else installed(options.peers, skipped)
    demo, alone = {}, {}
    works: list[Work] = []
    if options.part != "wide":
        works = demo_work(folder / "demo", quick=options.quick)
        for work in works:
            # EvalPlus takes minutes, as many as there are answers, whatever the weights are
            asked = [one for one in there if one.name != "EvalPlus" or work is works[0]]
            rivals = demo_contestants(asked, quick=options.quick)
            runs = in_turns(work, rivals, options.rounds, skipped)
            demo[work.name] = summed_up(work, runs, against=GATE)
        works = [] if options.quick else [long_work(works[0])]
    if options.part != "demo":
        work = recorded(wide_work(folder / "wide", small=options.quick))
        works += [work, changed(work)]
    for work in works:
        known = work.name.endswith(CHANGED)  # others answer as many tokens as before
        rivals = engines([] if known else there, rows=len(work.rows), quick=options.quick)
        runs = in_turns(work, rivals, options.rounds, skipped)
        alone[work.name] = summed_up(work, runs, against=DRAFTED)
    return {
        "machine": {
            "cores": cores(),
            "threads": threads(),
            "python": platform.python_version(),
            "load": load,
        },
        "rounds": options.rounds,
        "demo": demo,
        "alone": alone,
        "skipped": skipped,
        "notes": NOTES,
    }


def installed(environments: Path, skipped: list[str]) -> list[Peer]:
    """Return the peers that can be had; say why another cannot."""
    found = []
    for peer in peers(environments):
        try:
            install(peer)
        except Unavailable as why:
            skip(skipped, f"skipped: {why}")
        else:
            found.append(peer)
    return found


def skip(skipped: list[str], why: str) -> None:
    """Say that something is not measured, now and in the report."""
    say(why)
    skipped.append(why)


def demo_contestants(there: Sequence[Peer], *, quick: bool) -> list[Contestant]:
    """Return who answers the demo pack's anchors."""
    found: list[Contestant] = [Gate(name=GATE), ours(PLAIN, drafted=False)]
    if quick:
        return [*found, generates(76)]
    found.append(Gate(name=f"{GATE} -n 2", workers=2))
    found += [generates(batch, family="transformers") for batch in GENERATE_BATCHES]
    for peer in there:
        if peer.name == "EvalPlus":
            found.append(evalplus(peer))
        else:
            found += [lm_eval(peer, 1), lm_eval(peer, "auto")]
            found += [lm_eval(peer, batch, family="lm-eval") for batch in LM_EVAL_BATCHES]
    return found


def engines(there: Sequence[Peer], *, rows: int, quick: bool) -> list[Contestant]:
    """Return who answers so many prompts and is measured without verdicts."""
    found: list[Contestant] = [ours(DRAFTED, drafted=True), ours(PLAIN, drafted=False)]
    if quick:
        return found
    found += [generates(1, share=SHARE), generates(rows)]
    for peer in there:
        if peer.name != "EvalPlus":
            found.append(lm_eval(peer, 1, share=SHARE))
            found += [lm_eval(peer, batch, family="lm-eval") for batch in (rows // 2, rows)]
    return found


def recorded(work: Work) -> Work:
    """Return the work with our engine's own answers as the recorded ones."""
    say(f"{work.name}: recording answers")
    run = ours(PLAIN, drafted=False).run(work)
    return work.with_drafts(run.token_ids, run.answers)


def in_turns(
    work: Work, contestants: list[Contestant], rounds: int, skipped: list[str]
) -> dict[str, Runs]:
    """Return the runs of all, who begins changing from round to round."""
    runs = {contestant.name: Runs() for contestant in contestants}
    for number in range(rounds):
        turn = number % len(contestants)
        for contestant in [*contestants[turn:], *contestants[:turn]]:
            what = f"round {number + 1}/{rounds}: {work.name}: {contestant.name}"
            say(f"{what} ...")
            try:
                run = contestant.run(work)
            except Unavailable as why:
                skip(skipped, f"{work.name}: skipped from here on: {why}")
                contestants.remove(contestant)
                continue
            runs[contestant.name].runs[number] = run
            say(f"{what}: {run.seconds:.2f} s, of which generation {run.generate_s:.2f} s")
        if number == 0:
            contestants = going_on(contestants, runs)
    return {name: done for name, done in runs.items() if done.runs}


def going_on(contestants: Sequence[Contestant], runs: dict[str, Runs]) -> list[Contestant]:
    """Return the contestants without the slow and those that another of their family outran."""
    first = {one.name: runs[one.name].runs[0] for one in contestants}
    enough = SLOW * next(iter(first.values())).seconds
    best: dict[str, float] = {}
    for one in contestants:
        seconds = first[one.name].generate_s
        best[one.family] = min(seconds, best.get(one.family, seconds))
    left = []
    for one in contestants:
        if one.family and first[one.name].generate_s > best[one.family]:
            runs[one.name].dropped = True
        elif first[one.name].seconds <= enough:
            left.append(one)
    return left


def summed_up(work: Work, runs: dict[str, Runs], *, against: str) -> dict[str, dict[str, Any]]:
    """Return each contestant's medians, and those of its ratios to ours of the same round."""
    right = next(iter(runs[PLAIN].runs.values())).answers
    base = runs[against].runs
    found = {}
    for name, done in runs.items():
        every = list(done.runs.values())
        pairs = [(run, base[number]) for number, run in done.runs.items() if number in base]
        found[name] = {
            "seconds": median(run.seconds for run in every),
            "all_seconds": [run.seconds for run in every],
            "generate_s": median(run.generate_s for run in every),
            "all_generate_s": [run.generate_s for run in every],
            "ratio": median(run.seconds / ours.seconds for run, ours in pairs),
            "generate_ratio": median(run.generate_s / ours.generate_s for run, ours in pairs),
            "passed": every[0].passed,
            "same": sum(every[0].answers.get(row.id) == right[row.id] for row in work.rows),
            "of": every[0].rows or len(work.rows),
            "rounds": len(every),
            "versions": every[0].versions,
            "dropped": done.dropped,
        }
    return found


if __name__ == "__main__":
    sys.exit(main())
