"""What an experiment has to say so far, in sentences: the verdict, or plainly that nothing is confirmed yet and why."""

from dataclasses import dataclass
from typing import Any

from flexibert.report.folder import ResultsFolder
from flexibert.report.standing import baseline_names, winner_of
from flexibert.runs import RunName

CANDIDATES, WINNER, SCALED = "candidates", "winner", "scaled up"


@dataclass(frozen=True)
class Count:
    """How far the trainings of one part are.

    Attributes:
        name: "candidates", "winner", "scaled up", or a baseline's name.
        models: How many models these are.
        scored: Trainings that are scored, the failed ones included.
        failed: Trainings that failed.
        asked: Trainings that were asked for.
    """

    name: str
    models: int
    scored: int
    failed: int
    asked: int

    @property
    def open(self) -> int:
        """Trainings without a score."""
        return self.asked - self.scored


def confirmation_counts(folder: ResultsFolder, search: str) -> list[Count]:
    """How far the confirmation of a search is: its candidates, then each baseline; empty before it is chosen."""
    names = baseline_names(folder, search)
    return _counts(folder, [(names.get(run.name.model, CANDIDATES), run.name) for run in folder.confirming(search)])


def final_counts(folder: ResultsFolder, search: str) -> list[Count]:
    """How far the trainings at the final budget are: the winner, each baseline, a pattern scaled up."""
    names = final_names(folder, search)
    return _counts(folder, [(names.get(run.name.model, SCALED), run.name) for run in folder.finals.get(search, [])])


def final_names(folder: ResultsFolder, search: str) -> dict[str, str]:
    """What each model at the final budget is, by model: "winner", or a baseline's name."""
    selection = folder.selections.get(search, {})
    names = {selection["model"]: WINNER} if selection else {}
    for baseline in selection.get("baselines", []):
        names.setdefault(baseline["model"], baseline["name"])
    return names


def _counts(folder: ResultsFolder, runs: list[tuple[str, RunName]]) -> list[Count]:
    counts = []
    for name in dict.fromkeys(name for name, _ in runs):
        mine = {run for label, run in runs if label == name}
        scores = [folder.scores[run] for run in mine if run in folder.scores]
        failed = sum(score["score"] is None for score in scores)
        counts.append(Count(name, len({run.model for run in mine}), len(scores), failed, len(mine)))
    return counts


def is_confirmed(folder: ResultsFolder, search: str) -> bool:
    """Whether the settings want a search's best models to be trained again."""
    wanted = folder.settings.get("confirm") or {}
    return bool(wanted.get("models")) and search in wanted.get("searches", [])


def answer(folder: ResultsFolder, search: str | None) -> list[str]:
    """The answer of a search: one sentence that a person can act on, then those that explain it."""
    if search is None:
        return ["Nothing is confirmed yet: no search has begun."]
    if sentences := folder.evidence.get(search, {}).get("verdict"):
        return list(sentences)
    winner = winner_of(folder, search)
    if winner is None:
        return [_before_the_winner(folder, search)]
    return [*_on_the_winner(folder, search, winner), *_on_final_trainings(folder, search)]


def _before_the_winner(folder: ResultsFolder, search: str) -> str:
    counts = confirmation_counts(folder, search)
    if counts:
        scored, asked = sum(count.scored for count in counts), sum(count.asked for count in counts)
        return (
            f"Nothing is confirmed yet: {scored} of {asked} repeated trainings are scored, and the best of many models "
            "that were trained once is partly the luckiest."
        )
    what_follows = (
        "when the search has converged, its best models are trained again beside the baselines"
        if is_confirmed(folder, search)
        else "its settings train no model again, so that differences between its models may be luck"
    )
    return f"Nothing is confirmed yet: each model of the search {search} was trained once; {what_follows}."


def _on_the_winner(folder: ResultsFolder, search: str, winner: dict[str, Any]) -> list[str]:
    if not folder.confirmations.get(search):
        return [
            f"Nothing is confirmed: the search {search} chose {winner['model']}, but no model was trained again, and "
            "differences between its models may be luck; set confirm.models and confirm.seeds, and run Snakemake again."
        ]
    deviation = winner.get("posterior_deviation")
    spread = f" ± {deviation:.1f}" if deviation is not None else ""
    return [
        f"{winner['model']} is the best of the models that were trained again ({winner['posterior']:.1f}{spread} "
        f"points by {winner['trainings']} trainings); how much better than its baselines is not told yet."
    ]


def _on_final_trainings(folder: ResultsFolder, search: str) -> list[str]:
    counts = final_counts(folder, search)
    if not counts:
        return []
    told = ", ".join(f"{count.name} {count.scored} of {count.asked}" for count in counts)
    return [f"Trainings at the final budget that are scored: {told}."]
