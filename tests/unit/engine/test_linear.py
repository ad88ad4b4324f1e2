from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from pytest_anchorgate.engine.linear import OneDnnLinear, use_onednn

if TYPE_CHECKING:
    from pytest_anchorgate.engine.transformers import TransformersEngine


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=3),
    st.integers(1, 40),
    st.integers(1, 40),
    st.booleans(),
)
def test_the_product_is_torch_s_own(shape: list[int], width: int, out: int, bias: bool) -> None:
    layer = nn.Linear(width, out, bias=bias)
    states = torch.randn(*shape, width)
    with torch.inference_mode():
        right = layer(states)
        use_onednn(layer)
        found = layer(states)
    assert isinstance(layer, OneDnnLinear)
    torch.testing.assert_close(found, right)


def test_layers_of_another_dtype_or_kind_stay() -> None:
    class Own(nn.Linear):
        pass

    model = nn.Sequential(nn.Linear(2, 2, dtype=torch.bfloat16), Own(2, 2), nn.Linear(2, 2))
    use_onednn(model)
    assert [type(layer) for layer in model] == [nn.Linear, Own, OneDnnLinear]


def test_the_engine_s_layers_are_computed_so(engine: TransformersEngine) -> None:
    kinds = {type(layer) for layer in engine.model.modules() if isinstance(layer, nn.Linear)}
    assert kinds == {OneDnnLinear}
