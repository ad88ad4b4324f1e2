"""Hypothesis strategies for the package's values; add new features here.

Import as ``from tests.strategies import ...``: the root conftest puts the repository on the path.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from hypothesis import strategies as st

from pytest_anchorgate.certificate import (
    Certificate,
    CertifiedPack,
    CertifiedTask,
    Decoding,
    Verification,
    sorted_tasks,
)
from pytest_anchorgate.engine.protocol import EngineIdentity
from pytest_anchorgate.tasks.task import Task
from pytest_anchorgate.verify import Status

if TYPE_CHECKING:
    from collections.abc import Iterable

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
TENSOR_NAMES = TEXT.filter(lambda name: name != "__metadata__" and not name.startswith("assets/"))
ASSET_NAMES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,8}", fullmatch=True)
SHAPES = st.lists(st.integers(0, 4), max_size=4).map(tuple)
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def bf16_tensors(draw: st.DrawFn) -> torch.Tensor:
    """Any finite BF16 tensor of up to four dimensions, zero-size and 0-d ones included."""
    shape = draw(SHAPES)
    count = math.prod(shape)
    bits = st.integers(0, 0xFFFF).filter(lambda value: value & 0x7F80 != 0x7F80)
    values = draw(st.lists(bits, min_size=count, max_size=count))
    signed = [value - 0x10000 if value > 0x7FFF else value for value in values]
    return torch.tensor(signed, dtype=torch.int16).view(torch.bfloat16).reshape(shape)


@st.composite
def pack_contents(draw: st.DrawFn) -> dict[str, Any]:
    """Give what `write_pack` takes, ``tensors`` as a dict, for any pack that may be written."""
    vocabulary = draw(st.integers(1, 100))
    config = draw(st.dictionaries(TEXT, JSON_VALUES, max_size=3)) | {
        "architectures": [draw(TEXT.filter(bool))],
        "max_position_embeddings": draw(st.integers(1, 10**6)),
        "vocab_size": vocabulary,
        "tie_word_embeddings": draw(st.booleans()),
    }
    eos = draw(st.lists(st.integers(0, vocabulary - 1), min_size=1, max_size=3))
    extra = draw(st.dictionaries(TEXT, JSON_VALUES, max_size=2))
    styles = ["docstring", "paper", "completion", "chat", None]
    return {
        "tensors": draw(st.dictionaries(TENSOR_NAMES, bf16_tensors(), max_size=4)),
        "config": config,
        "generation_config": {**extra, "eos_token_id": eos},
        "assets": draw(st.dictionaries(ASSET_NAMES, st.binary(max_size=16), max_size=3)),
        "provenance": draw(st.dictionaries(TEXT, TEXT, max_size=3)),
        "prompt_style": draw(st.sampled_from(styles)),
    }


def tasks() -> st.SearchStrategy[Task]:
    """Any value that a task may have, whether or not its sources compile."""
    return st.builds(
        Task,
        id=TEXT.filter(bool),
        suite=st.just("anchor"),
        prompt=TEXT,
        entry_point=st.sampled_from(["f", "g"]),
        tests=st.lists(TEXT, min_size=1, max_size=2).map(tuple),
        text=TEXT,
        setup=TEXT,
        sentinel=st.booleans(),
        timeout_s=st.none() | st.floats(0.1, 60),
        together=st.booleans(),
        origin=st.sampled_from(["", "anchors/a.jsonl:1"]),
    )


def suites() -> st.SearchStrategy[list[Task]]:
    """Lists of tasks, each id once."""
    return st.lists(tasks(), unique_by=lambda task: task.id, max_size=4)


def verdict_maps(statuses: Iterable[Status]) -> st.SearchStrategy[dict[str, Status]]:
    """Give at least one verdict by case key, of anchors and of two other suites."""
    keys = st.builds(
        "{}:{}".format, st.sampled_from(["anchor", "mbpp", "mine"]), st.sampled_from("abcdef")
    )
    return st.dictionaries(keys, st.sampled_from(list(statuses)), min_size=1)


DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64)
TOKEN_IDS = st.lists(st.integers(0, 2**20), max_size=6).map(tuple)
CERTIFIED_TASKS = st.builds(
    CertifiedTask,
    id=TEXT,
    suite=st.sampled_from(["anchor", "mbpp", "mine"]),
    sample=st.integers(0, 3),
    sentinel=st.booleans(),
    task=DIGESTS,
    prompt_ids=st.none() | DIGESTS,
    status=st.sampled_from([Status.PASSED, Status.FAILED, Status.TIMEOUT]),
    reason=TEXT,
    token_ids=TOKEN_IDS,
    completion=TEXT,
    margin=st.none() | st.floats(0, 100).map(lambda margin: round(margin, 4)),
    seconds=st.floats(0, 1000).map(lambda seconds: round(seconds, 3)),
)


def certificates() -> st.SearchStrategy[Certificate]:
    """Give any certificate that a gate could write, in its order and without repeated tasks."""
    identities = st.builds(
        EngineIdentity,
        engine=TEXT,
        versions=st.dictionaries(TEXT, TEXT, max_size=3).map(lambda found: tuple(found.items())),
        device=st.sampled_from(["cpu", "cuda:1"]),
        dtype=st.sampled_from(["float32", "bfloat16"]),
    )
    return st.builds(
        Certificate,
        schema=st.just(1),
        pack=st.builds(CertifiedPack, name=TEXT, sha256=DIGESTS),
        engine=identities,
        decoding=st.builds(Decoding, prompt=TEXT, max_new_tokens=st.integers(1, 4096)),
        verification=st.builds(
            Verification, version=TEXT, timeout_s=st.floats(0.1, 1000, allow_nan=False)
        ),
        trained_on=st.lists(TEXT, max_size=3).map(tuple),
        tasks=st.lists(CERTIFIED_TASKS, unique_by=lambda task: task.key).map(sorted_tasks),
    )
