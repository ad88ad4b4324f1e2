"""One process's half of a gate run: its options, its cases, and how a case gets its verdict.

The controller, or a session without workers, opens the run; workers join it with what the
controller tells them. Knows nothing of pytest, and no torch.
"""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pytest_anchorgate.engine.process import wait_for_completion
from pytest_anchorgate.engine.protocol import EngineIdentity, engine_identity
from pytest_anchorgate.errors import SandboxError, UsageError
from pytest_anchorgate.pack.format import digest_file, read_pack
from pytest_anchorgate.pack.locate import find_pack
from pytest_anchorgate.pack.production import read_production
from pytest_anchorgate.prompter import Prompter
from pytest_anchorgate.store import Store
from pytest_anchorgate.tasks.prompt import PromptStyle, render_prompt
from pytest_anchorgate.tasks.samples import Sample, Samples, read_samples
from pytest_anchorgate.tasks.suites import SuiteSpec, load_suite
from pytest_anchorgate.verify import Status, Verdict, render_failure, verify

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from pytest_anchorgate.engine.protocol import Completion, Request
    from pytest_anchorgate.errors import AnchorgateError
    from pytest_anchorgate.pack.format import Pack
    from pytest_anchorgate.tasks.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a gated session was asked to do; made by ``options.read_options``."""

    root: Path
    pack: str | None
    suites: Mapping[str, tuple[SuiteSpec, ...]]  # the selected ones
    references: Mapping[str, SuiteSpec]  # what reference rows resolve against
    completions: Path | None
    prompt_style: str | None
    max_new_tokens: int
    timeout_s: float  # CPU seconds of one program
    device: str
    dtype: str
    batch_tokens: int
    store: Path
    engine: str
    json: Path | None
    whole: bool
    narrowed: bool

    @property
    def packs(self) -> Path:
        """The directory of packs and ``production.toml``."""
        return self.root / "packs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What the controller decided, computed once, and tells every worker."""

    id: str
    pack: str | None
    pack_sha256: str
    identity: EngineIdentity | None

    @classmethod
    def of_collection(cls) -> Run:
        """Return the run of a session that only collects: nothing is asked and no pack is read."""
        return cls(id="", pack=None, pack_sha256="", identity=None)

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
        return cls(**{**values, "identity": identity})


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One task with one sample of its answers: what becomes one pytest item."""

    task: Task
    given: Sample | None = None

    @property
    def sample(self) -> int:
        """The number of the sample among the task's; 0 for the model's own answer."""
        return self.given.sample if self.given else 0

    @property
    def id(self) -> str:
        """The item's id: the task's, with ``-s<n>`` from the second sample on."""
        return self.given.item_id if self.given else self.task.id

    @property
    def key(self) -> str:
        """The id with its suite: what verdicts are keyed by."""
        return f"{self.task.suite}:{self.id}"


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
    """
    pack = find_candidate(options)
    run_id = uuid.uuid4().hex[:12]
    if pack is None:
        return Run(id=run_id, pack=None, pack_sha256="", identity=None)
    identity = engine_identity(options.engine, device=options.device, dtype=options.dtype)
    run = Run(id=run_id, pack=str(pack), pack_sha256=digest_file(pack), identity=identity)
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


class GateSession:
    """Turns cases into verdicts in one process."""

    def __init__(self, options: Options, run: Run) -> None:
        self.options = options
        self.run = run
        self._suites: dict[str, tuple[Case, ...]] = {}

    @cached_property
    def store(self) -> Store:
        """This process's connection to the completion store."""
        return Store(self.options.store)

    @cached_property
    def prompter(self) -> Prompter:
        """The pack's tokenizer and prompt style.

        :raises UsageError: when the session judges given completions and has no pack.
        """
        if self.run.pack is None or self.run.identity is None:
            raise UsageError(
                f"--gate-completions={self.options.completions}: answers come from a file, so "
                "planck.complete() has no model to ask. Give --pack instead."
            )
        return Prompter.load(
            self.run.pack,
            sha256=self.run.pack_sha256,
            identity=self.run.identity,
            style=self.options.prompt_style,
            max_new_tokens=self.options.max_new_tokens,
        )

    @cached_property
    def samples(self) -> Samples | None:
        """The given completions, or None when a model answers."""
        path = self.options.completions
        if path is None:
            return None
        tasks = [task for name in self.options.suites for task in self._tasks(name)]
        return read_samples(path, tasks)

    def _tasks(self, suite: str, specs: Sequence[SuiteSpec] = ()) -> tuple[Task, ...]:
        return load_suite(
            suite, specs or self.options.suites[suite], resolve=self.options.references
        )

    def cases(self, suite: str) -> tuple[Case, ...]:
        """Return the cases of a selected suite in file order, the same in every process."""
        if suite not in self._suites:
            self._suites[suite] = self._cases(self._tasks(suite))
        return self._suites[suite]

    def file_cases(self, path: str) -> tuple[Case, ...]:
        """Return the cases of a user's own JSONL file, relative to the root directory."""
        spec = SuiteSpec(path=self.options.root / path, first=None, last=None)
        return self._cases(self._tasks(spec.path.stem, [spec]))

    def _cases(self, tasks: Sequence[Task]) -> tuple[Case, ...]:
        if self.samples is None:
            return tuple(Case(task=task) for task in tasks)
        return tuple(
            Case(task=task, given=given) for task in tasks for given in self.samples.of(task)
        )

    def planned(self) -> dict[str, Case]:
        """Return every case of the selected suites by its key."""
        return {case.key: case for suite in self.options.suites for case in self.cases(suite)}

    def without_answer(self) -> int:
        """Return how many tasks of the selected suites the given completions do not answer."""
        if self.samples is None:
            return 0
        return sum(
            not self.samples.of(task) for name in self.options.suites for task in self._tasks(name)
        )

    def require_answers_fit(self) -> None:
        """Refuse anchors whose prompt and answer cannot fit the pack's context.

        :raises UsageError: naming the first such task, its tokens and the limit.
        """
        if self.run.pack is None:
            return
        for case in self.planned().values():
            if case.task.suite == "anchor" and (why := self.prompter.overflow(case.task)):
                raise UsageError(f"{case.task.origin}: {why} Lower --gate-max-new-tokens.")

    def request(self, cases: Iterable[Case]) -> None:
        """Queue what the model has to answer for these cases."""
        if self.run.pack is None:
            return
        prompter = self.prompter
        tasks = [case.task for case in cases]
        self.store.request(
            self.run.id, [prompter.request(t) for t in tasks if not prompter.overflow(t)]
        )

    def expect(self, cases: Iterable[tuple[str, bool]]) -> None:
        """Note which case keys this process collected, and whether each stayed selected."""
        self.store.expect(self.run.id, cases)

    @cached_property
    def planck(self) -> Planck:
        """What tests see of the gated pack."""
        return Planck(self)

    def verdict(self, case: Case) -> Verdict:
        """Return a case's verdict, waiting for the model's answer where there is none yet.

        :raises AnchorgateError: when our machinery broke.
        """
        task = case.task
        if case.given is not None:
            prompt = render_prompt(task, PromptStyle(self.options.prompt_style or "docstring"))
            return verify(
                task,
                case.given.text,
                prompt=prompt,
                sample=case.sample,
                whole=case.given.whole,
                timeout_s=self.options.timeout_s,
            )
        if why := self.prompter.overflow(task):
            return Verdict(
                task_id=task.id, suite=task.suite, sample=0, status=Status.FAILED, reason=why
            )
        completion = self._answer(self.prompter.request(task))
        return verify(
            task,
            completion.text,
            prompt=self.prompter.prompt(task),
            timeout_s=self.options.timeout_s,
        )

    def complete(self, text: str, *, max_new_tokens: int | None, stop: Sequence[str]) -> str:
        """Return what the model continues ``text`` with.

        :raises UsageError: when text and answer do not fit the context.
        """
        request = self.prompter.raw_request(text, max_new_tokens=max_new_tokens, stop=stop)
        return self._answer(request).text

    def _answer(self, request: Request) -> Completion:
        self.store.request(self.run.id, [request])
        return wait_for_completion(self.store, self.run.id, request.key)

    def close(self) -> None:
        """Close what this process opened."""
        if "store" in self.__dict__:
            self.store.close()


class TaskFailed(AssertionError):
    """The pack did not solve a task; ``text`` is the whole story in pytest's manner."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Planck:
    """The gated pack as tests see it, through the ``planck`` fixture."""

    def __init__(self, gate: GateSession) -> None:
        self._gate = gate
        self._ready: tuple[Task, Verdict] | None = None

    @property
    def pack(self) -> Pack:
        """The pack's header: its configuration, tokenizer files and provenance."""
        return self._gate.prompter.pack

    def complete(
        self, prompt: str, *, max_new_tokens: int | None = None, stop: Sequence[str] = ()
    ) -> str:
        """Return what the model continues ``prompt`` with, greedily, up to EOS or ``stop``.

        :raises UsageError: when prompt and answer do not fit the context.
        :raises EngineError: when the model's process died.
        """
        return self._gate.complete(prompt, max_new_tokens=max_new_tokens, stop=stop)

    def verify(self, task: Task) -> Verdict:
        """Return the passing verdict on the model's answer to ``task``.

        :raises TaskFailed: when the answer does not pass the task's tests.
        :raises AnchorgateError: when our machinery broke.
        """
        __tracebackhide__ = True
        verdict = self._verdict(task)
        if verdict.status is Status.ERROR:
            raise SandboxError(f"{task.id}: {verdict.reason}")
        if verdict.status is not Status.PASSED:
            raise TaskFailed(render_failure(verdict, task))
        return verdict

    def _verdict(self, task: Task) -> Verdict:
        if self._ready is not None and self._ready[0] is task:
            return self._ready[1]
        case = Case(task=task)
        self._gate.request([case])
        return self._gate.verdict(case)

    def prepare(self, case: Case) -> dict[str, Any]:
        """Get a case's verdict before its test runs; return it as plain JSON."""
        verdict = self._gate.verdict(case)
        self._ready = (case.task, verdict)
        return {"key": case.key, **verdict.to_json()}

    def broken(self, case: Case, error: AnchorgateError) -> dict[str, Any]:
        """Return the record of a case whose verdict our machinery failed to give."""
        task = case.task
        verdict = Verdict(
            task_id=task.id,
            suite=task.suite,
            sample=case.sample,
            status=Status.ERROR,
            reason=str(error),
        )
        return {"key": case.key, **verdict.to_json()}

    def plain(self, key: str, *, status: str, reason: str, seconds: float) -> dict[str, Any]:
        """Return the record of an anchor that is a plain test."""
        suite, _, task_id = key.partition(":")
        verdict = Verdict(
            task_id=task_id,
            suite=suite,
            sample=0,
            status=Status(status),
            reason=reason,
            seconds=seconds,
        )
        return {"key": key, **verdict.to_json()}
