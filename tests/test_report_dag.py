"""Pictures of the DAG: what is gathered, which edges are drawn, and the state of each job."""

import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from flexibert.errors import ConfigError
from flexibert.files import write_json
from flexibert.report.dag import asked_runs, dot, draw_dag, job_graph, mermaid, render, rule_graph
from flexibert.report.dag_jobs import Job, read_jobs
from flexibert.runs import Phase, Round, Run, RunName

TASKS = ("cola", "rte")


def search_jobs(rounds: int, done_rounds: int) -> tuple[list[Job], dict]:
    """Jobs of a search with one pre-training and one transfer a round, and which round asked for each run."""
    jobs: list[Job] = []
    asked = {}

    def add(rule: str, needs: list[int], state: str, **wildcards: str) -> int:
        jobs.append(Job(rule, wildcards, (), tuple(needs), state))
        return len(jobs) - 1

    settings = add("settings", [], "done")
    corpus = add("manifest", [], "done")
    library = add("library", [], "done", level="1")
    observed = []
    before = None
    for number in range(rounds):
        state = "done" if number < done_rounds else "to do"
        place = {"search": "main", "level": "1", "round": f"{number:03d}"}
        proposed = add("propose", [library, *observed], state, **place)
        scores = []
        for kind, recipe in (("pretrain", "scratch"), ("transfer", "from-01234567")):
            run = {"model": f"{number:012x}", "recipe": recipe}
            asked[RunName.of(run["model"], recipe)] = [(1, number, "main")]
            source = [before] if kind == "transfer" and before is not None else []
            trained = add(kind, [corpus, *source], state, **run)
            tuned = [add("finetune", [trained], state, task=task, **run) for task in TASKS]
            scores.append(add("glue", tuned, state, **run))
        before = trained
        observed = [add("observe", [proposed, *scores], state, **place)]
    confirm = add("confirm", observed, "to do", search="main")
    again = {"model": "0" * 12, "recipe": "confirm-1"}
    tuned = add("finetune", [add("pretrain", [corpus], "to do", **again)], "to do", task="cola", **again)
    best = add("search", [*observed, confirm, add("glue", [tuned], "to do", **again)], "to do", search="main")
    final = add("final", [best], "to do", search="main")
    run = {"model": "0" * 12, "recipe": "final"}
    trained = add("pretrain", [corpus], "to do", **run)
    score = add("glue", [add("finetune", [trained], "to do", task="cola", **run)], "to do", **run)
    add("report", [settings, best, score, final], "to do")
    return jobs, asked


def test_jobs_of_one_rule_and_round_are_drawn_as_one():
    graph = job_graph(*search_jobs(rounds=3, done_rounds=2))
    node = graph.nodes["finetune_main__level_1__round_2"]
    assert (node.cluster, node.states.total(), node.state) == ("main, level 1, round 2", 4, "to do")
    assert graph.nodes["finetune_main__level_1__round_1"].label == "finetune 4/4"
    assert graph.nodes["finetune_final_model"].states.total() == 1
    assert graph.nodes["finetune_confirmation"].states.total() == 1


def test_proposals_lead_to_the_trainings_that_they_asked_for():
    graph = job_graph(*search_jobs(rounds=3, done_rounds=2))
    for number in range(3):
        place = f"main__level_1__round_{number}"
        assert (f"propose_{place}", f"pretrain_{place}") in graph.edges
        assert (f"propose_{place}", f"transfer_{place}") in graph.edges
    assert ("final", "pretrain_final_model") in graph.edges
    assert ("confirm", "pretrain_confirmation") in graph.edges


def test_implied_edges_are_left_out():
    graph = job_graph(*search_jobs(rounds=3, done_rounds=2))
    assert ("library", "propose_main__level_1__round_0") in graph.edges
    assert ("library", "propose_main__level_1__round_2") not in graph.edges
    assert ("search", "report") not in graph.edges


def test_many_finished_rounds_are_gathered_and_the_open_ones_stay():
    graph = job_graph(*search_jobs(rounds=30, done_rounds=28))
    clusters = {node.cluster for node in graph.nodes.values()}
    assert "main, level 1, rounds 0 to 23" in clusters
    assert {f"main, level 1, round {number}" for number in range(24, 30)} <= clusters
    assert len(graph.nodes) < 60
    total = sum(node.states.total() for node in graph.nodes.values())
    assert total == len(search_jobs(30, 28)[0])


def test_state_that_matters_most_colours_a_gathered_node():
    jobs = [
        Job("glue", {"model": "a", "recipe": "scratch"}, (), (), state)
        for state in ("done", "to do", "stale", "running")
    ]
    states = [job_graph(jobs[:count], {}).nodes["glue"].state for count in (1, 2, 3, 4)]
    assert states == ["done", "to do", "stale", "running"]


def test_rule_graph_draws_each_rule_once_and_the_circle_of_the_search():
    graph = rule_graph(*search_jobs(rounds=3, done_rounds=2))
    assert graph.nodes["finetune"].label == "finetune 8/14"
    circle = [
        ("propose", "pretrain"),
        ("pretrain", "finetune"),
        ("finetune", "glue"),
        ("glue", "observe"),
        ("observe", "propose"),
    ]
    assert set(circle) <= set(graph.edges)
    assert ("propose", "observe") not in graph.edges


def test_mermaid_names_every_node_and_its_state():
    graph = job_graph(*search_jobs(rounds=2, done_rounds=1))
    text = mermaid(graph)
    assert text.splitlines()[1] == "flowchart TD"
    for name, node in graph.nodes.items():
        assert re.search(
            rf'^ +{name}\["{re.escape(node.label)}"\]:::{node.state.replace(" ", "_")}$', text, re.MULTILINE
        )
    assert text.count("subgraph") == text.count("\n  end\n") == 4
    assert all(f"  {start} --> {end}\n" in text for start, end in graph.edges)
    assert mermaid(job_graph(*search_jobs(rounds=2, done_rounds=1))) == text


@pytest.mark.usefixtures("graphviz")
def test_graphviz_draws_it():
    graph = job_graph(*search_jobs(rounds=12, done_rounds=7))
    root = ElementTree.fromstring(render(dot(graph)))
    titles = {title.text for title in root.iter("{http://www.w3.org/2000/svg}title")}
    assert set(graph.nodes) <= titles


def test_rounds_are_read_from_the_proposals_first_one_first(tmp_path):
    name = RunName.of("0123456789ab", "scratch")
    for search, number in (("other", 2), ("main", 10)):
        made = Round(search, 1, number, Phase.SEARCH, False, None, (Run(name, {"l": 2}),))
        write_json(tmp_path / f"search/{search}/level-1/round-{number:03d}/proposal.json", made.to_mapping())
    assert asked_runs(tmp_path) == {name: [(1, 2, "other"), (1, 10, "main")]}


SNAKEFILE = """
rule all:
    input: "results/toy/report.txt"

rule settings:
    output: "results/toy/config.yaml"
    shell: "touch {output}"

rule train:
    input: "results/toy/config.yaml"
    output: "results/toy/{model}.txt"
    params: steps=STEPS, resume="results/toy/resume/{model}"
    shell: "echo {params.steps} > {output}"

rule report:
    input: expand("results/toy/{model}.txt", model=["a", "b"])
    output: "results/toy/report.txt"
    shell: "cat {input} > {output}"
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A folder with a small workflow that stands for an experiment, and a way to run it."""
    monkeypatch.chdir(tmp_path)
    Path("Snakefile").write_text(SNAKEFILE.replace("STEPS", "1"), encoding="utf-8")

    def run(target: str) -> None:
        command = [sys.executable, "-m", "snakemake", "--cores", "1", "--quiet", "all", "--", target]
        subprocess.run(command, check=True, capture_output=True)

    return run


def states() -> dict[str, str]:
    return {job.outputs[0].split("/")[-1]: job.state for job in read_jobs() if job.outputs}


@pytest.mark.workflow
def test_states_are_those_of_the_results(toy):
    assert set(states().values()) == {"to do"}
    toy("results/toy/a.txt")
    write_json(
        "results/toy/resume/b/progress.json",
        {"name": "train b", "pid": os.getpid(), "host": os.uname().nodename, "time": 4e9, "step": 1, "steps": 2},
    )
    assert states() == {"config.yaml": "done", "a.txt": "done", "b.txt": "running", "report.txt": "to do"}
    Path("results/toy/resume/b/progress.json").unlink()
    toy("all")
    assert set(states().values()) == {"done"}
    Path("Snakefile").write_text(SNAKEFILE.replace("STEPS", "2"), encoding="utf-8")
    assert states() == {"config.yaml": "done", "a.txt": "stale", "b.txt": "stale", "report.txt": "stale"}


@pytest.mark.workflow
def test_pictures_are_written_into_the_results_folder(toy):
    written = draw_dag()
    assert Path("results/toy/dag/jobs.mmd") in written
    assert 'train["train 0/2"]:::to_do' in Path("results/toy/dag/rules.mmd").read_text(encoding="utf-8")
    assert Path("results/toy/dag/rules.svg").exists() == (shutil.which("dot") is not None)


@pytest.mark.workflow
def test_a_workflow_that_cannot_be_planned_is_told_in_a_sentence(toy):
    with pytest.raises(ConfigError, match=r"absent\.yaml: no such file"):
        read_jobs([Path("absent.yaml")])
    with pytest.raises(ConfigError, match=r"cannot plan the jobs: .*results/toy/none\.csv"):
        read_jobs(targets=["results/toy/none.csv"])
