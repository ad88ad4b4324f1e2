"""`anchorgate promote` and `anchorgate revert`: gate a pack, then put it in production, or not.

The gate is a pytest of its own, whose report decides. What changes then, and in which order, is
for ``surgery.promote``.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anchorgate.errors import PromotionError, UsageError
from pytest_anchorgate.gate import ANCHOR
from pytest_anchorgate.ledger import Event
from pytest_anchorgate.sandbox.values import escape

if TYPE_CHECKING:
    import argparse

    from pytest_anchorgate.pack.production import Production
    from pytest_anchorgate.run import Options

OWN = ("--pack", "--surgery", "--gate-completions", "--gate-whole")
_STATUS = (
    "Options that it does not know are pytest's. Exit status: 0 when the pack is in production; "
    "1 when the gate refuses it or anything else is in the way, 10 when the gate is invalid, 2 for "
    "a wrong option, 130 for Ctrl-C: then nothing has changed."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a command was asked for: the pack to gate and to put in production."""

    gate: Options
    event: Event
    pack: Path
    name: str  # within packs
    sha256: str
    arguments: tuple[str, ...]  # pytest's
    after: str | None

    @property
    def packs(self) -> Path:
        """The directory of packs, as it is shortest to read here."""
        return _near(self.gate.packs)


def add(commands: Any) -> None:
    """Add both commands to the parser's commands."""
    promote = commands.add_parser(
        "promote",
        allow_abbrev=False,
        help="gate a pack, and put it in production when it is accepted",
        usage="%(prog)s [-h] PACK [-m SUITES] [--after-promote CMD] [pytest options]",
        description=f"Certifies the pack and holds it against production's. {_STATUS}",
    )
    promote.add_argument("pack", metavar="PACK", help="a path, or a name in packs/")
    promote.set_defaults(run=_run_promote)
    revert = commands.add_parser(
        "revert",
        allow_abbrev=False,
        help="put the pack in production that was there before",
        usage="%(prog)s [-h] [-m SUITES] [--after-promote CMD] [pytest options]",
        description=f"Holds the previous pack against its own certificate. {_STATUS}",
    )
    revert.set_defaults(run=_run_revert)
    for command in (promote, revert):
        command.add_argument(
            "-m", dest="markexpr", metavar="SUITES", default=ANCHOR,
            help="what is gated; anchors are among it. Default: %(default)s.",
        )  # fmt: skip
        command.add_argument(
            "--after-promote", metavar="CMD",
            help="a shell command, run afterwards; when it fails, all is undone",
        )  # fmt: skip
        command.set_defaults(for_pytest=[])


def _run_promote(options: argparse.Namespace) -> int:
    from pytest_anchorgate.pack.format import digest_file
    from pytest_anchorgate.pack.locate import find_pack
    from pytest_anchorgate.pack.production import FILE, read_production
    from pytest_anchorgate.surgery.lock import lock
    from pytest_anchorgate.surgery.prepare import require_place
    from pytest_anchorgate.surgery.promote import recover

    gate = _gate_options(options)
    packs = _near(gate.packs)
    pack = find_pack(options.pack, packs)
    with lock(packs, f"anchorgate promote {options.pack}"):
        recover(packs, say=_say)
        sha256, production = digest_file(pack), read_production(packs)
        if production is not None and production.sha256 == sha256:
            _say(f"{packs / FILE}: {production.pack} is in production already")
            return 0
        name = _name_within(packs, pack)
        require_place(packs, name, sha256)
        return _gate_and_promote(
            Request(
                gate=gate,
                event=Event.PROMOTION,
                pack=pack,
                name=name,
                sha256=sha256,
                arguments=("--gate-certify", *_arguments(options)),
                after=options.after_promote,
            )
        )


def _run_revert(options: argparse.Namespace) -> int:
    from pytest_anchorgate.pack.format import digest_file
    from pytest_anchorgate.pack.production import read_production
    from pytest_anchorgate.surgery.lock import lock
    from pytest_anchorgate.surgery.promote import recover

    gate = _gate_options(options)
    packs = _near(gate.packs)
    with lock(packs, "anchorgate revert"), tempfile.TemporaryDirectory() as folder:
        recover(packs, say=_say)
        name = _previous(packs, read_production(packs))
        sha256 = digest_file(packs / name)
        _require_known(packs, name, sha256)
        return _gate_and_promote(
            Request(
                gate=gate,
                event=Event.REVERT,
                pack=packs / name,
                name=name,
                sha256=sha256,
                arguments=(*_baseline(packs, name, sha256, Path(folder)), *_arguments(options)),
                after=options.after_promote,
            )
        )


def _gate_options(options: argparse.Namespace) -> Options:
    """Return what the gate would read of the options, before anything runs.

    :raises UsageError: for one that is not the user's to give, or selects no anchors.
    """
    from pytest_anchorgate.options import parse_gate_options

    for argument in options.for_pytest:
        if argument.partition("=")[0] in OWN:
            raise UsageError(f"{argument}: is for the command to say. Leave it out.")
    gate = parse_gate_options([*_arguments(options), "--gate-certify"])
    if gate.completions is not None:
        raise UsageError(
            f"gate_completions={gate.completions}: answers come from this file, and a pack is to "
            "be gated. Take it out of the ini file."
        )
    if not gate.anchors:
        raise UsageError(
            f"-m {options.markexpr!r}: selects no anchors, and no pack goes into production "
            f"without. Give -m {f'{ANCHOR} or {options.markexpr}'!r}."
        )
    return gate


def _arguments(options: argparse.Namespace) -> list[str]:
    return ["-m", options.markexpr, "--gate-whole", *options.for_pytest]


def _near(path: Path) -> Path:
    """Return a path as it is shortest to read here."""
    return Path(os.path.relpath(path))


def _name_within(packs: Path, pack: Path) -> str:
    """Return a pack's file within ``packs``: where it lies, or will."""
    there, here = pack.absolute(), packs.resolve()
    place = there.parent.resolve()
    return str(place.relative_to(here) / there.name) if place.is_relative_to(here) else there.name


def _previous(packs: Path, production: Production | None) -> str:
    from pytest_anchorgate.pack.production import FILE

    where = packs / FILE
    if production is None:
        raise PromotionError(f"{where}: does not exist, so there is nothing to revert.")
    if not production.previous:
        raise PromotionError(
            f'{where}: previous = "": it names no pack before {production.pack}. Put another in '
            "production with `anchorgate promote PACK`."
        )
    if not (packs / production.previous).is_file():
        raise PromotionError(
            f"{where}: previous = {production.previous!r}, and {packs / production.previous} is "
            "not there. Restore that file."
        )
    return production.previous


def _require_known(packs: Path, name: str, sha256: str) -> None:
    """Refuse other bytes than those that were in production under this name."""
    from pytest_anchorgate.certificate import certificate_path, read_certificate
    from pytest_anchorgate.ledger import FILE, read_ledger

    path, ledger, known = certificate_path(packs, name), packs / FILE, {}
    for attempt in read_ledger(ledger):
        if attempt.production and attempt.pack == Path(name).name:
            known[ledger] = attempt.sha256
    if path.exists():
        known[path] = read_certificate(path).pack.sha256
    for where, digest in known.items():
        if digest != sha256:
            raise PromotionError(
                f"{packs / name}: has sha256 {sha256}, {where} says {digest}. Restore that pack."
            )


def _baseline(packs: Path, name: str, sha256: str, folder: Path) -> list[str]:
    """Return what makes the gate hold a pack against its own certificate, or against none.

    For that it is told of a production without one, else it would take today's.
    """
    from pytest_anchorgate.certificate import certificate_path
    from pytest_anchorgate.pack.production import FILE, Production, render_production

    path = certificate_path(packs, name)
    if path.exists():
        return [f"--gate-baseline={path.absolute()}"]
    _say(f"{path}: does not exist, so {name} has no baseline: it must pass every task")
    alone = Production(pack=name, sha256=sha256, previous="")
    (folder / FILE).write_text(render_production(alone))
    return [f"--gate-baseline={folder / FILE}", "--gate-certify"]


def _gate_and_promote(request: Request) -> int:
    """Gate the pack; when it is accepted, put it in production and say so."""
    from pytest_anchorgate.certificate import certificate_path
    from pytest_anchorgate.commands.gate import run_gate, unchanged
    from pytest_anchorgate.surgery.journal import read_file
    from pytest_anchorgate.surgery.promote import Promotion, promote

    path = certificate_path(request.packs, request.name)
    with unchanged(path):  # what the gate certifies is promoted with the pack, or not at all
        gate = run_gate([f"--pack={request.pack}", *request.arguments], copy=request.gate.json)
        certificate = read_file(path)
    if (fault := gate.fault(request.sha256)) is not None:
        sys.stderr.write(f"anchorgate: {request.pack}: {escape(fault[1])}. Production stays.\n")
        return fault[0]
    promotion = Promotion(
        packs=request.packs,
        source=request.pack,
        name=request.name,
        sha256=request.sha256,
        certificate=certificate,
        attempt=gate.attempt(request.event, request.pack),
        after=request.after,
        root=request.gate.root,
        keep=True,
    )
    promote(promotion, say=_say)
    anchors = f"{gate.kept}/{len(gate.anchors)} anchors ({gate.sentinels} sentinels)"
    _say(f"VERIFY: {anchors}; in production: {request.name}, sha256 {request.sha256}")
    return 0


def _say(line: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # nobody reads it, and it happens all the same
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
