"""What one gate run is: what was asked, which pack it gates, under which engine.

The controller, or a session without workers, opens the run; workers are told what it decided.
Knows nothing of pytest, and no torch.
"""

from __future__ import annotations

import os
import uuid
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pytest_anchorgate.engine.protocol import EngineIdentity, engine_identity
from pytest_anchorgate.errors import UsageError
from pytest_anchorgate.pack.format import digest_file, read_pack
from pytest_anchorgate.pack.locate import find_pack
from pytest_anchorgate.pack.production import read_production
from pytest_anchorgate.sandbox.tiers import settle_tier

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_anchorgate.tasks.prompt import PromptStyle
    from pytest_anchorgate.tasks.suites import SuiteSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineSource:
    """A certificate or a ``production.toml``: a file, or a file at a git revision."""

    path: Path
    revision: str | None

    def __str__(self) -> str:
        """Return the text that messages begin with."""
        return f"{self.revision}:{self.path}" if self.revision else str(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a gated session was asked to do; made by ``options.read_options``."""

    root: Path
    pack: str | None
    surgery: Path | None  # a recipe
    suites: Mapping[str, tuple[SuiteSpec, ...]]  # the selected ones
    references: Mapping[str, SuiteSpec]  # what reference rows resolve against
    completions: Path | None
    prompt_style: PromptStyle | None
    max_new_tokens: int
    timeout_s: float  # CPU seconds of one program
    sandbox: str  # a tier, or "auto"
    device: str
    dtype: str
    batch_tokens: int
    store: Path
    engine: str
    baseline: BaselineSource | None  # None: the certificate of production's pack
    ratchet: str | None  # a git revision
    allowed_losses: Mapping[str, int]  # by suite; of other suites losses are only reported
    json: Path | None
    html: Path | None
    markdown: Path | None
    anchors: bool  # whether -m selects anchors
    anchors_chosen: bool  # on the command line, instead of by the ini file
    gate_paths: tuple[str, ...]  # where plain anchors are, relative to the root
    certify: bool
    whole: bool
    narrowed: bool
    stops_early: bool  # -x, --maxfail, --gate-fail-fast

    @property
    def packs(self) -> Path:
        """The directory of packs and ``production.toml``."""
        return self.root / "packs"

    def shown(self, path: Path) -> str:
        """Return a path as a user would write it: from the root directory where it lies in it."""
        return str(path.relative_to(self.root) if path.is_relative_to(self.root) else path)


class Redecide(StrEnum):
    """How a loss is confirmed whose baseline was certified under another engine or verifier."""

    NOT = "not"  # nothing differs: it is confirmed
    VERIFY = "verify"  # by judging the baseline's own answer again
    GENERATE = "generate"  # by asking the baseline's pack again
    IMPOSSIBLE = "impossible"  # its pack is not here


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBaseline:
    """What workers know of the baseline: its verdicts, and how to confirm a loss."""

    statuses: dict[str, str]  # by case key
    redecide: str
    pack: str | None  # where its bytes are
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What the controller decided, computed once, and tells every worker."""

    id: str
    pack: str | None
    pack_sha256: str
    identity: EngineIdentity | None
    sandbox: str  # the tier that programs run under
    baseline: RunBaseline | None = None

    @classmethod
    def unopened(cls) -> Run:
        """Return the run of a session that only collects, or whose pack is still to be made."""
        return cls(id="", pack=None, pack_sha256="", identity=None, sandbox="")

    def to_json(self) -> dict[str, Any]:
        """Return plain values that execnet can carry."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Run:
        """Return the run that ``to_json`` wrote."""
        identity = values["identity"]
        if identity is not None:
            versions = tuple((name, version) for name, version in identity["versions"])
            identity = EngineIdentity(**{**identity, "versions": versions})
        baseline = values["baseline"]
        if baseline is not None:
            baseline = RunBaseline(**baseline)
        return cls(**{**values, "identity": identity, "baseline": baseline})


def find_candidate(options: Options) -> Path | None:
    """Return the pack to gate: ``--pack``, else production's, else None with completions.

    :raises UsageError: when nothing names a pack.
    :raises PackError: when the named pack does not exist or is no pack.
    """
    if options.completions is not None:
        return None
    if options.pack is not None:
        return find_pack(options.pack, options.packs)
    production = read_production(options.packs)
    if production is None:
        raise UsageError(
            f"{options.packs / 'production.toml'}: does not exist, so no pack is named. "
            "Name one with --pack PACK, or judge samples with --gate-completions FILE."
        )
    return find_pack(options.packs / production.pack, options.packs)


def open_run(options: Options) -> Run:
    """Start a run: find the pack, compute its digest once, and settle the engine's identity.

    :raises PackError: when the file is no intact pack, unless it is production's and its digest
        is wrong: `production_fault` tells that better.
    :raises SandboxError: when the isolation that was asked for cannot be had.
    :raises UsageError: when nothing better than rlimits can be had, unasked, on a CI machine.
    """
    pack = find_candidate(options)
    run_id = uuid.uuid4().hex[:12]
    sandbox = settle_tier(options.sandbox, unattended=bool(os.environ.get("CI")))
    if pack is None:
        return Run(id=run_id, pack=None, pack_sha256="", identity=None, sandbox=sandbox)
    identity = engine_identity(options.engine, device=options.device, dtype=options.dtype)
    run = Run(
        id=run_id,
        pack=str(pack),
        pack_sha256=digest_file(pack),
        identity=identity,
        sandbox=sandbox,
    )
    if production_fault(options, run) is None:
        read_pack(pack)
    return run


def production_fault(options: Options, run: Run) -> str | None:
    """Return why the pack is not what ``production.toml`` says of it, or None."""
    production = read_production(options.packs)
    if run.pack is None or production is None:
        return None
    named = options.packs / production.pack
    if not named.exists() or not named.samefile(run.pack) or production.sha256 == run.pack_sha256:
        return None
    return (
        f"{run.pack}: has sha256 {run.pack_sha256}, {options.packs / 'production.toml'} says "
        f"{production.sha256}. The pack is damaged or was replaced; restore it, or promote the "
        "new one."
    )
