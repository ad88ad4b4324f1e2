"""Whether a certificate belongs to a pack and to these tasks: what shows without the model.

Holds digests to the recorded ones; what the answers say is `answers`' part. Knows nothing of
pytest, and no torch.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from pytest_anchorgate.answers import Answers, Pair
from pytest_anchorgate.baseline import changed_lines, require_pack
from pytest_anchorgate.breaches import WAIVERS
from pytest_anchorgate.finding import AGAIN, confirmed, guarded, unchecked, wrong
from pytest_anchorgate.gate import ANCHOR
from pytest_anchorgate.pack.format import digest_file
from pytest_anchorgate.pack.header import LFS_PREFIX, unreadable
from pytest_anchorgate.pack.locate import find_pack
from pytest_anchorgate.pack.production import FILE, read_production
from pytest_anchorgate.ratchet import plain_here
from pytest_anchorgate.tasks.suites import load_suite
from pytest_anchorgate.verify import Status
from pytest_anchorgate.waivers import read_waivers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pytest_anchorgate.certificate import Certificate, CertifiedTask
    from pytest_anchorgate.finding import Finding
    from pytest_anchorgate.run import Options
    from pytest_anchorgate.tasks.task import Task

_OID = re.compile(rb"^oid sha256:([0-9a-f]{64})$", re.MULTILINE)
_POINTER_BYTES = 1024  # a pointer is smaller, by Git LFS's specification


class Confirmation:
    """One certificate beside one repository; messages call it ``where``."""

    def __init__(self, certificate: Certificate, where: str, options: Options) -> None:
        self.certificate = certificate
        self.where = where
        self.options = options
        self._pairs: list[Pair] = []
        self._pack: Path | None = None  # the certified bytes, once they were found
        self._certified: dict[str, dict[str, CertifiedTask]] = {}  # by suite
        for task in certificate.tasks:
            self._certified.setdefault(task.suite, {})[task.key] = task

    def findings(self, progress: Callable[[int, int], None] | None) -> Iterator[Finding]:
        """Yield what holds and what is wrong: the pack, the tasks, the answers to them.

        Without ``progress`` the answers are not judged again.

        :raises UsageError: when an option, a task file or a waiver is wrong.
        :raises PackError: when ``--pack`` names no file.
        """
        path = self._pack_path()
        count = len(self.certificate.tasks)
        yield confirmed("certificate", f"{self.where}: {count} tasks, each once and in order")
        yield from guarded(lambda: self._bytes(path))
        yield from guarded(self._production)
        yield from guarded(self._tasks)
        yield from guarded(lambda: self._answers(progress))

    def _pack_path(self) -> Path:
        packs = self.options.packs
        if self.options.pack is not None:
            return find_pack(self.options.pack, packs)
        return packs / PurePosixPath(self.certificate.pack.name).name

    def _bytes(self, path: Path) -> Iterator[Finding]:
        """Hold the pack's sha256, or what a Git LFS pointer says of it, to the certified one."""
        shown, sha256 = self.options.shown(path), self.certificate.pack.sha256
        if not path.is_file():
            yield unchecked(f"pack: {shown} is not here")
            return
        oid = _pointed_at(path)
        found = digest_file(path) if oid is None else oid
        has = "has" if oid is None else "is a Git LFS pointer to"
        if found != sha256:
            yield wrong(
                f"{shown}: {has} sha256 {found or 'none'}, {self.where} certifies {sha256}. "
                "Restore the pack, or the certificate that belongs to it."
            )
        else:
            self._pack = path if oid is None else None
            yield confirmed("pack", f"{shown}: {has} the certified sha256 {sha256}")

    def _production(self) -> Iterator[Finding]:
        production = read_production(self.options.packs)
        if production is None:
            return
        if PurePosixPath(production.pack).name == self.certificate.pack.name:
            shown = self.options.shown(self.options.packs / FILE)
            require_pack(self.certificate, production, self.where, shown)
            yield confirmed("production", f"{shown}: names {production.pack} with this sha256")

    @cached_property
    def _waived(self) -> frozenset[str]:
        today = datetime.now(tz=UTC).date()
        waivers = read_waivers(self.options.root / WAIVERS)
        return frozenset(waiver.task for waiver in waivers if not waiver.expired(today))

    def _tasks(self) -> Iterator[Finding]:
        """Hold each suite that has a file to the certified one; name those that have none."""
        if self.options.anchors:
            yield from self._anchors(self._load(ANCHOR), self._certified.get(ANCHOR, {}))
        for name, certified in self._certified.items():
            if name == ANCHOR and self.options.anchors:
                continue
            if name in self.options.suites:
                yield from self._suite(name, self._load(name), certified)
            else:
                yield unchecked(f"{name}: {len(certified)} tasks, whose file was not given")

    def _load(self, suite: str) -> dict[str, Task]:
        specs = self.options.suites.get(suite, ())
        if not specs:  # every anchor may be a plain test
            return {}
        tasks = load_suite(suite, specs, resolve=self.options.references)
        return {f"{suite}:{task.id}": task for task in tasks}

    def _anchors(
        self, rows: Mapping[str, Task], certified: Mapping[str, CertifiedTask]
    ) -> Iterator[Finding]:
        """Hold anchors to the certified ones: all of them and no others, each one passed."""
        plain = plain_here(self.options.root, self.options.gate_paths)
        tests = {key: _function(task.id) for key, task in certified.items() if key not in rows}
        here = {key: task.digest for key, task in rows.items()}
        here |= {key: plain[test] for key, test in tests.items() if test in plain}
        new = [key for key in rows if key not in certified]
        new += [f"{ANCHOR}:{test}" for test in plain if test not in tests.values()]
        found = [
            *(f"{key}: is an anchor that {self.where} does not certify. {AGAIN}" for key in new),
            *self._differing(certified, here),
            *self._unsolved(certified),
        ]
        yield from self._told(found, "anchors", f"{len(rows)} rows, {len(tests)} plain tests")
        if self._waived:
            yield unchecked(f"waived anchors: {', '.join(sorted(self._waived))}")
        yield from self._paired(rows, certified)

    def _suite(
        self, name: str, tasks: Mapping[str, Task], certified: Mapping[str, CertifiedTask]
    ) -> Iterator[Finding]:
        here = {key: task.digest for key, task in tasks.items()}
        left = len(tasks.keys() - certified.keys())
        more = f" ({left} more in the file are not certified)" if left else ""
        yield from self._told(self._differing(certified, here), name, f"{len(certified)}{more}")
        yield from self._paired(tasks, certified)

    def _told(self, found: Iterable[str], name: str, what: str) -> Iterator[Finding]:
        findings = [wrong(text) for text in found]
        yield from findings or [confirmed(name, f"{what}: the certified text and tests")]

    def _differing(
        self, certified: Mapping[str, CertifiedTask], here: Mapping[str, str]
    ) -> Iterator[str]:
        """Yield what is gone and what has another digest, the waived apart."""
        for key in certified:
            if key not in here and not self._is_waived(key):
                yield f"{self.where}: certifies {key}, and no file here holds it. {AGAIN}"
        changed = [key for key in here.keys() & certified if here[key] != certified[key].task]
        yield from changed_lines(sorted(changed), self.where, self._waived)

    def _unsolved(self, certified: Mapping[str, CertifiedTask]) -> Iterator[str]:
        for key, task in certified.items():
            if task.status is not Status.PASSED:  # no waiver excuses a loss
                yield (
                    f"{self.where}: certifies {key} as {task.status}, and an anchor is a task "
                    f"that its pack solves. {AGAIN}"
                )

    def _is_waived(self, key: str) -> bool:
        return key.partition(":")[2] in self._waived

    def _paired(
        self, tasks: Mapping[str, Task], certified: Mapping[str, CertifiedTask]
    ) -> Iterator[Finding]:
        """Note which certified tasks are here as they were; a task never asked was not solved."""
        for key in sorted(tasks.keys() & certified):
            task, recorded = tasks[key], certified[key]
            if recorded.task == task.digest:
                self._pairs.append(Pair(task=task, certified=recorded))
            if recorded.prompt_ids is None and recorded.status is not Status.FAILED:
                yield wrong(
                    f"{self.where}: certifies {key} as {recorded.status}, and it has no prompt "
                    f"ids: it was never asked. {AGAIN}"
                )

    def _answers(self, progress: Callable[[int, int], None] | None) -> Iterator[Finding]:
        answers = Answers(self.certificate, self.where, pairs=self._pairs, pack=self._pack)
        yield from answers.texts()
        if progress is None:
            yield unchecked("verdicts: no completion was judged again")
        else:
            yield from answers.verdicts(self.options.sandbox, progress)


def _pointed_at(path: Path) -> str | None:
    """Return the sha256 that a Git LFS pointer names, "" if it names none; None for other files."""
    try:
        with path.open("rb") as file:
            head = file.read(_POINTER_BYTES)
    except OSError as error:
        raise unreadable(path, error) from None
    if not head.startswith(LFS_PREFIX):
        return None
    match = _OID.search(head)
    return match[1].decode() if match else ""


def _function(test_id: str) -> str:
    """Return the node id of a test function from that of one of its parametrized tests."""
    path, separator, names = test_id.partition("::")
    return f"{path}{separator}{names.partition('[')[0]}"
