"""From an adapter to a candidate: ``python -m pytest_anchorgate.surgery.fold RECIPE --out DIR``.

Dials where the recipe says so, merges, reloads the pack and compares it with base and adapter. DIR
receives ``candidate.planck`` and ``fold.json``. Sees anchors and poison rows alone.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import torch
from peft import PeftModel

from pytest_anchorgate.engine.transformers import TransformersEngine, load_model
from pytest_anchorgate.errors import AnchorgateError, InvalidTrainingError, UsageError
from pytest_anchorgate.pack.atomic import write_file
from pytest_anchorgate.pack.format import read_pack
from pytest_anchorgate.sandbox.run import Sandbox
from pytest_anchorgate.surgery.child import child_parser, end_with_parent, exit_status
from pytest_anchorgate.surgery.dial import Tried, choose, try_strengths
from pytest_anchorgate.surgery.evaluate import Evaluation
from pytest_anchorgate.surgery.inputs import Inputs
from pytest_anchorgate.surgery.merge import merge_adapter, read_adapter, require_targets
from pytest_anchorgate.surgery.protect import ADAPTER as LORA
from pytest_anchorgate.surgery.protect import lora_layers
from pytest_anchorgate.surgery.rehearse import captured_answers
from pytest_anchorgate.surgery.trainer import batch_of, supervised_logits
from pytest_anchorgate.surgery.watch import quiet_peft, say

if TYPE_CHECKING:
    from pytest_anchorgate.surgery.examples import Example
    from pytest_anchorgate.surgery.recipe import Dial

ADAPTER, CANDIDATE, REPORT = "adapter", "candidate.planck", "fold.json"
EXIT_INTERRUPTED = 130
COMPARED = 8  # poison rows whose logits are compared
# Rounding the weights of 24 layers to BF16, by 0.1 % each, changes logits by about 1.5 %.
ROUNDING = 0.05  # of the logits' norm
UNLIKE = 0.5  # of the norm of what the adapter changes


def main() -> int:
    """Fold; return 0, 2 for what cannot be folded, or 10 for a pack that is not base + adapter."""
    parser = child_parser("pytest_anchorgate.surgery.fold")
    parser.add_argument("--adapter", type=Path, help="default: the recipe's, else OUT/adapter")
    options = parser.parse_args()
    if options.attended:
        end_with_parent()
    inputs = Inputs(options.recipe, options.device, options.judged)
    try:
        given = inputs.recipe.adapter
        adapter = options.adapter or (Path(given) if given else options.out / ADAPTER)
        report = fold(inputs, adapter, options.out)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except AnchorgateError as error:
        say(f"anchorgate: {error}")
        return exit_status(error)
    sys.stdout.write(json.dumps(report) + "\n")
    return 0


def fold(inputs: Inputs, adapter: Path, out: Path) -> dict[str, Any]:
    """Write the candidate pack into ``out`` and return what `fold.json` says.

    :raises AnchorgateError: for an adapter that cannot be merged into the base.
    :raises InvalidTrainingError: when the pack does not answer as base and adapter do.
    """
    require_targets(read_adapter(adapter), read_pack(inputs.base), str(adapter))
    out.mkdir(parents=True, exist_ok=True)
    dial, candidate = inputs.recipe.dial, out / CANDIDATE
    captured = captured_answers(out, inputs)
    with Sandbox() as sandbox:
        evaluation = Evaluation(inputs, captured.anchors, sandbox)
        tried = _dialled(inputs, dial, adapter, evaluation) if dial else []
        strength = choose(tried, margin=dial.margin).strength if dial else 1.0
        provenance = inputs.provenance(example.id for example in captured.anchors)
        merged = merge_adapter(
            inputs.base, adapter, candidate, strength=strength, provenance=provenance
        )
        pack = read_pack(candidate)
        model = load_model(pack, device=inputs.prompter.identity.device, dtype="float32")
        difference = compare_logits(inputs, adapter, model, strength=strength)
        score = evaluation.score(TransformersEngine(pack, model=model))
    report = {
        "sha256": merged.sha256,
        "strength": strength,
        "survived": merged.survived,
        "moved": merged.moved,
        "weights": merged.weights,
        "difference": difference,
        **asdict(score),
        "dial": msgspec.to_builtins(tried),
    }
    write_file(out / REPORT, (json.dumps(report, indent=1) + "\n").encode())
    return report


def _dialled(inputs: Inputs, dial: Dial, adapter: Path, evaluation: Evaluation) -> list[Tried]:
    if not evaluation.anchors:
        raise UsageError(f"{inputs.path}: [dial] has no anchor that the base solves. Leave it out.")
    prompter, tried = inputs.prompter, []
    engine = TransformersEngine(
        prompter.pack, device=prompter.identity.device, dtype=prompter.identity.dtype
    )
    for one in try_strengths(
        prompter.pack,
        read_adapter(adapter),
        dial.strengths,
        engine=engine,
        evaluation=evaluation,
    ):
        say(
            f"dial {one.strength:g}: anchors kept {one.anchors_kept}/{one.anchors}, "
            f"poison solved {one.poison_solved}/{one.poison}, smallest margin {one.margin:.2f}"
        )
        tried.append(one)
    return tried


@torch.no_grad()
def compare_logits(inputs: Inputs, adapter: Path, merged: Any, *, strength: float) -> float:
    """Return by how much a pack's logits differ from base + adapter, as a share of their norm.

    The adapter is applied by PEFT and the pack read again, so each tests the other.

    :raises InvalidTrainingError: when it is more than rounding, and not small beside the change.
    """
    rows = inputs.poison[:COMPARED]
    base = load_model(inputs.prompter.pack, device=inputs.prompter.identity.device, dtype="float32")
    adapted: Any = PeftModel.from_pretrained(base, adapter)
    for layer in lora_layers(adapted).values():
        layer.scaling[LORA] *= strength
    wanted = _logits(adapted.eval(), rows, inputs.pad)
    with adapted.disable_adapter():
        before = _logits(adapted, rows, inputs.pad)
    found = _logits(merged, rows, inputs.pad)
    away, change = float((found - wanted).norm()), float((wanted - before).norm())
    share = away / float(wanted.norm())
    if not share <= ROUNDING and not away <= UNLIKE * change:
        raise InvalidTrainingError(
            f"{adapter}: logits of the merged pack differ from base + adapter by "
            f"{100 * share:.1f} % of their norm, and by {away:.3g} where the adapter changes them "
            f"by {change:.3g}. Merge it again."
        )
    return share


def _logits(model: Any, rows: list[Example], pad: int) -> torch.Tensor:
    inputs = {name: value.to(model.device) for name, value in batch_of(rows, pad=pad).items()}
    return supervised_logits(model, inputs)[0].float().cpu()


if __name__ == "__main__":
    quiet_peft()
    sys.exit(main())
