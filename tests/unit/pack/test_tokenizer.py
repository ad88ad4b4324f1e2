from __future__ import annotations

import json

import pytest
from tokenizers import Tokenizer

from pytest_anchorgate.errors import PackError
from pytest_anchorgate.pack.tokenizer import PROBES, load_tokenizer, require_same_ids


def assets_of(source):
    names = ("tokenizer.json", "tokenizer_config.json")
    return {name: (source / name).read_bytes() for name in names}


def changed_config(source, **changed):
    assets = assets_of(source)
    value = json.loads(assets["tokenizer_config.json"]) | changed
    return assets | {"tokenizer_config.json": json.dumps(value).encode()}


def changed_tokenizer(source, **changed):
    assets = assets_of(source)
    value = json.loads(assets["tokenizer.json"]) | changed
    return assets | {"tokenizer.json": json.dumps(value).encode()}


def refused(source, assets, said, *, rows=320):
    with pytest.raises(PackError, match=said):
        require_same_ids(source, assets, rows=rows)


def test_a_tokenizer_that_is_its_file_passes(source):
    require_same_ids(source, assets_of(source), rows=300)


def test_auto_tokenizer_gives_other_ids_where_we_do_not(source):
    """The measured failure that this module is for: the same directory, two tokenizers."""
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    file = Tokenizer.from_file(str(source / "tokenizer.json"))
    auto = AutoTokenizer.from_pretrained(source, local_files_only=True)
    ours = PreTrainedTokenizerFast(tokenizer_object=file)
    differ = [text for text in PROBES if auto.encode(text) != file.encode(text).ids]
    assert differ, "transformers has changed: correct the docstring of pack/tokenizer.py"
    assert all(ours.encode(text) == file.encode(text).ids for text in PROBES)


def test_a_token_that_only_the_config_has(source):
    assets = changed_config(source, pad_token="<pad>")
    refused(source, assets, "gives token '<pad>' the id 300, in tokenizer.json it has None")


def test_a_setting_that_gives_other_ids_without_another_token(source):
    assets = changed_config(source, split_special_tokens=True)
    said = (
        r"'<s> </s> <\|endoftext\|>.*' gives the ids \[.*\] by tokenizers, but .* \(from position"
    )
    refused(source, assets, said)


def test_more_tokens_than_embeddings(source):
    refused(
        source,
        assets_of(source),
        "token .* has id 299, but the model embeds only 299 ids",
        rows=299,
    )


def test_ids_that_end_at_the_last_embedding(source):
    require_same_ids(source, assets_of(source), rows=300)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (
            "truncation",
            {"direction": "Right", "max_length": 9, "strategy": "LongestFirst", "stride": 0},
        ),
        (
            "padding",
            {
                "strategy": {"Fixed": 9},
                "direction": "Right",
                "pad_to_multiple_of": None,
                "pad_id": 0,
                "pad_type_id": 0,
                "pad_token": "<|endoftext|>",
            },
        ),
    ],
)
def test_ids_that_depend_on_the_length(source, key, value):
    refused(source, changed_tokenizer(source, **{key: value}), f'has {key} .*Set "{key}": null')


@pytest.mark.parametrize("text", [b"{}", b"\xff", b"[1]", b""])
def test_bytes_that_are_no_tokenizer(text):
    with pytest.raises(PackError, match=r"^x: is no tokenizer: .+\. Save the tokenizer again\.$"):
        load_tokenizer("x", text)


def test_files_that_transformers_cannot_load(source):
    assets = changed_config(source, eos_token={"content": "<|endoftext|>"})
    said = r"tokenizer.json: transformers cannot load this tokenizer: Special token eos_token has"
    refused(source, assets, said)
