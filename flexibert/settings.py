"""The sections of a checked configuration as types: what crosses from one part of the package to another.

What each key means, and its unit, stands in config/config.yaml; what it may be, in the schema. Nothing here has a
default of its own but the keys that a person may leave out.
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, get_type_hints

from flexibert.errors import ConfigError

Precision = Literal["float32", "bfloat16"]
TransferMode = Literal["ordered", "random-projection"]
Metric = Literal["euclidean", "city-block"]


class Section:
    """Reads and writes a frozen dataclass whose fields are the keys of one section.

    Attributes:
        section: Where it stands in the configuration, for messages; `[]` stands for any entry of a list.
    """

    section: ClassVar[str]

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Self:
        """The section of a mapping; lists become tuples, sections in it become their own types.

        Raises:
            ConfigError: A key is unknown or missing.
        """
        assert is_dataclass(cls)
        keys = [entry.name for entry in fields(cls)]
        problems = [f"{cls.section}: unknown key {key!r}" for key in mapping if key not in keys]
        missing = [key for key in keys if key not in mapping and key not in cls.defaults()]
        problems += [f"{cls.section}: key {key!r} is missing" for key in missing]
        if problems:
            raise ConfigError(problems)
        hints = get_type_hints(cls)
        return cls(**{key: _typed(value, hints[key]) for key, value in mapping.items()})

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """The keys that may be left out, and what they are then."""
        assert is_dataclass(cls)
        return {entry.name: entry.default for entry in fields(cls) if entry.default is not MISSING}

    def to_mapping(self) -> dict[str, Any]:
        """The section as JSON and YAML hold it; `from_mapping` takes it back."""
        assert is_dataclass(self)
        return {entry.name: _plain(getattr(self, entry.name)) for entry in fields(self)}


def _typed(value: Any, hint: Any) -> Any:
    if hint is Path:
        return Path(value)
    if hasattr(hint, "from_mapping") and isinstance(value, Mapping):
        return hint.from_mapping(value)
    return tuple(value) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    if hasattr(value, "to_mapping"):
        return value.to_mapping()
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


@dataclass(frozen=True)
class SourceSettings(Section):
    """One text source, an entry of `corpus.sources`."""

    section = "corpus.sources[]"

    name: str
    kind: Literal["embedded", "folder", "hub"]
    weight: float
    shards: int
    path: str | None = None  # of kind folder
    id: str | None = None  # of kind hub, like "wikimedia/wikipedia"
    config: str | None = None
    split: str = "train"
    revision: str | None = None
    streaming: bool = False
    column: str = "text"
    unit: Literal["paragraph", "line", "file"] = "paragraph"
    join: int = 1
    documents: int | None = None
    final_only: bool = False


@dataclass(frozen=True)
class CorpusSettings(Section):
    """How the documents of all sources are treated: `corpus` without its sources."""

    section = "corpus"

    validation: float
    duplicates: Literal["none", "exact", "near"]


@dataclass(frozen=True)
class TokenizerSettings(Section):
    """The section `tokenizer`."""

    section = "tokenizer"

    kind: Literal["train", "file", "hub"]
    vocabulary: int
    path: str | None


@dataclass(frozen=True)
class SuiteSettings(Section):
    """Where the tasks of a suite come from, an entry of `tasks.suites`."""

    section = "tasks.suites[]"

    suite: str
    source: Literal["embedded", "folder", "hub"]
    folder: str | None = None
    names: tuple[str, ...] | None = None


@dataclass(frozen=True)
class TaskSettings(Section):
    """How every task is prepared: `tasks` without its suites."""

    section = "tasks"

    length: int
    train_rows: int | None
    validation_rows: int | None
    test_share: float
    test_rows: int | None

    def most_rows(self, split: str) -> int | None:
        """How many rows of a split ("train" or "validation") are used at most."""
        return {"train": self.train_rows, "validation": self.validation_rows}[split]


@dataclass(frozen=True)
class LibrarySettings(Section):
    """The section `library`."""

    section = "library"

    graphs: int
    dimensions: int
    metric: Metric
    recipe: Literal["fast", "paper"]
    neighbours: int


@dataclass(frozen=True)
class ModelSettings(Section):
    """The section `model`."""

    section = "model"

    max_positions: int
    dropout: float
    initializer_width: int | None
    paper_padding: bool


@dataclass(frozen=True)
class PretrainSettings(Section):
    """The section `pretrain`, for one recipe: with the changes of `final` or `retune` where they are due."""

    section = "pretrain"

    steps: int
    batch: int
    micro_batch: int
    length: int
    mask_rate: float
    learning_rate: float
    warmup_steps: int
    betas: tuple[float, float]
    epsilon: float
    weight_decay: float
    gradient_clip: float | None
    evaluate_every: int
    evaluate_sequences: int
    precision: Precision
    devices: int


@dataclass(frozen=True)
class TransferSettings(Section):
    """The section `transfer`."""

    section = "transfer"

    overlap: float
    mode: TransferMode
    steps: int


@dataclass(frozen=True)
class FinetuneSettings(Section):
    """The section `finetune`, for one recipe: with the changes of `final` or `retune` where they are due."""

    section = "finetune"

    epochs: int
    patience: int
    trials: int
    learning_rate: tuple[float, float]
    batch: tuple[int, ...]
    micro_batch: int
    warmup: float
    betas: tuple[float, float]
    epsilon: float
    weight_decay: float
    gradient_clip: float | None
    prune: bool
    precision: Precision
    keep_weights: bool


@dataclass(frozen=True)
class ConstraintSettings(Section):
    """Largest costs of a model that a search may propose: `search.constraints`; None for no limit."""

    section = "search.constraints"

    parameters: int | None
    flops_per_token: float | None
    latency_ms: float | None

    @property
    def limits(self) -> dict[str, float]:
        """The limits that are set, by the name of the cost."""
        return {key: limit for key, limit in vars(self).items() if limit is not None}


@dataclass(frozen=True)
class LevelSettings(Section):
    """How one level is searched, an entry of `search.levels`."""

    section = "search.levels[]"

    level: int
    initial: int
    batch: int
    rounds: int
    patience: int
    aleatoric: int
    parents: int
    parent_neighbours: int


@dataclass(frozen=True)
class SearchSettings(Section):
    """What all levels of one named search share: `search` without its levels."""

    section = "search"

    method: str
    seed: int
    suite: str
    embedding: Literal["transformer2vec", "naive"]
    models: Literal["all", "homogeneous"]
    constraints: ConstraintSettings


@dataclass(frozen=True)
class ScaleSettings(Section):
    """By what the best model's pattern is enlarged: `final.scale_up`."""

    section = "final.scale_up"

    layers: int
    widths: int


@dataclass(frozen=True)
class JobsSettings(Section):
    """The section `jobs`: how work is done, never a reason for another result."""

    section = "jobs"

    device: Literal["auto", "cpu", "cuda"]
    threads: int
    save_every_steps: int
    save_every_minutes: float
    memory_mb: int
    largest_memory_mb: int
    minutes: int
    longest_minutes: int
