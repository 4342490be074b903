"""Distances of the pairs in a file: `flexibert distance`."""

import json
import logging
from pathlib import Path
from typing import Any

from flexibert.errors import DesignSpaceError
from flexibert.files import write_jsonl
from flexibert.log import Progress
from flexibert.space.architecture import Architecture
from flexibert.space.design_space import DesignSpace
from flexibert.space.edit_distance.distance import distance
from flexibert.space.edit_distance.exact import exact_bounds
from flexibert.space.edit_distance.ranks import Ranks

TOLD = 20  # problems told at once: a file of thousands of lines usually has one mistake many times
EXACT_SECONDS = 300.0  # four layers need tenths of a second to seconds, much deeper models may never be done
Pair = tuple[int, Architecture, Architecture]  # line of the file, and its models
logger = logging.getLogger("flexibert.distance")


def distances_of_file(
    pairs: str | Path, space: str | Path, out: str | Path, exact: bool = False, seconds: float = EXACT_SECONDS
) -> int:
    """Write `{"distance": ...}` for each line's models `a` and `b`, in the same order; returns the number of pairs.

    A pair that was to be solved exactly but was not in time gets the best distance that was found and, as `at_least`,
    what the exact one is not below; a warning tells the lines.

    Args:
        pairs: JSONL with model dictionaries `a` and `b` in each line; other keys are ignored.
        space: The design space whose ranked operations cost the edits.
        out: JSONL file to write.
        exact: Whether to solve each pair exactly.
        seconds: Longest time for a pair that is solved exactly.

    Raises:
        DesignSpaceError: With one sentence for every line and field that cannot be used.
    """
    if not seconds > 0:
        raise DesignSpaceError(f"--seconds: {seconds} is no time for a pair (allowed: more than 0)")
    ranks = Ranks.of_space(DesignSpace.from_yaml(space))
    read = _read_pairs(Path(pairs), ranks)
    progress = Progress("distances of pairs", len(read))
    rows = []
    for done, (_, a, b) in enumerate(read, 1):
        rows.append(_exact_row(a, b, ranks, seconds) if exact else {"distance": distance(a, b, ranks)})
        progress.update(done)
    progress.close()
    unproved = [str(line) for (line, _, _), row in zip(read, rows, strict=True) if "at_least" in row]
    if unproved:
        logger.warning(
            "%s: not proved exact within %g s: %d of %d pairs (lines %s); their distance is the best that was found, "
            "at_least a bound from below. Raise --seconds to prove more",
            out,
            seconds,
            len(unproved),
            len(rows),
            ", ".join(unproved[:TOLD]) + (", ..." if len(unproved) > TOLD else ""),
        )
    write_jsonl(out, rows)
    return len(rows)


def _exact_row(a: Architecture, b: Architecture, ranks: Ranks, seconds: float) -> dict[str, float]:
    lower, upper = exact_bounds(a, b, ranks, seconds)
    if lower < upper:
        upper = min(upper, distance(a, b, ranks))  # which may meet the bound
    return {"distance": upper} if lower >= upper else {"distance": upper, "at_least": lower}


def _read_pairs(path: Path, ranks: Ranks) -> list[Pair]:
    pairs: list[Pair] = []
    problems: list[str] = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise DesignSpaceError(f"{path}: not UTF-8 text; pairs are JSON, one object a line") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{path}: line {number}"
        try:
            row = json.loads(line)
        except ValueError as error:
            problems.append(f"{where}: not JSON ({error})")
            continue
        first, second = (_read_model(row, key, where, ranks, problems) for key in ("a", "b"))
        if first is not None and second is not None:
            pairs.append((number, first, second))
    if problems:
        more = len(problems) - TOLD
        raise DesignSpaceError(problems[:TOLD] + ([f"{path}: {more} more problems"] if more > 0 else []))
    return pairs


def _read_model(row: Any, key: str, where: str, ranks: Ranks, problems: list[str]) -> Architecture | None:
    if not isinstance(row, dict) or key not in row:
        problems.append(f"{where}: key '{key}' is missing (needed: model dictionaries under a and b)")
        return None
    try:
        architecture = Architecture.from_model_dict(row[key], f"{where}: {key}")
    except DesignSpaceError as error:
        problems += error.problems
        return None
    outside = ranks.problems(architecture)
    problems += [f"{where}: {key}: {problem}" for problem in outside]
    return None if outside else architecture
