"""The answer of an experiment in sentences that a person can act on."""

from collections.abc import Sequence
from dataclasses import dataclass

from flexibert.evidence.differences import Difference, further_seeds

EQUAL_SHARE = 0.02  # costs that differ by less are not worth a word


@dataclass(frozen=True)
class Comparison:
    """The winner against one other model.

    Attributes:
        name: What it is compared with, as it reads after "better than", e.g. "a plain BERT of its size".
        difference: Winner minus the other; None where there is none.
        latency_ratio: Time of the winner over that of the other on the same machine; None if not measured.
        size_ratio: Parameters of the winner over those of the other; None if unknown.
        missing: Why there is no difference, e.g. "its training failed".
    """

    name: str
    difference: Difference | None
    latency_ratio: float | None = None
    size_ratio: float | None = None
    missing: str = "it has no result"


def verdict(winner: str, comparisons: Sequence[Comparison], margin: float | None = None) -> list[str]:
    """Sentences on the winner: what it is better than, worse than, not told apart from, and what would settle it.

    Args:
        winner: Name of the model, as it begins a sentence, e.g. "The winner".
        comparisons: Against baselines, the runner-up and so on.
        margin: Points that are too few to matter; where no larger loss is in the interval, this is said. None: never.

    Returns:
        One or more sentences; the first is the answer.
    """
    told = [(one, one.difference) for one in comparisons if one.difference is not None and one.difference.told]
    better = [f"better than {_measured(*pair)}" for pair in told if pair[1].low > 0]
    worse = [f"worse than {_measured(*pair)}" for pair in told if pair[1].high < 0]
    within = [pair for pair in told if not pair[1].settled]
    names = [one.name for one, _ in within]
    if better or worse:
        further = [f"not distinguishable from {_listed(names, 'and')}"] if within else []
        answer = f"{winner} is {'; '.join([*better, *worse, *further])}."
    elif within:
        noise = "the difference is" if len(within) == 1 else "all differences are"
        answer = f"{winner} cannot be told apart from {_listed(names, 'or')}: {noise} within noise."
    else:
        answer = f"Whether {winner[:1].lower()}{winner[1:]} is better than anything else cannot be told."
    untold = [_untold(one) for one in comparisons if one.difference is None or not one.difference.told]
    return [answer, *(_unsettled(*pair, margin) for pair in within), *untold]


def points(value: float) -> str:
    """A difference with one decimal and its sign where it is negative, never "-0.0"."""
    return f"{value:.1f}".replace("-0.0", "0.0")


def seeds_of(difference: Difference) -> str:
    """How many trainings a difference rests on, e.g. "5 seeds", "5 and 3 seeds"."""
    first, second = difference.seeds
    return f"{first} seed{'s' if first > 1 else ''}" if first == second else f"{first} and {second} seeds"


def _interval(difference: Difference, low: float, high: float) -> str:
    basis = "" if difference.rows is not None else ", over seeds only"
    return f"{points(low)} to {points(high)}; {seeds_of(difference)}{basis}"


def _measured(one: Comparison, difference: Difference) -> str:
    """Name, size of the difference with its interval, and what it costs."""
    low, high = sorted(abs(bound) for bound in (difference.low, difference.high))
    size = f"{points(abs(difference.mean))} points ({_interval(difference, low, high)})"
    return ", ".join([f"{one.name} by {size}", *_costs(one)])


def _costs(one: Comparison) -> list[str]:
    words = [(one.latency_ratio, "slower", "faster"), (one.size_ratio, "larger", "smaller")]
    return [
        f"{100 * abs(ratio - 1):.0f} % {more if ratio > 1 else less}"
        for ratio, more, less in words
        if ratio is not None and abs(ratio - 1) >= EQUAL_SHARE
    ]


def _unsettled(one: Comparison, difference: Difference, margin: float | None) -> str:
    """What is known of a difference within noise, and what would settle it."""
    interval = _interval(difference, difference.low, difference.high)
    text = ", ".join([f"Against {one.name}: {points(difference.mean)} points ({interval})", *_costs(one)])
    if margin is not None and difference.low > -margin:
        text += f"; it is not worse by more than {margin:g} points"
    more = further_seeds(difference)
    if more is not None:
        seeds = f"about {more} more seed{'s' if more > 1 else ''} of both"
        return f"{text}; {seeds} would settle a difference of this size."
    if difference.row_variance > sum(difference.seed_variances) / max(difference.seeds):
        return f"{text}; seeds alone would not settle it, more kept-away rows are needed."
    return f"{text}; no affordable number of seeds would settle it."


def _untold(one: Comparison) -> str:
    if one.difference is None:
        return f"There is no comparison with {one.name}: {one.missing}."
    return (
        f"Nothing can be said against {one.name}: a single training of a model tells nothing of its noise, "
        "train both with at least 2 seeds."
    )


def _listed(names: Sequence[str], word: str) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"
