"""The answers that a certificate records: held to their token ids, and judged again.

Knows nothing of pytest and of files of tasks, and no torch.
"""

from __future__ import annotations

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from queue import SimpleQueue
from typing import TYPE_CHECKING

from pytest_anchorgate.engine.protocol import answer_text, ids_digest
from pytest_anchorgate.errors import CertificateError
from pytest_anchorgate.finding import AGAIN, confirmed, unchecked, wrong
from pytest_anchorgate.prompter import Prompter
from pytest_anchorgate.report.wording import some
from pytest_anchorgate.sandbox.canaries import require_canaries
from pytest_anchorgate.sandbox.run import Sandbox
from pytest_anchorgate.sandbox.tiers import settle_tier
from pytest_anchorgate.tasks.prompt import Prompt, PromptStyle, render_prompt
from pytest_anchorgate.turns import usable_cores
from pytest_anchorgate.verify import VERIFIER_VERSION, Status, cut, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from pytest_anchorgate.certificate import Certificate, CertifiedTask
    from pytest_anchorgate.finding import Finding
    from pytest_anchorgate.tasks.task import Task
    from pytest_anchorgate.verify import Verdict

SHOWN = 60  # so many characters of a completion


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A certified task, and the task with the same text and tests that a file holds."""

    task: Task
    certified: CertifiedTask


class Answers:
    """The answers to the tasks that are here as they were certified.

    ``where`` is what messages call the certificate. ``pack`` is the file with the certified
    bytes, where it is here.
    """

    def __init__(
        self, certificate: Certificate, where: str, *, pairs: Sequence[Pair], pack: Path | None
    ) -> None:
        self.certificate = certificate
        self.where = where
        self.pairs = pairs
        self._pack = pack

    @cached_property
    def style(self) -> PromptStyle:
        """The style in which the tasks were put."""
        style = self.certificate.decoding.prompt
        try:
            return PromptStyle(style)
        except ValueError:
            raise CertificateError(
                f"{self.where}: decoding.prompt = {style!r} is no prompt style. {AGAIN}"
            ) from None

    @cached_property
    def _prompter(self) -> Prompter | None:
        if self._pack is None:
            return None
        return Prompter.load(
            str(self._pack),
            sha256=self.certificate.pack.sha256,
            identity=self.certificate.engine,
            style=self.style,
            max_new_tokens=self.certificate.decoding.max_new_tokens,
        )

    def _prompt(self, task: Task) -> Prompt:
        """Return how a task was put, as far as extracting a program needs it."""
        if self._prompter is not None:
            return self._prompter.prompt(task)
        if self.style is PromptStyle.CHAT:  # its text needs the pack's template; no program does
            return Prompt(text="", style=self.style, continues=False)
        return render_prompt(task, self.style)

    def texts(self) -> Iterator[Finding]:
        """Hold prompts to their recorded digests, and completions to their token ids.

        :raises PackError: when the pack is none.
        :raises CertificateError: when there is no such style.
        """
        style, prompter = self.style, self._prompter
        if prompter is None:
            yield unchecked("prompts and token ids: the certified pack's bytes are not here")
            return
        found = [wrong(text) for pair in self.pairs for text in self._untrue(prompter, pair)]
        what = f"{len(self.pairs)}: {style} prompts and completions as the certified token ids"
        yield from found or [confirmed("answers", what)]

    def _untrue(self, prompter: Prompter, pair: Pair) -> Iterator[str]:
        task, recorded = pair.task, pair.certified
        ids = None if prompter.overflow(task) else ids_digest(prompter.request(task).prompt_ids)
        if recorded.prompt_ids != ids:
            yield (
                f"{self.where}: {recorded.key} has prompt ids with the digest "
                f"{recorded.prompt_ids}, its prompt for this pack has {ids}. {AGAIN}"
            )
        text = answer_text(
            prompter.tokenizer.decode,
            recorded.token_ids,
            eos_ids=prompter.pack.eos_token_ids,
            stop=prompter.prompt(task).stop,
        )
        if text != recorded.completion:
            written, read = (cut(repr(one), SHOWN) for one in (recorded.completion, text))
            yield (
                f"{self.where}: the completion of {recorded.key} is {written}, its token ids "
                f"read {read}. {AGAIN}"
            )

    def verdicts(self, tier: str, progress: Callable[[int, int], None]) -> Iterator[Finding]:
        """Judge every completion again, in the sandbox's ``tier``.

        A verdict that is or was a timeout depends on the machine and is not compared.

        :raises UsageError: when no such sandbox can be had.
        :raises SandboxError: when our machinery broke.
        """
        version = self.certificate.verification.version
        if version != VERIFIER_VERSION:
            yield unchecked(f"verifier: certified with {version}, judged with {VERIFIER_VERSION}")
        asked = [pair for pair in self.pairs if pair.certified.prompt_ids is not None]
        pairs = [pair for pair in asked if pair.certified.status is not Status.TIMEOUT]
        late = [pair.certified.key for pair in asked if pair.certified.status is Status.TIMEOUT]
        judged = list(zip(pairs, self._judged(pairs, tier, progress), strict=True))
        late += [pair.certified.key for pair, new in judged if new.status is Status.TIMEOUT]
        found = [wrong(text) for pair, new in judged for text in self._otherwise(pair, new)]
        what = f"{len(pairs)}: the certified verdicts, each completion judged again"
        yield from found or [confirmed("verdicts", what)]
        if late:
            yield unchecked(f"timeouts: {some(late)}")

    def _otherwise(self, pair: Pair, new: Verdict) -> Iterator[str]:
        recorded = pair.certified
        if new.status not in (recorded.status, Status.TIMEOUT):
            reason = f" ({new.reason})" if new.reason else ""
            yield (
                f"{self.where}: certifies {recorded.key} as {recorded.status}, its completion is "
                f"judged as {new.status}{reason}. {AGAIN}"
            )

    def _judged(
        self, pairs: Sequence[Pair], tier: str, progress: Callable[[int, int], None]
    ) -> Iterator[Verdict]:
        """Yield the verdicts on the pairs' completions in their order, from all cores."""
        tier = settle_tier(tier, unattended=bool(os.environ.get("CI")))
        cores = max(1, min(usable_cores(), len(pairs)))
        free: SimpleQueue[Sandbox] = SimpleQueue()  # one at a time runs in each

        def judge(pair: Pair) -> Verdict:
            sandbox = free.get()
            try:
                return self._judge(pair, sandbox)
            finally:
                free.put(sandbox)

        with contextlib.ExitStack() as stack:
            sandboxes = [stack.enter_context(Sandbox(tier)) for _ in range(cores)]
            pool = ThreadPoolExecutor(cores)
            stack.callback(pool.shutdown, cancel_futures=True)
            for sandbox, _ in zip(sandboxes, pool.map(require_canaries, sandboxes), strict=True):
                free.put(sandbox)
            for done, verdict in enumerate(pool.map(judge, pairs), start=1):
                progress(done, len(pairs))
                yield verdict

    def _judge(self, pair: Pair, sandbox: Sandbox) -> Verdict:
        return verify(
            pair.task,
            pair.certified.completion,
            sandbox=sandbox,
            prompt=self._prompt(pair.task),
            timeout_s=self.certificate.verification.timeout_s,
        )
