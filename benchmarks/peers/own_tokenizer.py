"""Has a peer read tokenizer.json as it is, so that all are asked the same token ids.

transformers 5.23 rebuilds the tokenizer of a directory whose config says `qwen2` from vocabulary
and merges alone, and drops its pre-tokenizer: other ids for 56 of the demo pack's 76 prompts.
"""

from __future__ import annotations

from typing import Any

from transformers import AutoTokenizer, PreTrainedTokenizerFast


def use_own_tokenizer() -> None:
    """Replace `AutoTokenizer.from_pretrained` for this process."""

    def from_pretrained(name: str, *_: Any, **__: Any) -> Any:
        return PreTrainedTokenizerFast.from_pretrained(name)

    AutoTokenizer.from_pretrained = from_pretrained
