"""What an engine is asked and what it answers.

Knows nothing of torch, stores or tasks: workers import it to build requests.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

from pytest_anchorgate.errors import EngineError, UsageError


class FinishReason(StrEnum):
    """Why a completion ended."""

    EOS = "eos"
    STOP = "stop"
    LENGTH = "length"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One prompt to complete greedily.

    ``draft`` is a guess at the completion's token ids, EOS included: it may save time, and never
    changes the completion. Requests of a lower ``rank`` are answered first.
    """

    key: str
    prompt_ids: tuple[int, ...]
    stop: tuple[str, ...]
    max_new_tokens: int
    draft: tuple[int, ...] = ()
    rank: int = 0

    def to_json(self) -> str:
        """Return the request, its key aside, as a JSON string."""
        return json.dumps([self.prompt_ids, self.stop, self.max_new_tokens, self.draft, self.rank])

    @classmethod
    def from_json(cls, key: str, text: str) -> Request:
        """Return the request that ``to_json`` wrote."""
        prompt_ids, stop, max_new_tokens, draft, rank = json.loads(text)
        return cls(
            key=key,
            prompt_ids=tuple(prompt_ids),
            stop=tuple(stop),
            max_new_tokens=max_new_tokens,
            draft=tuple(draft),
            rank=rank,
        )


class Parting(NamedTuple):
    """Where an answer left its draft, and how likely the model found the two tokens there."""

    position: int  # in the answer, from 0
    now: float
    before: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What the model answered.

    ``token_ids`` ends with the EOS id when ``finish_reason`` is ``eos``; ``text`` is cut
    before the stop sequence. ``margin`` is the smallest difference between the largest and
    the second largest logit over the decoded positions; ``seconds`` is this row's share of
    its batch. ``parting`` is None where the answer is its draft's, or had none.
    """

    key: str
    text: str
    token_ids: tuple[int, ...]
    finish_reason: FinishReason
    margin: float | None
    seconds: float
    parting: Parting | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineIdentity:
    """Everything besides pack, prompt and decode parameters that may change a completion."""

    engine: str
    versions: tuple[tuple[str, str], ...]
    device: str
    dtype: str
    attention: str = "sdpa"

    def to_json(self) -> dict[str, object]:
        """Return the identity as plain JSON values."""
        return {
            "engine": self.engine,
            "versions": dict(self.versions),
            "device": self.device,
            "dtype": self.dtype,
            "attention": self.attention,
        }


class Engine(Protocol):
    """Something that completes prompts greedily; ``load`` is how the model's process makes one."""

    def generate(self, requests: Sequence[Request]) -> Iterator[Completion]:
        """Yield one completion per request, in any order."""
        ...


def answer_text(
    decode: Callable[[Sequence[int]], str],
    token_ids: Sequence[int],
    *,
    eos_ids: Collection[int],
    stop: Sequence[str],
) -> str:
    """Return the text of an answer: without its EOS, up to the first stop sequence."""
    ended = bool(token_ids) and token_ids[-1] in eos_ids
    text = decode(token_ids[:-1] if ended else token_ids)
    return text[: min((at for s in stop if (at := text.find(s)) >= 0), default=len(text))]


DEVICE = re.compile(r"auto|cpu|mps|(cuda|xpu)(:\d+)?")
DTYPES = ("auto", "float32", "bfloat16", "float16")


def engine_identity(engine: str, *, device: str, dtype: str) -> EngineIdentity:
    """Return the identity of an engine without importing its libraries.

    ``auto`` becomes ``cuda`` where the installed torch was built for it and a driver answers,
    else ``cpu``; the dtype becomes float32 on a CPU and bfloat16 elsewhere.

    :raises EngineError: when the engine's libraries are not installed.
    :raises UsageError: when there is no such device or dtype.
    """
    if not DEVICE.fullmatch(device):
        raise UsageError(
            f"--gate-device={device}: no such device. Choose auto, cpu, cuda, cuda:N, mps or xpu."
        )
    if dtype not in DTYPES:
        raise UsageError(f"--gate-dtype={dtype}: no such dtype. Choose from: {', '.join(DTYPES)}.")
    versions = _versions("torch", "transformers") if engine == "transformers" else ()
    if device == "auto":
        device = "cuda" if _has_cuda(dict(versions)) else "cpu"
    if dtype == "auto":
        dtype = "float32" if device == "cpu" else "bfloat16"
    return EngineIdentity(engine=engine, versions=versions, device=device, dtype=dtype)


def request_key(
    pack_sha256: str,
    identity: EngineIdentity,
    *,
    prompt_ids: Sequence[int],
    stop: Sequence[str],
    max_new_tokens: int,
) -> str:
    """Return the sha256 under which a completion is stored and found again."""
    parts = [pack_sha256, identity.to_json(), list(prompt_ids), list(stop), max_new_tokens]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def ids_digest(token_ids: Sequence[int]) -> str:
    """Return the sha256 of token ids, written as a JSON list."""
    return hashlib.sha256(json.dumps(list(token_ids)).encode()).hexdigest()


def _versions(*names: str) -> tuple[tuple[str, str], ...]:
    try:
        return tuple((name, metadata.version(name)) for name in names)
    except metadata.PackageNotFoundError as missing:
        raise EngineError(
            f"--pack needs {missing.name!r}, which is not installed. "
            "Install it with: pip install 'pytest-anchorgate[model]'."
        ) from None


def _has_cuda(versions: dict[str, str]) -> bool:
    return "+cpu" not in versions.get("torch", "+cpu") and Path("/dev/nvidia0").exists()
