from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_anchorgate.pack.format import read_pack
from tests.tiny import write_tiny_pack

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_anchorgate.engine.transformers import TransformersEngine
    from pytest_anchorgate.pack.format import Pack


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    path: Path = tmp_path_factory.mktemp("tiny") / "tiny.planck"
    write_tiny_pack(path)
    return read_pack(path)


@pytest.fixture(scope="session")
def engine(tiny: Pack) -> TransformersEngine:
    import torch

    from pytest_anchorgate.engine.transformers import TransformersEngine

    torch.set_num_threads(1)  # xdist's workers share the cores
    return TransformersEngine(tiny)
