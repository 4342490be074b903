"""The configuration of an encoder as transformers keeps it.

This file, `modeling_flexibert` and what they import from this project travel with every exported model.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import fields
from typing import Any

from transformers import PreTrainedConfig

from flexibert.encoder.settings import EncoderSettings, LayerSettings

# How attention is computed is transformers' own setting, kept apart from what is saved.
SETTINGS = [entry.name for entry in fields(EncoderSettings) if entry.name != "attn_implementation"]


class FlexiBertConfig(PreTrainedConfig):
    """Configuration of a FlexiBERT model; checks itself as `EncoderSettings` does.

    Args:
        settings: The attributes of `EncoderSettings` (`model`, the model dictionary, is needed), and those of every
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

    def __init__(self, **settings: Any) -> None:
        own = {name: settings.pop(name) for name in SETTINGS if name in settings}
        checked = EncoderSettings(**own)
        for name in SETTINGS:
            setattr(self, name, deepcopy(getattr(checked, name)))
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
        return EncoderSettings(**{name: getattr(self, name) for name in SETTINGS}).layers

    @property
    def hidden_size(self) -> int:
        """Width of the last hidden states."""
        return self.model["h"][-1]

    @property
    def num_hidden_layers(self) -> int:
        """Number of layers."""
        return self.model["l"]
