"""Import transformers without what decoding never uses; for the model's own process alone.

Of the 3 s that importing a causal language model takes, half goes to three parts: distributed
tensors, ``torch.compile`` and scipy (measured with ``-X importtime``, transformers 5.23, torch
2.13). One process on one device that compiles nothing has no use for them. Knows no model.
"""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OPTIONAL = ("scipy", "sklearn")  # which transformers imports where it finds them
COMPILER = "torch._dynamo"


@contextmanager
def lean_imports() -> Iterator[None]:
    """Within it, transformers is imported as if there were neither scipy nor several devices.

    Functions that are marked for ``torch.compile`` stay as they are. What was imported before
    stays, and afterwards all of it can be imported. No garbage is looked for: there is none.
    """
    import torch.distributed

    absent: dict[str, Any] = {name: None for name in OPTIONAL if name not in sys.modules}
    if COMPILER not in sys.modules:
        absent[COMPILER] = _Uncompiled(COMPILER)
    several = torch.distributed.is_available
    gc.disable()
    sys.modules.update(absent)  # None: there is no such module
    torch.distributed.is_available = lambda: False
    try:
        yield
    finally:
        torch.distributed.is_available = several
        for name in absent:
            del sys.modules[name]
        gc.enable()


class _Uncompiled(ModuleType):
    """Stands for the compiler's package: its decorators do nothing, its submodules are real."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        import torch

        self.__path__ = [str(Path(torch.__file__).parent / "_dynamo")]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _undecorated


def _undecorated(function: Callable[..., Any] | None = None, *_: Any, **__: Any) -> Any:
    """Return a function as it is, as a decorator with or without arguments would get it."""
    return function if function is not None else _undecorated
