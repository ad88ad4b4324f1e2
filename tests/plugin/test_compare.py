"""Gates of published samples: their published verdicts, and two gates beside each other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pytest_anchorgate import cli
from pytest_anchorgate.tasks.suites import load_references, parse_suite_spec
from tests.shared import published_verdicts, shared_data

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.plugin.conftest import GateProject


def gate(project: GateProject, samples: Path, name: str) -> dict[str, Any]:
    result = project.run(
        *("-m", "humaneval", "-n2", "-q", "--tb=no", f"--gate-completions={samples}"),
        f"--gate-humaneval={shared_data() / 'humaneval' / 'HumanEval.jsonl.gz'}",
        f"--gate-json={name}",
    )
    report: dict[str, Any] = json.loads((project.path / name).read_text())
    assert (result.ret, report["decision"], len(report["tasks"])) == (1, "refused", 164)
    return report


def test_samples_get_their_published_verdicts_and_two_broken_ones_are_found(
    project: GateProject, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = shared_data()
    folder = data / "samples" / "qwen2.5-coder-1.5b-humaneval"
    rows = [json.loads(line) for line in (folder / "generated.jsonl").read_text().splitlines()]
    solved = published_verdicts(folder / "generated_eval_results.json")
    names = [row["task_id"] for row in rows]
    broken = [name for name in names if name in solved][:2]
    mended = next(name for name in names if name not in solved)
    references = load_references(parse_suite_spec(str(data / "humaneval" / "HumanEval.jsonl.gz")))
    changed = dict.fromkeys(broken, "    return None\n") | {mended: references[mended]}
    other = [row | {"completion": changed.get(row["task_id"], row["completion"])} for row in rows]
    (project.path / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in other))

    report = gate(project, folder / "generated.jsonl", "a.json")
    passed = {task["id"] for task in report["tasks"] if task["status"] == "passed"}
    assert passed == solved
    assert len(passed) == 72
    gate(project, project.path / "b.jsonl", "b.json")
    monkeypatch.chdir(project.path)
    capsys.readouterr()
    assert cli.main(["compare", "a.json", "b.json", "--json"]) == 1
    value = json.loads(capsys.readouterr().out)
    assert value["lost"] == [f"humaneval:{name}" for name in broken]
    assert value["gained"] == [f"humaneval:{mended}"]
    suite = value["suites"]["humaneval"]
    assert (suite["a"]["passed"], suite["b"]["passed"], suite["a"]["total"]) == (72, 71, 164)
    assert (suite["mcnemar_p"], suite["loss_bound"]) == (1.0, None)

    assert cli.main(["compare", "a.json", "b.json"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "lost       2"
    assert [line.split()[0] for line in lines[1:3]] == value["lost"]
    assert (lines[3], lines[4].split()[0]) == ("gained     1", *value["gained"])
    assert cli.main(["compare", "b.json", "b.json"]) == 0
    assert "0 lost of 71: at most 3/71, 4.2 %" in capsys.readouterr().out
