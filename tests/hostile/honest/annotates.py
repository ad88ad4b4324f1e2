# /// check
# verdict = ["passed"]
# ///
from __future__ import annotations

from typing import Generic, Optional, TypeVar

T = TypeVar("T", bound="Nowhere")


class Box(Generic[T]):
    item: Missing  # noqa: F821


def f(x: Absent[int]) -> Optional[Nothing]:  # noqa: F821, UP045
    return x * x
