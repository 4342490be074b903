"""What an encoder is built from: the architecture and the few settings that a design space leaves open."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from itertools import groupby, pairwise
from typing import Any

from flexibert.errors import DesignSpaceError, ModelError
from flexibert.space.architecture import Architecture, Layer

ROBERTA_VOCABULARY = 50_265  # the paper's tokenizer and limits are RoBERTa's (paper: experimental setup)
ROBERTA_POSITIONS = 514

POSITION_KINDS = ("relative_key", "absolute")
ATTENTION_IMPLEMENTATIONS = ("sdpa", "eager")


@dataclass(frozen=True)
class HeadGroup:
    """The heads of one layer that share an operation, its weights and its table of relative positions.

    Attributes:
        operation: "sa", "l" or "c".
        parameter: "sdp" or "wma" (sa), "dft" or "dct" (l), kernel size (c).
        heads: Number of heads.
        head_size: Width of one head.
    """

    operation: str
    parameter: str | int
    heads: int
    head_size: int

    @property
    def width(self) -> int:
        """Width of the group's output."""
        return self.heads * self.head_size

    @property
    def kernel_size(self) -> int:
        """Taps of the convolution of a `c` group."""
        assert isinstance(self.parameter, int)
        return self.parameter

    @property
    def transform(self) -> str:
        """The transform of an `l` group, "dft" or "dct"."""
        assert isinstance(self.parameter, str)
        return self.parameter

    @property
    def split(self) -> tuple[int, int]:
        """Heads and head size of the attention part; a `c` group gives half of its width to the convolution.

        The halves share out the heads (`head_ratio` 2 of the released code), or each head where their number is odd.
        """
        if self.operation != "c":
            return self.heads, self.head_size
        return (self.heads // 2, self.head_size) if self.heads % 2 == 0 else (self.heads, self.head_size // 2)


@dataclass(frozen=True)
class LayerSettings:
    """One encoder layer.

    Attributes:
        hidden: Width of the layer's input and output.
        groups: Its operations; their outputs stand side by side and are `hidden` wide together.
        feed_forward: Widths of the stacked feed-forward layers.
        next_hidden: Width that a projection after the layer leads to, or None where the next layer is as wide.
    """

    hidden: int
    groups: tuple[HeadGroup, ...]
    feed_forward: tuple[int, ...]
    next_hidden: int | None

    @property
    def operations(self) -> tuple[tuple[str, str | int], ...]:
        """Operation and parameter of each group: what must agree for weights to pass from one layer to another."""
        return tuple((group.operation, group.parameter) for group in self.groups)


def layers_of(architecture: Architecture) -> tuple[LayerSettings, ...]:
    """The layers to build; heads of a layer that are alike form one group.

    Raises:
        DesignSpaceError: A layer that mixes operations has an odd number of convolution heads of an odd size.
    """
    layers = architecture.layers
    following = [None if right.hidden == left.hidden else right.hidden for left, right in pairwise(layers)] + [None]
    built = tuple(_layer(layer, after) for layer, after in zip(layers, following, strict=True))
    problems = [
        f"o[{index}]: {group.heads} convolution heads of size {group.head_size} cannot be halved "
        "(needed: an even number or an even size)"
        for index, layer in enumerate(built)
        for group in layer.groups
        if group.operation == "c" and group.heads % 2 and group.head_size % 2
    ]
    if problems:
        raise DesignSpaceError(problems)
    return built


@lru_cache(maxsize=10_000)  # a library of thousands of models is made of hundreds of layers
def _layer(layer: Layer, next_hidden: int | None) -> LayerSettings:
    groups = (
        HeadGroup(head.operation, head.parameter, len(list(same)), head.size) for head, same in groupby(layer.heads)
    )
    return LayerSettings(layer.hidden, tuple(groups), layer.feed_forward, next_hidden)


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


@dataclass(frozen=True)
class EncoderSettings:
    """Everything that fixes an encoder's shape and arithmetic; the content of a model's `config.json`.

    Attributes:
        architecture: Its layers.
        vocab_size: Number of tokens.
        max_positions: Longest sequence, in tokens.
        token_types: Number of segments that a sequence may have (RoBERTa 1, BERT 2).
        positions: "relative_key" (the paper's) or "absolute" (BERT's own table of positions).
        dropout: Rate after the embeddings, on attention weights and after each block, in training; in [0, 1).
        paper_padding: Let transforms and convolutions see padding, as the released code does; outputs then depend on
            the padded length.
        tie_word_embeddings: Decode with the word embeddings; needs h[0] == h[-1]. The released code does not tie.
        pad_token_id: Token whose embedding starts at zero, or None.
        initializer_range: Standard deviation of initial weights.
        initializer_width: Inputs of a linear layer whose weights have that deviation; fewer inputs mean a larger one,
            so that outputs are as large at any width. None: the same deviation in every layer, as in BERT.
        attn_implementation: "sdpa" (PyTorch's fused attention where the operation allows it) or "eager".
    """

    architecture: Architecture
    vocab_size: int = ROBERTA_VOCABULARY
    max_positions: int = ROBERTA_POSITIONS
    token_types: int = 1
    positions: str = "relative_key"
    dropout: float = 0.1
    paper_padding: bool = False
    tie_word_embeddings: bool = False
    pad_token_id: int | None = None
    initializer_range: float = 0.02
    initializer_width: int | None = None
    attn_implementation: str = "sdpa"

    def __post_init__(self) -> None:
        problems = list(self._problems(self.layers))
        if problems:
            raise ModelError(problems, heading="encoder settings are not usable" if len(problems) > 1 else "")

    @cached_property
    def layers(self) -> tuple[LayerSettings, ...]:
        """What each layer is built of (see `layers_of`)."""
        return layers_of(self.architecture)

    def _problems(self, layers: tuple[LayerSettings, ...]) -> Iterator[str]:
        for name in ("vocab_size", "max_positions", "token_types"):
            if not _is_size(getattr(self, name)):
                yield f"{name}: {getattr(self, name)!r} is not a positive whole number"
        if self.initializer_width is not None and not _is_size(self.initializer_width):
            yield f"initializer_width: {self.initializer_width!r} is neither a positive whole number nor null"
        if self.positions not in POSITION_KINDS:
            yield f"positions: {self.positions!r} is not one of {', '.join(POSITION_KINDS)}"
        if self.attn_implementation not in ATTENTION_IMPLEMENTATIONS:
            allowed = ", ".join(ATTENTION_IMPLEMENTATIONS)
            yield f"attn_implementation: {self.attn_implementation!r} is not one of {allowed}"
        if not isinstance(self.dropout, (int, float)) or not 0 <= self.dropout < 1:
            yield f"dropout: {self.dropout!r} is not in [0, 1)"
        if self.tie_word_embeddings and layers[0].hidden != layers[-1].hidden:
            sizes = f"{layers[0].hidden}, {layers[-1].hidden}"
            yield f"tie_word_embeddings: the first and last hidden sizes differ ({sizes}); set it to false"
        if self.pad_token_id is not None and _is_size(self.vocab_size) and not 0 <= self.pad_token_id < self.vocab_size:
            yield f"pad_token_id: {self.pad_token_id} is outside the vocabulary of {self.vocab_size}"

    @property
    def _attn_implementation(self) -> str:
        """The name under which transformers keeps this setting."""
        return self.attn_implementation

    @classmethod
    def from_model_dict(cls, model: Mapping[str, Any], **settings: Any) -> "EncoderSettings":
        """Settings of a model dictionary; `settings` are the other attributes.

        Raises:
            DesignSpaceError: The dictionary cannot be built.
            ModelError: A setting is unknown or cannot be used.
        """
        unknown = sorted(set(settings) - {entry.name for entry in fields(cls)})
        if unknown:
            raise ModelError([f"unknown setting {name!r}" for name in unknown])
        return cls(Architecture.from_model_dict(model), **settings)

    @classmethod
    def from_config(cls, config: Mapping[str, Any], **changes: Any) -> "EncoderSettings":
        """Settings of a `config.json`, whose other entries are left out, with some changed."""
        held = {name: config[name] for name in CONFIG_KEYS if name in config} | changes
        return cls.from_model_dict(held.pop("model", None), **held)

    def to_config(self) -> dict[str, Any]:
        """The part of `config.json` that describes the encoder."""
        others = {name: getattr(self, name) for name in CONFIG_KEYS if name != "model"}
        return {"model": self.architecture.to_model_dict()} | others


# How attention is computed is the reader's choice and no part of a saved model.
OUTSIDE_CONFIG = ("architecture", "attn_implementation")
CONFIG_KEYS = ("model", *(entry.name for entry in fields(EncoderSettings) if entry.name not in OUTSIDE_CONFIG))
