"""`anchorgate anchors record`: what a pack solves twice with the same answer, as anchors."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anchorgate.errors import AnchorgateError, UsageError
from pytest_anchorgate.option_table import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_anchorgate.record import Recording
    from pytest_anchorgate.run import Options

SHARE, SEED = 0.3, 17
EXIT_NO_ANCHOR = 1
# Those of pytest's options that decide what a pack is asked, and how its answers are judged.
ASKING = (
    "--pack", "--gate-anchors", "--gate-mbpp", "--gate-humaneval", "--gate-prompt",
    "--gate-max-new-tokens", "--gate-timeout", "--gate-sandbox", "--gate-device", "--gate-dtype",
    "--gate-batch-tokens", "--gate-store", "--gate-engine",
)  # fmt: skip
_DESCRIPTION = (
    "Asks a pack the tasks of the selected suites twice, the second time in another order and in "
    "other batches, and writes those as anchors that both runs solve with the same answer. "
    "Exit status: 0, 1 when there is no anchor, 2 for a wrong option."
)


def add(commands: Any) -> None:
    """Add the command to the parser's commands."""
    help_ = "write what a pack solves as anchors"
    command = commands.add_parser("anchors", help=help_)
    actions = command.add_subparsers(metavar="ACTION", required=True)
    record = actions.add_parser("record", help=help_, description=_DESCRIPTION, allow_abbrev=False)
    record.add_argument(
        "-m", dest="markexpr", metavar="SUITES", required=True, help="as in -m 'mbpp or humaneval'"
    )
    record.add_argument(
        "--out", metavar="FILE", type=Path, required=True, help="a new file, as anchors/mine.jsonl"
    )
    record.add_argument(
        "--sentinels", metavar="SHARE", type=_share, default=SHARE,
        help="of the anchors, which training must never see. Default: %(default)s.",
    )  # fmt: skip
    record.add_argument(
        "--seed", metavar="N", type=int, default=SEED,
        help="decides which are sentinels, and the second run's order. Default: %(default)s.",
    )  # fmt: skip
    record.add_argument("--json", action="store_true", help="print JSON")
    _add_pytest_options(record)
    record.set_defaults(run=_run)


def _add_pytest_options(record: argparse.ArgumentParser) -> None:
    group = record.add_argument_group("as pytest has them, with the ini file's values as defaults")
    for option in OPTIONS:
        if option.flag in ASKING:
            group.add_argument(
                option.flag, dest=option.dest, metavar=option.metavar, action="append",
                help=option.help.replace("%", "%%"),
            )  # fmt: skip


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share from 0 to 1, as 0.3 is")
    return share


def _run(options: argparse.Namespace) -> int:
    from pytest_anchorgate.options import parse_gate_options
    from pytest_anchorgate.record import record_anchors, require_place, write_anchors

    _require_rows(options.markexpr)
    given = _given(options)
    gate_options = parse_gate_options(["-m", options.markexpr, *given])
    require_place(options.out)
    recording = record_anchors(gate_options, share=options.sentinels, seed=options.seed)
    written = bool(recording.anchors) and write_anchors(options.out, recording)
    step = _next_step(options.out, given, others=_other_anchors(gate_options, recording))
    if options.json:
        lines = [_json(recording, options.out, written=written, step=step)]
    else:
        lines = list(_lines(recording, options.out, written=written, step=step))
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0 if recording.anchors else EXIT_NO_ANCHOR


def _require_rows(markexpr: str) -> None:
    """Refuse a selection that is no suite's, or one whose tasks stand in tests."""
    from pytest_anchorgate.selection import names_suite, selects

    if not names_suite(markexpr):
        raise UsageError(
            f"-m {markexpr!r}: names no suite. Select anchor, mbpp or humaneval, as in "
            "-m 'mbpp or humaneval'."
        )
    if selects(markexpr, "suite"):
        raise UsageError(
            f"-m {markexpr!r}: selects suite, whose files stand in tests. Give such a file with "
            "--gate-anchors FILE, and select anchor."
        )


def _given(options: argparse.Namespace) -> list[str]:
    """Return the options for pytest; ``=`` keeps it from taking a value for a test path."""
    return [
        f"{option.flag}={value}"
        for option in OPTIONS
        if option.flag in ASKING
        for value in getattr(options, option.dest) or ()
    ]


def _other_anchors(gate_options: Options, recording: Recording) -> int:
    """Return how many rows production is held to besides those recorded."""
    from pytest_anchorgate.baseline import find_baseline

    try:
        certificate = find_baseline(gate_options).certificate
    except AnchorgateError:  # the next gate says so, and nothing here depends on it
        return 0
    recorded = {anchor.task_id for anchor in recording.anchors}
    rows = (
        task.id
        for task in (certificate.tasks if certificate else ())
        if task.suite == "anchor" and task.prompt_ids is not None  # a plain test has no prompt
    )
    return sum(task_id not in recorded for task_id in rows)


def _next_step(out: Path, given: Sequence[str], *, others: int) -> str:
    """Return how to certify the anchors, asked as they were recorded."""
    kept = [option for option in given if not option.startswith("--gate-anchors=")]
    if not others:
        kept.append(f"--gate-anchors={out}")
    command = shlex.join(["pytest", "-m", "anchor", *kept, "--gate-certify"])
    if not others:
        return command
    return f"add {out} to gate_anchors, as production has {others} anchors more; then {command}"


def _lines(recording: Recording, out: Path, *, written: bool, step: str) -> Iterator[str]:
    stable = len(recording.anchors)
    yield (
        f"{recording.pack}: {recording.solved} of {recording.tasks} tasks solved, {stable} of them "
        "again with the same answer"
    )
    if recording.unstable:
        yield "unstable, and so no anchor:"
    for task in recording.unstable:
        yield f"  {task.task_id}: {task.why}"
    if not stable:
        yield f"{out}: not written, as there is no anchor"
        return
    held = "" if written else ", which it held already"
    of = "1 anchor" if stable == 1 else f"{stable} anchors"
    yield f"{out}: {of}, {recording.sentinels} of them sentinels{held}"
    yield f"next: {step}"


def _json(recording: Recording, out: Path, *, written: bool, step: str) -> str:
    first, second = recording.batch_tokens
    value = {
        "pack": {"path": recording.pack, "sha256": recording.pack_sha256},
        "out": str(out),
        "written": written,
        "tasks": recording.tasks,
        "solved": recording.solved,
        "stable": len(recording.anchors),
        "sentinels": recording.sentinels,
        "anchors": [
            {"id": anchor.task_id, "suite": anchor.suite, "sentinel": anchor.sentinel}
            for anchor in recording.anchors
        ],
        "unstable": [{"id": task.task_id, "why": task.why} for task in recording.unstable],
        "batch_tokens": {"first": first, "second": second},
        "next": step if recording.anchors else "",
    }
    return json.dumps(value, indent=1)
