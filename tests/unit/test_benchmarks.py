from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pytest_anchorgate.tasks.suites import load_suite, parse_suite_spec
from tests.shared import shared_data

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


def run(script: str, *arguments: object, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout)


def test_a_few_programs_are_measured_without_peers(tmp_path):
    shared_data()
    done = run("verification.py", "--quick", "--no-peers", "--out", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("as required") == 3
    assert "HumanEval canonical         6/6  as required" in done.stdout
    for head in ("programs per second", "workers", "median of 20", "one check, fully isolated"):
        assert head in done.stdout
    measured = json.loads((tmp_path / "verification.json").read_text("utf-8"))
    assert measured["checkers"] == ["anchorgate"]
    assert set(measured["growth"]) == {"1", "2", "4"}
    assert measured["overhead"]["over_bare_fork"] > 1
    assert len(measured["speed"]) == 4
    ElementTree.parse(tmp_path / "verification.svg")


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_short_session_leaves_nothing_behind():
    shared_data()
    done = run("soak.py", "--checks", 60, "--quick")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "checks: 60, of which hostile: 6" in done.stdout
    assert "Pss of the zygote and its servers" in done.stdout
    assert "verdicts idle and busy: 12 programs" in done.stdout
    assert done.stdout.endswith("nothing differs\n")


def test_starts_are_measured_beside_their_controls(tmp_path):
    shared_data()
    done = run("startup.py", "--quick", "--out", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for what in ("import the plugin", "collect 91 tasks", "gate 76 anchors, all stored"):
        assert what in done.stdout
    measured = json.loads((tmp_path / "startup.json").read_text("utf-8"))
    assert (measured["tasks"], measured["anchors"]) == (91, 76)
    kinds = {"import", "collect", "gate"}
    names = kinds | {f"{kind} control" for kind in kinds}
    assert measured["wall_s"].keys() == measured["cpu_s"].keys() == names


@pytest.mark.parametrize("script", ["verification.py", "soak.py", "startup.py"])
def test_without_the_data_it_says_which_file_is_missing(tmp_path, script):
    done = run(script, "--data", tmp_path, "--quick")
    assert done.returncode == 2
    missing = f"{tmp_path / 'humaneval/HumanEval.jsonl.gz'}: no such file."
    assert done.stderr == f"{missing} Give the public data with --data.\n"


@pytest.mark.parametrize("passed", [{"a"}, {"a", "b", "c"}])
def test_other_verdicts_than_required_are_wrong(monkeypatch, passed):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import checkers
    import programs
    import verification

    required = programs.ProgramSet(name="set", programs=(), expected=frozenset("ab"))
    right = checkers.Run(seconds=1.0, passed=frozenset("ab"))
    other = checkers.Run(seconds=1.0, passed=frozenset(passed))
    assert verification._summed_up(required, [right, right])["as_required"] is True
    assert verification._summed_up(required, [other, other])["as_required"] is False
    assert verification._summed_up(required, [right, other])["as_required"] is False


class Scripted:
    def __init__(self, name, generate_s, family="", fails=False):
        self.name, self.generate_s, self.family, self.fails = name, generate_s, family, fails

    def run(self, work):
        from checkers import Unavailable
        from contestants import Run

        if self.fails:
            raise Unavailable(f"{self.name}: no")
        answers = {row.id: "x" for row in work.rows}
        return Run(seconds=2 * self.generate_s, generate_s=self.generate_s, answers=answers)


def test_the_fastest_of_a_family_goes_on_and_a_failing_peer_is_told(monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import bars
    import gate_vs_peers
    from work import Row, Work

    work = Work(
        name="work", pack=Path(), directory=Path(), rows=(Row(id="a", prompt="p"),), stop=(),
        max_new_tokens=1, context=2,
    )  # fmt: skip
    contestants = [
        Scripted(gate_vs_peers.GATE, 1.0),
        Scripted(gate_vs_peers.PLAIN, 3.0),
        Scripted("slow", 9.0, family="peer"),
        Scripted("fast", 4.0, family="peer"),
        Scripted("slowest", 11.0),
        Scripted("absent", 1.0, fails=True),
    ]
    skipped = []
    runs = gate_vs_peers.in_turns(work, contestants, 3, skipped)
    assert {name: len(done.runs) for name, done in runs.items()} == {
        gate_vs_peers.GATE: 3, gate_vs_peers.PLAIN: 3, "slow": 1, "fast": 3,
        "slowest": 1,
    }  # fmt: skip
    assert skipped == ["work: skipped from here on: absent: no"]
    assert skipped[0] in capsys.readouterr().err
    summed = gate_vs_peers.summed_up(work, runs, against=gate_vs_peers.GATE)
    assert summed["fast"]["generate_ratio"] == 4
    assert [name for name, run in summed.items() if run["dropped"]] == ["slow"]
    table = bars._table("work", summed, cold=True)
    assert "slow " not in table
    assert "fast" in table
    assert "slowest" in table


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="no /proc/self/clear_refs")
def test_a_tiny_pack_is_loaded_in_turns(tmp_path):
    done = run("loading.py", "--quick", "--out", tmp_path / "loading.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "float32   anchorgate takes " in done.stdout
    measured = json.loads((tmp_path / "loading.json").read_text("utf-8"))
    assert set(measured) == {"float32"}
    for ways in measured.values():
        assert set(ways) == {"anchorgate", "from_pretrained"}
        assert all(loads[0]["seconds"] > 0 and loads[0]["peak"] > 0 for loads in ways.values())


def test_curves_are_drawn_on_logarithmic_axes(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from lines import render_svg

    drawn = render_svg({"seconds <by tasks>": {"all": [(10, 1), (100, 10), (1000, 100)]}})
    (line,) = ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}polyline")
    (x0, y0), (x1, y1), (x2, y2) = (
        map(float, point.split(",")) for point in line.attrib["points"].split()
    )
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert y0 - y1 == pytest.approx(y1 - y2, abs=0.2)


def test_the_memory_of_all_descendants_is_seen(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from memory import Watch, pss_bytes, tree

    child = "import time; held = bytearray(50_000_000); print('ready', flush=True); time.sleep(60)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    process = subprocess.Popen(
        [sys.executable, "-c", parent], stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        assert process.stdout.readline() == b"ready\n"
        assert len(tree(process.pid)) == 2
        assert sum(map(pss_bytes, tree(process.pid))) > 50_000_000
        watch = Watch(process.pid)
        while not watch.peak_bytes:
            time.sleep(0.01)
        watch.end()
        assert watch.peak_bytes > watch.largest_bytes > 50_000_000
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_synthetic_tasks_differ_and_can_be_solved(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import scaling

    path = tmp_path / "sums.jsonl"
    path.write_text("".join(map(scaling.row, range(200))))
    tasks = load_suite("anchor", [parse_suite_spec(str(path))], resolve={})
    assert len({task.prompt for task in tasks}) == 200
    program = f"{tasks[96].prompt}    return n + 96\n{tasks[96].tests[0]}"
    exec(compile(program, "program", "exec"), {})
