"""What the end of a search says of its winner, as one file and one table: differences with intervals, costs, a verdict.

Two budgets tell different things. At the search's budget the winner stands beside the runner-up and the baselines by
the trainings of the confirmation alone: those that came before chose the models, so luck is on their side. At the
final budget it stands beside its baselines, on the rows that chose epochs and trials and on rows that chose nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from flexibert.errors import SearchError
from flexibert.evidence.differences import Difference, difference_of_answers, difference_of_scores
from flexibert.evidence.resampled import TaskAnswers
from flexibert.evidence.verdict import Comparison, verdict
from flexibert.files import read_json, write_csv, write_json
from flexibert.layout import Layout
from flexibert.runs import Recipe, RecipeKind
from flexibert.space.architecture import Architecture

if TYPE_CHECKING:
    import pandas

EQUAL_SIZE = 0.1  # models whose numbers of parameters differ by no larger share are of equal size
RUNNER_UP, EQUAL_LAYERS, SCRATCH = "runner-up", "equal layers, equal size", "scratch in place of a transfer"
NAMES = {
    "bert": "a plain BERT of its size",
    "homogeneous": "the best model with equal layers that the search saw",
    RUNNER_UP: "the runner-up",
    EQUAL_LAYERS: "a model of its size with equal layers",
}
COLUMNS = (
    "budget", "split", "against", "first", "second", "mean", "low", "high", "first_seeds", "second_seeds", "rows",
    "size_ratio", "flops_ratio", "latency_ratio", "missing",
)  # fmt: skip

Answers = Callable[[str, Sequence[str]], Mapping[str, TaskAnswers]]


@dataclass(frozen=True)
class Ended:
    """The files that a search ended with.

    Attributes:
        best, leaderboard, observations: Of the search.
        confirmation, final, speed: What was trained again, what was trained longer, and how fast that is; or None.
    """

    best: str | Path
    leaderboard: str | Path
    observations: str | Path
    confirmation: str | Path | None = None
    final: str | Path | None = None
    speed: str | Path | None = None


class Compared(NamedTuple):
    """One comparison: the first model minus the second.

    Attributes:
        budget: "search" or "final".
        split: "validation" or "test".
        against: Name of the baseline, or RUNNER_UP, EQUAL_LAYERS or SCRATCH.
        first, second: Models; empty where several are compared.
        difference: None where there is none.
        missing: Why there is none.
    """

    budget: str
    split: str
    against: str
    first: str
    second: str
    difference: Difference | None
    missing: str = ""


def collect_evidence(
    results: str | Path,
    ended: Ended,
    suite: str,
    answers: Answers | None,
    seed: int,
    out: str | Path,
    table: str | Path,
) -> None:
    """Write what is known of the winner of a search.

    Args:
        results: The results folder, for the scores of single trainings.
        ended: The files that the search ended with.
        suite: The suite whose mean was searched for.
        answers: Gives the answers of a model's trainings (model, recipes) to the kept-away rows; None without such.
        seed: Of the bootstrap over rows.
        out: Where all of it is written (JSON).
        table: Where the differences are written (CSV, COLUMNS).
    """
    import pandas

    known = _Known(Layout(results), ended, suite)
    compared = [*_at_search_budget(known), *_at_final_budget(known, answers, seed)]
    rows = [_row(each, known) for each in compared]
    content = {
        "search": known.best["search"],
        "winner": known.best | known.costs.get(known.winner, {}),
        "baselines": [{key: each[key] for key in ("name", "model", "why")} for each in known.baselines],
        "costs": known.costs,
        "differences": [
            row | {"difference": each.difference.to_mapping() if each.difference else None}
            for row, each in zip(rows, compared, strict=True)
        ],
        "verdict": _verdict(compared, known),
    }
    write_json(out, content)
    write_csv(table, pandas.DataFrame(rows, columns=list(COLUMNS)))


def kept_answers(results: str | Path, suite: str) -> Answers:
    """A function that reads the answers of a model's trainings to the kept-away rows of a suite's tasks.

    Trainings of which a task has failed are left out; where the final models are not scored on the suite, all their
    tasks count.

    Args:
        results: The results folder.
        suite: The suite whose mean was searched for.
    """
    layout = Layout(results)

    def read(model: str, recipes: Sequence[str]) -> dict[str, TaskAnswers]:
        files: dict[str, list[Path]] = {}
        for recipe in recipes:
            tasks = read_json(layout.score.path(model=model, recipe=recipe))["tasks"]
            tasks = [task for task in tasks if task.startswith(f"{suite}-")] or list(tasks)
            paths = {task: layout.tuned.answers.path(model=model, recipe=recipe, task=task) for task in tasks}
            if all(path.is_file() for path in paths.values()):
                for task, path in paths.items():
                    files.setdefault(task, []).append(path)
        return {task: TaskAnswers.load(paths) for task, paths in files.items()}

    return read


class _Known:
    """What the files say, and the scores of single trainings."""

    def __init__(self, layout: Layout, ended: Ended, suite: str) -> None:
        self.layout, self.ended, self.suite = layout, ended, suite
        self.best = read_json(ended.best)
        self.winner: str = self.best["model"]
        self.confirmation = _content(ended.confirmation)
        self.final = _content(ended.final)
        source = self.final or self.confirmation
        self.baselines = [each for each in source.get("baselines", []) if self.winner in each["beside"]]
        entries = [*self.confirmation.get("models", []), *self.confirmation.get("baselines", []), *self.baselines]
        if self.final:
            entries.append(self.final)
        self.architectures = {each["model"]: Architecture.from_model_dict(each["architecture"]) for each in entries}
        self.costs = {each["model"]: {key: each[key] for key in ("parameters", "flops_per_token")} for each in entries}
        for row in _content(ended.speed).get("models", []):
            self.costs[row["model"]] |= {key: value for key, value in row.items() if key != "model"}

    def scores(self, model: str, kind: RecipeKind) -> list[float]:
        """Scores of a model's trainings of a kind that went well, by their number."""
        asked = (self.final if kind == RecipeKind.FINAL else self.confirmation).get("proposals", [])
        found = [read_json(self.layout.score.path(model=model, recipe=recipe)) for recipe in self.recipes(asked, model)]
        values = [one["suites"].get(self.suite) if kind == RecipeKind.CONFIRM else one["score"] for one in found]
        return [value for value in values if value is not None]

    @staticmethod
    def recipes(asked: Sequence[Mapping[str, Any]], model: str) -> list[str]:
        """Recipes by which a model was trained."""
        return [run["recipe"] for run in asked if run["model"] == model]

    def board(self) -> "pandas.DataFrame":
        """The leaderboard."""
        import pandas

        return pandas.read_csv(self.ended.leaderboard, dtype={"model": str})

    def ratio(self, figure: str, first: str, second: str) -> float | None:
        """One model's cost over another's; None where it is not known of both."""
        values = [self.costs.get(model, {}).get(figure) for model in (first, second)]
        return round(values[0] / values[1], 4) if values[0] and values[1] else None


def _at_search_budget(known: _Known) -> Iterator[Compared]:
    if not known.confirmation:
        return
    pairs = [(each["name"], known.winner, each["model"]) for each in known.baselines]
    board = known.board()
    candidates = [each["model"] for each in known.confirmation["models"]]
    others = [model for model in board["model"] if model in candidates and model != known.winner]
    pairs += [(RUNNER_UP, known.winner, model) for model in others[:1]]
    alike = _equal_size_pair(known, list(board["model"]))
    pairs += [(EQUAL_LAYERS, *alike)] if alike else []
    for name, first, second in pairs:
        yield _of_scores(known, RecipeKind.CONFIRM, name, first, second)
    yield from _transfers(known)


def _equal_size_pair(known: _Known, ranked: Sequence[str]) -> tuple[str, str] | None:
    """The winner and the best confirmed model of its size of the other kind: unequal layers first, equal second."""
    own = known.architectures[known.winner].homogeneous
    for model in ranked:
        ratio = known.ratio("parameters", model, known.winner)
        if ratio and abs(ratio - 1) <= EQUAL_SIZE and known.architectures[model].homogeneous != own:
            return (model, known.winner) if own else (known.winner, model)
    return None


def _transfers(known: _Known) -> Iterator[Compared]:
    """Transferred weights against a pre-training of the same models, over the models: each is a pair of its own."""
    import pandas

    seen = pandas.read_csv(known.ended.observations, dtype={"model": str})
    gains = []
    for row in seen[seen["score"].notna()].itertuples():
        if Recipe.parse(str(row.recipe)).kind == RecipeKind.TRANSFER:
            again = known.scores(str(row.model), RecipeKind.CONFIRM)
            gains += [float(row.score) - sum(again) / len(again)] if again else []
    if gains:  # against zeros, Welch's interval is that of a paired t test
        difference = difference_of_scores(gains, [0.0] * len(gains))
        yield Compared("search", "validation", SCRATCH, "", "", difference)


def _at_final_budget(known: _Known, answers: Answers | None, seed: int) -> Iterator[Compared]:
    if not known.final:
        return
    for baseline in known.baselines:
        name, model = baseline["name"], baseline["model"]
        yield _of_scores(known, RecipeKind.FINAL, name, known.winner, model)
        if answers and model != known.winner:
            yield _of_answers(known, answers, seed, name, model)


def _of_scores(known: _Known, kind: RecipeKind, name: str, first: str, second: str) -> Compared:
    budget = "final" if kind == RecipeKind.FINAL else "search"
    parts = (budget, "validation", name, first, second)
    if first == second:
        return Compared(*parts, None, "it is the winner itself")
    own, other = (known.scores(model, kind) for model in (first, second))
    if not own or not other:
        return Compared(*parts, None, "no training went well")
    return Compared(*parts, difference_of_scores(own, other))


def _of_answers(known: _Known, answers: Answers, seed: int, name: str, model: str) -> Compared:
    asked = known.final["proposals"]
    parts = ("final", "test", name, known.winner, model)
    try:
        own, other = (answers(each, known.recipes(asked, each)) for each in (known.winner, model))
        return Compared(*parts, difference_of_answers(own, other, seed))
    except SearchError as error:
        return Compared(*parts, None, error.problems[0])


def _row(each: Compared, known: _Known) -> dict[str, Any]:
    told = each.difference.to_mapping() if each.difference else {"seeds": [None, None]}
    row = {key: getattr(each, key) for key in ("budget", "split", "against", "first", "second")}
    row |= {key: told.get(key) for key in ("mean", "low", "high")}
    row |= dict(zip(("first_seeds", "second_seeds"), told["seeds"], strict=True)) | {"rows": told.get("rows")}
    figures = {"size_ratio": "parameters", "flops_ratio": "flops_per_token", "latency_ratio": "ratio"}
    return (
        row
        | {key: known.ratio(figure, each.first, each.second) for key, figure in figures.items()}
        | {"missing": each.missing}
    )


def _verdict(compared: Sequence[Compared], known: _Known) -> list[str]:
    """Sentences: on the rows that chose nothing, or the best there is; then what the confirmation adds."""
    own = [each for each in compared if each.first == known.winner]
    final = [each for each in own if each.budget == "final"]
    first = [each for each in final if each.split == "test"] or final or [each for each in own if _is_baseline(each)]
    later = [each for each in own if each.budget == "search" and not _is_baseline(each)]
    parts = [("The winner", first), ("At the search's budget the winner", later)]
    return [
        sentence
        for winner, comparisons in parts
        if comparisons
        for sentence in verdict(winner, [_comparison(each, known) for each in comparisons])
    ]


def _is_baseline(each: Compared) -> bool:
    return each.against not in (RUNNER_UP, EQUAL_LAYERS, SCRATCH)


def _comparison(each: Compared, known: _Known) -> Comparison:
    latency, size = (known.ratio(figure, each.first, each.second) for figure in ("ratio", "parameters"))
    return Comparison(NAMES.get(each.against, each.against), each.difference, latency, size, each.missing)


def _content(path: str | Path | None) -> dict[str, Any]:
    return read_json(path) if path else {}
