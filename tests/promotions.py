"""A small world for tests of promotion: packs of a few bytes, which are only ever digested."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from pytest_anchorgate.certificate import (
    Certificate,
    CertifiedPack,
    Decoding,
    Verification,
    certificate_path,
    parse_certificate,
    render_certificate,
)
from pytest_anchorgate.engine.protocol import EngineIdentity
from pytest_anchorgate.ledger import Event, read_ledger
from pytest_anchorgate.pack.production import Production, read_production, render_production
from pytest_anchorgate.surgery.promote import Promotion, promote, recover
from tests.attempts import attempt

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_anchorgate.ledger import Attempt

CONTENT = {name: name.encode() * 999 for name in ("v1", "v2", "v3")}  # of packs, by their stems
SHA256 = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}


def certificate(name: str, sha256: str = "") -> bytes:
    made = Certificate(
        schema=1,
        pack=CertifiedPack(name=f"{name}.planck", sha256=sha256 or SHA256[name]),
        engine=EngineIdentity(engine="none", versions=(), device="cpu", dtype="float32"),
        decoding=Decoding(prompt="docstring", max_new_tokens=512),
        verification=Verification(version="verify.2", timeout_s=3.0),
        trained_on=(),
        tasks=(),
    )
    return render_certificate(made).encode()


def line(name: str, event: Event = Event.PROMOTION, **more: Any) -> Attempt:
    facts = {"event": event, "pack": f"{name}.planck", "sha256": SHA256[name], "production": True}
    return attempt(**facts | more)


def production(name: str, previous: str = "") -> bytes:
    made = Production(pack=f"{name}.planck", sha256=SHA256[name], previous=previous)
    return render_production(made).encode()


@dataclass(frozen=True)
class World:
    """A project with packs of a few bytes: v1 in production, v2 in a work directory."""

    path: Path
    said: list[str] = field(default_factory=list)

    @property
    def packs(self) -> Path:
        return self.path / "packs"

    @property
    def source(self) -> Path:
        return self.path / "work" / "merged.planck"

    def begin(self) -> World:
        """Write the world as it is before every test."""
        self.write("packs/v1.planck", CONTENT["v1"])
        self.write("packs/certificates/v1.json", certificate("v1"))
        self.write("packs/production.toml", production("v1"))
        self.write("work/merged.planck", CONTENT["v2"])
        return self

    def write(self, name: str, content: bytes) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def files(self) -> dict[str, Any]:
        """Return all files; of the ledger its lines, those of reverts without their time."""
        paths = sorted(path for path in self.path.rglob("*") if path.is_file())
        files: dict[str, Any] = {str(p.relative_to(self.path)): p.read_bytes() for p in paths}
        if "packs/ledger.jsonl" in files:
            files["packs/ledger.jsonl"] = [
                msgspec.structs.replace(made, time="2026-11-22T10:00:00Z")
                for made in read_ledger(self.packs / "ledger.jsonl")
            ]
        return files

    def promotion(self, stem: str = "v2", **changed: Any) -> Promotion:
        facts: dict[str, Any] = {
            "packs": self.packs,
            "source": self.source,
            "name": f"{stem}.planck",
            "sha256": SHA256[stem],
            "certificate": certificate(stem),
            "attempt": line(stem),
            "after": None,
            "root": self.path,
        }
        return Promotion(**facts | changed)

    def promote(self, stem: str = "v2", **changed: Any) -> None:
        promote(self.promotion(stem, **changed), say=self.said.append)

    def recover(self) -> list[str]:
        """Recover, and return what was said."""
        said: list[str] = []
        recover(self.packs, say=said.append)
        return said

    def require_sound(self) -> None:
        """What is in production is a pack with its own bytes and its own certificate."""
        made = read_production(self.packs)
        if made is None:
            return
        content = (self.packs / made.pack).read_bytes()
        assert hashlib.sha256(content).hexdigest() == made.sha256
        path = certificate_path(self.packs, made.pack)
        assert parse_certificate(path.read_bytes(), "here").pack.sha256 == made.sha256
