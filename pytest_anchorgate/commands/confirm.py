"""`anchorgate check-certificate`: whether a certificate belongs to a pack and to these tasks."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anchorgate.errors import UsageError
from pytest_anchorgate.pack.progress import ProgressLine
from pytest_anchorgate.sandbox.values import escape

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pytest_anchorgate.run import Options

EXIT_WRONG = 1


def add(commands: Any) -> None:
    """Add the command to the parser's commands."""
    command = commands.add_parser(
        "check-certificate",
        help="verify, without the model, that a certificate belongs to a pack and to these tasks",
        usage="%(prog)s [-h] [-m SUITES] [--no-verify] [CERTIFICATE] [--pack PACK] [--gate-...]",
        description="Every option of the gate may be given as pytest takes it; the rest is read "
        "from pytest's ini file. Exit status: 0 when all holds, 1 when anything is wrong.",
    )
    command.add_argument(
        "certificate",
        metavar="CERTIFICATE",
        nargs="?",
        type=Path,
        help="default: that of the pack in packs/production.toml",
    )
    command.add_argument(
        "--no-verify", action="store_true", help="do not judge the recorded completions again"
    )
    command.add_argument(
        "-m", dest="markexpr", metavar="SUITES", default="", help="only these, as -m anchor"
    )
    command.set_defaults(run=_run, for_pytest=[])


def _run(options: argparse.Namespace) -> int:
    from pytest_anchorgate.certificate import read_certificate
    from pytest_anchorgate.confirm import Confirmation
    from pytest_anchorgate.finding import Mark
    from pytest_anchorgate.options import parse_gate_options

    _refuse_strays(options.for_pytest)
    gate = parse_gate_options(["-m", options.markexpr, *options.for_pytest])
    path = options.certificate or _of_production(gate)
    where = gate.shown(path)
    certificate = read_certificate(path)
    confirmation = Confirmation(certificate, where, gate)
    with ProgressLine("verifying") as progress:
        findings = list(confirmation.findings(None if options.no_verify else progress))
    for finding in findings:
        wrong = finding.mark is Mark.WRONG
        out, prefix = (sys.stderr, "anchorgate: ") if wrong else (sys.stdout, "")
        out.write(f"{prefix}{escape(finding.text)}\n")
    marks = {finding.mark for finding in findings}
    if Mark.WRONG in marks:
        return EXIT_WRONG
    limits = ", but for what was not checked" if Mark.UNCHECKED in marks else ""
    sys.stdout.write(f"{where}: holds{limits}\n")
    return 0


def _refuse_strays(arguments: Sequence[str]) -> None:
    """Refuse what pytest would take for a path of tests, and nobody would look at."""
    for before, argument in zip(["", *arguments], arguments, strict=False):
        if not argument.startswith("-") and not re.fullmatch(r"-\w|--[\w-]+", before):
            raise UsageError(
                f"{argument}: is one certificate too many. Name one, or none for production's."
            )


def _of_production(gate: Options) -> Path:
    from pytest_anchorgate.certificate import certificate_path
    from pytest_anchorgate.pack.production import FILE, read_production

    production = read_production(gate.packs)
    if production is None:
        raise UsageError(
            f"{gate.packs / FILE}: does not exist, so no certificate is named. Name one."
        )
    return certificate_path(gate.packs, production.pack)
