from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
import torch

from pytest_anchorgate.engine import memory
from pytest_anchorgate.engine.memory import fitting_tokens, free_bytes, token_bytes
from pytest_anchorgate.engine.transformers import TransformersEngine
from pytest_anchorgate.pack.architecture import build_model
from tests.architectures import KINDS, config

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_anchorgate.pack.format import Pack

CPU = torch.device("cpu")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with 8 GB free and no control group."""
    (tmp_path / "meminfo").write_text("MemTotal: 9999999 kB\nMemAvailable:   8000000 kB\n")
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    return tmp_path


def test_what_the_machine_has_free_counts(machine: Path) -> None:
    assert free_bytes(CPU) == 8_192_000_000


@pytest.mark.parametrize(
    ("most", "used", "free"),
    [("3000", "1000", 2400), ("1000", "3000", 0), ("max", "1000", 8_192_000_000)],
)
def test_a_control_group_has_less(machine: Path, most: str, used: str, free: int) -> None:
    (machine / "memory.max").write_text(f"{most}\n")
    (machine / "memory.current").write_text(f"{used}\n")
    (machine / "memory.stat").write_text("anon 600\nfile 400\nfile_mapped 7\n")
    assert free_bytes(CPU) == free


def test_where_nothing_says_nothing_bounds(machine: Path) -> None:
    (machine / "meminfo").unlink()
    assert free_bytes(CPU) == sys.maxsize


@pytest.mark.parametrize("name", KINDS)
def test_every_architecture_says_what_a_token_takes(name: str) -> None:
    model = build_model("here", config(name))
    assert memory.MASK_BYTES < token_bytes(model) < 4 * memory.MASK_BYTES


def test_batches_shrink_to_what_fits(tiny: Pack, machine: Path) -> None:
    engine = TransformersEngine(tiny, batch_tokens=10**9)
    assert engine.batch_tokens == fitting_tokens(engine.model) < 10**9
    assert TransformersEngine(tiny, batch_tokens=700).batch_tokens == 700
    (machine / "meminfo").write_text("MemAvailable: 0 kB\n")
    assert TransformersEngine(tiny).batch_tokens == 1
