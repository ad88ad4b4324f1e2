"""What a pack is, in words and in JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_anchorgate.pack.format import chat_template, digest_file

if TYPE_CHECKING:
    from pytest_anchorgate.pack.format import Pack


def describe(pack: Pack) -> dict[str, Any]:
    """Return what ``pack`` is, as plain JSON values; reads the whole file for its sha256."""
    return {
        "path": str(pack.path),
        "sha256": digest_file(pack.path),
        "format": pack.format,
        "bytes": pack.size,
        "architecture": pack.architecture,
        "parameters": pack.parameters,
        "tied_head": pack.tied,
        "context": pack.context,
        "tokenizer": _describe_tokenizer(pack),
        "prompt_style": pack.prompt_style,
        "assets": {name: pack.asset_size(name) for name in pack.asset_names},
        "provenance": pack.provenance,
    }


def _describe_tokenizer(pack: Pack) -> dict[str, Any]:
    from pytest_anchorgate.pack.tokenizer import load_tokenizer

    where = f"{pack.path}: its asset tokenizer.json"
    tokenizer = load_tokenizer(where, pack.asset("tokenizer.json"))
    return {
        "model": type(tokenizer.model).__name__,
        "vocabulary": tokenizer.get_vocab_size(),
        "eos": {str(token): tokenizer.id_to_token(token) for token in pack.eos_token_ids},
        "chat_template": chat_template(pack) is not None,
    }


def render_description(description: dict[str, Any]) -> str:
    """Return a `describe` value as text, one fact per line."""
    tokenizer = description["tokenizer"]
    eos = ", ".join(f"{text!r} ({token})" for token, text in tokenizer["eos"].items())
    template = "with" if tokenizer["chat_template"] else "without"
    rows = {
        "pack": description["path"],
        "sha256": description["sha256"],
        "format": f"{description['format']}, {description['bytes']:,} bytes",
        "architecture": description["architecture"],
        "parameters": f"{description['parameters']:,} (BF16"
        + (", tied head stored once)" if description["tied_head"] else ")"),
        "context": f"{description['context']:,} tokens",
        "tokenizer": f"{tokenizer['model']}, {tokenizer['vocabulary']:,} tokens, ends at {eos}, "
        f"{template} chat template",
        "prompt style": description["prompt_style"] or "not set",
    }
    lines = [f"{key:13} {value}" for key, value in rows.items()]
    for name, size in description["assets"].items():
        lines.append(f"{'asset':13} {name}: {size:,} bytes")
    for key, value in sorted(description["provenance"].items()):
        lines.append(f"{'provenance':13} {key}: {value}")
    return "\n".join(lines)
