"""How the tests change a model directory and see it refused."""

from __future__ import annotations

import json

import pytest
from safetensors.torch import load_file, save_file

from pytest_anchorgate.errors import PackError
from pytest_anchorgate.pack.convert import pack_directory


def edit_json(path, **changed):
    """Change keys of a JSON file; a value of None takes the key out."""
    value = json.loads(path.read_text()) | changed
    path.write_text(json.dumps({key: item for key, item in value.items() if item is not None}))


def edit_weights(source, edit):
    path = source / "model.safetensors"
    tensors = dict(load_file(path))
    edit(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


def refused(source, tmp_path, said, **options):
    """Pack, see it refused in one line that begins with a path in the source, and leave nothing."""
    with pytest.raises(PackError, match=said) as caught:
        pack_directory(source, tmp_path / "out.planck", **options)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")
    assert not list(tmp_path.glob("*.planck*"))
