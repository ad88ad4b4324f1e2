"""Who is compared: work in; seconds, answers and verdicts out. Each run is a process of its own.

The gate is run as a user runs it, with an empty store; engines and peers by their drivers. A peer
lives in a virtual environment of its own, which is made on first use.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from checkers import TIMEOUT_S, Peer, Unavailable
from progress import say
from tokenizers import Tokenizer
from work import ROOT

from pytest_anchorgate.engine.protocol import answer_text
from pytest_anchorgate.pack.format import read_pack

if TYPE_CHECKING:
    from work import Work

HERE = Path(__file__).resolve().parent
# One torch for all: what is compared is what is done with it.
SAME = ("torch", "transformers", "tokenizers", "accelerate", "numpy", "safetensors")
BACKEND = ("torch", "accelerate")
OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")
# What a user's environment has; this project's own tests have more, which take a second to import.
PLUGINS = ("--disable-plugin-autoload", "-p", "pytest_anchorgate.plugin", "-p", "xdist.plugin")
GATE_STATUSES = (0, 1)  # accepted, refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One cold process: all of its seconds, those of generation, and what came of it."""

    seconds: float
    generate_s: float
    answers: dict[str, str]
    passed: int | None = None
    versions: dict[str, str] = field(default_factory=dict)
    rows: int = 0  # of which ``generate_s`` was computed, where these are not all
    token_ids: dict[str, list[int]] = field(default_factory=dict)


class Contestant(Protocol):
    """Something that answers prompts; of those of one ``family`` only the fastest goes on."""

    name: str
    family: str

    def run(self, work: Work) -> Run:
        """Do the work once, in a cold process. Raises `Unavailable`."""


@dataclass(kw_only=True)
class Gate:
    """The whole gate: pytest with ``--pack``, from its start to its exit."""

    name: str
    workers: int = 0
    family: str = ""

    def run(self, work: Work) -> Run:
        """Gate the pack in a copy of this repository's gate. Raises `Unavailable`."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for part in ("anchors", "packs", "tests/gate"):
                shutil.copytree(ROOT / part, folder / part)
            (folder / "pytest.ini").write_text("[pytest]\ngate_anchors = anchors/demo.jsonl\n")
            command = [
                *(sys.executable, "-m", "pytest", *PLUGINS, "-m", "anchor", "-q"),
                *(f"--pack={work.pack}", "--gate-json=out.json", f"-n{self.workers}", "--tb=no"),
            ]
            seconds, status, said = timed(command, folder)
            if status not in GATE_STATUSES:
                raise Unavailable(f"{self.name}: exit status {status}: {last_line(said)}")
            report = json.loads((folder / "out.json").read_text("utf-8"))
        return Run(
            seconds=seconds,
            generate_s=report["seconds"]["generate"],
            answers=_texts(work, {one["id"]: one["token_ids"] for one in report["tasks"]}),
            passed=report["suites"]["anchor"]["passed"],
            versions=report["engine"]["versions"],
        )


def _texts(work: Work, token_ids: dict[str, list[int]]) -> dict[str, str]:
    pack = read_pack(work.pack)
    tokenizer = Tokenizer.from_str(pack.asset("tokenizer.json").decode())
    return {
        key: answer_text(tokenizer.decode, ids, eos_ids=pack.eos_token_ids, stop=work.stop)
        for key, ids in token_ids.items()
    }


@dataclass(kw_only=True)
class Driven:
    """A driver under some interpreter, told the work and ``more``.

    With a ``share`` it answers only so many rows; from these the seconds of all are computed.
    """

    name: str
    driver: Path
    python: str = sys.executable
    family: str = ""
    share: int | None = None
    more: dict[str, Any] = field(default_factory=dict)

    def run(self, work: Work) -> Run:
        """Do the work once. Raises `Unavailable` when the driver fails."""
        whole = len(work.rows)
        if self.share is not None and self.share < whole:
            run = self._run(replace(work, rows=work.rows[: self.share]))
            more = run.generate_s * (whole / self.share - 1)
            return replace(
                run,
                seconds=run.seconds + more,
                generate_s=run.generate_s + more,
                rows=self.share,
            )
        return self._run(work)

    def _run(self, work: Work) -> Run:
        with tempfile.TemporaryDirectory() as name:
            job = Path(name) / "job.json"
            job.write_text(json.dumps(work.order() | self.more), "utf-8")
            seconds, status, said = timed([self.python, str(self.driver), str(job)], Path(name))
            answer = job.with_suffix(".answer")
            if not answer.exists():
                raise Unavailable(f"{self.name}: exit status {status}: {last_line(said)}")
            return Run(seconds=seconds, **json.loads(answer.read_text("utf-8")))


def timed(command: list[str], folder: Path) -> tuple[float, int, str]:
    """Return a process's seconds from its start to its end, its status and what it said.

    Nothing is fetched and nothing is cached between runs. Raises `Unavailable` for one that hangs.
    """
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")
    }
    environment |= dict.fromkeys(OFFLINE, "1")
    environment |= dict.fromkeys(("HF_HOME", "XDG_CACHE_HOME", "TMPDIR"), str(folder))
    environment |= {"OMP_NUM_THREADS": str(threads()), "TOKENIZERS_PARALLELISM": "false"}
    began = time.perf_counter()
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=folder, env=environment,
            timeout=TIMEOUT_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{command[1]}: not done after {TIMEOUT_S:g} s") from None
    return time.perf_counter() - began, done.returncode, f"{done.stdout}\n{done.stderr}"


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads() -> int:
    """Return how many threads a product of matrices gets: one per core, or OMP_NUM_THREADS."""
    return int(os.environ.get("OMP_NUM_THREADS", cores()))


def last_line(text: str) -> str:
    """Return the last line of a process's output, cut to a readable length."""
    return (text.strip().splitlines() or ["no output"])[-1][:200]


def ours(name: str, *, drafted: bool) -> Driven:
    """Return this project's engine alone."""
    return Driven(name=name, driver=HERE / "engine_driver.py", more={"drafted": drafted})


def generates(batch: int, *, family: str = "", share: int | None = None) -> Driven:
    """Return transformers' own `generate`, in the environment of this project."""
    return Driven(
        name=f"transformers, batch {batch}",
        driver=HERE / "peers" / "transformers_driver.py",
        family=family,
        share=share,
        more={"batch": batch},
    )


def lm_eval(peer: Peer, batch: int | str, *, family: str = "", share: int | None = None) -> Driven:
    """Return lm-evaluation-harness with one batch size."""
    return Driven(
        name=f"{peer.name}, batch {batch}",
        driver=HERE / "peers" / peer.driver,
        python=str(peer.python),
        family=family,
        share=share,
        more={"batch": batch},
    )


def evalplus(peer: Peer) -> Driven:
    """Return EvalPlus, greedy."""
    return Driven(
        name=f"{peer.name}, greedy",
        driver=HERE / "peers" / peer.driver,
        python=str(peer.python),
    )


def peers(environments: Path) -> tuple[Peer, Peer]:
    """Return lm-evaluation-harness and EvalPlus, which may not be installed yet."""
    found = (
        ("lm-eval", "lm_eval[hf]==0.4.13", "lm_eval.models.huggingface", "lm_eval_driver.py"),
        ("EvalPlus", "evalplus==0.3.1", "evalplus.evaluate", "evalplus_codegen_driver.py"),
    )
    one, other = (
        Peer(
            name=name,
            requirement=requirement,
            module=module,
            driver=driver,
            data=Path(),
            environments=environments,
        )
        for name, requirement, module, driver in found
    )
    return one, other


def install(peer: Peer) -> None:
    """Make a peer's environment, with the torch and transformers of this one.

    Raises `Unavailable`.
    """
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        same = Path(folder) / "same.txt"
        lines = [f"{name}=={version(name).partition('+')[0]}" for name in SAME]
        same.write_text("\n".join(lines) + "\n", "utf-8")
        patch.setenv("PIP_CONSTRAINT", str(same))
        peer.install()
        _install_torch(peer)


def _install_torch(peer: Peer) -> None:
    """Install what a peer's `hf` backend imports and its package does not name."""
    there = [str(peer.python), "-c", f"import {', '.join(BACKEND)}"]
    if subprocess.run(there, capture_output=True, check=False).returncode == 0:
        return
    say(f"{peer.name}: installing {', '.join(BACKEND)} ...")
    command = [str(peer.python), "-m", "pip", "install", "--quiet", *BACKEND]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"{peer.name}: no {BACKEND}: {last_line(done.stderr)}")
