"""Which certificate a run is held against, and whether it fits the run.

Knows where certificates come from (a file, a git revision, production.toml); no pytest, no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anchorgate.certificate import Decoding, Verification, certificate_path
from pytest_anchorgate.certificate import parse_certificate as parse
from pytest_anchorgate.errors import CertificateError, UsageError
from pytest_anchorgate.gate import ANCHOR, suite_of
from pytest_anchorgate.git import show
from pytest_anchorgate.pack.format import digest_file
from pytest_anchorgate.pack.production import FILE, parse_production
from pytest_anchorgate.run import BaselineSource, Redecide, RunBaseline
from pytest_anchorgate.verify import VERIFIER_VERSION, Status

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pytest_anchorgate.certificate import Certificate
    from pytest_anchorgate.pack.production import Production
    from pytest_anchorgate.run import Options
    from pytest_anchorgate.session import GateSession

CERTIFY = "Write one with --gate-certify."


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A certificate and where it came from; without one, why there is none."""

    certificate: Certificate | None
    where: str


def find_baseline(options: Options) -> Baseline:
    """Return the baseline that the options ask for, or production's.

    :raises UsageError: when the named file does not exist, there or at the revision.
    :raises CertificateError: when it is no certificate, or another pack's.
    :raises PackError: when a ``production.toml`` is wrong.
    """
    source = options.baseline
    if source is None and options.completions is not None:
        return Baseline(certificate=None, where="none: completions are given, and no baseline")
    if source is None:
        source = BaselineSource(path=options.packs / FILE, revision=None)
    content = _read(options, source)
    if source.path.name == FILE:
        return _of_production(options, source, content)
    if content is None:
        raise UsageError(
            f"--gate-baseline={_shown(options, source)}: no such file. Name a certificate, or a "
            f"production.toml, as PATH or REV:PATH."
        )
    where = _shown(options, source)
    return Baseline(certificate=parse(content, where), where=where)


def _of_production(options: Options, source: BaselineSource, content: bytes | None) -> Baseline:
    """Return the certificate of the pack that a ``production.toml`` names."""
    where = _shown(options, source)
    if content is None:
        if options.baseline is not None and source.revision is None:
            raise UsageError(f"--gate-baseline={where}: no such file.")
        return Baseline(certificate=None, where=f"none: {where} does not exist")
    production = parse_production(content, where)
    path = certificate_path(source.path.parent, production.pack)
    beside = BaselineSource(path=path, revision=source.revision)
    found, certified = _shown(options, beside), _read(options, beside)
    if certified is None:
        return Baseline(certificate=None, where=f"none: {found} does not exist. {CERTIFY}")
    certificate = parse(certified, found)
    require_pack(certificate, production, found, where)
    return Baseline(certificate=certificate, where=found)


def require_pack(certificate: Certificate, production: Production, found: str, where: str) -> None:
    """Refuse the certificate of another pack than the one that production names.

    :raises CertificateError: with both digests.
    """
    if certificate.pack.sha256 != production.sha256:
        raise CertificateError(
            f"{found}: is the certificate of a pack with sha256 {certificate.pack.sha256}, "
            f"{where} says {production.sha256}. Restore the one that belongs to the pack."
        )


def _read(options: Options, source: BaselineSource) -> bytes | None:
    if source.revision is not None:
        return show(options.root, source.revision, source.path)
    try:
        return source.path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(f"{_shown(options, source)}: cannot be read: {why}.") from None


def _shown(options: Options, source: BaselineSource) -> str:
    name = options.shown(source.path)
    return f"{source.revision}:{name}" if source.revision else name


def differences(gate: GateSession, certificate: Certificate) -> tuple[str, ...]:
    """Return what of engine, decoding and verification is not as when it was certified."""
    differs = [] if certificate.verification == verification(gate) else ["verification"]
    if gate.run.identity is not None:
        if certificate.engine.to_json() != gate.run.identity.to_json():
            differs.insert(0, "engine")
        if certificate.decoding != decoding(gate):
            differs.insert(0, "decoding")
    return tuple(differs)


def decoding(gate: GateSession) -> Decoding:
    """Return how the gated pack is asked."""
    prompter = gate.prompter
    return Decoding(prompt=prompter.style.value, max_new_tokens=prompter.max_new_tokens)


def verification(gate: GateSession) -> Verification:
    """Return how answers are judged today."""
    return Verification(version=VERIFIER_VERSION, timeout_s=gate.options.timeout_s)


def run_baseline(
    gate: GateSession, certificate: Certificate, waived: Collection[str]
) -> RunBaseline:
    """Return what workers must know: a waived anchor that changed has no baseline any more."""
    tasks = certificate.by_key()
    changed = set(changed_tasks(gate, certificate))
    statuses = {
        key: task.status.value
        for key, task in tasks.items()
        if not (key in changed and task.id in waived)
    }
    how, pack = _redecide(gate, certificate)
    sha256 = certificate.pack.sha256
    return RunBaseline(statuses=statuses, redecide=how.value, pack=pack, sha256=sha256)


def _redecide(gate: GateSession, certificate: Certificate) -> tuple[Redecide, str | None]:
    """Return how a loss is confirmed, and where the baseline's bytes are if that needs them."""
    differs = differences(gate, certificate)
    if not differs:
        return Redecide.NOT, None
    if differs == ("verification",):
        return Redecide.VERIFY, None
    pack = _baseline_pack(gate, certificate)
    return (Redecide.GENERATE, str(pack)) if pack else (Redecide.IMPOSSIBLE, None)


def _baseline_pack(gate: GateSession, certificate: Certificate) -> Path | None:
    if gate.run.pack is not None and gate.run.pack_sha256 == certificate.pack.sha256:
        return Path(gate.run.pack)
    pack = gate.options.packs / certificate.pack.name
    if pack.is_file() and digest_file(pack) == certificate.pack.sha256:
        return pack
    return None


def changed_tasks(gate: GateSession, certificate: Certificate) -> tuple[str, ...]:
    """Return the keys of planned tasks whose text or tests are not the certified ones."""
    certified = certificate.by_key()
    return tuple(
        key
        for key, case in gate.planned().items()
        if key in certified and certified[key].task != case.task.digest
    )


def changed_lines(keys: Collection[str], where: str, waived: Collection[str]) -> tuple[str, ...]:
    """Return a sentence for each changed task that no waiver lets change."""
    return tuple(
        f"{key}: its text or tests are not those that {where} certifies. Restore them, or waive "
        "the change in anchors/waivers.toml."
        for key in keys
        if key.partition(":")[2] not in waived
    )


def anchors_of(statuses: Mapping[str, str], waived: Collection[str]) -> set[str]:
    """Return the baseline's anchors that must be judged again: a waiver may take one away."""
    return {
        key for key in statuses if suite_of(key) == ANCHOR and key.partition(":")[2] not in waived
    }


def baseline_statuses(baseline: RunBaseline | None) -> dict[str, Status]:
    """Return the baseline's verdicts as statuses; nothing without a baseline."""
    return {k: Status(s) for k, s in baseline.statuses.items()} if baseline else {}
