from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from pytest_anchorgate import cli
from pytest_anchorgate.errors import UsageError
from pytest_anchorgate.ledger import append_attempt, read_ledger, render_history
from tests.attempts import attempt


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def pack(here):
    import torch

    from pytest_anchorgate.pack.write import write_pack

    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [],
        "normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None,
        "model": {"type": "WordLevel", "vocab": {"a": 0, "<end>": 1}, "unk_token": "a"},
    }  # fmt: skip
    write_pack(
        here / "a.planck",
        [("w", torch.tensor([1.0, 2.0]).bfloat16())],
        shapes={"w": (2,)},
        config={
            "architectures": ["TinyForCausalLM"],
            "max_position_embeddings": 4096,
            "vocab_size": 2,
            "tie_word_embeddings": True,
        },
        generation_config={"eos_token_id": [1]},
        assets={"tokenizer.json": json.dumps(tokenizer).encode()},
        provenance={"made": "by hand"},
        prompt_style="docstring",
    )
    return here / "a.planck"


def run(capsys, *arguments):
    """Return exit status, stdout and stderr of the command."""
    try:
        status = cli.main(arguments)
    except SystemExit as exit_:
        status = exit_.code
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_inspect_says_what_a_pack_is(pack, capsys):
    status, out, err = run(capsys, "inspect", "a", "--verify")
    assert (status, err) == (0, "")
    for text in (
        "TinyForCausalLM",
        "2 (BF16, tied head stored once)",
        "4,096 tokens",
        "WordLevel, 2 tokens, ends at '<end>' (1), without chat template",
        "docstring",
        "made: by hand",
        "tokenizer.json: ",
    ):
        assert text in out


def test_inspect_as_json(pack, capsys):
    from pytest_anchorgate.pack.format import digest_file

    status, out, _ = run(capsys, "inspect", "a.planck", "--json")
    value = json.loads(out)
    assert status == 0
    assert value["sha256"] == digest_file(pack)
    assert value["tokenizer"]["eos"] == {"1": "<end>"}
    assert (value["parameters"], value["context"], value["format"]) == (2, 4096, 1)


def test_a_damaged_tensor_is_found_by_verify_alone(pack, capsys):
    from pytest_anchorgate.pack.format import read_pack

    raw = bytearray(pack.read_bytes())
    raw[read_pack(pack).weights[0].begin] ^= 1
    pack.write_bytes(raw)
    assert run(capsys, "inspect", "a.planck")[0] == 0
    status, out, err = run(capsys, "inspect", "a.planck", "--verify")
    assert (status, out) == (1, "")
    assert err.startswith("anchorgate: a.planck: tensor 'w' has sha256")


def test_unpack_and_diff(pack, capsys):
    status, out, _ = run(capsys, "unpack", "a.planck", "out")
    assert (status, out) == (0, "out\n")
    status, out, _ = run(capsys, "diff", "a.planck", "a.planck", "--json")
    assert (status, json.loads(out)["same"]) == (0, True)
    status, out, _ = run(capsys, "diff", "a.planck", "a.planck")
    assert "total [2]" in out


@pytest.fixture
def packs(here, monkeypatch):
    """Two attempts in packs/ledger.jsonl, on a terminal of 100 columns."""
    monkeypatch.setenv("COLUMNS", "100")
    (here / "packs").mkdir()
    for number in (1, 2):
        made = attempt(pack=f"v{number}.planck", lost=number)
        append_attempt(here / "packs" / "ledger.jsonl", made)
    return here / "packs"


def test_history_is_the_table_of_the_ledger(packs, capsys):
    table = render_history(read_ledger(packs / "ledger.jsonl"))
    assert run(capsys, "history") == (0, f"{table}\n", "")
    packs.rename("others")
    assert run(capsys, "history", "--packs", "others") == (0, f"{table}\n", "")


def test_history_fits_the_terminal(packs, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    status, out, _ = run(capsys, "history")
    assert (status, out.splitlines()[0].split()) == (0, ["pack", "v2.planck"])
    assert out.endswith("\n1 older attempt is not shown\n")


def test_history_as_json(packs, capsys):
    status, out, _ = run(capsys, "history", "--json")
    listed = [(made["pack"], made["lost"], made["suites"]) for made in json.loads(out)]
    assert (status, listed) == (
        0, [("v1.planck", 1, {"mbpp": [13, 100]}), ("v2.planck", 2, {"mbpp": [13, 100]})]
    )  # fmt: skip


def test_a_history_without_attempts(here, capsys):
    assert run(capsys, "history") == (0, "packs/ledger.jsonl: no attempts yet\n", "")
    assert run(capsys, "history", "--json") == (0, "[]\n", "")


def test_a_ledger_that_cannot_be_read_is_one_line(packs, capsys):
    with (packs / "ledger.jsonl").open("a") as ledger:
        ledger.write('{"event": ')
    status, out, err = run(capsys, "history")
    assert (status, out) == (1, "")
    assert err.startswith(
        """anchorgate: packs/ledger.jsonl:3: was cut, and ends in '{"event": '."""
    )
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["inspect", "b"], 1, "anchorgate: b: no such pack. Nothing in packs ends in .planck; "),
        (["pack", "nowhere", "b.planck"], 1, "anchorgate: nowhere: is not a directory. "),
        (["pack", "nowhere", "."], 2, "anchorgate: .: is a directory. Name the pack's file"),
        (["unpack", "a", "."], 1, "exists and is not an empty directory. Name a new directory."),
        (["pack", "d", "b", "--prompt", "poem"], 2, "invalid choice: 'poem' (choose from "),
        (["nonsense"], 2, "invalid choice: 'nonsense'"),
        (["diff", "a", "a", "--nonsense"], 2, "unrecognized arguments: --nonsense"),
        ([], 2, "the following arguments are required: COMMAND"),
    ],
)
def test_a_mistake_is_one_line_and_a_status(pack, capsys, arguments, status, said):
    got, out, err = run(capsys, *arguments)
    assert (got, out) == (status, "")
    assert said in err
    assert "Traceback" not in err
    if err.startswith("anchorgate: "):
        assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [(UsageError("x: y. z."), 2, "anchorgate: x: y. z.\n"), (KeyboardInterrupt(), 130, "")],
)
def test_how_a_command_ends(pack, capsys, monkeypatch, error, status, said):
    def fail(_):
        raise error

    monkeypatch.setattr(cli, "read_pack", fail)
    assert run(capsys, "inspect", "a") == (status, "", said)


def test_without_torch_the_command_says_what_to_install(pack, capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    status, _, err = run(capsys, "diff", "a", "a")
    assert status == 2
    assert "diff: torch is not installed. Run `pip install 'pytest-anchorgate[model]'`." in err


def test_help_and_inspect_load_no_torch(pack):
    code = (
        "import sys; from pytest_anchorgate.cli import main; main(['inspect', 'a.planck']);"
        "print([n for n in ('torch', 'transformers', 'numpy') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.endswith("\n[]\n"), done.stderr


def test_a_closed_pipe_is_quiet(pack):
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "pytest_anchorgate.cli", "inspect", "a.planck"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_progress_is_shown_on_a_terminal_after_a_while(monkeypatch, capsys):
    from pytest_anchorgate.pack import progress

    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with progress.ProgressLine("packing") as line:
        line(1, 4)
        assert capsys.readouterr().err == ""
        monkeypatch.setattr("time.monotonic", lambda: float("inf"))
        line(2, 4)
        assert capsys.readouterr().err == "\rpacking:  50%"
    assert capsys.readouterr().err == "\r\x1b[K"


def test_progress_stays_silent_elsewhere(monkeypatch, capsys):
    from pytest_anchorgate.pack import progress

    monkeypatch.setattr(progress, "QUIET_S", -1.0)
    with progress.ProgressLine("packing") as line:
        line(1, 4)
    assert capsys.readouterr().err == ""
