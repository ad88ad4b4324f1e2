"""From a finished run to a certificate, and from an older certificate to what contradicts it.

Only the controller writes certificates, and only after a whole gate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_anchorgate.baseline import decoding, differences, verification
from pytest_anchorgate.certificate import (
    Certificate,
    CertifiedPack,
    CertifiedTask,
    certificate_path,
    read_certificate,
    sorted_tasks,
    write_certificate,
)
from pytest_anchorgate.errors import CertificateError
from pytest_anchorgate.gate import Decision
from pytest_anchorgate.pack.provenance import trained_on
from pytest_anchorgate.verify import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pytest_anchorgate.gate import Ruling
    from pytest_anchorgate.report.gated import Row
    from pytest_anchorgate.session import GateSession

MARGIN_DIGITS = 4


def own_path(gate: GateSession) -> Path:
    """Return where the certificate of the gated pack lies."""
    assert gate.run.pack is not None, "only packs have certificates"
    return certificate_path(gate.options.packs, gate.run.pack)


def make_certificate(
    gate: GateSession, rows: Sequence[Row], *, name: str | None = None
) -> Certificate:
    """Return the certificate of the gated pack, or of one with its bytes and another name.

    ``rows`` are those of a whole gate.
    """
    run = gate.run
    assert run.pack is not None
    assert run.identity is not None, "a pack was answered for by an engine"
    return Certificate(
        schema=1,
        pack=CertifiedPack(name=name or run.pack.rpartition("/")[2], sha256=run.pack_sha256),
        engine=run.identity,
        decoding=decoding(gate),
        verification=verification(gate),
        trained_on=trained_on(gate.prompter.pack),
        tasks=sorted_tasks(_certified(row) for row in rows),
    )


def _certified(row: Row) -> CertifiedTask:
    verdict = row.verdict
    return CertifiedTask(
        id=verdict["task_id"],
        suite=row.suite,
        sample=verdict["sample"],
        sentinel=row.sentinel,
        task=verdict["task"],
        prompt_ids=verdict["prompt_ids"],
        status=Status(verdict["status"]),
        reason=verdict["reason"],
        token_ids=row.token_ids,
        completion=verdict["completion"],
        margin=None if row.margin is None else round(row.margin, MARGIN_DIGITS),
        seconds=round(float(verdict["seconds"]), 3),
    )


def certify(gate: GateSession, rows: Sequence[Row], ruling: Ruling) -> Path:
    """Write the gated pack's certificate and return its path.

    :raises CertificateError: when the run proves too little, or an older certificate of the same
        pack holds suites that this run leaves out.
    :raises PackError: when the file cannot be written.
    """
    if ruling.decision is not Decision.ACCEPTED:
        raise CertificateError(
            f"--gate-certify: nothing was written, because the run is {ruling.decision}: "
            f"{ruling.reasons[0]}. A certificate needs a whole gate that loses no anchor."
        )
    path, made = own_path(gate), make_certificate(gate, rows)
    if path.exists():
        _require_same_suites(path, made)
    write_certificate(path, made)
    return path


def _require_same_suites(path: Path, made: Certificate) -> None:
    try:
        older = read_certificate(path)
    except CertificateError:  # what is no certificate may be replaced by one
        return
    left = {task.suite for task in older.tasks} - {task.suite for task in made.tasks}
    if older.pack.sha256 == made.pack.sha256 and left:
        raise CertificateError(
            f"--gate-certify: {path} also certifies {', '.join(sorted(left))}, which this run "
            "leaves out. Select that too with -m, or delete the file."
        )


def contradictions(gate: GateSession, rows: Sequence[Row]) -> tuple[str, ...]:
    """Return what the gated pack's own certificate says against this run.

    The same bytes under the same engine get the same verdicts, so the file was edited or is
    another pack's. Under another engine or verifier only ``--gate-whole``, which is for CI, holds
    its verdicts against the run's. A loss refuses anyway, and a program that ran out of time
    proves nothing.

    :raises CertificateError: when the file is no certificate.
    """
    if gate.run.pack is None or gate.options.certify or not own_path(gate).exists():
        return ()
    path, where = own_path(gate), gate.shown(str(own_path(gate)))
    certificate = read_certificate(path)
    if certificate.pack.sha256 != gate.run.pack_sha256:
        return (
            f"{where}: is the certificate of a pack with sha256 {certificate.pack.sha256}, "
            f"{gate.shown(gate.run.pack)} has {gate.run.pack_sha256}. {_AGAIN}",
        )
    if differences(gate, certificate) and not gate.options.whole:
        return ()
    return tuple(_contradicted(certificate, rows, where))


_AGAIN = "Write it again with --gate-certify."


def _contradicted(certificate: Certificate, rows: Sequence[Row], where: str) -> Iterator[str]:
    certified = certificate.by_key()
    for row in rows:
        task, found = certified.get(row.key), Status(row.verdict["status"])
        if task is None or row.refuses or found is Status.ERROR:
            continue
        if task.status is not found and Status.TIMEOUT not in (task.status, found):
            yield f"{where}: certifies {row.key} as {task.status}, this run says {found}. {_AGAIN}"
