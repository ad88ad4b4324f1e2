"""The tensors that an architecture has: names, shapes, ties, as transformers builds them.

Imports transformers and torch inside its functions, so importing this module costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_anchorgate.errors import PackError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from transformers import PreTrainedConfig, PreTrainedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """The tensors that a model of one configuration has.

    ``tied`` maps a tensor that is not stored (the output head) to the stored one that it is.
    """

    name: str
    shapes: dict[str, tuple[int, ...]]
    tied: dict[str, str]
    context: int | None
    vocabulary: int | None


def build_model(where: str, config: Mapping[str, Any]) -> PreTrainedModel:
    """Return the model of a Hugging Face ``config``, on no device and without weights.

    Its attention is SDPA's where the architecture has that. Raises `PackError`, beginning with
    ``where``, if the installed transformers has no causal language model for it or builds another
    class than the config names.
    """
    import accelerate
    from transformers import AutoModelForCausalLM
    from transformers.initialization import no_init_weights

    settings = _settings(where, config)
    try:
        with accelerate.init_empty_weights(include_buffers=False), no_init_weights():
            build: Any = AutoModelForCausalLM.from_config  # transformers leaves it untyped
            model: PreTrainedModel = build(settings, trust_remote_code=False)
    except Exception as error:  # transformers raises whatever the config provokes
        raise _unsupported(where, config, error) from None
    name, named = type(model).__name__, config.get("architectures")
    if named != [name]:
        raise PackError(f"{where}: names the architectures {named}, not [{name!r}]. Correct it.")
    return model


def read_architecture(model: PreTrainedModel) -> Architecture:
    """Return the architecture of a model that `build_model` returned."""
    tied = dict(model.all_tied_weights_keys)
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    return Architecture(
        name=type(model).__name__,
        shapes={key: shape for key, shape in shapes.items() if key not in tied},
        tied=tied,
        context=getattr(model.config, "max_position_embeddings", None),
        vocabulary=getattr(model.config, "vocab_size", None),
    )


def require_fit(
    where: str, architecture: Architecture, shapes: Mapping[str, tuple[int, ...]]
) -> None:
    """Raise `PackError` naming the first tensor that is missing, unexpected or misshapen.

    Tied tensors may be present; whether they equal their source is for the caller to see.
    """
    wanted = architecture.shapes | {
        name: architecture.shapes[source] for name, source in architecture.tied.items()
    }
    if unexpected := sorted(shapes.keys() - wanted.keys()):
        what = f"tensor {unexpected[0]!r}{_more(unexpected)} does not belong to"
        raise PackError(f"{where}: {what} {architecture.name}. Give that model's weights alone.")
    if missing := sorted(architecture.shapes.keys() - shapes.keys()):
        what = f"lacks the tensor {missing[0]!r}{_more(missing)} of {architecture.name}"
        raise PackError(f"{where}: {what}. Give all of its weights.")
    for name in sorted(shapes):
        if tuple(shapes[name]) != wanted[name]:
            found, expected = list(shapes[name]), list(wanted[name])
            what = f"tensor {name!r} has shape {found}, its config says {expected}"
            raise PackError(f"{where}: {what}. Give the config that belongs to the weights.")


def _settings(where: str, config: Mapping[str, Any]) -> PreTrainedConfig:
    from transformers import CONFIG_MAPPING

    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        raise PackError(f"{where}: model_type {kind!r} is unknown to transformers. Upgrade it.")
    try:
        settings: PreTrainedConfig = CONFIG_MAPPING[kind].from_dict(dict(config))
    except Exception as error:  # transformers raises whatever the config provokes
        raise _unsupported(where, config, error) from None
    return settings


def _unsupported(where: str, config: Mapping[str, Any], error: Exception) -> PackError:
    reason = " ".join(str(error).split())[:200]
    kind = config.get("model_type")
    return PackError(f"{where}: no model of type {kind!r} comes of it: {reason}. Correct it.")


def _more(names: list[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""
