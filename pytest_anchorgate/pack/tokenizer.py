"""Whether a tokenizer gives the same ids from the pack as from its directory.

A tokenizer is the bytes of its tokenizer.json. transformers' ``AutoTokenizer`` may rebuild it from
vocabulary and merges alone: in 5.23 ``TokenizersBackend.convert_to_native_format`` does so for
every class with its own ``__init__`` (``Qwen2Tokenizer``), which drops the file's normalizer and
pre-tokenizer without a word. And loading through ``PreTrainedTokenizerFast`` adds the tokens of
tokenizer_config.json that tokenizer.json lacks. So ids are compared, not trusted.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenizers import Tokenizer

from pytest_anchorgate.errors import PackError

if TYPE_CHECKING:
    from collections.abc import Mapping

PROBES = (
    "",
    "Hello, world! It's John's; we'll see what they've done, I'm sure.",
    "def add(a: int, b: int) -> int:\n    return a + b\n",
    "class A:\n\n\tdef f(self):\n\t\tif x!=y:\r\n\t\t\treturn {'k': [1, 22, 333]}\n\n\n",
    "  leading and trailing spaces   ",
    " \t \n\n  \n x    = 0x1F_FF ** -1.5e-10  # 1234567890",
    '"""Write a function to sum.\nassert f([1,2,3])==6\n"""\n',
    "na\u00efve cafe\u0301 \u212b \ufb01 \u2126 \u00bd",  # composed, decomposed, compatible
    "\u4f60\u597d\u4e16 \u043f\u0440\u0438 \u05e9\u05dc\u05d5",
    "\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "UPPER lower MiXeD camelCase snake_case __dunder__",
    "<s> </s> <|endoftext|> <|im_start|>user\nhi<|im_end|>\n <pad> [INST] <unk>",
    "\x00\x01\x7f\u2028\u200b\ufeff end",
    "word " * 700,
)


def load_tokenizer(where: str, text: bytes) -> Tokenizer:
    """Return the tokenizer that tokenizer.json's bytes describe; `PackError` if they do not."""
    try:
        return Tokenizer.from_str(text.decode("utf-8"))
    except Exception as error:  # the library raises a bare Exception
        reason = " ".join(str(error).split())[:200]
        raise PackError(f"{where}: is no tokenizer: {reason}. Save the tokenizer again.") from None


def require_same_ids(directory: Path, assets: Mapping[str, bytes], *, rows: int) -> None:
    """Raise `PackError` unless pack and directory tokenize alike, within ``rows`` embedding rows.

    Compared on `PROBES` and every added token: what ``tokenizers`` makes of the directory's
    tokenizer.json, against what the packed files give through transformers'
    ``PreTrainedTokenizerFast``, with and without special tokens.
    """
    where = f"{directory / 'tokenizer.json'}"
    before = load_tokenizer(where, assets["tokenizer.json"])
    _refuse_cutting(where, before)
    vocabulary = before.get_vocab(with_added_tokens=True)
    last = max(vocabulary, key=lambda token: (vocabulary[token], token), default="")
    if vocabulary.get(last, 0) >= rows:
        what = f"token {last!r} has id {vocabulary[last]}, but the model embeds only {rows} ids"
        raise PackError(f"{where}: {what}. Give the tokenizer that belongs to the model.")
    after = _reloaded(where, assets)
    _require_same_vocabulary(directory, vocabulary, after.get_vocab())
    added = [token.content for token in before.get_added_tokens_decoder().values()]
    for text in (*PROBES, *(f"a {token}b" for token in added)):
        for special in (False, True):
            was = before.encode(text, add_special_tokens=special).ids
            now = after.encode(text, add_special_tokens=special)
            _require_equal(where, text, was, now)


def _refuse_cutting(where: str, tokenizer: Tokenizer) -> None:
    for key, value in (("truncation", tokenizer.truncation), ("padding", tokenizer.padding)):
        if value is not None:
            raise PackError(
                f"{where}: has {key} {value} built in, so ids depend on the prompt's length. "
                f'Set "{key}": null in it.'
            )


def _reloaded(where: str, assets: Mapping[str, bytes]) -> Any:
    from transformers import PreTrainedTokenizerFast

    with tempfile.TemporaryDirectory() as folder:
        for name, value in assets.items():
            (Path(folder) / name).write_bytes(value)
        try:
            return PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
        except Exception as error:  # transformers raises whatever the files provoke
            reason = " ".join(str(error).replace(folder, "DIR").split())[:200]
            raise PackError(
                f"{where}: transformers cannot load this tokenizer: {reason}. Save it again."
            ) from None


def _require_same_vocabulary(
    directory: Path, before: Mapping[str, int], after: Mapping[str, int]
) -> None:
    for token in sorted(before.keys() | after.keys()):
        was, now = before.get(token), after.get(token)
        if was != now:
            raise PackError(
                f"{directory / 'tokenizer_config.json'}: loading it gives token {token!r} the id "
                f"{now}, in tokenizer.json it has {was}. Put every token into tokenizer.json: "
                "load and save the tokenizer (and resize the embedding if it grew)."
            )


def _require_equal(where: str, text: str, was: list[int], now: list[int]) -> None:
    if was == now:
        return
    at = next((i for i, pair in enumerate(zip(was, now, strict=False)) if pair[0] != pair[1]), 0)
    raise PackError(
        f"{where}: {text[:40]!r} gives the ids {was[at:][:4]} by tokenizers, but {now[at:][:4]} "
        f"once loaded by transformers (from position {at}; {len(was)} and {len(now)} ids). "
        "Load and save the tokenizer, so that tokenizer.json alone decides."
    )
