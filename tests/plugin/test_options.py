"""Every option: what it does, and the one line that a bad value gets."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.plugin.conftest import row

if TYPE_CHECKING:
    from tests.plugin.conftest import GateProject

FLAGS = [
    "--pack", "--surgery", "--gate-anchors", "--gate-mbpp", "--gate-humaneval",
    "--gate-completions", "--gate-prompt", "--gate-max-new-tokens", "--gate-timeout",
    "--gate-device", "--gate-dtype", "--gate-batch-tokens", "--gate-store", "--gate-engine",
    "--gate-json", "--gate-sandbox", "--gate-whole",
]  # fmt: skip


def test_help_lists_every_option_and_ini_value(project: GateProject) -> None:
    result = project.run("--help")
    text = result.stdout.str()
    assert result.ret == 0
    for flag in FLAGS:
        assert flag in text
        if flag.startswith("--gate-") and flag != "--gate-whole":
            assert flag.lstrip("-").replace("-", "_") + " " in text


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--surgery", "demo.toml"), "*demo.toml: cannot be read: No such file*Recipes in *"),
        (("-m", "livecodebench"), "*livecodebench, whose loader is not available yet.*"),
        (("--pack", "tinny"), "*tinny*tiny.planck*"),
        (("--pack", "tiny", "--gate-completions", "s.jsonl"), "--pack=tiny and *s.jsonl*"),
        (("--pack", "tiny", "--gate-anchors", "no.jsonl"), "*no.jsonl*"),
        (("--pack", "tiny", "-m", "mbpp"), "*selects mbpp, and no file*--gate-mbpp PATH*"),
        (("--pack", "tiny", "--gate-mbpp", "m.jsonl:9-1", "-m", "mbpp"), "*'9-1' is not a range*"),
        (("--pack", "tiny", "--gate-prompt", "haiku"), "--gate-prompt=haiku: no such prompt*"),
        (("--pack", "tiny", "--gate-max-new-tokens", "0"), "--gate-max-new-tokens=0: is not*"),
        (("--pack", "tiny", "--gate-timeout", "soon"), "--gate-timeout=soon: is not a number*"),
        (("--pack", "tiny", "--gate-timeout", "-1"), "--gate-timeout=-1: is not a positive*"),
        (("--pack", "tiny", "--gate-sandbox", "moat"), "--gate-sandbox=moat: is not auto,*"),
        (("--pack", "tiny", "--gate-device", "abacus"), "--gate-device=abacus: no such device*"),
        (("--pack", "tiny", "--gate-dtype", "int3"), "--gate-dtype=int3: no such dtype.*"),
        (("--pack", "tiny", "--gate-batch-tokens", "x"), "--gate-batch-tokens=x: is not*"),
        (("--pack", "tiny", "--gate-max-new-tokens", "4000"), "*own/two*of up to 4000*2048*"),
        (("-m", "anchor"), "*production.toml: does not exist*--pack PACK*"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
@pytest.mark.parametrize("way", [(), ("-n2",)], ids=["n0", "n2"])
def test_a_bad_value_is_one_usage_error(
    project: GateProject, arguments: tuple[str, ...], line: str, way: tuple[str, ...]
) -> None:
    result = project.run(*arguments, *way)
    assert result.ret == pytest.ExitCode.USAGE_ERROR, result.stdout.str() + result.stderr.str()
    result.stderr.fnmatch_lines([f"ERROR: {line}"])
    assert "Traceback" not in result.stderr.str() + result.stdout.str()
    assert project.loads() == 0


def test_a_hugging_face_directory_says_how_to_pack_it(project: GateProject) -> None:
    (project.path / "hf").mkdir()
    (project.path / "hf" / "config.json").write_text("{}")
    result = project.run("--pack", "hf", "-m", "anchor")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*`anchorgate pack * packs/hf.planck`*"])


def test_a_git_lfs_pointer_says_git_lfs_pull(project: GateProject) -> None:
    (project.path / "packs" / "far.planck").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    )
    result = project.run("--pack", "far", "-m", "anchor")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*far.planck*git lfs pull*"])


def test_an_anchors_file_is_named_on_the_command_line_and_may_be_several(
    project: GateProject,
) -> None:
    (project.path / "more.jsonl").write_text(json.dumps(row("two", id="more/1")) + "\n")
    _, report = project.gate("--gate-anchors", "anchors.jsonl", "--gate-anchors", "more.jsonl")
    assert [task["id"] for task in report["tasks"]][-1] == "more/1"
    assert len(report["tasks"]) == 5


def test_paths_start_where_the_user_is_and_ini_paths_at_the_root(project: GateProject) -> None:
    (project.path / "below").mkdir()
    shutil.move(project.path / "anchors.jsonl", project.path / "below" / "mine.jsonl")
    (project.path / "pytest.ini").write_text(
        (project.path / "pytest.ini").read_text().replace("anchors.jsonl", "below/mine.jsonl")
    )
    _, report = project.gate()
    assert report["decision"] == "accepted"


def test_a_time_limit_is_cpu_seconds(project: GateProject) -> None:
    project.answer("two", "    while True: n += 1\n")
    result, report = project.gate("--gate-timeout", "0.5")
    assert result.ret == 1
    assert report["tasks"][0]["status"] == "timeout"
    assert "0.5 s" in report["tasks"][0]["reason"]


def test_the_store_lies_where_it_is_told(project: GateProject) -> None:
    project.gate("--gate-store", "kept")
    assert (project.path / "kept" / "store.sqlite").exists()
    assert not (project.path / ".anchorgate").exists()


def test_ini_values_stand_for_options(project: GateProject) -> None:
    with (project.path / "pytest.ini").open("a") as ini:
        ini.write("gate_pack = tiny\ngate_json = from-ini.json\ngate_store = kept\n")
    result = project.run("-m", "anchor", "-n2")
    assert result.ret == 0
    assert json.loads((project.path / "from-ini.json").read_text())["decision"] == "accepted"
    assert (project.path / "kept").exists()


def test_a_mistaken_marker_expression_is_pytests_own_error(project: GateProject) -> None:
    result = project.run("-m", "anchor and and")
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_a_report_only_task_over_the_context_fails_with_the_reason(project: GateProject) -> None:
    (project.path / "mine.jsonl").write_text(json.dumps(row("two", id="mine/1")) + "\n")
    (project.path / "tests" / "gate" / "test_mine.py").write_text(
        "import pytest\n"
        "@pytest.mark.suite('mine.jsonl')\n"
        "def test_mine(planck, task): planck.verify(task)\n"
    )
    arguments = ("--pack", "tiny", "-m", "suite", "--gate-json", "out.json")
    result = project.run(*arguments, "--gate-max-new-tokens", "2048")
    (task,) = json.loads((project.path / "out.json").read_text())["tasks"]
    assert (result.ret, task["status"]) == (1, "failed")
    assert "an answer of up to 2048 exceed the pack's context of 2048" in task["reason"]
    assert project.loads() == 0


def test_a_pack_outside_the_project_is_given_with_an_equals_sign(
    project: GateProject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "far.planck"
    shutil.copy(project.path / "packs" / "tiny.planck", outside)
    result = project.run("--pack", str(outside), "-m", "anchor")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --pack {outside}: *Write --pack={outside}."])
    for arguments in ((f"--pack={outside}",), ("tests/gate", "--pack", str(outside))):
        result = project.run(*arguments, "-m", "anchor")
        assert result.ret == 0
