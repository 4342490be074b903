"""The table of trained candidates that is shipped: what it says it is, and searched offline."""

import json
from pathlib import Path

import numpy as np
import pytest

from flexibert.cli import main
from flexibert.config import read_yaml
from flexibert.files import read_jsonl
from flexibert.search.bench.table import read_table
from flexibert.space.architecture import Architecture
from flexibert.space.design_space import DesignSpace

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "flexibert/search/tables/probes.jsonl"
REPEATS = TABLE.with_name("probes-repeats.jsonl")


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    return read_jsonl(TABLE)


def test_candidates_are_different_models_of_the_default_space(rows):
    space = DesignSpace.from_mapping(read_yaml(ROOT / "config/spaces/default.yaml"))
    architectures = [Architecture.from_model_dict(row["model"]) for row in rows]
    assert [architecture.id for architecture in architectures] == [row["id"] for row in rows]
    assert len(set(architectures)) == len(rows) >= 25
    assert {space.level_of(architecture) for architecture in architectures} == {1}


def test_scores_are_the_means_of_their_parts(rows):
    assert len({tuple(sorted(row["scores"])) for row in rows}) == 1
    for row in [*rows, *read_jsonl(REPEATS)]:
        assert row["score"] == pytest.approx(np.mean(list(row["scores"].values())), abs=1e-3)


def test_the_models_differ_by_more_than_the_noise_of_a_training(rows):
    scores = {row["id"]: row["score"] for row in rows}
    repeats = read_jsonl(REPEATS)
    assert len(repeats) >= 4
    noise = np.sqrt(np.mean([(row["score"] - scores[row["id"]]) ** 2 for row in repeats]) / 2)
    assert 0 < noise < np.std(list(scores.values()))


def test_it_stays_small_enough_to_ship_with_the_package():
    assert TABLE.stat().st_size + REPEATS.stat().st_size < 300_000


def test_methods_can_be_compared_on_it(tmp_path, capsys):
    out = tmp_path / "out.jsonl"
    arguments = ["--method", "boshnas", "--budget", "15", "--seeds", "2", "--init", "5", "--jobs", "1"]
    assert main(["bench", str(TABLE), *arguments, "--out", str(out)]) == 0
    traces = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    known = set(read_table(TABLE).ids)
    assert [len(set(trace["ids"]) & known) for trace in traces] == [15, 15]
    assert "regret" in capsys.readouterr().out
