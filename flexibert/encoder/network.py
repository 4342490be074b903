"""The encoder and its heads as plain PyTorch modules, which a training job imports in two seconds.

`modeling_flexibert` wraps the same modules for transformers; parameter names are equal in both.
"""

from functools import partial
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from flexibert.encoder.loss import IGNORED, summed_cross_entropy
from flexibert.encoder.operations import (
    OPERATIONS,
    Dropout,
    RelativePositions,
    SelfAttention,
    SpanConvolution,
    Tokens,
    sequence_basis,
)
from flexibert.encoder.settings import LayerSettings
from flexibert.errors import ModelError

LAYER_NORM_EPSILON = 1e-12  # BERT's published value; PyTorch's own default is 1e-5
HIDDEN_SCORE = -1e30  # of keys that are padding: finite in bfloat16 too, so that an empty sequence gives numbers
MIXING_RANGE = 0.1  # the released code draws W of weighted multiplicative attention from U(-0.1, 0.1)


class Output(NamedTuple):
    """What a model with a head returns: the loss (None without labels) and the logits."""

    loss: Tensor | None
    logits: Tensor


class NetworkSettings(Protocol):
    """What a network is built from: `EncoderSettings`, or transformers' configuration, which says the same."""

    @property
    def layers(self) -> tuple[LayerSettings, ...]: ...
    @property
    def vocab_size(self) -> int: ...
    @property
    def max_positions(self) -> int: ...
    @property
    def token_types(self) -> int: ...
    @property
    def positions(self) -> str: ...
    @property
    def dropout(self) -> float: ...
    @property
    def paper_padding(self) -> bool: ...
    @property
    def tie_word_embeddings(self) -> bool: ...
    @property
    def pad_token_id(self) -> int | None: ...
    @property
    def initializer_range(self) -> float: ...
    @property
    def initializer_width(self) -> int | None: ...
    @property
    def _attn_implementation(self) -> str | None: ...


class Embeddings(nn.Module):
    """Word and token-type embeddings (and positions, where they are absolute), LayerNorm, dropout."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        hidden = settings.layers[0].hidden
        self.words = nn.Embedding(settings.vocab_size, hidden, padding_idx=settings.pad_token_id)
        self.token_types = nn.Embedding(settings.token_types, hidden)
        absolute = settings.positions == "absolute"
        self.positions = nn.Embedding(settings.max_positions, hidden) if absolute else None
        self.norm = nn.LayerNorm(hidden, eps=LAYER_NORM_EPSILON)
        self.dropout = Dropout(settings.dropout)

    def forward(self, input_ids: Tensor | None, token_type_ids: Tensor | None, inputs_embeds: Tensor | None) -> Tensor:
        """Hidden states of shape (batch, length, h[0]) from ids of shape (batch, length) or given word embeddings."""
        words = self.words(input_ids) if inputs_embeds is None else inputs_embeds
        types = self.token_types.weight[0] if token_type_ids is None else self.token_types(token_type_ids)
        total = words + types
        if self.positions is not None:
            total = total + self.positions.weight[: words.shape[1]]
        return self.dropout(self.norm(total))


class FeedForward(nn.Module):
    """Stacked feed-forward layers: h -> f1 -> GELU -> f2 -> GELU ... -> h."""

    def __init__(self, hidden: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        inputs = (hidden, *widths[:-1])
        self.stack = nn.ModuleList(nn.Linear(left, right) for left, right in zip(inputs, widths, strict=True))
        self.output = nn.Linear(widths[-1], hidden)

    def forward(self, x: Tensor) -> Tensor:
        for linear in self.stack:
            x = functional.gelu(linear(x))
        return self.output(x)


class Layer(nn.Module):
    """Operations, add and norm; stacked feed-forward layers, add and norm; a projection where the width changes."""

    def __init__(self, layer: LayerSettings, settings: NetworkSettings) -> None:
        super().__init__()
        reach = settings.max_positions if settings.positions == "relative_key" else None
        self.widths = [group.width for group in layer.groups]
        self.operations = nn.ModuleList(
            OPERATIONS[group.operation](layer.hidden, group, reach, settings.dropout) for group in layer.groups
        )
        self.operation_output = nn.Linear(layer.hidden, layer.hidden)
        self.operation_norm = nn.LayerNorm(layer.hidden, eps=LAYER_NORM_EPSILON)
        self.feed_forward = FeedForward(layer.hidden, layer.feed_forward)
        self.feed_forward_norm = nn.LayerNorm(layer.hidden, eps=LAYER_NORM_EPSILON)
        self.projection = None if layer.next_hidden is None else nn.Linear(layer.hidden, layer.next_hidden)
        self.dropout = Dropout(settings.dropout)

    def forward(self, x: Tensor, tokens: Tokens) -> Tensor:
        """(batch, length, hidden) to (batch, length, width of the next layer)."""
        contexts, offset = [], 0
        for operation, width in zip(self.operations, self.widths, strict=True):
            contexts.append(operation(x, tokens, offset))
            offset += width
        context = contexts[0] if len(contexts) == 1 else torch.cat(contexts, dim=-1)
        x = self.operation_norm(self.dropout(self.operation_output(context)) + x)
        x = self.feed_forward_norm(self.dropout(self.feed_forward(x)) + x)
        return x if self.projection is None else self.projection(x)


class Encoder(nn.Module):
    """The heterogeneous encoder (docs/encoder.md).

    Args:
        settings: An `EncoderSettings`, or any object with its attributes (`FlexiBertConfig`).
    """

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        self.embeddings = Embeddings(settings)
        self.layers = nn.ModuleList(Layer(layer, settings) for layer in settings.layers)
        groups = [group for layer in settings.layers for group in layer.groups]
        self.transforms = sorted({group.transform for group in groups if group.operation == "l"})
        # transformers sets these two on every module that has the first (PreTrainedModel.gradient_checkpointing_enable)
        self.gradient_checkpointing = False
        self._gradient_checkpointing_func = partial(checkpoint, use_reentrant=False)
        initialise(self, settings.initializer_range, settings.initializer_width)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
    ) -> list[Tensor]:
        """Hidden states after the embeddings and after each layer (its projection included).

        Args:
            input_ids: Token ids; shape (batch, length).
            attention_mask: 1 for tokens, 0 for padding at either end; shape (batch, length); None for no padding.
            token_type_ids: Segments; shape (batch, length); None for segment 0.
            inputs_embeds: Word embeddings in place of ids; shape (batch, length, h[0]).

        Raises:
            ModelError: No input, a sequence too long, or an id outside the vocabulary (told on the CPU, where looking
                costs nothing).
        """
        inputs = input_ids if inputs_embeds is None else inputs_embeds
        if inputs is None:
            raise ModelError("a model needs input_ids or inputs_embeds")
        self._check(inputs, token_type_ids)
        x = self.embeddings(input_ids, token_type_ids, inputs_embeds)
        tokens = self.tokens(x, attention_mask)
        states = [x]
        for layer in self.layers:
            if self.gradient_checkpointing and self.training:
                x = self._gradient_checkpointing_func(layer.__call__, x, tokens)
            else:
                x = layer(x, tokens)
            states.append(x)
        return states

    def tokens(self, x: Tensor, attention_mask: Tensor | None) -> Tokens:
        """What the layers need to know of a batch besides its hidden states `x`."""
        mask = None if attention_mask is None else attention_mask.bool()
        key_bias = None
        if mask is not None:
            hidden_score = max(HIDDEN_SCORE, torch.finfo(x.dtype).min)
            key_bias = torch.zeros_like(mask, dtype=x.dtype).masked_fill(~mask, hidden_score)[:, None, None]
        seen = None if self.settings.paper_padding else mask
        return Tokens(
            mask=mask,
            visible=None if seen is None else seen.unsqueeze(-1),
            key_bias=key_bias,
            bases={
                kind: sequence_basis(kind, seen, x.shape[1], _at_least_single(x), x.device) for kind in self.transforms
            },
            fused=self.settings._attn_implementation != "eager",
        )

    def _check(self, inputs: Tensor, token_type_ids: Tensor | None) -> None:
        if inputs.shape[1] > self.settings.max_positions:
            raise ModelError(
                f"a sequence of {inputs.shape[1]} tokens is longer than the model's max_positions "
                f"{self.settings.max_positions}; cut it (tokenizers: truncation=True)"
            )
        if inputs.is_floating_point() or inputs.device.type != "cpu" or torch.compiler.is_compiling():
            return
        for name, ids, size in (
            ("token", inputs, self.settings.vocab_size),
            ("token type", token_type_ids, self.settings.token_types),
        ):
            if ids is not None and ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < size:
                wrong = int(ids.max()) if int(ids.max()) >= size else int(ids.min())
                raise ModelError(
                    f"{name} id {wrong} is outside the model's {size} {name}s; use the model's own tokenizer"
                )


def _at_least_single(x: Tensor) -> torch.dtype:
    return torch.float64 if x.dtype == torch.float64 else torch.float32


class MaskedLanguageHead(nn.Module):
    """Dense, GELU, LayerNorm, decoder to the vocabulary, at the last layer's width."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        hidden = settings.layers[-1].hidden
        self.dense = nn.Linear(hidden, hidden)
        self.norm = nn.LayerNorm(hidden, eps=LAYER_NORM_EPSILON)
        self.decoder = nn.Linear(hidden, settings.vocab_size)
        initialise(self, settings.initializer_range, settings.initializer_width)

    def forward(self, hidden: Tensor, labels: Tensor | None = None) -> Output:
        """Loss and logits.

        Args:
            hidden: Last hidden states; shape (batch, length, h[-1]).
            labels: Token to predict, or -100; shape (batch, length).

        Returns:
            Without labels, logits of shape (batch, length, vocabulary). With labels, logits at the predicted positions
            alone, in order, shape (predicted, vocabulary), and their mean cross-entropy in nats (0 if there are none).
        """
        if labels is None:
            return Output(None, self.logits(hidden))
        predicted = labels != IGNORED
        logits = self.logits(hidden[predicted])
        loss = summed_cross_entropy(logits, labels[predicted]) / max(len(logits), 1)
        return Output(loss, logits)

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., h[-1]) to (..., vocabulary)."""
        return self.decoder(self.norm(functional.gelu(self.dense(hidden))))


class ClassificationHead(nn.Module):
    """Pooler (tanh of a dense layer on the first token), dropout, linear classifier, as BERT's."""

    def __init__(self, settings: NetworkSettings, labels: int) -> None:
        super().__init__()
        hidden = settings.layers[-1].hidden
        self.pooler = nn.Linear(hidden, hidden)
        self.dropout = Dropout(settings.dropout)
        self.classifier = nn.Linear(hidden, labels)
        initialise(self, settings.initializer_range, settings.initializer_width)

    def forward(self, hidden: Tensor, labels: Tensor | None = None) -> Output:
        """Loss and logits of shape (batch, labels).

        One output is a regression (mean squared error); otherwise whole labels of shape (batch,) mean one class each
        (cross-entropy), real ones of shape (batch, labels) any number of classes (binary cross-entropy).
        """
        logits = self.classifier(self.dropout(torch.tanh(self.pooler(hidden[:, 0]))))
        if labels is None:
            return Output(None, logits)
        if logits.shape[-1] == 1:
            return Output(functional.mse_loss(logits.squeeze(-1), labels.view(-1).to(logits.dtype)), logits)
        if labels.is_floating_point():
            return Output(functional.binary_cross_entropy_with_logits(logits, labels), logits)
        return Output(functional.cross_entropy(logits, labels.view(-1)), logits)


class MaskedLanguageModel(nn.Module):
    """Encoder and masked-language head."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        self.encoder = Encoder(settings)
        self.head = MaskedLanguageHead(settings)
        if settings.tie_word_embeddings:
            self.head.decoder.weight = self.encoder.embeddings.words.weight

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        token_type_ids: Tensor | None = None,
    ) -> Output:
        """See `Encoder.forward` and `MaskedLanguageHead.forward`."""
        return self.head(self.encoder(input_ids, attention_mask, token_type_ids)[-1], labels)


class SequenceClassifier(nn.Module):
    """Encoder and classification head.

    Args:
        settings: As of `Encoder`.
        labels: Number of classes; 1 for a regression.
    """

    def __init__(self, settings: NetworkSettings, labels: int) -> None:
        super().__init__()
        self.settings = settings
        self.encoder = Encoder(settings)
        self.classification = ClassificationHead(settings, labels)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> Output:
        """See `Encoder.forward` and `ClassificationHead.forward`."""
        return self.classification(self.encoder(input_ids, attention_mask, token_type_ids)[-1], labels)


@torch.no_grad()
def initialise(module: nn.Module, deviation: float, width: int | None) -> None:
    """Draw every parameter of `module` and its parts from PyTorch's global generator.

    Args:
        module: What to draw.
        deviation, width: `initializer_range` and `initializer_width` of `EncoderSettings`.
    """
    for part in module.modules():
        initialise_part(part, deviation, width)


def initialise_part(part: nn.Module, deviation: float, width: int | None) -> None:
    """Draw the parameters that `part` owns itself: normal weights, zero biases, identity norms, as BERT does."""
    if isinstance(part, nn.Linear):
        scale = 1.0 if width is None else (width / part.in_features) ** 0.5
        nn.init.normal_(part.weight, std=deviation * scale)
        nn.init.zeros_(part.bias)
    elif isinstance(part, nn.Embedding):
        nn.init.normal_(part.weight, std=deviation)
        if part.padding_idx is not None and not getattr(part.weight, "_is_hf_initialized", False):
            part.weight.data[part.padding_idx].zero_()
    elif isinstance(part, nn.LayerNorm):
        nn.init.ones_(part.weight)
        nn.init.zeros_(part.bias)
    elif isinstance(part, RelativePositions):
        nn.init.normal_(part.weight, std=deviation)
    elif isinstance(part, SelfAttention) and part.mixing is not None:
        nn.init.uniform_(part.mixing, -MIXING_RANGE, MIXING_RANGE)
    elif isinstance(part, SpanConvolution):
        nn.init.normal_(part.span_depthwise, std=deviation)
