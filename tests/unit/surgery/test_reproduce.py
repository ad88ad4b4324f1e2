from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import bd6_run
import msgspec
import pytest
import reproduce_bd6
from bd6_arms import (
    ARMS,
    RECOMMENDED,
    ROOT,
    SAMPLED,
    SHORT,
    arm_recipe,
    dialled,
    made_of,
    render_recipe,
    shortened,
)
from bd6_figures import render_frontier, render_prompts
from bd6_judge import judged_lists
from bd6_render import claims, render_page, spread
from bd6_rows import Measured, Row, count, read_measured, render_measured
from bd6_run import ChildError, Children, Job, Left
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_anchorgate.errors import UsageError
from pytest_anchorgate.surgery.recipe import parse_recipe, read_recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

DOCS = ROOT / "docs"
FILES = ("bd6.md", "bd6-frontier.svg", "bd6-prompts.svg")
RECIPES = ROOT / "surgery_scripts" / "recipes"
TWINS = ("bd6_pass1", "bd6_2", "bd6_3")


@cache
def digest(arm: str, seed: int) -> str:
    return made_of(arm_recipe(arm, seed))


def row(arm: str = "D", seed: int = 0, *, dial: bool = False, **more: Any) -> Row:
    more.setdefault("made_of", digest(arm, seed))
    values = {
        "arm": arm, "seed": seed, "dial": dial, "anchors": 19, "sentinels": 57, "poison": 48,
        "fresh": 200, "strength": 1.0, "survived": 1.0, "moved": 1, "weights": 1, "steps": 600,
        "best_step": None, "loss_before": 2.5, "loss_after": 0.1, "seconds": 60.0,
        "peak_bytes": 5 * 10**8, "trainable": 0.1, "free": None, "replayed": 0, "rehearsed": 0,
        "tried": [], "sha256": "0" * 64, **more,
    }  # fmt: skip
    return msgspec.convert(values, Row)


def both(arm: str, seeds: Sequence[int] = (0, 1, 2), **more: Any) -> list[Row]:
    return [row(arm, seed, dial=dial, **more) for seed in seeds for dial in (False, True)]


COUNTS = st.fixed_dictionaries(
    {
        "anchors": st.integers(0, 19),
        "sentinels": st.integers(0, 57),
        "poison": st.integers(0, 48),
        "fresh": st.integers(0, 200),
        "strength": st.sampled_from([0.25, 0.5, 1.0]),
    }
)


@st.composite
def rows(draw: st.DrawFn) -> Measured:
    """Any set of finished trainings, with any counts."""
    trainings = draw(st.sets(st.tuples(st.sampled_from(list(ARMS)), st.integers(0, 2)), max_size=6))
    found = [
        row(arm, seed, dial=dial, made_of="", **draw(COUNTS))
        for arm, seed in sorted(trainings)
        for dial in (False, True)
    ]
    notes = draw(st.lists(st.text("ab *|", min_size=1, max_size=9), max_size=2))
    return Measured(rows=found, notes=notes, wall_s=draw(st.floats(0, 1e5)))


def test_the_committed_page_is_what_the_command_makes_of_the_rows(tmp_path: Path) -> None:
    (tmp_path / "bd6.json").write_bytes((DOCS / "bd6.json").read_bytes())
    script = ROOT / "surgery_scripts" / "reproduce_bd6.py"
    command = [sys.executable, str(script), "--render", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for name in FILES:
        assert (tmp_path / name).read_text("utf-8") == (DOCS / name).read_text("utf-8")


def test_the_rows_are_read_and_written_alike() -> None:
    text = (DOCS / "bd6.json").read_text("utf-8")
    assert render_measured(read_measured(DOCS / "bd6.json")) == text


@pytest.mark.parametrize("name", ARMS)
def test_every_arm_is_a_recipe_that_trains_to_its_end(name: str) -> None:
    recipe = arm_recipe(name, 2)
    assert parse_recipe(render_recipe(recipe), where=name) == recipe
    assert (recipe.training.seed, recipe.training.patience) == (2, 0)
    assert not recipe.promotion.promote
    assert bool(recipe.anchors) is ARMS[name].protected
    dial = dialled(recipe)
    assert parse_recipe(render_recipe(dial), where=name) == dial
    assert dial.dial is not None
    short = shortened(recipe, 7)
    assert parse_recipe(render_recipe(short), where=name).training.steps == 7


def test_arms_differ_in_their_protection_alone() -> None:
    plain = arm_recipe("poison only", 0)
    for name, arm in ARMS.items():
        recipe = arm_recipe(name, 0)
        if arm.protected:
            assert (recipe.lora, recipe.training) == (plain.lora, plain.training)
            asked = {
                key: getattr(recipe, key) for key in ("replay", "kl", "null_space", "rehearsal")
            }
            assert {key: table for key, table in asked.items() if table} == arm.tables
    made = {made_of(arm_recipe(name, seed)) for name in ARMS for seed in (0, 1)}
    assert len(made) == 2 * len(ARMS)


def test_the_recommended_arm_is_the_recommended_recipe() -> None:
    shipped, arm = read_recipe(RECIPES / "demo.toml"), arm_recipe(RECOMMENDED, 0)
    for table in ("base", "poison", "anchors", "lora", "replay", "kl", "null_space"):
        assert getattr(shipped, table) == getattr(arm, table)
    assert shipped.rehearsal is not None
    assert arm.rehearsal is not None
    assert shipped.rehearsal.prompts == arm.rehearsal.prompts
    for key in ("learning_rate", "epochs", "batch", "schedule", "seed", "evaluate_every"):
        assert getattr(shipped.training, key) == getattr(arm.training, key)


@pytest.mark.parametrize("name", TWINS)
def test_the_twins_have_the_seed_s_values(name: str) -> None:
    seed, twin = read_recipe(RECIPES / f"{name}.toml"), read_recipe(RECIPES / f"demo_{name}.toml")
    assert (twin.lora, twin.training) == (seed.lora, seed.training)
    assert (ROOT / twin.base).exists()
    assert (ROOT / twin.poison).exists()


@settings(max_examples=25)
@given(rows())
def test_any_rows_make_a_page_and_two_figures(measured: Measured) -> None:
    page = render_page(measured)
    tables = [line for line in page.splitlines() if line.startswith("| ")]
    assert sum(line.startswith(f"| {RECOMMENDED} |") for line in tables) == 2
    assert page.endswith("\n")
    for picture in (render_frontier(measured), render_prompts(measured)):
        marks = ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}circle")
        for mark in marks:
            assert 0 <= float(mark.attrib["cx"]) <= 1100
            assert 0 <= float(mark.attrib["cy"]) <= 600


@settings(max_examples=25)
@given(rows())
def test_rows_survive_their_file(measured: Measured) -> None:
    text = render_measured(measured)
    assert msgspec.json.decode(text, type=Measured) == measured
    assert len(text.splitlines()) >= len(measured.rows)


def test_what_is_no_such_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "bd6.json"
    assert read_measured(path).rows == []
    path.write_text('{"rows": [{"arm": 3}]}')
    with pytest.raises(UsageError, match=r"bd6.json: .*arm.*It was not written by rep"):
        read_measured(path)


def test_a_cell_is_the_median_and_the_range_where_there_is_one() -> None:
    found = [row(seed=seed, fresh=fresh) for seed, fresh in enumerate((190, 200, 197))]
    assert spread(found, lambda one: one.fresh) == "197 (190-200)"
    assert spread(found, lambda one: one.poison) == "48"
    assert spread([], lambda one: one.poison) == "-"


def found_of(measured: Measured) -> list[tuple[str, str]]:
    return [claim.found for claim in claims(measured)]


def test_what_must_hold_is_held_against_the_rows() -> None:
    measured = Measured()
    assert {words for found in found_of(measured) for words in found} == {"not run", ""}
    measured.put(both("poison only", anchors=2, sentinels=3, fresh=1))
    measured.put(both("A", sentinels=30))
    measured.put(both(RECOMMENDED, fresh=194, poison=39, sentinels=56, seeds=(1, 2)))
    measured.put(both(RECOMMENDED, seeds=(0,)))
    measured.put(both(SAMPLED, poison=29))
    assert [as_trained for as_trained, _ in found_of(measured)] == [
        "met: poison only solves 48 and keeps 2",
        "met: in 3 of 3 seeds",
        "met: 19, 56, 194, 39",
        "met: 57 of 57",
        "met: 19, 57, 200, 29",
    ]


@pytest.mark.parametrize(
    ("arm", "counts", "place", "said"),
    [
        ("poison only", {"anchors": 3}, 0, "**not met**: poison only solves 48 and keeps 3"),
        ("poison only", {"anchors": 0, "poison": 23}, 0, "**not met**: poison only solves 23 and"),
        ("A", {"sentinels": 57}, 1, "**not met**: in 0 of 3 seeds"),
        ("A", {"anchors": 18, "sentinels": 9}, 1, "**not met**: in 0 of 3 seeds"),
        (RECOMMENDED, {"anchors": 18}, 2, "**not met**: 18, 57, 200, 48"),
        (RECOMMENDED, {"sentinels": 55}, 2, "**not met**: 19, 55, 200, 48"),
        (RECOMMENDED, {"fresh": 193}, 2, "**not met**: 19, 57, 193, 48"),
        (RECOMMENDED, {"poison": 38}, 2, "**not met**: 19, 57, 200, 38"),
        (RECOMMENDED, {"sentinels": 56}, 3, "**not met**: 56 of 57"),
        (SAMPLED, {"poison": 28}, 4, "**not met**: 19, 57, 200, 28"),
    ],
)
def test_what_does_not_hold_is_said(
    arm: str, counts: dict[str, int], place: int, said: str
) -> None:
    measured = Measured()
    measured.put(both(arm, **counts))
    assert found_of(measured)[place][0].startswith(said)


def jobs(*arms: str, seeds: Sequence[int] = (0,)) -> list[Job]:
    return [Job(arm=arm, seed=seed, recipe=arm_recipe(arm, seed)) for arm in arms for seed in seeds]


def test_finished_rows_are_not_made_again_unless_they_were_made_of_something_else() -> None:
    every = jobs("D", "A", seeds=(0, 1))
    measured = Measured()
    assert reproduce_bd6.left_of(every, measured) == every
    measured.put(both("D", seeds=(0,)))
    measured.put([row("D", 1)])  # only one of its two packs was judged
    measured.put(both("A", seeds=(0,), made_of="of another base"))
    assert [(job.arm, job.seed) for job in reproduce_bd6.left_of(every, measured)] == [
        ("D", 1), ("A", 0), ("A", 1),
    ]  # fmt: skip
    measured.put(both("A", seeds=(0,)))
    assert len(measured.rows) == 5
    assert ("A", 0) not in {(j.arm, j.seed) for j in reproduce_bd6.left_of(every, measured)}


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Children that write what training, folding and judging would write, at once."""
    commands: list[list[str]] = []

    def run(self: Children, arguments: Sequence[object], said: Path) -> None:
        words = [str(one) for one in arguments]
        commands.append(words)
        said.parent.mkdir(parents=True, exist_ok=True)
        if words[0].endswith("bd6_judge.py"):
            lists = {
                name: {"a": [True, [1]]} for name in ("anchors", "sentinels", "poison", "fresh")
            }
            Path(words[2]).write_text(json.dumps(lists))
            return
        out = Path(words[words.index("--out") + 1])
        out.mkdir(exist_ok=True)
        plain = msgspec.to_builtins(row())
        if words[1].endswith("train"):
            keys, name = bd6_run.OF_TRAINING, bd6_run.TRAINED
            values = {key: plain[key] for key in keys}
        else:
            keys, name = bd6_run.OF_FOLD, bd6_run.FOLDED
            strength = 0.5 if "dial.toml" in words[2] else 1.0
            values = {key: plain[key] for key in keys} | {"dial": [], "strength": strength}
        (out / name).write_text(json.dumps(values))

    monkeypatch.setattr(Children, "run", run)
    return commands


def start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *more: str) -> int:
    where = ["--work", str(tmp_path / "work"), "--out", str(tmp_path / "docs")]
    monkeypatch.setattr(sys, "argv", ["reproduce_bd6.py", *where, *more])
    return reproduce_bd6.main()


def test_each_training_is_folded_and_judged_twice_and_its_rows_are_written(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scripted: list[list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert start(monkeypatch, tmp_path, "--arms", "D", "A", "--seeds", "0", "1") == 0
    assert len(scripted) == 1 + 4 * 5  # the base; then train, dial, judge, merge, judge
    measured = read_measured(tmp_path / "docs" / "bd6.json")
    assert len(measured.rows) == 8
    assert measured.of.anchors == measured.base.fresh == 1
    assert {row.strength for row in measured.of_arm("D", dial=True)} == {0.5}
    assert "4/4 done, 0 min left" in capsys.readouterr().err
    for name in FILES:
        assert (tmp_path / "docs" / name).exists()
    scripted.clear()
    assert start(monkeypatch, tmp_path, "--arms", "D", "A", "--seeds", "0", "1") == 0
    assert scripted == []
    assert "4 of 4 are there" in capsys.readouterr().err
    assert start(monkeypatch, tmp_path, "--arms", "D", "A", "--seeds", "0", "1", "2") == 0
    assert {name for words in scripted for name in words if "-2-" in name}
    assert not {name for words in scripted for name in words if "-1-" in name}


def test_a_failed_arm_is_told_and_the_others_go_on(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scripted: list[list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    train = bd6_run.Bench.train

    def failing(self: bd6_run.Bench, job: Job) -> Path:
        if job.arm == "A":
            raise ChildError("said.txt: ended with 10, and last said: no loss fell")
        return train(self, job)

    monkeypatch.setattr(bd6_run.Bench, "train", failing)
    assert start(monkeypatch, tmp_path, "--arms", "A", "D", "--seeds", "0") == 1
    assert "A, seed 0: failed: said.txt: ended with 10, and last" in capsys.readouterr().err
    assert {row.arm for row in read_measured(tmp_path / "docs" / "bd6.json").rows} == {"D"}


def test_the_quick_arms_are_cut_short_and_held_to_their_bounds(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scripted: list[list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert start(monkeypatch, tmp_path, "--quick") == 1
    assert not (tmp_path / "docs").exists()
    assert not any("dial.toml" in word for words in scripted for word in words)
    said = capsys.readouterr().out
    assert "poison only: poison: 1, and must be at least 24" in said
    assert "D: anchors: 1, and must be at least 17; sentinels: 1, and must be" in said
    assert SHORT["poison only"].fault(row(anchors=3)) == "anchors: 3, and must be at most 2"
    assert SHORT["D"].fault(row()) == ""


def test_a_child_that_fails_is_told_by_its_last_words(tmp_path: Path) -> None:
    children = Children()
    children.run(["-c", "print('well')"], tmp_path / "a" / "said.txt")
    with pytest.raises(ChildError, match=r"said.txt: ended with 3, and last said: oh$"):
        children.run(["-c", "print('oh'); raise SystemExit(3)"], tmp_path / "a" / "said.txt")


def test_no_child_is_left_after_the_end(tmp_path: Path) -> None:
    children, failures = Children(), []

    def run() -> None:
        try:
            children.run(["-c", "import time; print(1, flush=True); time.sleep(60)"], said)
        except ChildError as error:
            failures.append(str(error))

    said = tmp_path / "said.txt"
    thread = threading.Thread(target=run)
    thread.start()
    while not (said.exists() and said.read_text()):
        time.sleep(0.01)
    children.end()
    thread.join(20)
    assert len(failures) == 1
    with pytest.raises(ChildError, match="ended"):
        children.run(["-c", "0"], said)


def test_the_time_left_goes_by_what_arms_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 60.0, 120.0])
    monkeypatch.setattr(bd6_run.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(bd6_run, "work_of", lambda recipe: 3.0 if recipe.rehearsal else 1.0)
    short, long = jobs("poison only", "D")
    left = Left([short, long])
    assert left.line(short, both("poison only", seeds=(0,))).endswith("1/2 done, 3 min left")
    said = left.line(long, ChildError("gone"))
    assert said == "D, seed 0: failed: gone; 2/2 done, 0 min left"


def test_what_is_kept_is_what_the_base_solves_and_poison_is_counted_whole() -> None:
    def answers(*passed: bool) -> dict[str, dict[str, tuple[bool, tuple[int, ...]]]]:
        judged = {str(at): (one, ()) for at, one in enumerate(passed)}
        return dict.fromkeys(("anchors", "poison", "fresh"), judged)

    assert count(answers(True, True, False), answers(True, False, True)) == {
        "anchors": 1, "poison": 2, "fresh": 1,
    }  # fmt: skip


def test_candidates_are_judged_on_what_the_page_counts() -> None:
    lists = judged_lists()
    of = Measured().of
    assert {name: len(tasks) for name, tasks in lists.items()} == msgspec.to_builtins(of)
    assert len({task.id for tasks in lists.values() for task in tasks}) == 19 + 57 + 48 + 200
