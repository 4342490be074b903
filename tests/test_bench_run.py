"""`flexibert bench`: the contract, resuming, equal seeds, and the sentences for what cannot be searched."""

import json
from pathlib import Path

import numpy as np
import pytest

from flexibert.cli import main
from flexibert.encoder.cost import parameters
from flexibert.errors import SearchError
from flexibert.search.bench.pool import pool_from_table
from flexibert.search.bench.run import BenchSettings, call_file, run_bench, search_table
from flexibert.search.bench.summary import regrets, summarise, summary_table
from flexibert.search.bench.table import read_table
from flexibert.space.design_space import DesignSpace

ROOT = Path(__file__).parents[1]
OPERATIONS = ("none", "skip", "conv", "pool")


@pytest.fixture
def table(tmp_path):
    generator = np.random.default_rng(0)
    path = tmp_path / "cells.jsonl"
    with open(path, "w") as stream:
        for k in range(64):
            a, b, c = k // 16, k // 4 % 4, k % 4
            score = 90 + 2 * (a == 2) + (b == 2) - 3 * (c == 0) + 0.1 * generator.normal()
            row = {"id": f"cell-{k}", "score": score, "a": OPERATIONS[a], "b": OPERATIONS[b], "c": OPERATIONS[c]}
            stream.write(json.dumps(row) + "\n")
    return path


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def without_seconds(traces):
    return [{key: value for key, value in trace.items() if key != "seconds"} for trace in traces]


def test_contract(table, tmp_path, capsys):
    out = tmp_path / "out.jsonl"
    arguments = [
        "--method",
        "boshnas",
        "--budget",
        "15",
        "--seeds",
        "2",
        "--init",
        "5",
        "--out",
        str(out),
        "--jobs",
        "1",
    ]
    assert main(["bench", str(table), *arguments]) == 0
    content = read_table(table)
    score = dict(zip(content.ids, content.scores, strict=True))
    for seed, trace in enumerate(lines(out)):
        assert set(trace) == {"method", "seed", "ids", "scores", "seconds"}
        assert (trace["method"], trace["seed"]) == ("boshnas", seed)
        assert len(set(trace["ids"])) == len(trace["scores"]) == len(trace["seconds"]) == 15
        assert trace["scores"] == [score[name] for name in trace["ids"]]
    shown = capsys.readouterr().out
    assert "regret" in shown
    assert "boshnas" in shown


def test_initial_design_is_the_same_for_all_methods_and_differs_between_seeds(table, tmp_path):
    starts = {}
    for method in ("random", "boshnas"):
        traces = run_bench(table, BenchSettings(method, 8, 5), 2, tmp_path / method, jobs=1)
        starts[method] = [trace["ids"][:5] for trace in traces]
    assert starts["random"] == starts["boshnas"]
    assert starts["random"][0] != starts["random"][1]


def test_processes_do_not_change_the_search(table, tmp_path):
    settings = BenchSettings("boshnas", 10, 5, batch=2)
    alone = run_bench(table, settings, 2, tmp_path / "a.jsonl", jobs=1)
    beside = run_bench(table, settings, 2, tmp_path / "b.jsonl", jobs=2)
    assert without_seconds(alone) == without_seconds(beside)


def test_broken_run_goes_on(table, tmp_path):
    out = tmp_path / "out.jsonl"
    settings = BenchSettings("random", 12, 5)
    whole = run_bench(table, settings, 3, out, jobs=1)
    first = out.read_text().splitlines()[0]
    marked = json.loads(first) | {"seconds": [9.0] * 12}  # shows that the line was kept and not made again
    out.write_text(json.dumps(marked) + "\n" + first[:50])
    again = run_bench(table, settings, 3, out, jobs=1)
    assert without_seconds(again) == without_seconds(whole)
    assert lines(out)[0]["seconds"] == [9.0] * 12


def test_another_call_replaces_the_results(table, tmp_path):
    out = tmp_path / "out.jsonl"
    run_bench(table, BenchSettings("random", 12, 5), 2, out, jobs=1)
    run_bench(table, BenchSettings("random", 12, 6), 1, out, jobs=1)
    assert len(lines(out)) == 1
    assert json.loads(call_file(out).read_text())["initial"] == 6


def test_a_call_that_is_refused_leaves_nothing_and_spoils_nothing(table, tmp_path):
    out = tmp_path / "out.jsonl"
    refused = BenchSettings("largest", 12, 5)  # needs models; the table has columns only
    with pytest.raises(SearchError, match="needs models"):
        run_bench(table, refused, 1, out, jobs=1)
    assert {path.name for path in tmp_path.iterdir()} == {table.name}
    kept = run_bench(table, BenchSettings("random", 12, 5), 1, out, jobs=1)
    for _ in range(2):  # the second time, random's line must not pass for a finished seed of this call
        with pytest.raises(SearchError, match="needs models"):
            run_bench(table, refused, 1, out, jobs=1)
    assert lines(out) == kept


def test_plot_and_comparison(table, tmp_path, capsys):
    out, other, picture = tmp_path / "out.jsonl", tmp_path / "other.jsonl", tmp_path / "regret.svg"
    run_bench(table, BenchSettings("local", 10, 5), 2, other, jobs=1)
    arguments = [
        "--method",
        "random",
        "--budget",
        "10",
        "--seeds",
        "2",
        "--init",
        "5",
        "--out",
        str(out),
        "--jobs",
        "1",
    ]
    assert main(["bench", str(table), *arguments, "--compare", str(other), "--plot", str(picture)]) == 0
    assert "<svg" in picture.read_text()
    shown = capsys.readouterr().out
    assert "random" in shown
    assert "local" in shown


@pytest.mark.parametrize("content", ['{"method": "random", "scores": [-1.0]}', '{"steps": 3}', "no JSON", ""])
def test_results_of_another_table_are_no_comparison(table, tmp_path, capsys, content):
    out, other = tmp_path / "out.jsonl", tmp_path / "other.jsonl"
    other.write_text(content + "\n")
    arguments = [
        "--method",
        "random",
        "--budget",
        "10",
        "--seeds",
        "1",
        "--init",
        "5",
        "--out",
        str(out),
        "--jobs",
        "1",
    ]
    assert main(["bench", str(table), *arguments, "--compare", str(other)]) == 1
    assert "leave it out of --compare" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"--method": "bosnas"}, "choose one of boshnas"),
        ({"--method": "bosnas"}, "Did you mean 'boshnas'?"),
        ({"--budget": "100"}, "fewer than the budget of 100"),
        ({"--init": "70", "--budget": "80"}, "fewer than the initial design of 70"),
        ({"--init": "11"}, "exceeds the budget of 10"),
        ({"--init": "0"}, "initial is 0"),
        ({"--batch": "0"}, "batch is 0"),
        ({"--seeds": "0"}, "seeds is 0"),
        ({"--embedding": "graphs"}, "choose one of transformer2vec, naive"),
        ({"--embedding": "transformer2vec"}, "needs model dictionaries"),
        ({"--method": "largest"}, "feature columns only"),
        ({"--tasks": "cola"}, "leave out --tasks"),
        ({"--jobs": "-1"}, "jobs is -1"),
        ({"--plot": "regret.xyz"}, "let its name end in .svg"),
    ],
)
def test_bad_input_is_a_sentence_and_leaves_nothing(table, tmp_path, capsys, change, sentence):
    out = tmp_path / "out.jsonl"
    arguments = {
        "--method": "random",
        "--budget": "10",
        "--seeds": "1",
        "--init": "5",
        "--out": str(out),
        "--jobs": "1",
    } | change
    assert main(["bench", str(table), *(part for pair in arguments.items() for part in pair)]) == 1
    told = capsys.readouterr().err
    assert sentence in told
    assert "Traceback" not in told
    assert not out.exists()


def test_missing_table(tmp_path, capsys):
    arguments = ["--method", "random", "--budget", "10", "--seeds", "1", "--out", str(tmp_path / "o.jsonl")]
    assert main(["bench", str(tmp_path / "absent.jsonl"), *arguments]) == 1
    assert "absent.jsonl" in capsys.readouterr().err


def test_a_method_that_proposes_nothing_new_is_a_bug(table, monkeypatch):
    class Stubborn:
        def propose(self, observations, pool, count, seed):
            from flexibert.search.interface import Proposal

            return [Proposal(int(observations.indices[0]), "baseline")]

    monkeypatch.setattr("flexibert.search.bench.run.method_named", lambda name: Stubborn())
    content = read_table(table)
    with pytest.raises(RuntimeError, match="nothing new"):
        search_table(pool_from_table(content), content.scores, BenchSettings("stubborn", 10, 5), 0)


def test_summary():
    traces = [
        {"method": "m", "scores": [1.0, 3.0, 2.0, 5.0], "seconds": [0, 0, 1, 3]},
        {"method": "m", "scores": [2.0, 1.0, 4.0, 3.0], "seconds": [0, 0, 1, 3]},
    ]
    scores = np.arange(10.0)[:6]
    assert regrets(traces, 5.0).tolist() == [[4, 2, 2, 0], [3, 3, 1, 1]]
    summary = summarise(traces, scores, evaluations=4, initial=2)
    assert (summary.regret, summary.found_best, summary.found_top5, summary.seconds) == (0.5, 0.5, 1.0, 2.0)
    assert summary.regret_error == pytest.approx(0.5)
    assert summary.area == pytest.approx(np.mean([2, 2, 0, 3, 1, 1]))
    assert "m" in summary_table([summary])


def test_largest_counts_the_parameters_of_a_table_s_models(tmp_path):
    models = DesignSpace.from_yaml(ROOT / "config/spaces/test.yaml").sample(12, 1, 0)
    table, out = tmp_path / "models.jsonl", tmp_path / "out.jsonl"
    rows = [{"id": model.id, "model": model.to_model_dict(), "score": float(k)} for k, model in enumerate(models)]
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = ["--method", "largest", "--budget", "12", "--init", "1", "--seeds", "1", "--embedding", "naive"]
    assert main(["bench", str(table), *options, "--out", str(out), "--jobs", "1"]) == 0
    sizes = {model.id: parameters(model)["total"] for model in models}
    asked = [sizes[name] for name in lines(out)[0]["ids"][1:]]
    assert asked == sorted(asked, reverse=True)
    assert len(set(asked)) > 6


def test_isomorphic_models_are_paid_once(shared_data):
    content = read_table(shared_data / "nas_bench_bert.jsonl")
    pool = pool_from_table(content, "naive")
    assert len(np.unique(pool.identity)) == 491
    identity = dict(zip(pool.ids, pool.identity, strict=True))
    trace = search_table(pool, content.scores, BenchSettings("boshnas", 30), 0)
    assert len({identity[name] for name in trace["ids"]}) == 30


def test_unknown_method_lists_all():
    from flexibert.search.methods import METHODS, method_named

    with pytest.raises(SearchError) as caught:
        method_named("magic")
    assert all(name in str(caught.value) for name in METHODS)
