"""The tokenizer: a byte-level BPE trained on the corpus, a tokenizer.json, or one from the hub."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flexibert.errors import CorpusError
from flexibert.files import read_json, whole_file, write_json
from flexibert.settings import TokenizerSettings

if TYPE_CHECKING:
    import tokenizers

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
ROLES = ("pad", "unknown", "start", "separator", "mask")
ROBERTA_TOKENS = ("<pad>", "<unk>", "<s>", "</s>", "<mask>")  # of Liu et al. (2019), the paper's vocabulary of 50,265
SMALLEST_VOCABULARY = 256 + len(SPECIAL_TOKENS)  # every byte must have a token
TRAINING_BYTES = 100_000_000  # text a tokenizer is trained on; more changes a vocabulary little and costs memory


@dataclass(frozen=True)
class TokenizerFacts:
    """What others need to know of a tokenizer without loading it.

    Attributes:
        vocabulary: Number of tokens; ids lie in [0, vocabulary).
        pad, unknown, start, separator, mask: Ids of the special tokens.
        special: Ids of all special tokens, which masking must spare.
    """

    vocabulary: int
    pad: int
    unknown: int
    start: int
    separator: int
    mask: int
    special: tuple[int, ...]


def make_tokenizer(
    settings: TokenizerSettings,
    documents: Sequence[str | Path],
    out: str | Path,
    seed: int,
    duplicates: str | Path | None = None,
) -> None:
    """Train or copy the tokenizer; writes `out` and, beside it, its facts (`tokenizer.meta.json`).

    Args:
        settings: Where it comes from.
        documents: Files of `corpus.collect_documents`; their training documents are read when kind is train.
        out: Path of `tokenizer.json`; of kind hub, the file that `download.fetch_tokenizer` has brought lies beside
            it (`hub/tokenizer.json`).
        seed: Root seed; a corpus of more than 100 MB is sampled with it.
        duplicates: File of `duplicates.find_duplicates`, to leave duplicates out.

    Raises:
        CorpusError: A tokenizer that cannot be read, lacks a special token, or too small a vocabulary.
    """
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    problems = check_tokenizer(settings)
    if problems:
        raise CorpusError(problems)
    if settings.kind == "train":
        tokenizer = _train(settings, [Path(path) for path in documents], seed, duplicates)
    else:
        fetched = Path(out).parent / "hub" / "tokenizer.json"
        tokenizer = load_tokenizer(fetched if settings.kind == "hub" else settings.path or "")
    facts = _facts_of(tokenizer, str(settings.path or "the trained tokenizer"))
    with whole_file(out) as part:
        tokenizer.save(str(part))
    write_json(meta_path(out), {"kind": settings.kind, **facts.__dict__, "special": list(facts.special)})


def meta_path(tokenizer: str | Path) -> Path:
    """Path of the facts beside a tokenizer.json."""
    return Path(tokenizer).with_suffix(".meta.json")


def tokenizer_facts(tokenizer: str | Path) -> TokenizerFacts:
    """Read the facts of a tokenizer that `make_tokenizer` wrote."""
    meta = read_json(meta_path(tokenizer))
    roles = {role: meta[role] for role in ROLES}
    return TokenizerFacts(meta["vocabulary"], special=tuple(meta["special"]), **roles)


def load_tokenizer(path: str | Path) -> "tokenizers.Tokenizer":
    """The tokenizer itself, without truncation and padding."""
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception
        raise CorpusError(
            f"tokenizer.path: {path} is not a tokenizer.json ({error}); save one with `tokenizers`"
        ) from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def check_tokenizer(settings: TokenizerSettings) -> list[str]:
    """What keeps the section `tokenizer` from working here, one sentence a problem."""
    if settings.kind == "train":
        if settings.vocabulary < SMALLEST_VOCABULARY:
            return [
                f"tokenizer.vocabulary: {settings.vocabulary} is too small; 256 bytes and 5 special tokens need "
                f"{SMALLEST_VOCABULARY} at least"
            ]
        return []
    if not settings.path:
        needed = "a tokenizer.json" if settings.kind == "file" else "a model id"
        return [f"tokenizer.path: missing; kind {settings.kind!r} needs {needed}"]
    if settings.kind == "hub":
        from huggingface_hub.errors import HFValidationError
        from huggingface_hub.utils import validate_repo_id

        try:
            validate_repo_id(settings.path)
        except HFValidationError:
            return [f"tokenizer.path: {settings.path!r} is not a model id; write e.g. FacebookAI/roberta-base"]
    if settings.kind == "file" and not Path(settings.path).is_file():
        return [f"tokenizer.path: the file {settings.path} does not exist; correct it"]
    return []


def _train(
    settings: TokenizerSettings, documents: list[Path], seed: int, duplicates: str | Path | None
) -> "tokenizers.Tokenizer":
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=settings.vocabulary,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_training_texts(documents, seed, duplicates), trainer)
    if tokenizer.get_vocab_size() < settings.vocabulary:
        raise CorpusError(
            f"tokenizer.vocabulary: the text yields {tokenizer.get_vocab_size()} tokens only, "
            f"{settings.vocabulary} were asked for; lower the number or add text"
        )
    return tokenizer


def _training_texts(documents: list[Path], seed: int, duplicates: str | Path | None) -> Iterator[str]:
    """Training documents, at most about 100 MB of them: a random sample of row groups where there are more."""
    import numpy as np
    import pyarrow.parquet as pq

    from flexibert.data.duplicates import kept_rows

    files = [pq.ParquetFile(path) for path in documents]
    groups = [(number, group) for number, file in enumerate(files) for group in range(file.num_row_groups)]
    order = np.random.default_rng(seed).permutation(len(groups))
    size = 0
    for index in order:
        number, group = groups[index]
        table = files[number].read_row_group(group, columns=["document", "split"]).to_pydict()
        first = sum(files[number].metadata.row_group(before).num_rows for before in range(group))
        keep = kept_rows(duplicates, documents[number])[first:] if duplicates else np.ones(len(table["split"]), bool)
        for text, split, kept in zip(table["document"], table["split"], keep, strict=False):
            if split == "train" and kept:
                yield text
                size += len(text)
        if size >= TRAINING_BYTES:
            return


def _facts_of(tokenizer: "tokenizers.Tokenizer", name: str) -> TokenizerFacts:
    for tokens in (SPECIAL_TOKENS, ROBERTA_TOKENS):
        ids = {
            role: number
            for role, token in zip(ROLES, tokens, strict=True)
            if (number := tokenizer.token_to_id(token)) is not None
        }
        if len(ids) == len(ROLES):
            break
    else:
        raise CorpusError(
            f"tokenizer.path: {name} has neither the special tokens {' '.join(SPECIAL_TOKENS)} "
            f"nor {' '.join(ROBERTA_TOKENS)}"
        )
    added = {number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    vocabulary = 1 + max(tokenizer.get_vocab(with_added_tokens=True).values())
    return TokenizerFacts(vocabulary, special=tuple(sorted(added.union(ids.values()))), **ids)
