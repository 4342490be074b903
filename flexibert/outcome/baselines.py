"""The models that one would take anyway: plain BERT shapes, models with a name, any model dictionary.

`bert` is the plain BERT shape of the design space that is nearest in size to the model it is compared with: all layers
alike, attention by scaled dot products, one feed-forward layer. `homogeneous` is the best model with equal layers that
the search has seen. They are trained by the very recipes of the models beside which they stand.
"""

import difflib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from flexibert.encoder.named import NAMED_MODELS
from flexibert.encoder.settings import EncoderSettings
from flexibert.errors import UsageError
from flexibert.space.architecture import Architecture, Layer
from flexibert.space.design_space import DesignSpace

BERT, HOMOGENEOUS = "bert", "homogeneous"
RELATIVE = (BERT, HOMOGENEOUS)  # which model these are depends on the search

Wanted = str | dict[str, Any]  # a baseline as the settings give it
Sizes = Callable[[Sequence[Architecture]], list[int]]


@dataclass(frozen=True)
class Baseline:
    """A model that others are compared with.

    Attributes:
        name: As in the settings; of a dictionary, the model's name.
        architecture: The model.
        beside: Names of the models with which it is compared.
        why: One clause on how it was chosen.
    """

    name: str
    architecture: Architecture
    beside: tuple[str, ...]
    why: str


def baseline_name(wanted: Wanted) -> str:
    """The name under which tables show a baseline of the settings: "bert", "BERT-Mini", or of a dictionary the id.

    Raises:
        DesignSpaceError: The dictionary cannot be built.
    """
    if not isinstance(wanted, str):
        return Architecture.from_model_dict(wanted).id
    return wanted.lower() if wanted.lower() in RELATIVE else _canonical(wanted) or wanted


def plain_berts(space: DesignSpace) -> list[Architecture]:
    """All plain BERT shapes of a space, by layers, hidden size, heads and feed-forward width; none without sa/sdp.

    Where the space has no single feed-forward layers, they have as many as the smallest stack.
    """
    choices = space.choices
    if ("sa", "sdp") not in choices.forms:
        return []
    stack = choices.feed_forward_stacks[0]
    shapes = [
        Architecture((Layer.plain("sa", "sdp", hidden, heads, (width,) * stack),) * layers)
        for layers in choices.layers
        for hidden in choices.hidden_sizes
        for heads in choices.heads
        for width in choices.feed_forward
    ]
    return [shape for shape in shapes if space.level_of(shape) is not None]


def nearest_bert(model: Architecture, space: DesignSpace, sizes: Sizes) -> Architecture | None:
    """The plain BERT shape of a space whose number of parameters is nearest to a model's; the smaller of two.

    Args:
        model: The model that it is compared with.
        space: The design space.
        sizes: Gives the numbers of parameters of models.
    """
    shapes = plain_berts(space)
    if not shapes:
        return None
    own, *others = sizes([model, *shapes])
    place = min(range(len(shapes)), key=lambda place: (abs(others[place] - own), others[place], place))
    return shapes[place]


def baselines_of(
    wanted: Sequence[Wanted],
    rivals: Sequence[Architecture],
    seen: Sequence[Architecture],
    space: DesignSpace,
    sizes: Sizes,
) -> list[Baseline]:
    """The baselines of some models, in the order of the settings.

    Args:
        wanted: `baselines` of the settings, checked by `baseline_problems`.
        rivals: The models that are compared with them; each has a BERT of its size, and equal ones stand once.
        seen: All models that the search has trained, best first.
        space: The design space.
        sizes: Gives the numbers of parameters of models.
    """
    found = []
    everyone = tuple(dict.fromkeys(rival.id for rival in rivals))
    for entry in wanted:
        name = baseline_name(entry)
        if name == BERT:
            found += _berts(rivals, space, sizes)
        elif name == HOMOGENEOUS:
            alike = [model for model in seen if model.homogeneous][:1]
            found += [Baseline(name, each, everyone, "best model with equal layers that was seen") for each in alike]
        else:
            model = NAMED_MODELS[name] if isinstance(entry, str) else Architecture.from_model_dict(entry)
            found.append(Baseline(name, model, everyone, "named in the settings"))
    return found


def _berts(rivals: Sequence[Architecture], space: DesignSpace, sizes: Sizes) -> list[Baseline]:
    """The BERT nearest in size to each of some models, equal ones once."""
    beside: dict[Architecture, list[str]] = {}
    for rival in dict.fromkeys(rivals):
        if bert := nearest_bert(rival, space, sizes):
            beside.setdefault(bert, []).append(rival.id)
    return [
        Baseline(BERT, bert, tuple(names), f"plain BERT nearest in size to {', '.join(names)}")
        for bert, names in beside.items()
    ]


def baseline_problems(
    wanted: Sequence[Wanted], space: DesignSpace, max_positions: int, vocabulary: int
) -> Iterator[str]:
    """Why baselines of the settings cannot be trained in a space: one sentence a problem.

    Args:
        wanted: `baselines` of the settings.
        space: The design space.
        max_positions: Longest sequence of the experiment's models, in tokens.
        vocabulary: Number of tokens.
    """
    for position, entry in enumerate(wanted):
        place = f"baselines[{position}]"
        if isinstance(entry, str) and entry.lower() == BERT:
            if not plain_berts(space):
                yield f"{place}: {entry!r} needs attention by scaled dot products, which the space lacks; {_ADD_SDP}"
            continue
        if isinstance(entry, str) and entry.lower() == HOMOGENEOUS:
            continue
        if isinstance(entry, str) and _canonical(entry) is None:
            known = [*RELATIVE, *NAMED_MODELS]
            near = difflib.get_close_matches(entry.lower(), [name.lower() for name in known], n=1)
            hint = next(f"; did you mean {name!r}?" for name in known if name.lower() == near[0]) if near else ""
            yield f"{place}: there is no model {entry!r} (names: {', '.join(known)}, or a model dictionary){hint}"
            continue
        name = entry if isinstance(entry, str) else "model"
        yield from _model_problems(f"{place}: {name}", entry, space, max_positions, vocabulary)
    names = [entry for entry in map(_name_or_none, wanted) if entry]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"baselines: {name} stands {names.count(name)} times; remove the repetition"


_ADD_SDP = "remove it, or add `sa: [sdp]` to the operations of the space"


def _model_problems(
    place: str, entry: Wanted, space: DesignSpace, max_positions: int, vocabulary: int
) -> Iterator[str]:
    try:
        model = (
            NAMED_MODELS[_canonical(entry) or ""]
            if isinstance(entry, str)
            else Architecture.from_model_dict(entry, place)
        )
    except UsageError as error:
        yield from error.problems
        return
    try:
        EncoderSettings(model, max_positions=max_positions, vocab_size=vocabulary)
    except UsageError as error:
        yield from (f"{place}: {problem}" for problem in error.problems)
    outside = space.problems(model)
    if outside:
        further = f" (and {len(outside) - 1} more)" if len(outside) > 1 else ""
        yield f"{place} is no model of the space: {outside[0]}{further}; remove it, or add its values to the space"


def _name_or_none(wanted: Wanted) -> str | None:
    try:
        return baseline_name(wanted)
    except UsageError:
        return None


def _canonical(name: str) -> str | None:
    """The spelling of a model's name that is known in any case; None for an unknown one."""
    return next((known for known in NAMED_MODELS if known.lower() == name.lower()), None)
