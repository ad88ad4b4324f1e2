from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_anchorgate.certificate import (
    Certificate,
    CertifiedPack,
    CertifiedTask,
    Decoding,
    Verification,
    certificate_path,
    differences,
    parse_certificate,
    read_certificate,
    render_certificate,
    sorted_tasks,
    write_certificate,
)
from pytest_anchorgate.engine.protocol import EngineIdentity
from pytest_anchorgate.errors import CertificateError, PackError
from pytest_anchorgate.verify import Status
from tests.strategies import certificates

if TYPE_CHECKING:
    from pathlib import Path


def certified(task_id: str, suite: str = "anchor", **more: Any) -> CertifiedTask:
    facts: dict[str, Any] = {"task": "d" * 64, "status": Status.PASSED} | more
    return CertifiedTask(id=task_id, suite=suite, **facts)


def certificate(*tasks: CertifiedTask, **more: Any) -> Certificate:
    facts: dict[str, Any] = {
        "schema": 1,
        "pack": CertifiedPack(name="tiny.planck", sha256="a" * 64),
        "engine": EngineIdentity(
            engine="transformers", versions=(("torch", "2.13.0"),), device="cpu", dtype="float32"
        ),
        "decoding": Decoding(prompt="docstring", max_new_tokens=512),
        "verification": Verification(version="verify.2", timeout_s=3.0),
        "trained_on": (),
        "tasks": sorted_tasks(tasks),
    }
    return Certificate(**facts | more)


GOLDEN = """\
{
 "schema": 1,
 "pack": {"name": "tiny.planck", "sha256": "%s"},
 "engine": {"engine": "transformers", "versions": {"torch": "2.13.0"}, "device": "cpu", \
"dtype": "float32", "attention": "sdpa"},
 "decoding": {"prompt": "docstring", "max_new_tokens": 512},
 "verification": {"version": "verify.2", "timeout_s": 3.0},
 "trained_on": [],
 "tasks": [
  {"id": "é", "suite": "anchor", "sample": 0, "sentinel": true, "task": "%s", \
"prompt_ids": null, "status": "passed", "reason": "", "token_ids": [1, 2], \
"completion": "return 1\\n", "margin": 0.25, "seconds": 0.5}
 ]
}
"""


def test_a_certificate_is_written_as_documented() -> None:
    task = certified(
        "é", sentinel=True, token_ids=(1, 2), completion="return 1\n", margin=0.25, seconds=0.5
    )
    assert render_certificate(certificate(task)) == GOLDEN % ("a" * 64, "d" * 64)


@given(certificates())
def test_what_is_written_is_read_back(made: Certificate) -> None:
    text = render_certificate(made)
    read = parse_certificate(text.encode("utf-8", "backslashreplace"), "x.json")
    assert read == made
    assert render_certificate(read) == text


@given(certificates(), st.randoms())
def test_the_order_in_which_tasks_came_changes_nothing(made: Certificate, random: Any) -> None:
    tasks = list(made.tasks)
    random.shuffle(tasks)
    assert sorted_tasks(tasks) == made.tasks


def test_tasks_are_in_the_order_that_people_count() -> None:
    ids = ["MBPP/10", "MBPP/9", "MBPP/9-x", "MBPP"]
    found = sorted_tasks(certified(task_id) for task_id in ids)
    assert [task.id for task in found] == ["MBPP", "MBPP/9", "MBPP/9-x", "MBPP/10"]


def test_samples_have_keys_of_their_own() -> None:
    assert certified("MBPP/9", "mbpp").key == "mbpp:MBPP/9"
    assert certified("MBPP/9", "mbpp", sample=2).key == "mbpp:MBPP/9-s2"


def change(path: str, value: Any) -> bytes:
    """Return a certificate's text with one value put in, or taken out with ``...``."""
    plain = json.loads(render_certificate(certificate(certified("a"), certified("b"))))
    *way, last = path.split(".")
    place = plain
    for step in way:
        place = place[int(step)] if step.isdecimal() else place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return json.dumps(plain).encode()


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (b"", "x.json: is no certificate: Input data was truncated."),
        (b"[]", "x.json: is no certificate: Expected `object`, got `array`."),
        (b"{}", "x.json: is no certificate: Object missing required field `schema`."),
        (change("schema", 2), "x.json: is no certificate: schema: Invalid enum value 2."),
        (change("pack.sha256", "zz"), "x.json: is no certificate: pack.sha256: Expected `str` "),
        (change("engine", 3), "x.json: is no certificate: engine: Expected `object`, got `int`."),
        (change("extra", 3), "x.json: is no certificate: Object contains unknown field `extra`."),
        (
            change("tasks.1.status", "solved"),
            "x.json: is no certificate: tasks[1].status: Invalid enum value 'solved'.",
        ),
        (
            change("tasks.1.status", "error"),
            "x.json: 'anchor:b' has the status 'error', which is no verdict.",
        ),
        (
            change("tasks.0.id", "c"),
            "x.json: 'anchor:c' stands where 'anchor:b' belongs. The file was edited by hand.",
        ),
        (
            change("tasks.0.id", "b"),
            "x.json: 'anchor:b' stands there twice. The file was edited by hand.",
        ),
        (change("tasks.0.task", ...), "tasks[0]: Object missing required field `task`."),
        (change("tasks.0.seconds", -1), "tasks[0].seconds: Expected `float` >= 0.0."),
    ],
)
def test_what_is_no_certificate_is_said_in_one_line(content: bytes, wrong: str) -> None:
    with pytest.raises(CertificateError) as caught:
        parse_certificate(content, "x.json")
    assert wrong in str(caught.value)
    assert str(caught.value).endswith("Write one with `pytest --gate-certify`.")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match=r"none\.json: cannot be read: No such file"):
        read_certificate(tmp_path / "none.json")


def test_a_certificate_lies_beside_its_pack(tmp_path: Path) -> None:
    path = certificate_path(tmp_path / "packs", "somewhere/v3.planck")
    assert path == tmp_path / "packs" / "certificates" / "v3.json"
    write_certificate(path, certificate(certified("a")))
    assert read_certificate(path) == certificate(certified("a"))
    assert [found.name for found in path.parent.iterdir()] == ["v3.json"]


def test_a_certificate_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "certificates").write_text("in the way")
    with pytest.raises(PackError, match=r"certificates/v3\.json: cannot be written: "):
        write_certificate(certificate_path(tmp_path, "v3"), certificate())


def test_differences_are_named() -> None:
    ours = certificate()
    theirs = certificate(
        engine=EngineIdentity(engine="x", versions=(), device="cpu", dtype="float32"),
        verification=Verification(version="verify.2", timeout_s=4.0),
    )
    assert differences(ours, ours) == ()
    assert differences(ours, theirs) == ("engine", "verification")
