"""A run: one model trained by one recipe. Its name, why it was asked for, where its weights come from.

Every kind, reason and state has one spelling here, one parser and one formatter. Files hold the text of the values,
which results on disk repeat; so a name in the code may change and a value may not.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple

from flexibert.errors import UsageError


class Reason(StrEnum):
    """Why a search asked for a run."""

    INITIAL = "initial"
    OPTIMISATION = "optimisation"
    UNCERTAINTY = "uncertainty"
    DIVERSITY = "diversity"
    RETUNING = "aleatoric"  # the paper's word: the noise of one training is what another recipe may win
    BASELINE = "baseline"


class Phase(StrEnum):
    """What a round of a search is for."""

    INITIAL = "initial"
    SEARCH = "search"
    RETUNING = "aleatoric"
    CONVERGED = "converged"


class Origin(StrEnum):
    """Where the weights come from with which the fine-tunings of a run begin."""

    PRETRAINED = "pretrain"
    TRANSFERRED = "transfer"
    RETUNED = "retuned"
    CONFIRMED = "confirmed"
    FINAL = "final"


class Status(StrEnum):
    """How a training ended; one that diverges is a result like any other."""

    OK = "ok"
    FAILED = "failed"


class RecipeKind(StrEnum):
    """How a model is trained; the value is the first word of the recipe's name."""

    SCRATCH = "scratch"
    TRANSFER = "from"
    RETUNED = "retuned"
    CONFIRM = "confirm"
    FINAL = "final"

    @property
    def pattern(self) -> str:
        """Regular expression of the names of this kind."""
        return _KINDS[self].pattern

    @property
    def origin(self) -> Origin:
        """Where the weights of such a run come from."""
        return _KINDS[self].origin

    @property
    def section(self) -> str | None:
        """Section of the settings whose `pretrain` and `finetune` change those of the experiment; None for none."""
        return _KINDS[self].section


class _Kind(NamedTuple):
    pattern: str
    origin: Origin
    section: str | None = None


_KINDS = {
    RecipeKind.SCRATCH: _Kind("scratch", Origin.PRETRAINED),
    RecipeKind.TRANSFER: _Kind("from-[0-9a-f]+", Origin.TRANSFERRED),
    RecipeKind.RETUNED: _Kind(r"retuned-[1-9]\d*", Origin.RETUNED, "retune"),
    RecipeKind.CONFIRM: _Kind(r"confirm-[1-9]\d*", Origin.CONFIRMED),
    RecipeKind.FINAL: _Kind(r"final(?:-(?:[2-9]|[1-9]\d+))?", Origin.FINAL, "final"),
}
PRETRAINED = tuple(kind for kind in RecipeKind if kind != RecipeKind.TRANSFER)


@dataclass(frozen=True, order=True)
class Recipe:
    """How one model is trained; its text is a folder's name: "scratch", "from-1a2b3c4d", "retuned-1", "final".

    Attributes:
        kind: scratch: pre-trained at the search's budget. from: takes the weights of another run. retuned: trained
            anew by the tuned settings. confirm: as scratch, with other random numbers. final: at the large budget.
        number: Which of the repeats that differ in their random numbers alone, from 1 on. The first final training
            is "final", the second "final-2".
        digest: Of the run whose weights are taken, in hexadecimal; empty for all other kinds.
    """

    kind: RecipeKind
    number: int = 1
    digest: str = ""

    @classmethod
    def parse(cls, text: "str | Recipe") -> "Recipe":
        """The recipe of that name; a recipe stays what it is.

        Raises:
            UsageError: There is no such recipe.
        """
        return text if isinstance(text, Recipe) else _parsed(text)

    @classmethod
    def transferred_from(cls, source: "RunName") -> "Recipe":
        """The recipe of a run that takes its weights from `source`: equal sources give equal names."""
        return cls(RecipeKind.TRANSFER, digest=hashlib.sha256(str(source).encode()).hexdigest()[:8])

    def __str__(self) -> str:
        if self.kind == RecipeKind.TRANSFER:
            return f"{self.kind}-{self.digest}"
        numbered = self.kind in (RecipeKind.RETUNED, RecipeKind.CONFIRM) or self.number > 1
        return f"{self.kind}-{self.number}" if numbered else str(self.kind)


def recipe_pattern(*kinds: RecipeKind) -> str:
    """Regular expression of the recipes of some kinds, of all for none: what a wildcard may match."""
    return "|".join(kind.pattern for kind in kinds or RecipeKind)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Recipe:
    word, _, rest = text.partition("-")
    if word not in list(RecipeKind) or not re.fullmatch(RecipeKind(word).pattern, text, re.ASCII):
        raise UsageError(
            f"recipe {text!r} does not exist; there are scratch, from-DIGEST, retuned-N, confirm-N, final and final-N"
        )
    kind = RecipeKind(word)
    return Recipe(kind, digest=rest) if kind == RecipeKind.TRANSFER else Recipe(kind, int(rest or 1))


class RunName(NamedTuple):
    """What tells a run from all others of an experiment.

    Attributes:
        model: Name of the architecture, hexadecimal digits.
        recipe: How it is trained.
    """

    model: str
    recipe: Recipe

    @classmethod
    def of(cls, model: str, recipe: str | Recipe) -> "RunName":
        """The name, from texts.

        Raises:
            UsageError: There is no such recipe.
        """
        return cls(model, Recipe.parse(recipe))

    @classmethod
    def from_mapping(cls, entry: Mapping[str, Any]) -> "RunName":
        """The name of a run from anything on disk that names one: a card, a score, a proposed run, a source."""
        return cls.of(entry["model"], entry["recipe"])

    def to_mapping(self) -> dict[str, str]:
        """The name as it stands on disk."""
        return {"model": self.model, "recipe": str(self.recipe)}

    def __str__(self) -> str:
        return f"{self.model}/{self.recipe}"


@dataclass(frozen=True)
class Run:
    """What is to be trained, or was.

    Attributes:
        name: Model and recipe.
        architecture: Model dictionary.
        source: The run whose weights are taken; None for all kinds of recipe but a transfer.
        overlap: Share of the weights that the source gives, 0 to 1; None without one.
        further: What else the file says of it. A proposal: reason, explanation, mean, aleatoric, epistemic,
            acquisition, and `beyond`, the costs of a model that is in no library.
    """

    name: RunName
    architecture: dict[str, Any]
    source: RunName | None = None
    overlap: float | None = None
    further: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_mapping(cls, entry: Mapping[str, Any]) -> "Run":
        """The run of an entry of a proposal, of a final selection or of a card.

        Raises:
            UsageError: The recipe does not exist.
        """
        source = entry["source"] and RunName.from_mapping(entry["source"])
        further = {key: value for key, value in entry.items() if key not in RUN_KEYS}
        return cls(RunName.from_mapping(entry), entry["architecture"], source, entry["overlap"], further)

    @property
    def alone(self) -> "Run":
        """The run without what one proposal says of it: equal names give equal runs."""
        return replace(self, further={})

    @property
    def origin(self) -> Origin:
        """Where its weights come from."""
        return self.name.recipe.kind.origin

    def to_mapping(self) -> dict[str, Any]:
        """The run as it stands on disk, in texts and numbers alone; `from_mapping` reads it."""
        values = (self.architecture, str(self.origin), self.source and self.source.to_mapping(), self.overlap)
        return self.name.to_mapping() | dict(zip(RUN_KEYS[2:], values, strict=True)) | self.further


@dataclass(frozen=True)
class Round:
    """What one round of a search asked for, the content of a proposal.json.

    Attributes:
        search: Name of the search.
        level: Level of the design space.
        number: 0 for the initial design.
        phase: What the round is for.
        converged: Whether the level has ended; such a round asks for nothing.
        best: Best run before the round: model, recipe, score; None while there is none.
        runs: The runs, each with the reason and what was expected of it.
    """

    search: str
    level: int
    number: int
    phase: Phase
    converged: bool
    best: dict[str, Any] | None
    runs: tuple[Run, ...]

    @classmethod
    def from_mapping(cls, entry: Mapping[str, Any]) -> "Round":
        """The round of the content of a proposal.json."""
        return cls(
            entry["search"],
            entry["level"],
            entry["round"],
            Phase(entry["phase"]),
            entry["converged"],
            entry["best"],
            tuple(map(Run.from_mapping, entry["proposals"])),
        )

    def to_mapping(self) -> dict[str, Any]:
        """The content of a proposal.json; `from_mapping` reads it."""
        return {
            "search": self.search,
            "level": self.level,
            "round": self.number,
            "phase": str(self.phase),
            "converged": self.converged,
            "best": self.best,
            "proposals": [run.to_mapping() for run in self.runs],
        }


RUN_KEYS = ("model", "recipe", "architecture", "origin", "source", "overlap")
