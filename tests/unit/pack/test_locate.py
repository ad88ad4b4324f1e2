from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_anchorgate.errors import PackError
from pytest_anchorgate.pack.locate import find_pack


@pytest.fixture
def packs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = Path("packs")
    folder.mkdir()
    for name in ("demo-v1.planck", "demo-v2.planck"):
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    "argument", ["packs/demo-v1.planck", "packs/demo-v1", "demo-v1.planck", "demo-v1"]
)
def test_a_pack_is_found_by_path_and_by_name(packs, argument):
    assert find_pack(argument, packs) == packs / "demo-v1.planck"
    assert find_pack(Path(argument), packs) == packs / "demo-v1.planck"


def test_an_absolute_path_is_itself(packs):
    path = packs.resolve() / "demo-v1.planck"
    assert find_pack(path, packs) == path


def test_a_path_that_exists_holds_against_the_same_name_in_packs(packs):
    Path("demo-v1.planck").touch()
    assert find_pack("demo-v1.planck", packs) == Path("demo-v1.planck")


@pytest.mark.parametrize("argument", ["demo-v3", "dmo-v2.planck", "elsewhere/demo-v2"])
def test_a_miss_names_the_nearest_pack(packs, argument):
    with pytest.raises(PackError, match=rf"^{argument}: no such pack\. The nearest in packs is de"):
        find_pack(argument, packs)


def test_a_miss_where_there_are_no_packs(tmp_path):
    with pytest.raises(PackError, match=r"no such pack\. Nothing in .*no ends in \.planck"):
        find_pack("demo", tmp_path / "no")


def test_a_model_directory_names_the_command_that_packs_it(packs):
    for name, command in (
        ("qwen-dir", "`anchorgate pack qwen-dir packs/qwen-dir.planck`"),
        ("my model", "`anchorgate pack 'my model' 'packs/my model.planck'`"),
    ):
        Path(name).mkdir()
        (Path(name) / "config.json").touch()
        with pytest.raises(PackError, match=re.escape(command)):
            find_pack(name, packs)


def test_another_directory_is_no_pack(packs):
    with pytest.raises(PackError, match=r"^packs: is a directory, not a pack\."):
        find_pack("packs", packs)
