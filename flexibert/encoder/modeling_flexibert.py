"""The encoder and its heads as transformers models: the modules of `network` under the same parameter names."""

from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput, MaskedLMOutput, SequenceClassifierOutput
from transformers.utils import can_return_tuple

from flexibert.encoder.configuration_flexibert import FlexiBertConfig
from flexibert.encoder.network import ClassificationHead, Encoder, MaskedLanguageHead, initialise_part


class FlexiBertPreTrainedModel(PreTrainedModel):
    """What transformers needs to know of all three models."""

    config_class = FlexiBertConfig
    base_model_prefix = "encoder"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _no_split_modules = ["Layer"]  # noqa: RUF012, as transformers declares it
    _keys_to_ignore_on_load_unexpected = [r"^head\.", r"^classification\."]  # noqa: RUF012, heads not asked for

    def __init__(self, config: FlexiBertConfig) -> None:
        super().__init__(config)
        self.encoder = Encoder(config)

    def _init_weights(self, module: nn.Module) -> None:
        initialise_part(module, self.config.initializer_range, self.config.initializer_width)

    def get_input_embeddings(self) -> nn.Embedding:
        """The word embeddings."""
        return self.encoder.embeddings.words

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the word embeddings."""
        assert isinstance(value, nn.Embedding)
        self.encoder.embeddings.words = value


class FlexiBertModel(FlexiBertPreTrainedModel):
    """The encoder alone."""

    def __init__(self, config: FlexiBertConfig) -> None:
        super().__init__(config)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        output_hidden_states: bool | None = None,
        **_: Any,
    ) -> BaseModelOutput:
        """Hidden states; arguments as of `Encoder.forward`."""
        states = self.encoder(input_ids, attention_mask, token_type_ids, inputs_embeds)
        return BaseModelOutput(last_hidden_state=states[-1], hidden_states=_shown(self, states, output_hidden_states))


class FlexiBertForMaskedLM(FlexiBertPreTrainedModel):
    """The encoder with the masked-language head."""

    _tied_weights_keys = {"head.decoder.weight": "encoder.embeddings.words.weight"}  # noqa: RUF012

    def __init__(self, config: FlexiBertConfig) -> None:
        super().__init__(config)
        self.head = MaskedLanguageHead(config)
        self.post_init()

    def get_output_embeddings(self) -> nn.Linear:
        """The decoder to the vocabulary."""
        return self.head.decoder

    def set_output_embeddings(self, value: nn.Linear) -> None:
        """Replace the decoder."""
        self.head.decoder = value

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        **_: Any,
    ) -> MaskedLMOutput:
        """Loss and logits, the latter at predicted positions alone where labels are given (`MaskedLanguageHead`)."""
        states = self.encoder(input_ids, attention_mask, token_type_ids, inputs_embeds)
        loss, logits = self.head(states[-1], labels)
        return MaskedLMOutput(loss=loss, logits=logits, hidden_states=_shown(self, states, output_hidden_states))


class FlexiBertForSequenceClassification(FlexiBertPreTrainedModel):
    """The encoder with the classification head; `num_labels` 1 is a regression."""

    def __init__(self, config: FlexiBertConfig) -> None:
        super().__init__(config)
        assert config.num_labels is not None
        self.num_labels = config.num_labels
        self.classification = ClassificationHead(config, self.num_labels)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        **_: Any,
    ) -> SequenceClassifierOutput:
        """Loss and logits (`ClassificationHead`)."""
        states = self.encoder(input_ids, attention_mask, token_type_ids, inputs_embeds)
        loss, logits = self.classification(states[-1], labels)
        return SequenceClassifierOutput(
            loss=loss, logits=logits, hidden_states=_shown(self, states, output_hidden_states)
        )


def _shown(model: PreTrainedModel, states: list[Tensor], wanted: bool | None) -> tuple[Tensor, ...] | None:
    wanted = model.config.output_hidden_states if wanted is None else wanted
    return tuple(states) if wanted else None
