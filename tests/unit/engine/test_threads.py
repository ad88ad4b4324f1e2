from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from pytest_anchorgate.engine import threads
from pytest_anchorgate.engine.threads import Threads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_anchorgate.engine.transformers import TransformersEngine


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def during(found: Threads, tokens: int) -> int:
    with found.for_pass(tokens):
        return torch.get_num_threads()


def test_a_small_pass_of_a_small_model_has_one_thread(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, weights = Threads(engine.model), engine.model.num_parameters()
    monkeypatch.setattr(threads, "MUCH_WORK", 1000 * weights)
    assert (during(found, 999), during(found, 1000)) == (1, 2)
    assert torch.get_num_threads() == 2
    monkeypatch.setattr(threads, "MANY_WEIGHTS", weights)
    assert during(found, 1) == 2


def test_threads_are_set_back_when_a_pass_fails(engine: TransformersEngine) -> None:
    with pytest.raises(MemoryError), Threads(engine.model).for_pass(1):
        raise MemoryError
    assert torch.get_num_threads() == 2


def test_a_process_with_one_thread_keeps_it(engine: TransformersEngine) -> None:
    torch.set_num_threads(1)
    assert during(Threads(engine.model), 10**9) == 1
