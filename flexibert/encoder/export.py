"""A trained model as a folder that plain transformers loads: weights, code, tokenizer, model card.

The code files are this package's own, with their imports made relative to the folder, so that a machine without this
package loads the folder with `trust_remote_code=True`.
"""

import re
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flexibert.config import read_yaml, training_settings
from flexibert.encoder.settings import layers_of
from flexibert.errors import ModelError
from flexibert.files import read_json, whole_folder, write_json, write_text
from flexibert.layout import Layout, RunFiles, TunedFiles
from flexibert.provenance import commit
from flexibert.runs import RunName, Status
from flexibert.space.architecture import Architecture

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

CODE = (
    "flexibert.errors",
    "flexibert.space.architecture",
    "flexibert.encoder.settings",
    "flexibert.encoder.loss",
    "flexibert.encoder.operations",
    "flexibert.encoder.network",
    "flexibert.encoder.configuration_flexibert",
    "flexibert.encoder.modeling_flexibert",
)
AUTO_MAP = {
    "AutoConfig": "configuration_flexibert.FlexiBertConfig",
    "AutoModel": "modeling_flexibert.FlexiBertModel",
    "AutoModelForMaskedLM": "modeling_flexibert.FlexiBertForMaskedLM",
    "AutoModelForSequenceClassification": "modeling_flexibert.FlexiBertForSequenceClassification",
}
IMPORT = re.compile(r"^(\s*)from flexibert(?:\.\w+)*\.(\w+) import ", re.MULTILINE)
# Special tokens by role, in BERT's writing and in RoBERTa's.
SPECIAL_TOKENS = (
    {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"},
    {"pad": "<pad>", "unk": "<unk>", "cls": "<s>", "sep": "</s>", "mask": "<mask>"},
)


@dataclass(frozen=True)
class TrainedRun:
    """A trained model in the results of an experiment.

    Attributes:
        files: The run's folder, `results/NAME/models/MODEL/RECIPE`.
        results: The experiment's folder, `results/NAME`.
        card: The run's card.json.
    """

    files: RunFiles
    results: Layout
    card: dict[str, Any]

    @classmethod
    def read(cls, folder: str | Path) -> "TrainedRun":
        """Read a run's card.

        Raises:
            ModelError: The folder is no run's, or its training failed.
        """
        folder = Path(folder).resolve()
        files = RunFiles(folder)
        if not files.card.path().is_file():
            raise ModelError(f"{folder} is no trained model: it holds no card.json (look in results/NAME/models)")
        if folder.parent.parent.name != "models":
            raise ModelError(f"{folder} does not lie in the folder `models` of an experiment's results")
        card = read_json(files.card)
        if card["status"] != Status.OK:
            raise ModelError(f"{folder}: the training of this model failed ({card.get('reason')}); choose another")
        return cls(files, Layout(folder.parents[2]), card)

    @property
    def name(self) -> RunName:
        """Model and recipe."""
        return RunName.from_mapping(self.card)

    def tuned(self, task: str) -> TunedFiles:
        """What its fine-tuning on a task has left."""
        return self.results.tuned.at(**self.name.to_mapping(), task=task)


def export(run_folder: str | Path, to: str | Path, task: str | None = None) -> None:
    """Write a trained model as a folder for transformers.

    Args:
        run_folder: `results/NAME/models/MODEL/RECIPE`.
        to: The folder to make.
        task: Export the classifier fine-tuned on this task, whose weights must have been kept
            (`finetune.keep_weights`); None exports the masked-language model.

    Raises:
        ModelError: `to` exists, or the run, its tokenizer or the task's weights are not there.
    """
    to = Path(to)
    if to.exists():
        raise ModelError(f"{to} exists already; choose a new folder, or remove it first")
    run = TrainedRun.read(run_folder)
    with whole_folder(to) as folder:
        _write_model(run, task, folder)
        _write_code(folder)
        config = read_json(folder / "config.json") | {"auto_map": AUTO_MAP}
        write_json(folder / "config.json", config)
        tokenizer = load_tokenizer(run.results.tokenizer, config)
        tokenizer.save_pretrained(folder)
        write_text(folder / "README.md", model_card(run, task, config, tokenizer.mask_token))


def _write_model(run: TrainedRun, task: str | None, folder: Path) -> None:
    from flexibert.encoder.checkpoint import load_model, save_model

    if task is None:
        save_model(folder, load_model(run.files.folder, head="masked_lm"))
        return
    weights = run.tuned(task).model.path()
    if not weights.is_dir():
        kept = [parts["task"] for _, parts in run.results.tuned.model.found(**run.name.to_mapping())]
        remedy = f"kept are: {', '.join(kept)}" if kept else "set finetune.keep_weights to true and fine-tune again"
        raise ModelError(f"task {task}: its fine-tuned weights are not in {weights.parent.parent}; {remedy}")
    labels = read_json(run.results.task.card.at(task=task))["labels"]
    save_model(folder, load_model(weights, head="classification"), label_names=labels)


def _write_code(folder: Path) -> None:
    for module in CODE:
        spec = find_spec(module)
        if spec is None or spec.origin is None:
            raise ModelError(f"the source of {module} is not on this disk; an export copies it")
        source = Path(spec.origin).read_text(encoding="utf-8")
        write_text(folder / f"{module.rpartition('.')[2]}.py", IMPORT.sub(r"\1from .\2 import ", source))


def load_tokenizer(path: str | Path, config: dict[str, Any]) -> "PreTrainedTokenizerFast":
    """The tokenizer as transformers knows it; it frames texts as the tasks' were, [CLS] a [SEP] b [SEP].

    Args:
        path: A `tokenizers` file.
        config: The model's `config.json`, for its limits.
    """
    from tokenizers import Tokenizer
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    path = Path(path)
    if not path.is_file():
        raise ModelError(f"{path} does not exist; an export needs the tokenizer that the model was trained with")
    tokenizer = Tokenizer.from_file(str(path))
    tokens = next((known for known in SPECIAL_TOKENS if _has(tokenizer, known)), None)
    if tokens is None:
        raise ModelError(f"{path} has neither BERT's special tokens ([CLS] ...) nor RoBERTa's (<s> ...)")
    second = 1 if config["token_types"] > 1 else 0
    start, end = tokens["cls"], tokens["sep"]
    tokenizer.post_processor = TemplateProcessing(
        single=f"{start} $A {end}",
        pair=f"{start} $A {end} $B:{second} {end}:{second}",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (start, end)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=config["max_positions"],
        model_input_names=["input_ids", "attention_mask"] + ["token_type_ids"] * second,
        **{f"{role}_token": token for role, token in tokens.items()},
    )


def _has(tokenizer: Any, tokens: dict[str, str]) -> bool:
    return all(tokenizer.token_to_id(token) is not None for token in tokens.values())


def model_card(run: TrainedRun, task: str | None, config: dict[str, Any], mask_token: str) -> str:
    """The README of an exported folder: how to use it, what it is, what it was trained on and how, what it scored."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from flexibert.encoder.cost import flops_per_token, parameters

    architecture = Architecture.from_model_dict(run.card["architecture"])
    settings = {key: config[key] for key in ("vocab_size", "max_positions", "token_types", "tie_word_embeddings")}
    head = "masked_lm" if task is None else "classification"
    environment = Environment(
        loader=PackageLoader("flexibert.encoder", "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("model_card.md.j2").render(
        card=run.card,
        task=task,
        best=_read_optional(run.tuned(task).best) if task else None,
        layers=_layer_rows(architecture),
        config=config,
        parameters=parameters(architecture, head, labels=len(config.get("id2label", "")) or 2, **settings),
        flops=flops_per_token(architecture),
        scores=_read_optional(run.results.score.at(**run.name.to_mapping())),
        sources=(_read_optional(run.results.manifest.at(manifest="manifest")) or {}).get("sources", {}),
        recipe=_recipe(run),
        versions=_read_optional(run.results.versions) or {},
        commit=commit(),
        package=version("flexibert"),
        mask_token=mask_token,
    )


def _read_optional(path: str) -> dict[str, Any] | None:
    return read_json(path) if Path(path).is_file() else None


def _layer_rows(architecture: Architecture) -> list[dict[str, Any]]:
    return [
        {
            "operations": ", ".join(f"{group.heads} x {group.operation}/{group.parameter}" for group in layer.groups),
            "hidden": layer.hidden,
            "feed_forward": "-".join(map(str, layer.feed_forward)),
        }
        for layer in layers_of(architecture)
    ]


def _recipe(run: TrainedRun) -> dict[str, Any]:
    """The pre-training settings that the run was made with, as its experiment resolved them."""
    path = run.results.config.path()
    return training_settings(read_yaml(path), "pretrain", run.name.recipe) if path.is_file() else {}
