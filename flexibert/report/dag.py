"""The DAG as pictures: the graph of the rules, and the graph of the jobs gathered by round; coloured by state.

A search has thousands of jobs, so that no picture of each one can be read. Jobs of one rule are gathered by the round
that asked for them. Models are stored by their content and not by round; so Snakemake sees no file between a proposal
and the training that it asked for, and this edge is added from the proposals.
"""

import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flexibert.errors import ConfigError
from flexibert.files import read_json, write_text
from flexibert.layout import Layout
from flexibert.report.dag_jobs import STATES, Job, read_jobs
from flexibert.runs import RecipeKind, Round, RunName

FILL = {"done": "#cdeae4", "running": "#cfe2fb", "stale": "#f6e3b4", "to do": "#eceff2"}
STROKE = {"done": "#17957f", "running": "#3b82d6", "stale": "#a8810f", "to do": "#7d8794"}
INK, LINE = "#1f2630", "#7d8794"
ROUNDS = 6  # of one level that are drawn one by one; the finished ones before them are gathered
RUN_RULES = ("pretrain", "transfer", "finetune", "glue")
ROUND_TRIP = ("observe", "propose")  # the way back in the graph of the rules: it must not decide who stands above whom
ASKED_RULES = ("pretrain", "transfer")

ENDS = {"confirm": "confirmation", "final": "final model"}  # what asks for runs once a search has converged
RoundKey = tuple[int, int, str]  # (level, round, search): sorted, an owner never comes after its users
Asked = dict[RunName, list[RoundKey]]


@dataclass
class Node:
    """Jobs of one rule that are drawn as one.

    Attributes:
        rule: The rule.
        cluster: What they are drawn in, e.g. "main, level 1, round 2"; "" for none.
        states: Number of jobs in each state.
    """

    rule: str
    cluster: str
    states: Counter[str] = field(default_factory=Counter)

    @property
    def state(self) -> str:
        """The state that matters most: running, then stale, then to do, then done."""
        return next(state for state in ("running", "stale", "to do", "done") if self.states[state])

    @property
    def label(self) -> str:
        """The rule, and how many of its jobs are done where there are several."""
        total = self.states.total()
        return self.rule if total == 1 else f"{self.rule} {self.states['done']}/{total}"


@dataclass
class Graph:
    """A picture's nodes and its edges (from, to), by name."""

    nodes: dict[str, Node]
    edges: list[tuple[str, str]]


def draw_dag(configfiles: Sequence[Path] = (), targets: Sequence[str] = (), out: Path | None = None) -> list[Path]:
    """Write the graph of the rules and the graph of the jobs: Mermaid always, SVG where graphviz is installed.

    Args:
        configfiles: As `snakemake --configfile` takes them.
        targets: As Snakemake takes them; none for the default target.
        out: Folder to write; None for `dag` in the results folder.

    Returns:
        The files written: rules.mmd, jobs.mmd and perhaps rules.svg, jobs.svg.

    Raises:
        ConfigError: Snakemake cannot plan the jobs.
    """
    jobs = read_jobs(configfiles, targets)
    results = _results_folder(jobs)
    asked = asked_runs(results)
    out = out or Layout(results).dag.path()
    written = []
    for name, graph in (("rules", rule_graph(jobs, asked)), ("jobs", job_graph(jobs, asked))):
        write_text(out / f"{name}.mmd", mermaid(graph))
        written.append(out / f"{name}.mmd")
        if shutil.which("dot"):
            write_text(out / f"{name}.svg", render(dot(graph)))
            written.append(out / f"{name}.svg")
    return written


def _results_folder(jobs: Iterable[Job]) -> Path:
    for job in jobs:
        if job.rule == "settings":
            return Path(job.outputs[0]).parent
    raise ConfigError("these targets belong to no experiment: the rule `settings` is not among their jobs")


def asked_runs(results: Path) -> Asked:
    """The rounds that asked for each run, first one first."""
    asked: Asked = {}
    for path, _ in Layout(results).round.proposal.found():
        made = Round.from_mapping(read_json(path))
        for run in made.runs:
            asked.setdefault(run.name, []).append((made.level, made.number, made.search))
    return {run: sorted(rounds) for run, rounds in asked.items()}


def job_graph(jobs: Sequence[Job], asked: Asked) -> Graph:
    """Jobs gathered by rule and round; edges that others imply are left out."""
    rounds = [_round_of(job, asked) for job in jobs]
    gathered = _gathered(jobs, rounds)
    nodes: dict[str, Node] = {}
    names = []
    for job, round_ in zip(jobs, rounds, strict=True):
        cluster = "" if round_ is None else gathered.get(round_, _round_name(round_))
        if not cluster and (end := _end_of(job)):
            cluster = ENDS[end]
        name = _identifier(f"{job.rule} {cluster}")
        nodes.setdefault(name, Node(job.rule, cluster)).states[job.state] += 1
        names.append(name)
    edges = {(names[start], names[end]) for start, end in _job_edges(jobs, asked)}
    return Graph(nodes, _without_implied({(start, end) for start, end in edges if start != end}))


def rule_graph(jobs: Sequence[Job], asked: Asked) -> Graph:
    """The rules, each with how many of its jobs are done."""
    nodes: dict[str, Node] = {}
    for job in jobs:
        nodes.setdefault(_identifier(job.rule), Node(job.rule, "")).states[job.state] += 1
    direct = _without_implied(_job_edges(jobs, asked))
    edges = {(_identifier(jobs[start].rule), _identifier(jobs[end].rule)) for start, end in direct}
    return Graph(nodes, sorted(edge for edge in edges if edge[0] != edge[1]))


def _job_edges(jobs: Sequence[Job], asked: Asked) -> set[tuple[int, int]]:
    """Positions of jobs and of those that they wait for: by files, and by what asked for a training."""
    edges = {(need, position) for position, job in enumerate(jobs) for need in job.needs}
    rounds = [_round_of(job, asked) for job in jobs]
    proposals = {round_: position for position, round_ in enumerate(rounds) if jobs[position].rule == "propose"}
    ends = {end: [place for place, job in enumerate(jobs) if job.rule == end] for end in ENDS}
    for position, (job, round_) in enumerate(zip(jobs, rounds, strict=True)):
        if job.rule in ASKED_RULES and round_ in proposals:
            edges.add((proposals[round_], position))
        elif job.rule in ASKED_RULES and (end := _end_of(job)):
            edges |= {(asking, position) for asking in ends[end]}
    return edges


def _end_of(job: Job) -> str | None:
    """The rule that asked for a job after the search had converged."""
    if job.rule not in RUN_RULES:
        return None
    kind = RunName.from_mapping(job.wildcards).recipe.kind
    return {RecipeKind.CONFIRM: "confirm", RecipeKind.FINAL: "final"}.get(kind)


def _round_of(job: Job, asked: Asked) -> RoundKey | None:
    if job.rule in RUN_RULES:
        return next(iter(asked.get(RunName.from_mapping(job.wildcards), [])), None)
    if "round" in job.wildcards:
        return int(job.wildcards["level"]), int(job.wildcards["round"]), job.wildcards["search"]
    return None


def _round_name(round_: RoundKey) -> str:
    level, number, search = round_
    return f"{search}, level {level}, round {number}"


def _gathered(jobs: Sequence[Job], rounds: Sequence[RoundKey | None]) -> dict[RoundKey, str]:
    """Names of the finished rounds that are drawn as one, where a level has many."""
    finished: dict[RoundKey, bool] = {}
    for job, round_ in zip(jobs, rounds, strict=True):
        if round_ is not None:
            finished[round_] = finished.get(round_, True) and job.state == "done"
    names: dict[RoundKey, str] = {}
    for level, search in sorted({(level, search) for level, _, search in finished}):
        numbers = sorted(round_[1] for round_ in finished if (round_[0], round_[2]) == (level, search))
        early = []
        for number in numbers[: -ROUNDS or None]:
            if not finished[level, number, search]:
                break
            early.append(number)
        if len(early) > 1:
            text = f"{search}, level {level}, rounds {early[0]} to {early[-1]}"
            names |= {(level, number, search): text for number in early}
    return names


def _without_implied(edges: set[tuple]) -> list[tuple]:
    """Edges that no longer path implies (transitive reduction); all of them where the gathered jobs form a cycle."""
    import networkx

    graph = networkx.DiGraph(sorted(edges))
    if networkx.is_directed_acyclic_graph(graph):
        graph = networkx.transitive_reduction(graph)
    return sorted(graph.edges)


def mermaid(graph: Graph) -> str:
    """The picture as Mermaid, which GitHub and many editors draw."""
    lines = [f"%% {_summary(graph)}", "flowchart TD"]
    for cluster in sorted({node.cluster for node in graph.nodes.values()}, key=_natural):
        indent = "  "
        if cluster:
            lines.append(f'  subgraph {_identifier("in " + cluster)}["{cluster}"]')
            indent = "    "
        for name, node in graph.nodes.items():
            if node.cluster == cluster:
                lines.append(f'{indent}{name}["{node.label}"]:::{_identifier(node.state)}')
        if cluster:
            lines.append("  end")
    lines += [f"  {start} --> {end}" for start, end in graph.edges]
    for state in STATES:
        lines.append(f"  classDef {_identifier(state)} fill:{FILL[state]},stroke:{STROKE[state]},color:{INK}")
    return "\n".join(lines) + "\n"


def dot(graph: Graph) -> str:
    """The picture in graphviz's language; transparent, so that it suits a light and a dark page."""
    total = _totals(graph)
    legend = ", ".join(f'<font color="{STROKE[state]}">{total[state]} {state}</font>' for state in STATES)
    lines = [
        "digraph {",
        f'  graph [bgcolor=transparent, fontname="Helvetica", fontsize=11, fontcolor="{LINE}", nodesep=0.2,'
        f" ranksep=0.25, labelloc=b, label=<{legend}>];",
        '  node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=11, margin="0.12,0.05"];',
        f'  edge [color="{LINE}", arrowsize=0.6];',
    ]
    for number, cluster in enumerate(sorted({node.cluster for node in graph.nodes.values()}, key=_natural)):
        if cluster:
            lines.append(
                f'  subgraph cluster_{number} {{ label="{cluster}"; labelloc=t; style=rounded; color="{LINE}";'
            )
        for name, node in graph.nodes.items():
            if node.cluster == cluster:
                colours = f'fillcolor="{_fill(node)}", color="{STROKE[node.state]}", fontcolor="{INK}"'
                lines.append(f'    {name} [label="{node.label}", {colours}];')
        if cluster:
            lines.append("  }")
    for start, end in graph.edges:
        lines.append(f"  {start} -> {end}{' [constraint=false]' if (start, end) == ROUND_TRIP else ''};")
    return "\n".join([*lines, "}"]) + "\n"


def render(text: str) -> str:
    """SVG of a graphviz text."""
    return subprocess.run(["dot", "-Tsvg"], input=text, capture_output=True, text=True, check=True).stdout


def _fill(node: Node) -> str:
    """The colour of the state; where a part is done, that part of the box in the colour of done."""
    share = node.states["done"] / node.states.total()
    colour = FILL[node.state]
    return f"{FILL['done']};{share:.3f}:{colour}" if 0 < share < 1 else colour


def _totals(graph: Graph) -> Counter[str]:
    return sum((node.states for node in graph.nodes.values()), Counter())


def _summary(graph: Graph) -> str:
    total = _totals(graph)
    return "jobs known so far: " + ", ".join(f"{total[state]} {state}" for state in STATES)


def _identifier(text: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in text.strip()).strip("_")


def _natural(text: str) -> list[tuple[int, int, str]]:
    """Order in which round 10 follows round 9."""
    return [(0, int(word), "") if word.isdecimal() else (1, 0, word) for word in text.replace(",", "").split()]
