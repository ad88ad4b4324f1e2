from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

from pytest_anchorgate.pack.architecture import build_model
from tests.architectures import KINDS, config


@pytest.mark.parametrize("name", KINDS)
def test_a_model_built_without_initialization_has_the_buffers_of_one_with_it(name: str) -> None:
    settings = config(name)
    build: Any = AutoModelForCausalLM.from_config
    theirs = build(CONFIG_MAPPING[settings["model_type"]].from_dict(settings))
    ours = dict(build_model("here", settings).named_buffers())
    assert ours.keys() == dict(theirs.named_buffers()).keys()
    for key, value in theirs.named_buffers():
        torch.testing.assert_close(ours[key], value)
