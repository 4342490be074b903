"""What an encoder is built from: the model dictionary and the few settings that a design space leaves open."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from itertools import pairwise
from typing import Any

from flexibert.errors import DesignSpaceError, ModelError

ROBERTA_VOCABULARY = 50_265  # the paper's tokenizer and limits are RoBERTa's (paper, section 4.1)
ROBERTA_POSITIONS = 514

PARAMETERS = {"sa": ("sdp", "wma"), "l": ("dft", "dct")}  # by operation; `c` takes an odd kernel size
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
        groups: Its operations; their outputs stand side by side.
        feed_forward: Widths of the stacked feed-forward layers.
        next_hidden: Width that a projection after the layer leads to, or None where the next layer is as wide.
    """

    hidden: int
    groups: tuple[HeadGroup, ...]
    feed_forward: tuple[int, ...]
    next_hidden: int | None

    @property
    def context(self) -> int:
        """Width of all groups side by side."""
        return sum(group.width for group in self.groups)

    @property
    def operations(self) -> tuple[tuple[str, str | int], ...]:
        """Operation and parameter of each group: what must agree for weights to pass from one layer to another."""
        return tuple((group.operation, group.parameter) for group in self.groups)


def layers_of(model: Mapping[str, Any]) -> tuple[LayerSettings, ...]:
    """Read a model dictionary (DESIGN.md 2.1), in the homogeneous-heads or the heterogeneous-heads form.

    Raises:
        DesignSpaceError: It cannot be built; one sentence a problem.
    """
    problems = list(_form_problems(model))
    if not problems:
        problems = [problem for layer in range(model["l"]) for problem in _layer_problems(model, layer)]
    if problems:
        raise DesignSpaceError(problems, heading="model dictionary cannot be built" if len(problems) > 1 else "")
    hidden = list(model["h"])
    following = [None if right == left else right for left, right in pairwise(hidden)] + [None]
    return tuple(
        LayerSettings(hidden[layer], _groups(model, layer), tuple(model["f"][layer]), following[layer])
        for layer in range(model["l"])
    )


def _form_problems(model: Any) -> Iterator[str]:
    if not isinstance(model, Mapping):
        yield f"a model dictionary is an object with the keys l, o, h, n, f and p, not {model!r}"
        return
    mixed = _has_mixed_heads(model)
    keys = ("l", "o", "h", "f") if mixed else ("l", "o", "h", "n", "f", "p")
    missing = [key for key in keys if key not in model]
    unknown = [key for key in model if key not in ("l", "o", "h", "n", "f", "p")]
    if missing:
        yield f"the key {', '.join(map(repr, missing))} is missing"
    if unknown:
        yield f"unknown key {', '.join(map(repr, unknown))}; the keys are l, o, h, n, f and p"
    if missing or not _is_size(model["l"]):
        if not missing:
            yield f"l: {model['l']!r} is not a number of layers (1 or more)"
        return
    for key in keys[1:]:
        value = model[key]
        if not isinstance(value, (list, tuple)) or len(value) != model["l"]:
            yield f"{key}: {value!r} must be a list with one entry for each of the {model['l']} layers"


def _layer_problems(model: Mapping[str, Any], layer: int) -> Iterator[str]:
    hidden, widths = model["h"][layer], model["f"][layer]
    if not _is_size(hidden):
        yield f"h[{layer}]: {hidden!r} is not a positive whole number"
        return
    if not isinstance(widths, (list, tuple)) or not widths or not all(map(_is_size, widths)):
        yield f"f[{layer}]: {widths!r} must be a list of positive widths, e.g. [512, 512]"
    if isinstance(model["o"][layer], (list, tuple)):
        yield from _mixed_problems(model["o"][layer], hidden, layer)
        return
    heads, operation, parameter = model["n"][layer], model["o"][layer], model["p"][layer]
    if not _is_size(heads):
        yield f"n[{layer}]: {heads!r} is not a positive whole number"
        return
    if hidden % heads:
        yield f"n[{layer}]: {heads} heads do not divide the hidden size {hidden}"
    elif operation == "c" and hidden % 2:
        yield f"h[{layer}]: operation c halves the hidden size; {hidden} is odd"
    elif operation == "c" and heads % 2 and (hidden // heads) % 2:
        yield f"n[{layer}]: operation c needs an even number of heads or an even head size, not {heads} x {hidden // heads}"
    yield from _operation_problems(operation, parameter, f"o[{layer}]", f"p[{layer}]")


def _mixed_problems(heads: list[str], hidden: int, layer: int) -> Iterator[str]:
    if not heads:
        yield f"o[{layer}]: a layer needs at least one head, e.g. ['sa_sdp_{hidden}']"
    total = 0
    for head in heads:
        parts = head.split("_") if isinstance(head, str) else []
        if len(parts) != 3 or not parts[2].isdecimal() or not int(parts[2]):
            yield f"o[{layer}]: {head!r} is not OPERATION_PARAMETER_SIZE, e.g. 'sa_sdp_64'"
            continue
        total += int(parts[2])
        yield from _operation_problems(parts[0], _number(parts[1]), f"o[{layer}]", f"o[{layer}]")
        if parts[0] == "c" and int(parts[2]) % 2:
            yield f"o[{layer}]: {head!r}: a convolution head needs an even size"
    if total > hidden:
        yield f"o[{layer}]: the heads are {total} wide together, more than the hidden size {hidden}"


def _operation_problems(operation: Any, parameter: Any, where: str, where_parameter: str) -> Iterator[str]:
    if operation == "c":
        if not _is_size(parameter) or parameter % 2 == 0:
            yield f"{where_parameter}: kernel size {parameter!r} must be odd and positive"
    elif operation not in PARAMETERS:
        yield f"{where}: unknown operation {operation!r}; the operations are sa, l and c"
    elif parameter not in PARAMETERS[operation]:
        allowed = " or ".join(PARAMETERS[operation])
        yield f"{where_parameter}: {parameter!r} is no parameter of operation {operation} (allowed: {allowed})"


def _groups(model: Mapping[str, Any], layer: int) -> tuple[HeadGroup, ...]:
    if not isinstance(model["o"][layer], (list, tuple)):
        heads = model["n"][layer]
        head_size = model["h"][layer] // heads
        return (HeadGroup(model["o"][layer], model["p"][layer], heads, head_size),)
    counts: dict[str, int] = {}
    for head in model["o"][layer]:
        counts[head] = counts.get(head, 0) + 1
    forms = [(head.split("_"), count) for head, count in counts.items()]
    return tuple(HeadGroup(form[0], _number(form[1]), count, int(form[2])) for form, count in forms)


def _has_mixed_heads(model: Mapping[str, Any]) -> bool:
    operations = model.get("o")
    return isinstance(operations, (list, tuple)) and any(isinstance(layer, (list, tuple)) for layer in operations)


def _number(text: str) -> str | int:
    return int(text) if text.isdecimal() else text


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


@dataclass(frozen=True)
class EncoderSettings:
    """Everything that fixes an encoder's shape and arithmetic; the content of a model's `config.json`.

    Attributes:
        model: The model dictionary.
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
        attn_implementation: "sdpa" (PyTorch's fused attention where the operation allows it) or "eager".
    """

    model: dict[str, Any] = field(default_factory=dict)
    vocab_size: int = ROBERTA_VOCABULARY
    max_positions: int = ROBERTA_POSITIONS
    token_types: int = 1
    positions: str = "relative_key"
    dropout: float = 0.1
    paper_padding: bool = False
    tie_word_embeddings: bool = False
    pad_token_id: int | None = None
    initializer_range: float = 0.02
    attn_implementation: str = "sdpa"

    def __post_init__(self) -> None:
        layers = layers_of(self.model)
        problems = list(self._problems(layers))
        if problems:
            raise ModelError(problems, heading="encoder settings are not usable" if len(problems) > 1 else "")
        object.__setattr__(self, "layers", layers)

    def _problems(self, layers: tuple[LayerSettings, ...]) -> Iterator[str]:
        for name in ("vocab_size", "max_positions", "token_types"):
            if not _is_size(getattr(self, name)):
                yield f"{name}: {getattr(self, name)!r} is not a positive whole number"
        if self.positions not in POSITION_KINDS:
            yield f"positions: {self.positions!r} is not one of {', '.join(POSITION_KINDS)}"
        if self.attn_implementation not in ATTENTION_IMPLEMENTATIONS:
            yield f"attn_implementation: {self.attn_implementation!r} is not one of {', '.join(ATTENTION_IMPLEMENTATIONS)}"
        if not isinstance(self.dropout, (int, float)) or not 0 <= self.dropout < 1:
            yield f"dropout: {self.dropout!r} is not in [0, 1)"
        if self.tie_word_embeddings and layers[0].hidden != layers[-1].hidden:
            yield (
                f"tie_word_embeddings: the first and last hidden sizes differ ({layers[0].hidden}, {layers[-1].hidden}); "
                "set it to false"
            )
        if self.pad_token_id is not None and _is_size(self.vocab_size) and not 0 <= self.pad_token_id < self.vocab_size:
            yield f"pad_token_id: {self.pad_token_id} is outside the vocabulary of {self.vocab_size}"

    @property
    def _attn_implementation(self) -> str:
        """The name under which transformers keeps this setting."""
        return self.attn_implementation

    @classmethod
    def from_model_dict(cls, model: Mapping[str, Any], **settings: Any) -> "EncoderSettings":
        """Settings of a model dictionary; `settings` are the other attributes."""
        unknown = sorted(set(settings) - {entry.name for entry in fields(cls)})
        if unknown:
            raise ModelError([f"unknown setting {name!r}" for name in unknown])
        return cls(model=dict(model), **settings)

    def to_model_dict(self) -> dict[str, Any]:
        """The model dictionary, free to change."""
        return asdict(self)["model"]
