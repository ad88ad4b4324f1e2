"""From a promotion that is asked for to its journal, or to the refusal that names what is wrong.

Changes nothing. Knows nothing of the order in which files change, nor of gates.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from pytest_anchorgate import ledger
from pytest_anchorgate.certificate import certificate_path, parse_certificate
from pytest_anchorgate.errors import PromotionError
from pytest_anchorgate.ledger import Attempt, Event, read_ledger
from pytest_anchorgate.pack import production
from pytest_anchorgate.pack.format import digest_file
from pytest_anchorgate.pack.locate import SUFFIX
from pytest_anchorgate.pack.production import Production, read_production, render_production
from pytest_anchorgate.surgery.journal import Journal, read_file

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """What is to be in production: a pack that a gate has accepted.

    ``source`` is where its bytes are, ``name`` its file within ``packs``. ``certificate`` is what
    its certificate shall hold; None leaves that as it is. ``attempt`` is the ledger's line: a
    promotion, or a revert. ``after`` is a shell command that is run in ``root``, and undoes it
    all when it fails. With ``keep`` the pack stays at ``source`` too.
    """

    packs: Path
    source: Path
    name: str
    sha256: str
    certificate: bytes | None
    attempt: Attempt
    after: str | None
    root: Path
    keep: bool = False

    def __post_init__(self) -> None:
        assert self.attempt.production, "the ledger is told of what is in production afterwards"
        assert self.attempt.sha256 == self.sha256, "its line is about this pack"


def prepare(promotion: Promotion, old: Production | None) -> Journal:
    """Return what is to be done, once nothing speaks against it."""
    packs, name, sha256 = promotion.packs, promotion.name, promotion.sha256
    require_place(packs, name, sha256)
    _require_certificate(promotion)
    new, source = not (packs / name).exists(), promotion.source.resolve()
    if new and (found := digest_file(source)) != sha256:
        raise PromotionError(f"{source}: has sha256 {found}, {sha256} was gated. Gate it again.")
    attempts = read_ledger(packs / ledger.FILE)
    before = old.pack if old else ""
    if promotion.attempt.event is Event.REVERT:
        before = pack_before(attempts, sha256)
    made = Production(pack=name, sha256=sha256, previous=before)
    return Journal(
        source=str(source),
        name=name,
        sha256=sha256,
        new=new,
        keep=promotion.keep,
        old_production=read_file(packs / production.FILE),
        new_production=render_production(made).encode(),
        old_certificate=read_file(certificate_path(packs, name)),
        new_certificate=promotion.certificate,
        attempts=len(attempts),
        attempt=promotion.attempt,
        after=promotion.after,
        root=str(promotion.root.absolute()),
    )


def _require_certificate(promotion: Promotion) -> None:
    """Refuse to put a pack in production beside the certificate of another one."""
    path = certificate_path(promotion.packs, promotion.name)
    content = promotion.certificate
    if content is None and (content := read_file(path)) is None:
        return
    certified = parse_certificate(content, str(path)).pack.sha256
    if certified != promotion.sha256:
        raise PromotionError(
            f"{path}: is the certificate of a pack with sha256 {certified}, {promotion.name} has "
            f"{promotion.sha256}. Gate that with --gate-certify."
        )


def pack_before(attempts: Iterable[Attempt], sha256: str) -> str:
    """Return the pack that was in production before this one came, or "" if no line says so.

    A revert takes a pack back to where it stood among its forerunners.
    """
    stack: list[Attempt] = []
    for attempt in attempts:
        if attempt.production and attempt.event is Event.REVERT:
            places = [k for k, one in enumerate(stack) if one.sha256 == attempt.sha256]
            stack = stack[: places[-1] + 1] if places else [attempt]
        elif attempt.production:
            stack.append(attempt)
    places = [k for k, one in enumerate(stack) if one.sha256 == sha256]
    return stack[places[-1] - 1].pack if places and places[-1] else ""


def require_place(packs: Path, name: str, sha256: str) -> None:
    """Refuse a name within ``packs`` that is no pack's, or another's.

    :raises AnchorgateError: naming what has it.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or path.suffix != SUFFIX:
        raise PromotionError(f"{name}: is no name of a pack within packs/. Give one as v2{SUFFIX}.")
    target, certificate = packs / name, certificate_path(packs, name)
    if os.path.lexists(target) and (found := digest_file(target)) != sha256:
        raise PromotionError(
            f"{target}: is another pack, with sha256 {found}; this one has {sha256}. Give it "
            "another name."
        )
    old = read_production(packs)
    if old and old.sha256 != sha256 and certificate_path(packs, old.pack) == certificate:
        raise PromotionError(
            f"{certificate}: is the certificate of {old.pack}, which is in production with sha256 "
            f"{old.sha256}. Give the new pack another name."
        )
