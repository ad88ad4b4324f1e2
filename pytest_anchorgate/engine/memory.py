"""How many tokens a batch may hold beside a model, in half of the memory that is free now.

An estimate, on the safe side; a batch that does not fit all the same is halved by the engine.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SHARE = 0.5
MASK_BYTES = 8192  # of one token: a float for each of 2,048 that it may attend to
MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")
_CACHED = re.compile(r"^file (\d+)$", re.MULTILINE)
_AVAILABLE = re.compile(r"^MemAvailable:\s+(\d+) kB", re.MULTILINE)


def fitting_tokens(model: PreTrainedModel) -> int:
    """Return the most tokens, prompts and answers of all rows, at least one."""
    return max(1, int(SHARE * free_bytes(model.device) / token_bytes(model)))


def token_bytes(model: PreTrainedModel) -> int:
    """Return what one token takes while it is read.

    Keys and values of all layers, twice, since growing buffers are copied; what one layer computes;
    its row of the mask.
    """
    config = model.config
    hidden, layers = config.hidden_size, config.num_hidden_layers
    heads = config.num_attention_heads
    width = (getattr(config, "head_dim", None) or hidden // heads) * (
        getattr(config, "num_key_value_heads", None) or heads
    )
    inner = getattr(config, "intermediate_size", None) or 4 * hidden
    values = 2 * 2 * layers * width + 8 * hidden + 3 * inner
    return int(values * model.dtype.itemsize + MASK_BYTES)


def free_bytes(device: torch.device) -> int:
    """Return how much memory a device has to give; all that can be counted where none says."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    found = _AVAILABLE.search(MEMINFO.read_text()) if MEMINFO.exists() else None
    free = 1024 * int(found[1]) if found else sys.maxsize
    return min(free, _left_in_group())


def _left_in_group() -> int:
    """Return what this process's control group may still take, if it has a limit of its own.

    Cached files are counted as used there, and given back when memory is asked for.
    """
    try:
        most, used = (
            (CGROUP / name).read_text().strip() for name in ("memory.max", "memory.current")
        )
        cached = _CACHED.search((CGROUP / "memory.stat").read_text())
        return max(0, int(most) - int(used) + int(cached[1] if cached else 0))
    except (OSError, ValueError):  # none, an older kernel's, or "max"
        return sys.maxsize
