"""What a task gives away without a neural network: the majority answer, and TF-IDF with a linear model.

Both learn from exactly the rows that the models are fine-tuned on. A model that scores no more than these has learned
nothing that they do not see.
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flexibert.data.task_files import Example
from flexibert.data.task_splits import read_splits
from flexibert.data.task_table import TASKS, TaskSpec
from flexibert.files import write_json
from flexibert.settings import SuiteSettings, TaskSettings
from flexibert.training.answers import scored, summary, write_answers
from flexibert.training.metrics import Answers

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

STRENGTHS = (100.0, 10.0, 1.0, 0.1, 0.01)  # of the penalty, the strongest first; scikit-learn's C is the reciprocal
WORDS = (1, 2)  # lengths of the word sequences that are counted
MOST_FEATURES = 200_000  # most frequent ones of a text; keeps MNLI's 400,000 rows within a few gigabytes
LEAST_LOG_PROBABILITY = -50.0

logger = logging.getLogger(__name__)


def plain_baselines(
    task: str, suite: SuiteSettings, settings: TaskSettings, seed: int, downloaded: str | Path, out_dir: str | Path
) -> None:
    """Score both baselines; writes plain.json into `out_dir`, and their answers to the rows kept away, if any are.

    Args:
        task: Id, e.g. "glue-cola".
        suite: Where it comes from.
        settings: Which rows are used; the texts are not cut to `length`.
        seed: That of `prepare_task`, so that the rows are the same.
        downloaded: Folder that `download.fetch` filled, for source hub.
        out_dir: tasks/{task}; receives plain-majority.npz and plain-words.npz too.

    Raises:
        TaskError: As of `read_splits`.
    """
    spec = TASKS[task]
    folder = {"hub": downloaded, "folder": suite.folder, "embedded": None}[suite.source]
    rows = read_splits(task, suite, settings, seed, None if folder is None else Path(folder)).rows
    card: dict[str, Any] = {"task": task, "metrics": list(spec.metrics)}
    card["rows"] = {split: len(examples) for split, examples in rows.items()}
    outputs, facts = _majority(spec, rows)
    card["majority"] = facts | _results(spec, rows, outputs, Path(out_dir) / "plain-majority.npz")
    outputs, facts = _words(spec, rows)
    card["words"] = facts | _results(spec, rows, outputs, Path(out_dir) / "plain-words.npz")
    write_json(Path(out_dir) / "plain.json", card)
    logger.info("%s: majority %s, words %s", task, card["majority"]["validation"], card["words"]["validation"])


def _results(
    spec: TaskSpec, rows: dict[str, list[Example]], outputs: dict[str, np.ndarray], file: Path
) -> dict[str, Any]:
    """Score, metrics and rows of validation and test; null for a test that there is not."""
    found: dict[str, Any] = {"test": None}
    for split, scores in outputs.items():
        answers = _answers(spec, rows[split], scores)
        found[split] = summary(answers, spec.metrics)
        if split == "test":
            write_answers(file, answers, spec.metrics)
    return found


def _majority(spec: TaskSpec, rows: dict[str, list[Example]]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The most frequent class of the training rows for every row, or the mean of their values."""
    labels = _labels(spec, rows["train"])
    if spec.labels is None:
        answer: Any = round(float(labels.mean()), 6)
        one = np.array([labels.mean()], np.float32)
    else:
        most = int(np.bincount(labels).argmax())
        answer = spec.labels[most]
        one = np.eye(spec.outputs, dtype=np.float32)[most]
    return {split: np.tile(one, (len(rows[split]), 1)) for split in rows if split != "train"}, {"answer": answer}


def _words(spec: TaskSpec, rows: dict[str, list[Example]]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """A linear model on TF-IDF; its penalty is the one of the best validation score, of equals the strongest."""
    features = _features(rows)
    labels = _labels(spec, rows["train"])
    if spec.labels is not None and len(np.unique(labels)) == 1:
        outputs, _ = _majority(spec, rows)  # there is nothing to fit
        return outputs, {"strength": None, "features": features["train"].shape[1]}
    fitted = [_fitted(spec, features, labels, strength) for strength in STRENGTHS]
    scores = [
        scored(_answers(spec, rows["validation"], outputs["validation"]), spec.metrics)["score"] for outputs in fitted
    ]
    best = int(np.argmax(scores))
    return fitted[best], {"strength": STRENGTHS[best], "features": features["train"].shape[1]}


def _fitted(
    spec: TaskSpec, features: dict[str, "csr_matrix"], labels: np.ndarray, strength: float
) -> dict[str, np.ndarray]:
    """Outputs on validation and test: log-probabilities of the classes, or values."""
    from sklearn.linear_model import LogisticRegression, Ridge

    others = [split for split in features if split != "train"]
    if spec.labels is None:
        ridge = Ridge(alpha=strength, solver="sparse_cg").fit(features["train"], labels)
        return {split: ridge.predict(features[split]).astype(np.float32)[:, None] for split in others}
    logistic = LogisticRegression(C=1.0 / strength, max_iter=1000).fit(features["train"], labels)
    outputs = {}
    for split in others:
        outputs[split] = np.full((features[split].shape[0], spec.outputs), LEAST_LOG_PROBABILITY, np.float32)
        known = np.maximum(logistic.predict_log_proba(features[split]), LEAST_LOG_PROBABILITY)
        outputs[split][:, logistic.classes_] = known
    return outputs


def _features(rows: dict[str, list[Example]]) -> dict[str, "csr_matrix"]:
    """TF-IDF of words and pairs of words by split; two texts have features of their own, weighted alike."""
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import TfidfVectorizer

    train = rows["train"]
    pair = train[0].second is not None
    texts = [example.first for example in train] + [example.second or "" for example in train if pair]
    # Every mark counts as a word: a question mark or a lone letter may be all that a short text has.
    counter = TfidfVectorizer(
        ngram_range=WORDS, sublinear_tf=True, max_features=MOST_FEATURES, token_pattern=r"\w+|[^\w\s]"
    ).fit(texts)
    features = {}
    for split, examples in rows.items():
        first = counter.transform([example.first for example in examples])
        if pair:
            second = counter.transform([example.second or "" for example in examples])
            first = hstack([first, second], format="csr")
        features[split] = first
    return features


def _labels(spec: TaskSpec, examples: list[Example]) -> np.ndarray:
    return np.array([example.label for example in examples], np.float32 if spec.labels is None else np.int64)


def _answers(spec: TaskSpec, examples: list[Example], outputs: np.ndarray) -> Answers:
    groups = np.array([example.group for example in examples], np.int64)
    overlaps = np.array([example.overlap for example in examples], np.float32)
    return Answers(outputs, _labels(spec, examples), groups, overlaps)
