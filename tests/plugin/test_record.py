"""`anchorgate anchors record`: from a pack to anchors."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING

import pytest

from pytest_anchorgate.tasks.mbpp import docstring_prompt
from tests.plugin.conftest import row
from tests.plugin.recorder import Recorder, make_recorder, run_script

if TYPE_CHECKING:
    from tests.plugin.conftest import GateProject


@pytest.fixture
def recorder(
    project: GateProject, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Recorder:
    return make_recorder(project, capsys, monkeypatch)


def test_what_is_solved_twice_becomes_an_anchor(recorder: Recorder) -> None:
    status, out, err = recorder.record()
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[:2] == [
        "packs/tiny.planck: 4 of 4 tasks solved, 4 of them again with the same answer",
        "anchors/mine.jsonl: 4 anchors, 1 of them sentinels",
    ]
    before = (recorder.path / "anchors.jsonl").read_bytes().splitlines()
    assert [json.loads(text)["id"] for text in before] == [
        json.loads(text)["id"] for text in recorder.rows()
    ]
    changed = [(old, new) for old, new in zip(before, recorder.rows(), strict=True) if old != new]
    ((old, new),) = changed
    assert new == old[:-1] + b', "sentinel": true}'
    assert list((recorder.path / "temporary").iterdir()) == []


def test_the_next_command_certifies_what_was_recorded(recorder: Recorder) -> None:
    _, out, _ = recorder.record("--gate-max-new-tokens=100")
    command = out.splitlines()[-1]
    assert command == (
        "next: pytest -m anchor --pack=tiny --gate-max-new-tokens=100 "
        "--gate-anchors=anchors/mine.jsonl --gate-certify"
    )
    result = recorder.project.run(*shlex.split(command)[2:])
    assert result.ret == 0
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["answers*0 generated*4 reused*"])
    certificate = json.loads(recorder.project.certificate().read_text())
    assert sum(task["sentinel"] for task in certificate["tasks"]) == 1


def test_next_to_productions_anchors_the_new_ones_belong_into_the_ini_file(
    certified: GateProject,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorder = make_recorder(certified, capsys, monkeypatch)
    (recorder.path / "loads.log").unlink(missing_ok=True)
    recorder.project.answer("nineteen", "    return n + 8\n")
    (recorder.path / "new.jsonl").write_text(json.dumps(row("nineteen")) + "\n")
    _, out, _ = recorder.record("--gate-anchors=new.jsonl")
    step = "next: add anchors/mine.jsonl to gate_anchors, as production has 4 anchors more; then "
    assert out.splitlines()[1] == "anchors/mine.jsonl: 1 anchor, 0 of them sentinels"
    assert out.splitlines()[2].startswith(step)
    ini = (recorder.path / "pytest.ini").read_text()
    ini = ini.replace("gate_anchors = anchors.jsonl", "gate_anchors =\n anchors.jsonl\n {}")
    (recorder.path / "pytest.ini").write_text(ini.format("anchors/mine.jsonl"))
    result = recorder.project.run(*shlex.split(out.splitlines()[2].removeprefix(step))[1:])
    assert result.ret == 0
    result.stdout.fnmatch_lines(["ACCEPTED: *", "note *certificate written to *"])


def test_the_second_run_is_another_one(recorder: Recorder) -> None:
    for number in range(8):
        recorder.project.add_anchor("n" * (20 + number))
    assert recorder.record()[0] == 0
    (size, first), *later = recorder.asked()
    assert (size, len(first)) == (16384, 12)
    assert [len(prompts) for _, prompts in later] == [7, 1, 4]
    again = [asked for _, prompts in later for asked in prompts]
    assert (set(again), len(again)) == (set(first), 12)
    assert {size for size, _ in later} < set(range(1, 16384))
    assert recorder.project.loads() == 2


def test_the_seed_decides_order_and_sentinels(recorder: Recorder) -> None:
    for number in range(8):
        recorder.project.add_anchor("n" * (20 + number))
    found = []
    for name, seed in (("a", 17), ("b", 17), ("c", 18)):
        (recorder.path / "loads.log").unlink(missing_ok=True)
        (recorder.path / "asked.log").unlink(missing_ok=True)
        store = f"--gate-store=store-{name}"
        assert recorder.record(f"--out={name}.jsonl", f"--seed={seed}", store)[0] == 0
        orders = [set(prompts) for _, prompts in recorder.asked()[1:]]
        found.append((orders, (recorder.path / f"{name}.jsonl").read_bytes()))
    assert found[0] == found[1]
    assert found[0][0] != found[2][0]
    assert found[0][1] != found[2][1]


def test_an_unstable_task_is_no_anchor(recorder: Recorder) -> None:
    recorder.again("two", "    return n + 3  # again\n")
    recorder.again("three", "    return 1 + n + 4\n")
    recorder.again("seven", "    while True: pass\n")
    status, out, _ = recorder.record("--gate-timeout=0.5")
    assert status == 0
    lines = out.splitlines()
    solved = "packs/tiny.planck: 4 of 4 tasks solved, 1 of them again with the same answer"
    assert lines[:2] == [solved, "unstable, and so no anchor:"]
    assert re.fullmatch(r"  own/two: answers differ from token \d+ on", lines[2])
    assert re.fullmatch(r"  own/three: answers differ from token \d+ on", lines[3])
    assert re.fullmatch(
        r"  own/seven: passed, then timeout; answers differ from token \d+ on", lines[4]
    )
    assert [json.loads(text)["id"] for text in recorder.rows()] == ["own/eleven"]


MBPP = [
    {
        "task_id": number,
        "text": f"Return n plus {number}.",
        "code": f"def plus_{number}(n):\n    return n + {number}",
        "test_list": [f"assert plus_{number}(1) == {number + 1}"],
    }
    for number in (11, 12, 17)
]


@pytest.fixture
def mbpp(recorder: Recorder) -> Recorder:
    """The project with three tasks of MBPP, of which the model solves two."""
    (recorder.path / "mbpp.jsonl").write_text("".join(json.dumps(task) + "\n" for task in MBPP))
    path = recorder.path / "answers.json"
    answers = json.loads(path.read_text())
    for task in MBPP[1:]:
        asked = docstring_prompt(str(task["text"]), task["test_list"][0])  # type: ignore[index]
        answers[asked] = f"{task['code']}\n"
    path.write_text(json.dumps(answers))
    return recorder


def test_tasks_of_a_suite_become_references(mbpp: Recorder) -> None:
    given = ("-m", "mbpp", "--gate-mbpp=mbpp.jsonl:12-17", "--sentinels=0.5")
    status, out, _ = mbpp.record(*given)
    assert status == 0
    rows = [json.loads(text) for text in mbpp.rows()]
    assert [row["ref"] for row in rows] == ["MBPP/12", "MBPP/17"]
    assert {len(row["prompt_sha256"]) for row in rows} == {64}
    assert [row.get("sentinel") for row in rows].count(True) == 1
    result = mbpp.project.run(*shlex.split(out.splitlines()[-1])[2:])
    assert result.ret == 0
    result.assert_outcomes(passed=2)


def test_a_task_of_two_suites_is_one_anchor(mbpp: Recorder) -> None:
    with (mbpp.path / "anchors.jsonl").open("a") as file:
        file.write('{"ref":"MBPP/17"}\n')
    given = ("-m", "anchor or mbpp", "--gate-mbpp=mbpp.jsonl", "--sentinels=0", "--json")
    status, out, _ = mbpp.record(*given)
    told = json.loads(out)
    assert (status, told["tasks"], told["solved"], told["sentinels"]) == (0, 7, 6, 0)
    assert told["batch_tokens"]["first"] == 16384 > told["batch_tokens"]["second"]
    assert [anchor["suite"] for anchor in told["anchors"]] == ["anchor"] * 5 + ["mbpp"]
    assert told["anchors"][-1] == {"id": "MBPP/12", "suite": "mbpp", "sentinel": False}
    assert mbpp.rows()[:5] == (mbpp.path / "anchors.jsonl").read_bytes().splitlines()


def test_an_id_of_two_tasks_is_refused(mbpp: Recorder) -> None:
    mine = json.dumps({**row("two"), "id": "MBPP/17"})
    (mbpp.path / "anchors.jsonl").write_text(f"{mine}\n")
    status, out, err = mbpp.record("-m", "anchor or mbpp", "--gate-mbpp=mbpp.jsonl")
    assert (status, out) == (2, "")
    said = r"mbpp\.jsonl:3: the id 'MBPP/17' is another task's at .*/anchors\.jsonl:1, and an id "
    assert re.match(f"anchorgate: .*/{said}", err)
    assert mbpp.project.loads() == 0


def test_recording_again_changes_nothing(recorder: Recorder) -> None:
    assert recorder.record()[0] == 0
    held = recorder.rows()
    status, out, _ = recorder.record()
    assert (status, recorder.rows()) == (0, held)
    said = "anchors/mine.jsonl: 4 anchors, 1 of them sentinels, which it held already"
    assert out.splitlines()[1] == said
    status, out, err = recorder.record("--sentinels=0.5")
    assert (status, out, recorder.rows()) == (2, "", held)
    said = "--out=anchors/mine.jsonl: exists, with 1 rows that were not recorded now and without 1 "
    assert err.startswith(f"anchorgate: {said}that were. Name a new file; ")


def test_a_pack_that_solves_nothing_has_no_anchors(recorder: Recorder) -> None:
    (recorder.path / "answers.json").write_text("{}")
    status, out, _ = recorder.record()
    assert (status, recorder.out.exists()) == (1, False)
    assert out.splitlines() == [
        "packs/tiny.planck: 0 of 4 tasks solved, 0 of them again with the same answer",
        "anchors/mine.jsonl: not written, as there is no anchor",
    ]
    told = json.loads(recorder.record("--json")[1])
    assert (told["anchors"], told["written"], told["next"]) == ([], False, "")


def test_a_task_that_is_too_long_is_not_solved(recorder: Recorder) -> None:
    recorder.project.add_anchor("n" * 1500)
    _, out, _ = recorder.record("--gate-max-new-tokens=1000")
    assert out.startswith("packs/tiny.planck: 4 of 5 tasks solved, 4 of them again")


def test_the_script_of_old_is_the_command(recorder: Recorder) -> None:
    given = ("--pack=tiny", "-m", "anchor", "--out=mine.jsonl")
    ran = run_script(recorder.path, "build_anchor_set.py", *given)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "mine.jsonl: 4 anchors, 1 of them sentinels\n" in ran.stdout
