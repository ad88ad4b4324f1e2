"""The `planck` metadata string: its keys, its checksum, its one canonical text.

Specified in docs/planck-format.md.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from pytest_anchorgate.pack.header import damaged

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_anchorgate.pack.header import Header

FORMAT = 1
PROMPT_STYLES = ("docstring", "paper", "completion", "chat")
# A header's first bytes: `checksum` sorts first in the planck string, so it lies at a fixed place.
CHECKSUM_PREFIX = b'{"__metadata__":{"planck":"{\\"checksum\\":\\"'
UNSEALED = "0" * 64
_KEYS = {"checksum", "config", "format", "generation_config", "provenance", "sha256"}


def canonical_json(value: Mapping[str, Any]) -> str:
    """Return the one JSON text of ``value``: sorted by code point, compact, UTF-8, no NaN."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def seal(header: bytes) -> bytes:
    """Return ``header``, written with 64 zeros as its checksum, with the checksum put in."""
    digest = _checksum(header).encode()
    at = len(CHECKSUM_PREFIX)
    return header[:at] + digest + header[at + 64 :]


def _checksum(header: bytes) -> str:
    at = len(CHECKSUM_PREFIX)
    digest = hashlib.sha256(header[:at])
    digest.update(UNSEALED.encode())
    digest.update(memoryview(header)[at + 64 :])
    return digest.hexdigest()


def require_checksum(header: Header, fields: dict[str, Any]) -> None:
    """Raise `PackError` unless the header has the checksum that it says."""
    if not header.raw.startswith(CHECKSUM_PREFIX) or header.metadata.keys() != {"planck"}:
        raise damaged(header.path, "its header does not begin with the planck checksum alone")
    said, found = fields.get("checksum"), _checksum(header.raw)
    if said != found:
        said = f"{said[:12]}..." if isinstance(said, str) else repr(said)
        raise damaged(header.path, f"its header has checksum {found[:12]}..., but says {said}")


def require_fields(path: Path, fields: dict[str, Any]) -> None:
    """Raise `PackError` unless the planck string has exactly the keys and types of the format."""
    if unknown := sorted(fields.keys() - _KEYS - {"prompt_style"}):
        raise damaged(path, f"its planck metadata has the unknown key {unknown[0]!r}")
    if missing := sorted(_KEYS - fields.keys()):
        raise damaged(path, f"its planck metadata lacks the key {missing[0]!r}")
    if fields["format"] != FORMAT or type(fields["format"]) is not int:
        raise damaged(path, f"its format is {fields['format']!r}, not {FORMAT}")
    for key in ("config", "generation_config"):
        if not isinstance(fields[key], dict):
            raise damaged(path, f"its {key} is {fields[key]!r}, not an object")
    for key in ("provenance", "sha256"):
        if not _is_strings(fields[key]):
            raise damaged(path, f"its {key} is not an object of strings")
    style = fields.get("prompt_style", "docstring")
    if style not in PROMPT_STYLES:
        raise damaged(path, f"its prompt_style is {style!r}, none of {', '.join(PROMPT_STYLES)}")
    if problem := model_problem(fields["config"], fields["generation_config"]):
        raise damaged(path, problem)


def model_problem(config: Mapping[str, Any], generation_config: Mapping[str, Any]) -> str | None:
    """Say what a runtime would miss in a pack's two configurations, or None."""
    architectures = config.get("architectures")
    if not isinstance(architectures, list) or not architectures:
        return f"its config names the architectures {architectures!r}, not a list of names"
    if not isinstance(architectures[0], str) or not architectures[0]:
        return f"its config names the architectures {architectures!r}, not a list of names"
    for key in ("max_position_embeddings", "vocab_size"):
        if type(config.get(key)) is not int or config[key] < 1:
            return f"its config has {key} {config.get(key)!r}, not a number above 0"
    if type(config.get("tie_word_embeddings")) is not bool:
        tied = config.get("tie_word_embeddings")
        return f"its config has tie_word_embeddings {tied!r}, not true or false"
    eos, vocabulary = generation_config.get("eos_token_id"), config["vocab_size"]
    if not isinstance(eos, list) or not eos:
        return f"its generation_config has eos_token_id {eos!r}, not a list of token ids"
    if not all(type(token) is int and 0 <= token < vocabulary for token in eos):
        return f"its eos_token_id {eos!r} is not within the vocabulary of {vocabulary}"
    return None


def _is_strings(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())
