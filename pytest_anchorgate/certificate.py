"""Certificates: every verdict of a pack, with the digests of all that it depended on.

Specified in docs/certificate.md. Written beside the pack after a whole gate, read as the
baseline of the next one. Knows nothing of pytest, and runs nothing.
"""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from pytest_anchorgate.engine.protocol import EngineIdentity  # noqa: TC001 - msgspec reads it
from pytest_anchorgate.errors import CertificateError
from pytest_anchorgate.pack.atomic import write_file
from pytest_anchorgate.verify import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

DIRECTORY = "certificates"  # within packs/
Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, msgspec.Meta(ge=0)]
_AT = re.compile(r" - at `(?P<path>[^`]*)`")


class Decoding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How answers were asked for; decoding itself is greedy.

    ``prompt`` is the style (docs/tasks.md), which brings its stop sequences.
    """

    prompt: str
    max_new_tokens: Annotated[int, msgspec.Meta(ge=1)]


class Verification(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How answers were judged: the verifier's version, and a program's CPU seconds."""

    version: str
    timeout_s: Annotated[float, msgspec.Meta(gt=0)]


class CertifiedPack(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose verdicts these are: the file's name and the sha256 of its bytes."""

    name: str
    sha256: Digest


class CertifiedTask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One task's verdict, with the answer that got it.

    ``task`` is the digest of the task's text and tests (of the function's source for an anchor
    that is a plain test), ``prompt_ids`` of the prompt's token ids; a plain test has no answer.
    ``margin`` is the smallest difference of the two largest logits over the answer.
    """

    id: str
    suite: str
    sample: Count = 0
    sentinel: bool = False
    task: Digest
    prompt_ids: Digest | None = None
    status: Status
    reason: str = ""
    token_ids: tuple[Count, ...] = ()
    completion: str = ""
    margin: float | None = None
    seconds: Annotated[float, msgspec.Meta(ge=0)] = 0.0

    @property
    def key(self) -> str:
        """What verdicts are keyed by: ``suite:item id``."""
        sample = f"-s{self.sample}" if self.sample else ""
        return f"{self.suite}:{self.id}{sample}"


class Certificate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A pack's verdicts; ``tasks`` are sorted by suite, id and sample."""

    schema: Literal[1]
    pack: CertifiedPack
    engine: EngineIdentity
    decoding: Decoding
    verification: Verification
    trained_on: tuple[str, ...]
    tasks: tuple[CertifiedTask, ...]

    def by_key(self) -> dict[str, CertifiedTask]:
        """Return the tasks by their keys."""
        return {task.key: task for task in self.tasks}


def certificate_path(packs: Path, pack: str) -> Path:
    """Return where the certificate of a pack in ``packs`` lies; ``pack`` may be a path."""
    name = pack.rpartition("/")[2].removesuffix(".planck")
    return packs / DIRECTORY / f"{name}.json"


def sorted_tasks(tasks: Iterable[CertifiedTask]) -> tuple[CertifiedTask, ...]:
    """Return the tasks in a certificate's order."""
    return tuple(sorted(tasks, key=lambda task: (task.suite, _natural(task.id), task.sample)))


def _natural(task_id: str) -> tuple[tuple[int, int, str], ...]:
    """Order ``MBPP/9`` before ``MBPP/10``."""
    pieces = re.split(r"(\d+)", task_id)
    return tuple((1, int(p), p) if p.isdecimal() else (0, 0, p) for p in pieces)


def render_certificate(certificate: Certificate) -> str:
    """Return the one text of a certificate: keys in the schema's order, a task per line."""
    plain: dict[str, Any] = msgspec.to_builtins(certificate)
    plain["engine"] = certificate.engine.to_json()
    tasks = ",\n  ".join(_compact(task) for task in plain.pop("tasks"))
    lines = [f' "{key}": {_compact(value)}' for key, value in plain.items()]
    lines.append(f' "tasks": [\n  {tasks}\n ]' if tasks else ' "tasks": []')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def write_certificate(path: Path, certificate: Certificate) -> None:
    """Write a certificate, whole or not at all; its directory is made.

    :raises PackError: when the system refuses.
    """
    write_file(path, encode_certificate(certificate), parents=True)


def encode_certificate(certificate: Certificate) -> bytes:
    """Return the bytes of a certificate's file."""
    return render_certificate(certificate).encode("utf-8", "backslashreplace")


def read_certificate(path: Path) -> Certificate:
    """Return the certificate that a file holds.

    :raises CertificateError: when it cannot be read or is not exactly one.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        why = error.strerror or str(error)
        raise CertificateError(f"{path}: cannot be read: {why}. {_WRITE}") from None
    return parse_certificate(content, str(path))


_WRITE = "Write one with `pytest --gate-certify`."


def parse_certificate(content: bytes, where: str) -> Certificate:
    """Return the certificate that ``content`` is; ``where`` begins each message.

    :raises CertificateError: naming what is wrong and where in the file.
    """
    try:
        plain = msgspec.json.decode(content)
        certificate = msgspec.convert(_with_versions(plain), Certificate)
    except msgspec.DecodeError as error:  # a ValidationError is one too
        raise CertificateError(f"{where}: {_located(error)}. {_WRITE}") from None
    _require_order(certificate, where)
    _require_verdicts(certificate, where)
    return certificate


def _with_versions(plain: Any) -> Any:
    """Let an engine's versions be the list of pairs that the value holds, sorted as written."""
    match plain:
        case {"engine": {"versions": dict(versions), **engine}}:
            pass
        case _:
            return plain
    return {**plain, "engine": {**engine, "versions": list(versions.items())}}


def _located(error: Exception) -> str:
    text = str(error).rstrip(".")
    match = _AT.search(text)
    if match is None:
        return f"is no certificate: {text}"
    return f"is no certificate: {match['path'].removeprefix('$.')}: {text[: match.start()]}"


def _require_order(certificate: Certificate, where: str) -> None:
    """Refuse tasks that stand twice or out of order: our writer does neither.

    :raises CertificateError: naming the first one.
    """
    expected = sorted_tasks(certificate.tasks)
    for found, task in zip(certificate.tasks, expected, strict=True):
        if found is not task:
            raise CertificateError(
                f"{where}: {found.key!r} stands where {task.key!r} belongs. "
                f"The file was edited by hand. {_WRITE}"
            )
    keys = [task.key for task in certificate.tasks]
    if len(set(keys)) < len(keys):
        twice = next(key for key, other in itertools.pairwise(keys) if key == other)
        raise CertificateError(
            f"{where}: {twice!r} stands there twice. The file was edited by hand. {_WRITE}"
        )


def _require_verdicts(certificate: Certificate, where: str) -> None:
    for task in certificate.tasks:
        if task.status is Status.ERROR:
            raise CertificateError(
                f"{where}: {task.key!r} has the status 'error', which is no verdict. {_WRITE}"
            )


def differences(ours: Certificate, theirs: Certificate) -> tuple[str, ...]:
    """Return what engine, decoding and verification of two certificates differ in."""
    pairs: Mapping[str, tuple[object, object]] = {
        "engine": (ours.engine.to_json(), theirs.engine.to_json()),
        "decoding": (ours.decoding, theirs.decoding),
        "verification": (ours.verification, theirs.verification),
    }
    return tuple(name for name, (one, other) in pairs.items() if one != other)
