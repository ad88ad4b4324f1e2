from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest

from pytest_anchorgate.errors import PackError
from pytest_anchorgate.pack.format import chat_template, digest_file, read_pack


def test_a_pack_says_what_it_is(small):
    pack = read_pack(small)
    assert (pack.architecture, pack.parameters, pack.context) == ("TinyForCausalLM", 7, 8)
    assert (pack.eos_token_ids, pack.tied, pack.prompt_style, pack.format) == ((3,), True, None, 1)
    assert pack.size == small.stat().st_size
    assert pack.provenance == {"made": "by hand"}
    assert [entry.name for entry in pack.weights] == ["b", "w"]
    assert pack.asset_names == ("chat_template.jinja", "tokenizer.json")
    assert pack.asset("tokenizer.json") == b'{"version":"1.0"}'
    assert pack.asset_size("tokenizer.json") == 17


def test_an_unknown_asset_names_those_that_are_there(small):
    with pytest.raises(PackError, match=r"no asset 'vocab.txt'. Its assets are: chat_template"):
        read_pack(small).asset("vocab.txt")


def test_the_digest_of_a_pack_is_the_sha256_of_its_bytes(small):
    assert digest_file(small) == hashlib.sha256(small.read_bytes()).hexdigest()


def test_any_safetensors_reader_opens_a_pack(small):
    from safetensors import safe_open

    with safe_open(small, "pt") as file:
        assert file.offset_keys() == [
            "b",
            "w",
            "assets/chat_template.jinja",
            "assets/tokenizer.json",
        ]
        assert file.get_tensor("w").tolist() == [[1, -2, 0.5], [3, 0, -0.125]]
        assert file.metadata().keys() == {"planck"}


def test_every_weight_lies_at_an_even_offset(small):
    assert all(entry.begin % 2 == 0 for entry in read_pack(small).weights)


@pytest.mark.parametrize(
    ("files", "template"),
    [
        ({"chat_template.jinja": b"A", "tokenizer_config.json": b'{"chat_template":"B"}'}, "A"),
        ({"tokenizer_config.json": b'{"chat_template":"B"}'}, "B"),
        (
            {
                "tokenizer_config.json": b'{"chat_template":[{"name":"tool","template":"C"},'
                b'{"name":"default","template":"D"}]}'
            },
            "D",
        ),
        ({"tokenizer_config.json": b"{}"}, None),
        ({}, None),
    ],
)
def test_the_chat_template_comes_from_its_file_or_the_tokenizer_config(
    tmp_path, write_small, files, template
):
    assert chat_template(read_pack(write_small(tmp_path / "a.planck", assets=files))) == template


def test_reading_a_header_imports_no_torch():
    code = (
        "import sys; import pytest_anchorgate.pack.format, pytest_anchorgate.pack.locate,"
        "pytest_anchorgate.pack.production, pytest_anchorgate.cli;"
        "print([n for n in ('torch', 'numpy', 'transformers') if n in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout == "[]\n", run.stderr


def test_verifying_tells_how_far_it_is(small):
    steps = []
    read_pack(small).verify(lambda *step: steps.append(step))
    assert [total for _, total in steps] == [small.stat().st_size] * 4
    assert [done for done, _ in steps] == [entry.end for entry in read_pack(small).tensors]


def test_a_chat_template_that_is_no_text(tmp_path, write_small):
    path = write_small(tmp_path / "a.planck", assets={"chat_template.jinja": b"ab\xff"})
    with pytest.raises(PackError, match=r"its asset chat_template.jinja is not UTF-8 \(byte 2\)"):
        chat_template(read_pack(path))
