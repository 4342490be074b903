"""The configuration of an encoder as transformers keeps it.

This file, `modeling_flexibert` and what they import from this project travel with every exported model.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from transformers import PreTrainedConfig

from flexibert.encoder.settings import CONFIG_KEYS, EncoderSettings, LayerSettings, layers_of
from flexibert.space.architecture import Architecture


class FlexiBertConfig(PreTrainedConfig):
    """Configuration of a FlexiBERT model; checks itself as `EncoderSettings` does.

    Args:
        settings: `model`, the model dictionary, the other attributes of `EncoderSettings`, and those of every
            transformers configuration.

    Raises:
        DesignSpaceError: The model dictionary cannot be built.
        ModelError: Another setting cannot be used.
    """

    model_type = "flexibert"
    has_no_defaults_at_init = True  # there is no encoder without a model dictionary
    attribute_map = {  # noqa: RUF012, as transformers declares it
        "max_position_embeddings": "max_positions",
        "type_vocab_size": "token_types",
        "hidden_dropout_prob": "dropout",
    }

    if TYPE_CHECKING:  # what `__init__` sets
        model: dict[str, Any]
        vocab_size: int
        max_positions: int
        token_types: int
        positions: str
        dropout: float
        paper_padding: bool
        tie_word_embeddings: bool
        pad_token_id: int | None
        initializer_range: float
        initializer_width: int | None

    def __init__(self, **settings: Any) -> None:
        own = {name: settings.pop(name) for name in CONFIG_KEYS if name in settings}
        for name, value in EncoderSettings.from_config(own).to_config().items():
            setattr(self, name, value)
        super().__init__(**settings)

    @classmethod
    def from_model_dict(cls, model: Mapping[str, Any], **settings: Any) -> "FlexiBertConfig":
        """Configuration of a model dictionary, in the homogeneous-heads or heterogeneous-heads form."""
        return cls(model=dict(model), **settings)

    def to_model_dict(self) -> dict[str, Any]:
        """The model dictionary, free to change."""
        return deepcopy(self.model)

    @property
    def layers(self) -> tuple[LayerSettings, ...]:
        """What each layer is made of."""
        return layers_of(Architecture.from_model_dict(self.model))

    @property
    def hidden_size(self) -> int:
        """Width of the last hidden states."""
        return self.model["h"][-1]

    @property
    def num_hidden_layers(self) -> int:
        """Number of layers."""
        return self.model["l"]
