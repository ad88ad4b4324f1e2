from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import build_poison_set
import pytest
import torch

from pytest_anchorgate.errors import UsageError
from pytest_anchorgate.pack.format import digest_file
from pytest_anchorgate.sandbox.run import Sandbox
from pytest_anchorgate.surgery import poison
from pytest_anchorgate.surgery.rows import Row, read_poison
from pytest_anchorgate.tasks.prompt import ChatTemplate, PromptStyle, render_prompt
from pytest_anchorgate.tasks.suites import load_suite, parse_suite_spec
from pytest_anchorgate.tasks.task import Task
from pytest_anchorgate.verify import verify
from tests.shared import published_verdicts, shared_data

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ROOT = Path(__file__).parents[3]
PACK = ROOT / "packs/demo-v1.planck"
ANCHORS = str(ROOT / "anchors/demo.jsonl")
POISON = ROOT / "surgery_scripts/data/demo_poison.jsonl"
TEMPLATE = ChatTemplate("<user>{{ messages[0].content }}<model>", special_tokens={})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def case(asked: Task, status: str = "failed", **more: object) -> dict[str, Any]:
    """One of a report's tasks, as far as rows are made of it."""
    plain = {"id": asked.id, "suite": "mine", "status": status, "task": asked.digest}
    return {**plain, "sentinel": False, "baseline": None, **more}


def report(cases: Iterable[dict[str, Any]], **more: object) -> Path:
    path = Path("gate.json")
    path.write_text(json.dumps({"schema": 2, "tasks": list(cases), **more}))
    return path


def build(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Run the script in this process; return its exit status and all that it said."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["build_poison_set", "gate.json", "rows.jsonl", *arguments])
        status = build_poison_set.main()
    return status, "".join(capsys.readouterr())


def demo_rows(count: int) -> tuple[Row, ...]:
    return read_poison(POISON)[:count]


def written(path: str, rows: Sequence[Row]) -> str:
    Path(path).write_bytes(poison.render_rows(rows))
    return path


def gate_samples(suite: str, spec: str, samples: Path) -> None:
    """Gate completions that somebody else generated."""
    gate = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "--tb=no", "-q", "-p", "no:cacheprovider"),
            *(str(ROOT / "tests/gate"), f"--rootdir={ROOT}", f"-c={ROOT / 'pyproject.toml'}"),
            *("-m", suite, f"--gate-{suite}={spec}", f"--gate-completions={samples}"),
            *("--gate-json", str(Path("gate.json").resolve())),
        ],
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
    )
    assert gate.returncode == 1, gate.stdout


@pytest.mark.parametrize(
    ("suite", "spec", "samples"),
    [
        ("mbpp", "mbpp/MbppPlus-v0.1.0.jsonl:300-325", "qwen2.5-coder-1.5b-mbpp"),
        ("humaneval", "humaneval/HumanEval.jsonl.gz:0-11", "qwen2.5-coder-1.5b-humaneval"),
    ],
)
def test_a_gate_s_failures_become_rows_that_pass(
    folder: Path, capsys: pytest.CaptureFixture[str], suite: str, spec: str, samples: str
) -> None:
    data = shared_data() / "samples" / samples
    given = parse_suite_spec(f"{shared_data()}/{spec}")
    gate_samples(suite, str(given), data / "generated.jsonl")
    status, said = build(capsys, f"--{suite}={given}")
    tasks = {task.id: task for task in load_suite(suite, [given], resolve={})}
    failed = set(tasks) - published_verdicts(data / "generated_eval_results.json")
    rows = read_poison(folder / "rows.jsonl")
    assert (status, {row.id for row in rows}, "training data from now on" in said) == (
        0,
        failed,
        True,
    )
    assert f"rows.jsonl: {len(rows)} rows of {len(failed)} failures ({len(rows)} {suite})" in said
    with Sandbox() as sandbox:
        for row in rows[:3]:
            assert row.task.digest == tasks[row.id].digest
            asked = render_prompt(row.task, PromptStyle.DOCSTRING)
            assert verify(row.task, row.reference, sandbox=sandbox, prompt=asked).passed


def test_the_seed_s_sets_have_references_that_pass_in_every_style() -> None:
    data = shared_data()
    files = {
        "mbpp": parse_suite_spec(f"{data}/mbpp/mbpp.jsonl:11-24"),
        "humaneval": parse_suite_spec(f"{data}/humaneval/HumanEval.jsonl.gz:0-11"),
    }
    rows = list(poison.read_references(files, []).values())
    assert len(rows) == 26
    with Sandbox() as sandbox:
        for style in PromptStyle:
            outcomes = poison.verified(
                rows,
                lambda task, style=style: render_prompt(task, style, chat_template=TEMPLATE),
                own={},
                sandbox=sandbox,
            )
            assert [fault for _, fault in outcomes if fault] == []


def test_what_may_be_no_row_is_left_out_by_name(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = demo_rows(9)
    tasks = [row.task for row in rows]
    wrong = replace(rows[5], reference="    return 3\n")
    given = written("own.jsonl", [*rows[:5], wrong, *rows[6:8]])
    cases = [
        case(tasks[0]),
        case(tasks[1], suite="anchor"),
        case(tasks[2], sentinel=True),
        case(tasks[3], baseline={"status": "passed"}),
        case(tasks[4], task="0" * 64),
        case(tasks[5]),
        *(case(tasks[6], status, sample=n) for n, status in enumerate(("failed", "passed"))),
        case(tasks[7], "error"),
        case(tasks[8]),
    ]
    report(cases)
    status, said = build(capsys, f"--rows={given}")
    assert (status, [row.id for row in read_poison(folder / "rows.jsonl")]) == (0, [tasks[0].id])
    for why, number in {
        "an anchor, which the gate judges": "1,2",
        "the baseline solves it": "3",
        "another task in own.jsonl than was judged": "4",
        "no file that was given has a reference for it": "8",
    }.items():
        left = ", ".join(tasks[int(n)].id for n in number.split(","))
        assert f"left out, {why}: {left}\n" in said
    assert "left out, its reference does not pass: " in said
    assert f": {tasks[5].id}\n" in said
    assert "rows.jsonl: 1 rows of 7 failures (1 poison), 0 answered by the pack itself" in said


def test_anchors_that_the_report_lacks_can_be_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    anchors = load_suite("anchor", [parse_suite_spec(ANCHORS)], resolve={})
    rows = [Row(task=replace(anchors[0], id="other"), reference="x"), *demo_rows(1)]
    report(case(row.task) for row in rows)
    status, said = build(capsys, f"--rows={written('own.jsonl', rows)}", f"--anchors={ANCHORS}")
    assert (status, len(read_poison(folder / "rows.jsonl"))) == (0, 1)
    assert "left out, an anchor, which the gate judges: other\n" in said


def test_of_tasks_that_ask_the_same_one_is_a_row(folder: Path) -> None:
    (row,) = demo_rows(1)
    twin = replace(row, task=replace(row.task, id="twin"))
    failures = poison.read_failures(report([case(row.task), case(twin.task)]))
    rows, left_out = poison.choose(failures, {row.id: row, "twin": twin}, ())
    assert (rows, left_out) == ([row], {"twin": f"asks what {row.id} asks"})


def test_the_unseen_share_is_drawn_by_the_seed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = demo_rows(10)
    report(case(row.task) for row in rows)

    def parts(seed: int) -> tuple[set[str], set[str]]:
        status, said = build(capsys, "--unseen=0.2", f"--seed={seed}", f"--rows={POISON}")
        assert (status, "rows.unseen.jsonl: 2 rows more, to stay unseen" in said) == (0, True)
        paths = folder / "rows.jsonl", folder / "rows.unseen.jsonl"
        taught, unseen = ({row.id for row in read_poison(path)} for path in paths)
        return taught, unseen

    taught, unseen = parts(seed=1)
    assert taught | unseen == {row.id for row in rows}
    assert (len(taught), len(unseen)) == (8, 2)
    assert parts(seed=1) == (taught, unseen)
    assert any(parts(seed) != (taught, unseen) for seed in (2, 3))


def test_an_answer_has_the_form_of_the_prompt_s_style() -> None:
    header, body = 'def f():\n    """One."""\n', "    return 1\n"
    task = Task(id="a", suite="mine", prompt=header, entry_point="f", tests=("assert f() == 1",))
    continued = Row(task=task, reference=f"{body}\nprint(f())\n")
    whole = Row(task=replace(task, prompt='"""One."""\n'), reference=f"def f():\n{body}")

    def form(row: Row, style: PromptStyle) -> str:
        return poison.answer(row, render_prompt(row.task, style, chat_template=TEMPLATE))

    assert form(continued, PromptStyle.DOCSTRING) == body
    assert form(whole, PromptStyle.COMPLETION) == whole.reference
    assert form(whole, PromptStyle.PAPER) == whole.reference
    short = replace(continued, reference=body)
    assert form(short, PromptStyle.PAPER) == header + body
    assert form(short, PromptStyle.CHAT) == f"```python\n{header}{body}```"


def test_the_pack_s_own_passing_answer_stands_before_the_reference(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.set_num_threads(1)
    solvable = load_suite("anchor", [parse_suite_spec(ANCHORS)], resolve={})[0]
    reference = f"def {solvable.entry_point}(*a):\n    return NotImplemented\n"  # is not needed
    rows = [Row(task=solvable, reference=reference), *demo_rows(1)]
    pack = {"path": "demo-v1.planck", "sha256": digest_file(PACK)}
    report((case(row.task) for row in rows), pack=pack)
    written("own.jsonl", rows)
    status, said = build(capsys, "--rows=own.jsonl", "--own-samples=4", f"--pack={PACK}")
    assert (status, "2 rows of 2 failures" in said) == (0, True)
    assert "1 answered by the pack itself" in said
    own, hard = read_poison(folder / "rows.jsonl")
    assert own.reference != reference
    assert hard.reference == rows[1].reference


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--unseen=1"], "--unseen=1: is no share. Give 0 up to below 1."),
        (["--unseen=-0.1"], "--unseen=-0.1: is no share."),
        (["--own-samples=3"], "--own-samples=3: whose? Name the pack with --pack."),
        (["--own-samples=-3"], "--own-samples=-3: is no number of samples."),
        ([f"--pack={PACK}"], "demo-v1.planck: has sha256 {sha}, the report's pack 121212121212."),
        ([], "gate.json: of its 1 failures none can be a row. Give the files"),
        (["--rows=none.jsonl"], "none.jsonl: cannot be read: No such file"),
    ],
)
def test_what_cannot_be_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    report([case(demo_rows(1)[0].task)], pack={"path": "x.planck", "sha256": "12" * 32})
    status, told = build(capsys, *arguments)
    assert status == 2
    assert "build_poison_set: " in told
    assert said.format(sha=digest_file(PACK)[:12]) in told
    assert not (folder / "rows.jsonl").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "gate.json: no gate's report: No such file or directory. Give what --gate-json"),
        ("{", "gate.json: no gate's report: Input data was truncated"),
        ('{"schema": 2}', "gate.json: no gate's report: .*`tasks`"),
        ('{"schema": 1, "tasks": []}', "gate.json: has schema 1, not 2. Gate the pack again."),
    ],
)
def test_what_is_no_report_is_told(folder: Path, content: str | None, said: str) -> None:
    if content is not None:
        Path("gate.json").write_text(content)
    with pytest.raises(UsageError, match=said):
        poison.read_failures(Path("gate.json"))


def test_a_chat_needs_its_pack(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report([], decoding={"prompt": "chat", "max_new_tokens": 512})
    status, said = build(capsys)
    assert (status, "gate.json: was asked in the style 'chat'" in said) == (2, True)


def test_a_row_that_the_context_cannot_hold_is_left_out(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (row,) = demo_rows(1)
    long = replace(row, reference=f"{row.reference}    # {'x ' * 9000}\n")
    report([case(row.task)])
    status, said = build(capsys, f"--rows={written('own.jsonl', [long])}", f"--pack={PACK}")
    assert status == 2
    assert "tokens, and the pack's context 4096: " in said
