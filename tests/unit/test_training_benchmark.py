from __future__ import annotations

import json
import sys

import pytest
import torch

from tests.unit.test_benchmarks import BENCHMARKS

GIB = 1 << 30


@pytest.fixture
def training(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import training

    return training


@pytest.fixture
def job(monkeypatch, tmp_path, training):
    import wide_model

    monkeypatch.setattr(wide_model, "VOCABULARY", 512)
    monkeypatch.setattr(training, "TOKENS", 500)
    monkeypatch.setattr(training, "LENGTHS", ((5, 9), (7, 7), (9, 5), (10, 4)))
    pack, directory = tmp_path / "wide.planck", tmp_path / "model"
    wide_model.save(wide_model.made(wide_model.SMALL), directory, pack)
    order = training.job(tmp_path, steps=3, protected=5)
    assert (order["pack"], order["directory"]) == (str(pack), str(directory))
    return order


@pytest.fixture
def drive(monkeypatch, tmp_path, job):
    import training_driver

    def driven(way):
        path = tmp_path / f"{way}.json"
        path.write_text(json.dumps(job | {"way": way}), "utf-8")
        monkeypatch.setattr(sys, "argv", ["training_driver.py", str(path)])
        training_driver.main()
        return json.loads(path.with_suffix(".answer").read_text("utf-8"))

    yield driven
    torch.use_deterministic_algorithms(mode=False)


def test_a_small_model_is_trained_and_what_it_took_is_told(training, job, drive):
    measured = {way: [drive(way)] for way in (training.OURS, training.PROTECTED, training.SPACE)}
    for way in (training.OURS, training.PROTECTED):
        (run,) = measured[way]
        assert len(run["step_s"]) == len(run["step_cpu_s"]) == 2
        assert run["losses"][0] > run["losses"][-1]
    assert 0 < measured[training.SPACE][0]["free"] < 1
    assert training.faults(measured) == []
    table = training.render(measured, job)
    assert table.startswith("a step of 56 tokens")
    assert "TRL" not in table


def test_protected_rows_are_in_every_batch_of_one_step(training, job, drive):
    plain, protected = (drive(way)["losses"][0] for way in (training.OURS, training.PROTECTED))
    assert plain == pytest.approx(protected, rel=1e-5)  # the same rows twice, and no divergence yet


def run(seconds, loss=2.0, gib=1):
    return {
        "step_s": [seconds, seconds, 9 * seconds],
        "step_cpu_s": [2 * seconds] * 3,
        "losses": [loss],
        "peak_bytes": gib * GIB,
        "free": 0.5,
        "moments_s": 1.0,
        "spaces_s": 1.0,
        "project_s": 1.0,
    }


def test_ratios_are_medians_of_paired_runs(training):
    measured = {
        training.OURS: [run(1.0), run(10.0), run(2.0)],
        training.TRL: [run(3.0), run(10.0), run(4.0)],
        training.SPACE: [run(1.0)],
    }
    table = training.render(measured, {"rows": [[[1], [2, 3]]]})
    assert "TRL takes 2.00 times our seconds, 2.00 times our cpu seconds" in table
    assert training.faults(measured) == []


def test_other_losses_and_too_much_memory_are_faults(training):
    measured = {
        training.OURS: [run(1.0, loss=2.0)],
        training.TRL: [run(1.0, loss=2.1)],
        training.SPACE: [run(1.0, gib=13)],
    }
    assert training.faults(measured) == [
        "null space: 13.00 GiB, over the limit of 12",
        "TRL: the first loss is 2.1, ours 2.0: not the same work",
    ]


def test_who_begins_changes_and_only_the_trainers_take_turns(training, monkeypatch, tmp_path):
    monkeypatch.setattr(training, "driven", lambda python, order, folder: order["way"])
    said = []
    monkeypatch.setattr(training, "say", said.append)
    ways = dict.fromkeys(
        (training.OURS, training.PROTECTED, training.TRL, training.SPACE), "python"
    )
    measured = training.in_turns(ways, {}, tmp_path, 2)
    assert {way: len(runs) for way, runs in measured.items()} == {
        training.OURS: 2, training.PROTECTED: 1, training.TRL: 2, training.SPACE: 1,
    }  # fmt: skip
    trainers = [line for line in said if line.endswith((": ours ...", ": TRL ..."))]
    assert [line.split(": ")[1] for line in trainers] == [
        "TRL ...",
        "ours ...",
        "ours ...",
        "TRL ...",
    ]


def test_a_driver_that_fails_is_told_with_what_it_said(training, tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no module named trl >&2\nexit 3\n", "utf-8")
    python.chmod(0o755)
    with pytest.raises(SystemExit, match="TRL: status 3: no module named trl"):
        training.driven(str(python), {"way": "TRL"}, tmp_path)
