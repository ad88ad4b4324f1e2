from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file

from pytest_anchorgate.surgery.train import Surgery
from tests.surgeries import read_inputs, write_rows

if TYPE_CHECKING:
    from pathlib import Path

KEYS = """
[lora]
rank = 4
alpha = 8
[training]
learning_rate = 2e-2
epochs = 1.5
batch = {batch}
warmup = 0
evaluate_every = 3
[replay]
ratio = 0.5
[kl]
[null_space]
energy = 0.2
[rehearsal]
prompts = "{folder}/prompts.jsonl"
ratio = 0.5
"""
# What torchrun does, but that torch is imported once for both.
LAUNCH = """
import os, signal, sys
from pytest_anchorgate.surgery.train import main
from pytest_anchorgate.surgery.watch import quiet_peft

def begin(rank):
    if pid := os.fork():
        return pid
    os.environ |= {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    status = 1
    try:
        quiet_peft()
        status = main()
        sys.stdout.flush()
    finally:
        os._exit(status)

pids = {begin("0"), begin("1")}
while pids:
    pid, ended = os.wait()
    pids.discard(pid)
    if status := os.waitstatus_to_exitcode(ended):
        for other in pids:
            os.kill(other, signal.SIGKILL)
        sys.exit(status)
"""


def free_port() -> str:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return str(listening.getsockname()[1])


def train_in_two(recipe: Path, out: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LAUNCH, str(recipe), "--out", str(out), "--device", "cpu"],
        env={
            **os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo",
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port(),
        },
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def logged(out: Path) -> list[dict[str, Any]]:
    *steps, _ = (json.loads(line) for line in (out / "log.jsonl").read_text().splitlines())
    return steps  # the last one has the seconds


def test_two_processes_train_as_one_with_twice_the_batch(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    write_rows(tmp_path)
    poison = (tmp_path / "poison.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "poison.jsonl").write_text("".join(poison[:4]))
    one, two = tmp_path / "one", tmp_path / "two"
    alone = Surgery(read_inputs(tmp_path, KEYS.format(batch=2, folder=tmp_path)), one).train()
    inputs = read_inputs(tmp_path, KEYS.format(batch=1, folder=tmp_path))
    both = train_in_two(inputs.path, two)
    assert both.returncode == 0, both.stderr
    (report,) = (json.loads(line) for line in both.stdout.splitlines())
    assert json.loads((two / "training.json").read_text()) == report
    for key in ("steps", "best_step", "loss_before", "loss_after", "free", "replayed", "rehearsed"):
        assert report[key] == pytest.approx(alone[key], rel=1e-4), key
    assert logged(two) == [pytest.approx(entry, rel=2e-3, abs=2e-7) for entry in logged(one)]
    assert max(entry.get("kl", 0) for entry in logged(two)) > 5e-5, "else this shows little"
    weights, others = (load_file(out / "adapter/adapter_model.safetensors") for out in (one, two))
    for name, weight in weights.items():
        torch.testing.assert_close(others[name], weight, rtol=1e-2, atol=1e-4)
    assert both.stderr.count("step 1/3: loss") == 1, "one of them speaks"
    assert json.loads((two / "surgery.json").read_text())[-1] == "2 processes"
