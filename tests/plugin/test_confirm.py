"""`anchorgate check-certificate`: does a certificate belong to a pack and to these tasks?"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from tokenizers import Tokenizer

from pytest_anchorgate import answers, cli
from pytest_anchorgate.errors import CanaryError
from pytest_anchorgate.pack.format import digest_file, read_pack
from pytest_anchorgate.tasks.mbpp import docstring_prompt
from pytest_anchorgate.verify import VERIFIER_VERSION
from tests.plugin.conftest import body, prompt, row
from tests.shared import once

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.plugin.conftest import GateProject

WHERE = "packs/certificates/tiny.json"
AGAIN = "Restore what was changed, or gate the pack again with --gate-certify."
PLAIN = f"""import pytest

@pytest.mark.anchor
@pytest.mark.parametrize("n", [2, 3])
def test_counts(planck, n):
    assert "return" in planck.complete({prompt("two")!r})

class TestMore:
    @pytest.mark.anchor
    def test_more(self, planck):
        assert planck.complete({prompt("three")!r})
"""
MBPP = {  # name: what the model says
    "right": "def right(n):\n    return n\n",
    "false": "def false(n):\n    return n + 1\n",
    "endless": "def endless(n):\n    while True: pass\n",
}


def mbpp_row(number: int, name: str, test: str = "assert {}(1) == 1") -> dict[str, Any]:
    text = f"Write {name}."
    code = f"def {name}(n): pass\n"
    return {"task_id": number, "text": text, "code": code, "test_list": [test.format(name)]}


@dataclass(frozen=True)
class Certified:
    """A project whose certificate a gate wrote, and the command that looks at it."""

    project: GateProject
    capsys: pytest.CaptureFixture[str]

    @property
    def path(self) -> Path:
        return self.project.path

    @property
    def file(self) -> Path:
        return self.project.certificate()

    def edit(self, name: str = "", **changed: Any) -> None:
        """Change the certificate, or the task ``name`` in it."""
        value = json.loads(self.file.read_text())
        tasks = [task for task in value["tasks"] if task["id"] == name]
        for place in tasks if name else [value]:
            place.update(changed)
        self.file.write_text(json.dumps(value))

    def write_mbpp(self, *rows: dict[str, Any]) -> None:
        (self.path / "mbpp.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def check(self, *arguments: str) -> tuple[int, list[str], list[str]]:
        """Return the command's exit status, the lines of its output, and those of its errors."""
        self.capsys.readouterr()
        status = cli.main(["check-certificate", *arguments])
        captured = self.capsys.readouterr()
        return status, captured.out.splitlines(), captured.err.splitlines()

    def quick(self, *arguments: str) -> tuple[int, list[str]]:
        """Return exit status and errors without judging anything again."""
        status, _, errors = self.check("--no-verify", *arguments)
        return status, errors


@pytest.fixture
def certified(
    project: GateProject,
    capsys: pytest.CaptureFixture[str],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Certified:
    """All of it is as it was certified: four rows, three plain tests, three tasks of MBPP."""
    monkeypatch.chdir(project.path)
    made = Certified(project, capsys)
    made.write_mbpp(*(mbpp_row(number, name) for number, name in enumerate(MBPP, start=1)))
    with (project.path / "pytest.ini").open("a") as ini:
        ini.write("gate_mbpp = mbpp.jsonl\n")
    (project.path / "tests" / "gate" / "test_plain.py").write_text(PLAIN)
    said = json.loads((project.path / "answers.json").read_text())
    for name, answer in MBPP.items():
        said[docstring_prompt(f"Write {name}.", f"assert {name}(1) == 1")] = answer
    (project.path / "answers.json").write_text(json.dumps(said))

    def certify(path: Path) -> None:
        options = ("-m", "anchor or mbpp", "--gate-certify", "--gate-timeout=0.5")
        result = project.run("--pack", "tiny", *options)
        assert result.ret == 0
        shutil.copy(project.certificate(), path)

    certificate = once(tmp_path_factory, "certified.json", certify)
    made.file.parent.mkdir(exist_ok=True)
    shutil.copy(certificate, made.file)
    project.write_production()
    return made


def test_a_certificate_as_the_gate_wrote_it_holds(certified: Certified) -> None:
    digest = digest_file(certified.path / "packs" / "tiny.planck")
    assert certified.check() == (0, [
        f"certificate  {WHERE}: 10 tasks, each once and in order",
        f"pack         packs/tiny.planck: has the certified sha256 {digest}",
        "production   packs/production.toml: names tiny.planck with this sha256",
        "anchors      4 rows, 3 plain tests: the certified text and tests",
        "mbpp         3: the certified text and tests",
        "answers      7: docstring prompts and completions as the certified token ids",
        "verdicts     6: the certified verdicts, each completion judged again",
        "not checked  timeouts: mbpp:MBPP/3",
        f"{WHERE}: holds, but for what was not checked",
    ], [])  # fmt: skip


@pytest.mark.parametrize("name", ["tiny", "packs/tiny", "packs/tiny.planck"])
def test_certificate_and_pack_may_be_named(certified: Certified, name: str) -> None:
    (certified.path / "packs" / "production.toml").unlink()
    shutil.move(certified.file, certified.path / "mine.json")
    arguments = ("mine.json", "--no-verify", "--pack", name, "-m", "anchor")
    status, lines, errors = certified.check(*arguments)
    assert (status, errors) == (0, [])
    assert lines[2:] == [
        "anchors      4 rows, 3 plain tests: the certified text and tests",
        "not checked  mbpp: 3 tasks, whose file was not given",
        "answers      4: docstring prompts and completions as the certified token ids",
        "not checked  verdicts: no completion was judged again",
        "mine.json: holds, but for what was not checked",
    ]


def test_with_nothing_left_out_it_holds(certified: Certified) -> None:
    value = json.loads(certified.file.read_text())
    value["tasks"] = [task for task in value["tasks"] if task["id"] != "MBPP/3"]
    certified.file.write_text(json.dumps(value))
    status, lines, _ = certified.check()
    assert (status, lines[-1]) == (0, f"{WHERE}: holds")
    assert (
        "mbpp         2 (1 more in the file are not certified): the certified text and" in lines[4]
    )


# The pack


def test_another_packs_certificate(certified: Certified) -> None:
    digest = digest_file(certified.path / "packs" / "tiny.planck")
    certified.edit(pack={"name": "tiny.planck", "sha256": "a" * 64})
    assert certified.quick() == (1, [
        f"anchorgate: packs/tiny.planck: has sha256 {digest}, {WHERE} certifies {'a' * 64}. "
        "Restore the pack, or the certificate that belongs to it.",
        f"anchorgate: {WHERE}: is the certificate of a pack with sha256 {'a' * 64}, "
        f"packs/production.toml says {digest}. Restore the one that belongs to the pack.",
    ])  # fmt: skip


def test_other_bytes_than_the_certified_ones(certified: Certified) -> None:
    pack = certified.path / "packs" / "tiny.planck"
    pack.write_bytes(pack.read_bytes()[:-1] + b"?")
    status, errors = certified.quick()
    assert (status, len(errors)) == (1, 1)
    assert f"packs/tiny.planck: has sha256 {digest_file(pack)}, {WHERE} certifies " in errors[0]


def test_a_pack_that_is_not_here_is_said_to_be(certified: Certified) -> None:
    (certified.path / "packs" / "tiny.planck").unlink()
    status, lines, errors = certified.check()
    assert (status, errors) == (0, [])
    assert lines[1] == "not checked  pack: packs/tiny.planck is not here"
    assert "not checked  prompts and token ids: the certified pack's bytes are not here" in lines
    assert "verdicts     6: the certified verdicts, each completion judged again" in lines


def test_answers_to_chat_prompts_are_judged_without_the_packs_template(
    certified: Certified,
) -> None:
    (certified.path / "packs" / "tiny.planck").unlink()
    certified.edit(decoding={"prompt": "chat", "max_new_tokens": 512})
    assert certified.check()[::2] == (0, [])


POINTER = "version https://git-lfs.github.com/spec/v1\n{}size 94000\n"


@pytest.mark.parametrize(
    ("oid", "wrong"),
    [
        ("oid sha256:{right}\n", None),
        (f"oid sha256:{'b' * 64}\n", "b" * 64),
        ("", "none"),
        ("oid sha256:short\n", "none"),
    ],
)
def test_a_git_lfs_pointer_tells_the_digest(
    certified: Certified, oid: str, wrong: str | None
) -> None:
    pack = certified.path / "packs" / "tiny.planck"
    digest = digest_file(pack)
    pack.write_text(POINTER.format(oid.format(right=digest)))
    status, lines, errors = certified.check("--no-verify")
    if wrong is None:
        assert (status, errors) == (0, [])
        pointer = f"is a Git LFS pointer to the certified sha256 {digest}"
        assert lines[1] == f"pack         packs/tiny.planck: {pointer}"
        assert lines[5].startswith("not checked  prompts and token ids: ")
    else:
        assert status == 1
        assert errors == [
            f"anchorgate: packs/tiny.planck: is a Git LFS pointer to sha256 {wrong}, {WHERE} "
            f"certifies {digest}. Restore the pack, or the certificate that belongs to it."
        ]


def test_production_may_be_another_pack(certified: Certified) -> None:
    shutil.copy(certified.path / "packs" / "tiny.planck", certified.path / "packs" / "new.planck")
    certified.project.write_production("new")
    status, lines, errors = certified.check(WHERE, "--no-verify")
    assert (status, errors) == (0, [])
    assert not [line for line in lines if line.startswith("production")]


# The tasks


def remove_anchor(certified: Certified) -> None:
    lines = (certified.path / "anchors.jsonl").read_text().splitlines(keepends=True)
    (certified.path / "anchors.jsonl").write_text("".join(lines[1:]))


def change_tests(certified: Certified) -> None:
    path = certified.path / "anchors.jsonl"
    path.write_text(path.read_text().replace("two(1) == 4", "two(1) in (3, 4)"))


def add_anchor(certified: Certified) -> None:
    with (certified.path / "anchors.jsonl").open("a") as file:
        file.write(json.dumps(row("fifteen")) + "\n")


def in_plain(before: str, after: str) -> Callable[[Certified], None]:
    def change(certified: Certified) -> None:
        path = certified.path / "tests" / "gate" / "test_plain.py"
        assert before in path.read_text()
        path.write_text(path.read_text().replace(before, after))

    return change


def in_mbpp(*rows: dict[str, Any]) -> Callable[[Certified], None]:
    return lambda certified: certified.write_mbpp(*rows)


CHANGED = f"its text or tests are not those that {WHERE} certifies. Restore them, or waive the "
NEW = f"is an anchor that {WHERE} does not certify. {AGAIN}"
GONE = f"and no file here holds it. {AGAIN}"
TESTS = "anchor:tests/gate/test_plain.py"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(remove_anchor, [f"{WHERE}: certifies anchor:own/two, {GONE}"], id="gone"),
        pytest.param(change_tests, [f"anchor:own/two: {CHANGED}"], id="tests"),
        pytest.param(add_anchor, [f"anchor:own/fifteen: {NEW}"], id="new"),
        pytest.param(
            in_plain('"return" in', "'' in"),
            [f"{TESTS}::test_counts[{n}]: {CHANGED}" for n in (2, 3)],
            id="plain, changed",
        ),
        pytest.param(
            in_plain("def test_more", "def test_other"),
            [
                f"{TESTS}::TestMore::test_other: {NEW}",
                f"{WHERE}: certifies {TESTS}::TestMore::test_more, {GONE}",
            ],
            id="plain, renamed",
        ),
        pytest.param(
            in_mbpp(mbpp_row(1, "right"), mbpp_row(2, "false", "assert {}(1) == 2")),
            [
                f"{WHERE}: certifies mbpp:MBPP/3, {GONE}",
                f"mbpp:MBPP/2: {CHANGED}",
            ],
            id="mbpp",
        ),
    ],
)
def test_tasks_that_are_not_the_certified_ones(
    certified: Certified, change: Callable[[Certified], None], said: list[str]
) -> None:
    change(certified)
    status, errors = certified.quick()
    assert status == 1
    assert len(errors) == len(said)
    for error, start in zip(errors, said, strict=True):
        assert error.startswith(f"anchorgate: {start}")


def test_waived_anchors_may_be_gone_or_changed_and_not_lost(certified: Certified) -> None:
    (certified.path / "anchors").mkdir()
    names = ["own/two", "own/three", "own/seven"]
    waiver = '[[waiver]]\ntask = "{}"\nreason = "r"\nowner = "o"\nexpires = {}\n'
    waivers = certified.path / "anchors" / "waivers.toml"
    waivers.write_text("".join(waiver.format(name, "2999-01-01") for name in names))
    remove_anchor(certified)
    path = certified.path / "anchors.jsonl"
    path.write_text(path.read_text().replace("three(1) == 6", "three(1) in (5, 6)"))
    status, lines, errors = certified.check("--no-verify")
    assert (status, errors) == (0, [])
    assert "not checked  waived anchors: own/seven, own/three, own/two" in lines
    certified.edit("own/seven", status="failed")
    (error,) = certified.quick()[1]
    assert "certifies anchor:own/seven as failed, and an anchor is a task that " in error
    waivers.write_text("".join(waiver.format(name, "2020-01-01") for name in names))
    assert len(certified.quick()[1]) == 3


def test_anchors_may_all_be_plain_tests(certified: Certified) -> None:
    ini = (certified.path / "pytest.ini").read_text()
    (certified.path / "pytest.ini").write_text(ini.replace("gate_anchors = anchors.jsonl", ""))
    status, errors = certified.quick()
    assert (status, len(errors)) == (1, 4)
    assert all("certifies anchor:own/" in error for error in errors)


def test_without_anchors_they_are_not_checked(certified: Certified) -> None:
    remove_anchor(certified)
    status, lines, _ = certified.check("--no-verify", "-m", "mbpp")
    assert status == 0
    assert "not checked  anchor: 7 tasks, whose file was not given" in lines


# The answers


def test_a_failing_task_said_to_pass(certified: Certified) -> None:
    certified.edit("MBPP/2", status="passed")
    status, _, errors = certified.check()
    assert (status, errors) == (1, [
        f"anchorgate: {WHERE}: certifies mbpp:MBPP/2 as passed, its completion is judged as "
        f"failed (assert 2 == 1). {AGAIN}"
    ])  # fmt: skip
    assert certified.quick() == (0, [])


def test_an_anchor_said_to_fail(certified: Certified) -> None:
    certified.edit("own/two", status="failed")
    status, _, errors = certified.check()
    assert (status, errors) == (1, [
        f"anchorgate: {WHERE}: certifies anchor:own/two as failed, and an anchor is a task that "
        f"its pack solves. {AGAIN}",
        f"anchorgate: {WHERE}: certifies anchor:own/two as failed, its completion is judged as "
        f"passed. {AGAIN}",
    ])  # fmt: skip


def test_a_plain_test_said_to_fail(certified: Certified) -> None:
    certified.edit("tests/gate/test_plain.py::TestMore::test_more", status="failed")
    status, errors = certified.quick()
    assert (status, len(errors)) == (1, 1)
    assert f"certifies {TESTS}::TestMore::test_more as failed, and an anchor is " in errors[0]


def test_another_completion(certified: Certified) -> None:
    certified.edit("own/two", completion="    return 3 + n\n")
    assert certified.check()[::2] == (1, [
        f"anchorgate: {WHERE}: the completion of anchor:own/two is '    return 3 + n\\n', its "
        f"token ids read '    return n + 3\\n'. {AGAIN}"
    ])  # fmt: skip


def test_other_token_ids(certified: Certified) -> None:
    task = next(t for t in json.loads(certified.file.read_text())["tasks"] if t["id"] == "own/two")
    certified.edit("own/two", token_ids=task["token_ids"][:-1])
    status, errors = certified.quick()
    assert (status, len(errors)) == (1, 1)
    assert "is '    return n + 3\\n', its token ids read '    return n + 3'. " in errors[0]


def test_an_eos_and_what_a_stop_sequence_cut_are_no_text(certified: Certified) -> None:
    pack = read_pack(certified.path / "packs" / "tiny.planck")
    tokenizer = Tokenizer.from_str(pack.asset("tokenizer.json").decode())
    ids = tokenizer.encode("    return n + 3\nprint(two(3))\n").ids
    certified.edit("own/two", token_ids=ids, completion="    return n + 3")
    certified.edit(
        "own/three", token_ids=[*tokenizer.encode(body("three")).ids, pack.eos_token_ids[0]]
    )
    assert certified.check()[::2] == (0, [])


def test_other_prompt_ids(certified: Certified) -> None:
    certified.edit("own/two", prompt_ids="c" * 64)
    status, errors = certified.quick()
    assert (status, len(errors)) == (1, 1)
    assert f"{WHERE}: anchor:own/two has prompt ids with the digest {'c' * 64}, its " in errors[0]


def test_a_task_that_was_never_asked_was_not_solved(certified: Certified) -> None:
    (certified.path / "packs" / "tiny.planck").unlink()
    certified.edit("own/two", prompt_ids=None)
    assert certified.check()[::2] == (1, [
        f"anchorgate: {WHERE}: certifies anchor:own/two as passed, and it has no prompt ids: it "
        f"was never asked. {AGAIN}"
    ])  # fmt: skip


def test_a_task_that_did_not_fit_the_context_has_no_prompt_ids(certified: Certified) -> None:
    task = next(t for t in json.loads(certified.file.read_text())["tasks"] if t["id"] == "MBPP/2")
    assert task["prompt_ids"]
    certified.edit(decoding={"prompt": "docstring", "max_new_tokens": 4000})
    for name in ("own/two", "own/three", "own/seven", "own/eleven", "MBPP/1", "MBPP/2", "MBPP/3"):
        certified.edit(name, prompt_ids=None, token_ids=[], completion="", status="failed")
    errors = certified.quick()[1]
    assert [error.partition("certifies ")[2].partition(",")[0] for error in errors] == [
        f"anchor:own/{name} as failed" for name in ("eleven", "seven", "three", "two")
    ]


def test_a_style_that_there_is_not(certified: Certified) -> None:
    certified.edit(decoding={"prompt": "haiku", "max_new_tokens": 512})
    said = f"anchorgate: {WHERE}: decoding.prompt = 'haiku' is no prompt style. {AGAIN}"
    assert certified.check()[::2] == (1, [said])


def test_verdicts_of_another_verifier_are_judged_with_a_note(certified: Certified) -> None:
    certified.edit(verification={"version": "verify.0", "timeout_s": 0.5})
    status, lines, _ = certified.check()
    assert status == 0
    note = f"not checked  verifier: certified with verify.0, judged with {VERIFIER_VERSION}"
    assert note in lines


def test_a_timeout_of_today_proves_nothing(certified: Certified) -> None:
    certified.edit("MBPP/3", status="failed")
    status, lines, errors = certified.check()
    assert (status, errors) == (0, [])
    assert "not checked  timeouts: mbpp:MBPP/3" in lines


def test_a_sandbox_that_cannot_be_believed(
    certified: Certified, monkeypatch: pytest.MonkeyPatch
) -> None:
    def surprise(_: object) -> None:
        raise CanaryError("sandbox: the canary 'wrong' must end otherwise. Nothing is believed.")

    monkeypatch.setattr(answers, "require_canaries", surprise)
    said = "anchorgate: sandbox: the canary 'wrong' must end otherwise. Nothing is believed."
    assert certified.check()[::2] == (1, [said])


# All of it


def test_everything_that_is_wrong_is_printed_in_order(certified: Certified) -> None:
    add_anchor(certified)
    certified.edit("own/two", completion="    return 0\n")
    certified.edit(pack={"name": "tiny.planck", "sha256": "a" * 64})
    status, lines, errors = certified.check()
    assert status == 1
    assert [error.split(" ")[1] for error in errors] == [
        "packs/tiny.planck:", f"{WHERE}:", "anchor:own/fifteen:", f"{WHERE}:"
    ]  # fmt: skip
    assert "judged as failed" in errors[-1]
    assert not any("holds" in line for line in lines)
    assert "mbpp         3: the certified text and tests" in lines


def test_a_certificate_edited_out_of_order(certified: Certified) -> None:
    value = json.loads(certified.file.read_text())
    value["tasks"].reverse()
    certified.file.write_text(json.dumps(value))
    status, errors = certified.quick()
    assert (status, len(errors)) == (1, 1)
    assert "'mbpp:MBPP/3' stands where 'anchor:own/eleven' belongs." in errors[0]


def test_names_that_would_move_the_cursor_are_escaped(certified: Certified) -> None:
    certified.edit("MBPP/3", suite="mine\x1b[31m")
    status, lines, _ = certified.check("--no-verify")
    assert status == 0
    assert "not checked  mine\\x1b[31m: 1 tasks, whose file was not given" in lines


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["other.json"], 1, "other.json: cannot be read: No such file or directory. "),
        (["--pack=other"], 1, "other: no such pack. The nearest in "),
        ([WHERE, "b.json"], 2, "b.json: is one certificate too many. Name one, or none for "),
        (["--gate-anchors", "no.jsonl"], 2, "no.jsonl: cannot be read: No such file or directory"),
        (["--gate-sandbox=none"], 2, "--gate-sandbox=none: is not auto, namespaces, "),
        (["--nonsense"], 2, "unrecognized arguments: --nonsense"),
    ],
)
def test_a_mistake_is_one_line(
    certified: Certified, arguments: list[str], status: int, said: str
) -> None:
    found = certified.quick(*arguments)
    assert (found[0], len(found[1])) == (status, 1)
    assert found[1][0].startswith("anchorgate: ")
    assert said in found[1][0]


def test_without_production_no_certificate_is_named(certified: Certified) -> None:
    (certified.path / "packs" / "production.toml").unlink()
    status, errors = certified.quick()
    assert (status, len(errors)) == (2, 1)
    assert "production.toml: does not exist, so no certificate is named. Name one." in errors[0]


def test_it_works_from_a_folder_within_and_loads_no_torch(certified: Certified) -> None:
    (certified.path / "inner").mkdir()
    code = (
        "import sys; from pytest_anchorgate.cli import main;"
        "status = main(['check-certificate', '--no-verify']);"
        "print(status, [n for n in ('torch', 'transformers', 'numpy') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=certified.path / "inner",
        capture_output=True,
        text=True,
    )
    assert done.stdout.endswith("\n0 []\n"), done.stdout + done.stderr
