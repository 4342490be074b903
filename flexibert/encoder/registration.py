"""Makes transformers' auto classes know this project's models; imported for its effect by `flexibert.encoder`."""

from transformers import AutoConfig, AutoModel, AutoModelForMaskedLM, AutoModelForSequenceClassification

from flexibert.encoder.configuration_flexibert import FlexiBertConfig
from flexibert.encoder.modeling_flexibert import (
    FlexiBertForMaskedLM,
    FlexiBertForSequenceClassification,
    FlexiBertModel,
)

AUTO_CLASSES = {
    AutoModel: FlexiBertModel,
    AutoModelForMaskedLM: FlexiBertForMaskedLM,
    AutoModelForSequenceClassification: FlexiBertForSequenceClassification,
}

AutoConfig.register(FlexiBertConfig.model_type, FlexiBertConfig)
for auto_class, model_class in AUTO_CLASSES.items():
    auto_class.register(FlexiBertConfig, model_class)
