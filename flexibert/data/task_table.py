"""The labelled tasks: their files, columns, labels and metrics, as their publishers define them.

GLUE: Wang et al. (2018); SuperGLUE: Wang et al. (2019). Label names stand in the order of the hub's data sets, so that
a label's position is its number there.
"""

from dataclasses import dataclass

SUITES = ("probes", "glue", "superglue")
HUB_IDS = {"glue": "nyu-mll/glue", "superglue": "aps/super_glue"}
FOLDER_SUFFIX = {"glue": ".tsv", "superglue": ".jsonl"}


@dataclass(frozen=True)
class TaskSpec:
    """One labelled task.

    Attributes:
        suite, name: As in the configuration, e.g. "glue", "sst2".
        folder: Name of its folder in the official layout, e.g. "SST-2".
        texts: Columns of the text, or of the two texts, that a row becomes.
        labels: Names of the classes in order, or None for regression.
        range: Least and largest label of a regression, or None.
        metrics: Names of the metrics whose mean is the task's score.
        validation: Official name of the validation split: file stem in the folder layout, split on the hub.
        files: Official file stems of the train and the validation split.
        columns: Text columns in the official TSV file where they are called otherwise than on the hub.
        label: Label column in the official file; on the hub it is always "label".
        grouped: Rows belong together (answers of a question, candidates of a choice) and are judged by group.
    """

    suite: str
    name: str
    folder: str
    texts: tuple[str, ...]
    labels: tuple[str, ...] | None
    metrics: tuple[str, ...]
    range: tuple[float, float] | None = None
    validation: str = "validation"
    files: tuple[str, str] = ("train", "dev")
    columns: tuple[str, ...] = ()
    label: str = "label"
    grouped: bool = False

    @property
    def id(self) -> str:
        """Name of the task everywhere outside of its suite, e.g. "glue-sst2"."""
        return f"{self.suite}-{self.name}"

    @property
    def outputs(self) -> int:
        """Width of the classifier: the number of classes, 1 for a regression."""
        return 1 if self.labels is None else len(self.labels)


_PAIR = ("sentence1", "sentence2")
_ENTAILMENT = ("entailment", "not_entailment")
_NO_YES = ("0", "1")


def _glue(suite: str) -> list[TaskSpec]:
    """The nine GLUE tasks; the probes borrow their columns, labels, metrics and roles."""
    return [
        TaskSpec(suite, "cola", "CoLA", ("sentence",), _NO_YES, ("matthews",)),
        TaskSpec(suite, "sst2", "SST-2", ("sentence",), _NO_YES, ("accuracy",)),
        TaskSpec(
            suite,
            "mrpc",
            "MRPC",
            _PAIR,
            _NO_YES,
            ("accuracy", "f1"),
            columns=("#1 String", "#2 String"),
            label="Quality",
        ),
        TaskSpec(suite, "stsb", "STS-B", _PAIR, None, ("pearson", "spearman"), range=(0.0, 5.0), label="score"),
        TaskSpec(suite, "qqp", "QQP", ("question1", "question2"), _NO_YES, ("accuracy", "f1"), label="is_duplicate"),
        TaskSpec(
            suite,
            "mnli",
            "MNLI",
            ("premise", "hypothesis"),
            ("entailment", "neutral", "contradiction"),
            ("accuracy",),
            validation="validation_matched",
            files=("train", "dev_matched"),
            columns=_PAIR,
            label="gold_label",
        ),
        TaskSpec(suite, "qnli", "QNLI", ("question", "sentence"), _ENTAILMENT, ("accuracy",)),
        TaskSpec(suite, "rte", "RTE", _PAIR, _ENTAILMENT, ("accuracy",)),
        TaskSpec(suite, "wnli", "WNLI", _PAIR, _NO_YES, ("accuracy",)),
    ]


def _superglue() -> list[TaskSpec]:
    """The eight SuperGLUE tasks; `task_files` turns their structured rows into the columns named here."""
    files = ("train", "val")
    no_yes = ("false", "true")
    inference = ("premise", "hypothesis")
    return [
        TaskSpec("superglue", "boolq", "BoolQ", ("question", "passage"), no_yes, ("accuracy",), files=files),
        TaskSpec(
            "superglue",
            "cb",
            "CB",
            inference,
            ("entailment", "contradiction", "neutral"),
            ("accuracy", "macro_f1"),
            files=files,
        ),
        TaskSpec(
            "superglue", "copa", "COPA", ("premise", "choice"), no_yes, ("group_accuracy",), files=files, grouped=True
        ),
        TaskSpec(
            "superglue",
            "multirc",
            "MultiRC",
            ("paragraph", "answer"),
            no_yes,
            ("f1", "exact_match"),
            files=files,
            grouped=True,
        ),
        TaskSpec(
            "superglue",
            "record",
            "ReCoRD",
            ("passage", "query"),
            no_yes,
            ("group_overlap", "group_accuracy"),
            files=files,
            grouped=True,
        ),
        TaskSpec("superglue", "rte", "RTE", inference, _ENTAILMENT, ("accuracy",), files=files),
        TaskSpec("superglue", "wic", "WiC", ("sentence1", "sentence2"), no_yes, ("accuracy",), files=files),
        TaskSpec("superglue", "wsc", "WSC", ("text", "candidate"), no_yes, ("accuracy",), files=files),
    ]


TASKS: dict[str, TaskSpec] = {spec.id: spec for spec in [*_glue("probes"), *_glue("glue"), *_superglue()]}


def names_of(suite: str) -> list[str]:
    """Names of a suite's tasks, in the publishers' order."""
    return [spec.name for spec in TASKS.values() if spec.suite == suite]
