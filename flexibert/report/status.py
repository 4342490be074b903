"""One screen on a running or finished search, from the files of its results folder alone."""

import math
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from flexibert.evidence.posterior import Belief
from flexibert.report.answer import Count, answer, confirmation_counts, final_counts, is_confirmed
from flexibert.report.folder import ResultsFolder
from flexibert.report.standing import baseline_names, beliefs, trainings_of, winner_of

STALE_SECONDS = 300.0  # a job writes its progress every ten seconds; evaluations and saving may take longer
BAR = 12  # characters of a progress bar
LEAST_ROWS = 3  # rows that each list gets on the smallest screen


class Best(NamedTuple):
    """A model and what is believed of its score."""

    belief: Belief
    model: str

    @property
    def text(self) -> str:
        """Posterior mean, its deviation and the number of trainings."""
        mean, deviation, count = self.belief.mean, self.belief.deviation, self.belief.trainings
        spread = "" if math.isnan(deviation) else f" ± {deviation:.2f}"
        return f"{mean:.2f}{spread} ({count} training{'s'[: count != 1]})"


@dataclass(frozen=True)
class SearchState:
    """Where one search stands.

    Attributes:
        name: The search.
        method: Its method.
        level, round: The newest round; -1 before the first.
        rounds: Largest number of rounds of that level, or None where the settings do not say.
        done, running, failed: Runs scored, asked for and not yet scored, and failed.
        tasks_done: Tasks that are fine-tuned already of the runs not yet scored.
        converged: Whether its last level has ended.
        best: The best candidate by what is believed of it, None before the first score.
    """

    name: str
    method: str
    level: int
    round: int
    rounds: int | None
    done: int
    running: int
    failed: int
    tasks_done: int
    converged: bool
    best: Best | None


def search_states(folder: ResultsFolder) -> list[SearchState]:
    """Where each search stands."""
    return [_search_state(folder, search) for search in folder.searches]


def _search_state(folder: ResultsFolder, search: str) -> SearchState:
    settings = folder.search_settings(search)
    rounds = folder.rounds[search]
    asked = {run.name for each in rounds for run in each.runs}
    scores = {run: folder.scores[run] for run in asked if run in folder.scores}
    failed = {run for run, score in scores.items() if score["score"] is None}
    last = rounds[-1] if rounds else None
    level = last.level if last else -1
    levels = {keys["level"]: keys for keys in settings.get("levels", [])}
    ended = folder.layout.leaderboard.path(search=search).exists()
    return SearchState(
        name=search,
        method=settings.get("method", "?"),
        level=level,
        round=last.number if last else -1,
        rounds=levels.get(level, {}).get("rounds"),
        done=len(scores) - len(failed),
        running=len(asked) - len(scores),
        failed=len(failed),
        tasks_done=sum(len(folder.layout.tuned.best.found(**run.to_mapping())) for run in asked - set(scores)),
        converged=ended or (last is not None and last.converged and level == max(levels, default=level)),
        best=_best_candidate(folder, search),
    )


def _best_candidate(folder: ResultsFolder, search: str) -> Best | None:
    """The winner, or the model of the highest posterior mean so far; baselines do not count."""
    known, baselines = beliefs(folder, search), baseline_names(folder, search)
    winner = winner_of(folder, search)
    models = [winner["model"]] if winner else [model for model in known if model not in baselines]
    found = [Best(known[model], model) for model in models if model in known]
    return max(found, key=lambda best: (best.belief.mean, best.model), default=None)


def missing(folder: ResultsFolder, states: list[SearchState]) -> list[str]:
    """What the experiment still lacks, one phrase each; empty when it is finished."""
    wanted = folder.settings.get("searches", {"main": {}})
    begun = {state.name for state in states}
    lacking = [f"search {name} (not begun)" for name in wanted if name not in begun and _is_needed(folder, name)]
    lacking += [f"search {state.name} (not converged)" for state in states if not state.converged]
    for state in states:
        lacking += _unconfirmed(folder, state)
    if not folder.finals:
        lacking.append("the final model (not chosen)")
    for search in folder.finals:
        lacking += [
            f"final trainings of {search} ({count.name}: {count.open} of {count.asked} without a score)"
            for count in final_counts(folder, search)
            if count.open
        ]
        if "baselines" in folder.selections[search] and search not in folder.evidence:
            lacking.append(f"the evidence of {search} (not collected)")
    if not folder.layout.page.path(page="report").exists():
        lacking.append("the report")
    return lacking


def _unconfirmed(folder: ResultsFolder, state: SearchState) -> list[str]:
    """What the confirmation of a search lacks."""
    counts = confirmation_counts(folder, state.name)
    if not counts and state.converged and is_confirmed(folder, state.name):
        return [f"the confirmation of {state.name} (not chosen)"]
    return [
        f"the confirmation of {state.name} ({count.name}: {count.open} of {count.asked} trainings without a score)"
        for count in counts
        if count.open
    ]


def _is_needed(folder: ResultsFolder, search: str) -> bool:
    return search == "main" or (len(folder.searches) > 1 and search in folder.settings.get("comparison", []))


def screen(
    folder: ResultsFolder, width: int = 100, height: int = 40, colour: bool = False, now: float | None = None
) -> str:
    """The screen as text.

    Args:
        folder: What to look at.
        width, height: Size of the terminal in characters; longer lists end with how many were left out.
        colour: Whether to mark headings and failures by ANSI colours.
        now: Seconds since the epoch; None for the clock.
    """
    now = time.time() if now is None else now
    states = search_states(folder)
    lacking = missing(folder, states)
    sections = [
        ("Searches", _table([_search_row(state) for state in states]) or ["none has begun"]),
        ("Running", _running_lines(folder, now) or ["no training"]),
        ("Confirmation", _count_lines(states, lambda search: confirmation_counts(folder, search))),
        ("Final trainings", _count_lines(states, lambda search: final_counts(folder, search))),
        ("Best so far", _best_lines(folder, states, width)),
        ("Answer", _answer_lines(folder, width)),
        ("Failed", _failure_lines(folder, states)),
        ("Missing", lacking or ["nothing: the experiment is finished"]),
    ]
    state = "finished" if not lacking else ("running" if _is_running(folder, now) else "unfinished")
    rows = max(LEAST_ROWS, (height - 3 - 2 * len(sections)) // 3)
    head = f"{folder.name}: {state}"
    path = f"  ({folder.path})"
    lines = [_styled(head + (path if len(head + path) <= width else ""), "1", colour)]
    for title, body in sections:
        if not body:
            continue
        lines += ["", _styled(title, "31" if title == "Failed" else "36", colour)]
        lines += [f"  {line}"[:width] for line in body[:rows]]
        if len(body) > rows:
            lines.append(f"  ... and {len(body) - rows} more")
    return "\n".join(lines) + "\n"


def watch(path: str | Path, seconds: float) -> None:
    """Show the screen again and again until the experiment is finished or the person stops it (Ctrl-C)."""
    try:
        while True:
            folder = ResultsFolder(path)
            if sys.stdout.isatty():
                print("\x1b[H\x1b[2J", end="")
            show(folder)
            if not missing(folder, search_states(folder)):
                return
            time.sleep(seconds)
    except KeyboardInterrupt:
        return


def show(folder: ResultsFolder) -> None:
    """Print the screen, fitted to the terminal."""
    size = shutil.get_terminal_size((100, 40))
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    print(screen(folder, size.columns, size.lines, colour), end="", flush=True)


def _search_row(state: SearchState) -> list[str]:
    if state.converged:
        reached = f"converged at level {state.level}"
    elif state.round < 0:
        reached = "no round yet"
    else:
        reached = f"level {state.level}, round {state.round}" + (f" of {state.rounds - 1}" if state.rounds else "")
    best = f"best {state.best.text}" if state.best else "no score yet"
    counts = f"{state.done} done"
    if state.running:
        counts += f", {state.running} to score ({state.tasks_done} tasks done)"
    if state.failed:
        counts += f", {state.failed} failed"
    return [state.name, state.method, reached, best, counts]


def _table(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def is_alive(job: dict[str, Any], now: float) -> bool:
    """Whether a job still works: it wrote lately and, on this machine, its process is there."""
    if now - job["time"] > STALE_SECONDS:
        return False
    return job.get("host") != os.uname().nodename or Path(f"/proc/{job['pid']}").exists() or not Path("/proc").is_dir()


def _is_running(folder: ResultsFolder, now: float) -> bool:
    alive = any(is_alive(job, now) for job in folder.progress)
    return alive or any(now - begin < STALE_SECONDS for _, begin in folder.begun)


def _running_lines(folder: ResultsFolder, now: float) -> list[str]:
    lines = [_job_line(job, now) for job in folder.progress]
    return lines + [f"{name}  begun {_duration(now - begin)} ago" for name, begin in folder.begun]


def _job_line(job: dict[str, Any], now: float) -> str:
    done = job["step"] / max(1, job["steps"])
    bar = "#" * round(BAR * done)
    line = f"{job['name']:<36} [{bar:.<{BAR}}] {job['step']}/{job['steps']}"
    if not is_alive(job, now):
        return (
            f"{line}  stopped, last sign of life {_duration(now - job['time'])} ago (it resumes from its saved state)"
        )
    if "tokens_per_second" in job:
        line += f"  {job['tokens_per_second']:,.0f} tokens/s"
    if "seconds_left" in job:
        line += f"  {_duration(job['seconds_left'])} left"
    known = {"file", "name", "pid", "host", "time", "step", "steps", "seconds_left", "tokens_per_second"}
    return line + "".join(f"  {key} {value:.4g}" for key, value in job.items() if key not in known)


def _count_lines(states: list[SearchState], counts: Callable[[str], list[Count]]) -> list[str]:
    """Trainings that are scored, of those that were asked for, by search and part."""
    rows = []
    for state in states:
        for count in counts(state.name):
            models = f" ({count.models} models)" if count.models > 1 else ""
            failed = f", {count.failed} failed" if count.failed else ""
            rows.append([state.name, f"{count.name}{models}", f"{count.scored} of {count.asked}{failed}"])
    return _table(rows) if rows else []


def _best_lines(folder: ResultsFolder, states: list[SearchState], width: int) -> list[str]:
    """The best model of the main search, and its means by task."""
    best = next((state.best for state in states if state.name == folder.main_search), None)
    if best is None:
        return []
    runs = trainings_of(folder, folder.main_search or "", best.model)
    trainings = [folder.scores[run].get("tasks") or {} for run in runs if run in folder.scores]
    points: dict[str, list[float]] = {}
    for training in trainings:
        for task, value in training.items():
            points.setdefault(task, []).extend([] if value is None else [value])
    tasks = [f"{task} {_points(values)}" for task, values in sorted(points.items())]
    return [f"{best.text}  {best.model}", *_filled(tasks, width)]


def _answer_lines(folder: ResultsFolder, width: int) -> list[str]:
    """The first sentence of the answer, and what explains it."""
    lines = []
    for sentence in answer(folder, folder.main_search):
        lines += textwrap.wrap(sentence, width - 2)
    return lines


def _filled(words: list[str], width: int) -> list[str]:
    """Phrases side by side, as many a line as fit."""
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + len(word) + 4 <= width:
            lines[-1] += f"  {word}"
        else:
            lines.append(word)
    return lines


def _points(values: list[float]) -> str:
    return f"{sum(values) / len(values):.1f}" if values else "-"


def _failure_lines(folder: ResultsFolder, states: list[SearchState]) -> list[str]:
    if not any(state.failed for state in states):
        return []
    return [
        f"{run.model} ({run.recipe}): {score.get('reason') or 'no reason told'}"
        for run, score in sorted(folder.scores.items())
        if score["score"] is None
    ]


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def _styled(text: str, code: str, colour: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if colour else text
