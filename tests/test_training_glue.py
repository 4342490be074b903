"""Score of a run."""

import pytest

from flexibert.files import read_json, write_json
from flexibert.training.glue import aggregate


def written(folder, scores: dict[str, float | None], **changes) -> list:
    """best.json of each task."""
    paths = []
    for task, score in scores.items():
        failed = score is None
        best = {"model": "aa", "recipe": "scratch", "task": task, "score": score}
        best |= {"status": "failed" if failed else "ok", "reason": "diverged: why" if failed else None}
        paths.append(folder / task / "best.json")
        write_json(paths[-1], best | changes)
    return paths


GLUE = {
    f"glue-{name}": float(place)
    for place, name in enumerate(["cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte", "wnli"], 1)
}


def test_the_score_is_the_mean_of_the_suite_with_nine_or_eight_tasks(tmp_path):
    paths = written(tmp_path, GLUE | {"superglue-cb": 70.0, "superglue-copa": 60.0})
    aggregate(paths, "glue", tmp_path / "score.json")
    score = read_json(tmp_path / "score.json")
    assert score["score"] == 5.0
    assert score["eight"] == 4.5
    assert score["suites"] == {"glue": 5.0, "superglue": 65.0}
    assert score["tasks"]["superglue-cb"] == 70.0
    assert (score["model"], score["recipe"], score["status"], score["reason"]) == ("aa", "scratch", "ok", None)


def test_a_failed_task_fails_the_run_with_its_reason(tmp_path):
    aggregate(written(tmp_path, GLUE | {"glue-rte": None}), "glue", tmp_path / "score.json")
    score = read_json(tmp_path / "score.json")
    assert (score["status"], score["score"], score["eight"]) == ("failed", None, None)
    assert score["reason"] == "diverged: why"
    assert score["tasks"]["glue-rte"] is None


def test_a_failed_task_of_another_suite_fails_that_suite_alone(tmp_path):
    aggregate(written(tmp_path, GLUE | {"superglue-cb": None}), "glue", tmp_path / "score.json")
    score = read_json(tmp_path / "score.json")
    assert (score["status"], score["score"]) == ("ok", 5.0)
    assert score["suites"]["superglue"] is None


def test_the_order_of_the_results_does_not_matter(tmp_path):
    paths = written(tmp_path, GLUE)
    aggregate(paths, "glue", tmp_path / "one.json")
    aggregate(paths[::-1], "glue", tmp_path / "two.json")
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()


@pytest.mark.parametrize("other", [{"model": "bb"}, {"recipe": "retuned-1"}], ids=str)
def test_results_of_two_runs_are_not_mixed(tmp_path, other):
    paths = written(tmp_path, GLUE) + written(tmp_path / "other", {"glue-cola": 1.0}, **other)
    named = f"{other.get('model', 'aa')}/{other.get('recipe', 'scratch')}"
    with pytest.raises(ValueError, match=f"one run has one score.*{named}"):
        aggregate(paths, "glue", tmp_path / "score.json")
    assert not (tmp_path / "score.json").exists()
