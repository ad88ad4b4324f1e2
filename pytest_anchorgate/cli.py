"""The `anchorgate` command: argparse only; the work is in the packages below.

Imports no torch: `anchorgate --help` and `inspect` answer at once and without it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anchorgate.commands import anchors, compare, confirm, promote
from pytest_anchorgate.errors import AnchorgateError, UsageError
from pytest_anchorgate.init import init_repository
from pytest_anchorgate.ledger import FILE, WIDTH, history_json, read_ledger, render_history
from pytest_anchorgate.option_table import OPTIONS
from pytest_anchorgate.pack.describe import describe, render_description
from pytest_anchorgate.pack.format import read_pack
from pytest_anchorgate.pack.locate import find_pack
from pytest_anchorgate.pack.manifest import PROMPT_STYLES
from pytest_anchorgate.pack.progress import ProgressLine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

PACKS = Path("packs")
EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0, 1 (failed), 2 (usage) or 130 (Ctrl-C)."""
    options = _parse(sys.argv[1:] if argv is None else argv)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        status = run(options)
        sys.stdout.flush()
    except AnchorgateError as error:
        print(f"anchorgate: {error}", file=sys.stderr)
        return EXIT_USAGE if isinstance(error, UsageError) else EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # `anchorgate inspect | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    """Return the parsed command; one that has ``for_pytest`` takes pytest's options too."""
    parser = build_parser()
    options, rest = parser.parse_known_args(list(_joined(argv)))
    if rest and "for_pytest" not in options:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    options.for_pytest = rest
    return options


def _joined(argv: Iterable[str]) -> Iterator[str]:
    """Yield the arguments, those that only pytest knows in one piece with their values."""
    flags, rest = {option.flag for option in OPTIONS}, list(argv)
    while rest:
        argument = rest.pop(0)
        valued = argument in flags and rest and not rest[0].startswith("-")
        yield f"{argument}={rest.pop(0)}" if valued else argument


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(prog="anchorgate", description=_DESCRIPTION)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_init(commands)
    _add_pack(commands)
    _add_unpack(commands)
    _add_inspect(commands)
    _add_diff(commands)
    _add_merge(commands)
    _add_history(commands)
    compare.add(commands)
    confirm.add(commands)
    anchors.add(commands)
    promote.add(commands)
    return parser


_DESCRIPTION = "Make, look at and compare packs: one model as one .planck file."
Commands = Any  # argparse's own type for this is private


def _add_init(commands: Commands) -> None:
    command = commands.add_parser("init", help="write the gate into an existing repository")
    command.add_argument(
        "--pack", metavar="PACK", help="the pack in production, if packs/ has more"
    )
    command.add_argument("--root", metavar="DIR", type=Path, default=Path(), help="its top")
    command.set_defaults(run=_run_init)


def _add_pack(commands: Commands) -> None:
    command = commands.add_parser("pack", help="write a Hugging Face directory as a pack")
    command.add_argument("directory", metavar="HF_DIR", type=Path)
    command.add_argument("out", metavar="OUT.planck", type=Path)
    command.add_argument("--prompt", choices=PROMPT_STYLES, help="how tasks are put to this model")
    command.set_defaults(run=_run_pack)


def _add_unpack(commands: Commands) -> None:
    command = commands.add_parser("unpack", help="write a pack as a Hugging Face directory")
    command.add_argument("pack", metavar="PACK")
    command.add_argument("directory", metavar="DIR", type=Path)
    command.set_defaults(run=_run_unpack)


def _add_inspect(commands: Commands) -> None:
    command = commands.add_parser("inspect", help="print what a pack is")
    command.add_argument("pack", metavar="PACK")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.add_argument("--verify", action="store_true", help="verify every tensor's digest")
    command.set_defaults(run=_run_inspect)


def _add_diff(commands: Commands) -> None:
    command = commands.add_parser("diff", help="print what changed between two packs, by tensor")
    command.add_argument("a", metavar="A")
    command.add_argument("b", metavar="B")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(run=_run_diff)


def _add_merge(commands: Commands) -> None:
    command = commands.add_parser("merge", help="write a pack with a PEFT LoRA adapter folded in")
    command.add_argument("base", metavar="BASE")
    command.add_argument("adapter", metavar="ADAPTER_DIR", type=Path)
    command.add_argument("out", metavar="OUT.planck", type=Path)
    command.set_defaults(run=_run_merge)


def _add_history(commands: Commands) -> None:
    command = commands.add_parser("history", help="print what was tried, and what came of it")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.add_argument("--packs", metavar="DIR", type=Path, default=PACKS, help="default: packs")
    command.set_defaults(run=_run_history)


def _run_init(options: argparse.Namespace) -> int:
    for line in init_repository(options.root, pack=options.pack):
        print(line)
    return 0


def _run_pack(options: argparse.Namespace) -> int:
    _require_file(options.out)
    _require_torch("pack")
    from pytest_anchorgate.pack.convert import pack_directory

    with ProgressLine("packing") as progress:
        digest = pack_directory(
            options.directory, options.out, prompt_style=options.prompt, progress=progress
        )
    print(f"{options.out}: sha256 {digest}")
    return 0


def _run_unpack(options: argparse.Namespace) -> int:
    path = find_pack(options.pack, PACKS)
    _require_torch("unpack")
    from pytest_anchorgate.pack.convert import unpack

    with ProgressLine("unpacking") as progress:
        unpack(path, options.directory, progress=progress)
    print(options.directory)
    return 0


def _run_inspect(options: argparse.Namespace) -> int:
    pack = read_pack(find_pack(options.pack, PACKS))
    if options.verify:
        with ProgressLine("verifying") as progress:
            pack.verify(progress)
    description = describe(pack)
    text = json.dumps(description, indent=1, sort_keys=True)
    print(text if options.json else render_description(description))
    return 0


def _run_diff(options: argparse.Namespace) -> int:
    a, b = find_pack(options.a, PACKS), find_pack(options.b, PACKS)
    _require_torch("diff")
    from pytest_anchorgate.pack.diff import diff_json, diff_packs, render_diff

    with ProgressLine("comparing") as progress:
        diff = diff_packs(a, b, progress=progress)
    print(diff_json(diff) if options.json else render_diff(diff))
    return 0


def _run_merge(options: argparse.Namespace) -> int:
    _require_file(options.out)
    base = find_pack(options.base, PACKS)
    _require_torch("merge")
    from pytest_anchorgate.surgery.merge import merge_adapter

    with ProgressLine("merging") as progress:
        merged = merge_adapter(base, options.adapter, options.out, progress=progress)
    print(f"{options.out}: sha256 {merged.sha256}")
    print(
        f"{100 * merged.survived:.1f} % of the change is left after rounding to BF16: "
        f"{merged.moved} of {merged.weights} weights moved"
    )
    return 0


def _run_history(options: argparse.Namespace) -> int:
    path = options.packs / FILE
    attempts = read_ledger(path)
    if options.json:
        print(history_json(attempts))
    else:
        width = shutil.get_terminal_size((WIDTH, 24)).columns
        where = "" if attempts else f"{path}: "
        print(f"{where}{render_history(attempts, width=width)}")
    return 0


def _require_file(out: Path) -> None:
    if out.is_dir():
        raise UsageError(f"{out}: is a directory. Name the pack's file, as in OUT.planck.")


def _require_torch(command: str) -> None:
    from importlib.util import find_spec

    if missing := [name for name in ("torch", "transformers") if find_spec(name) is None]:
        raise UsageError(
            f"anchorgate {command}: {missing[0]} is not installed. "
            "Run `pip install 'pytest-anchorgate[model]'`."
        )


if __name__ == "__main__":
    sys.exit(main())
