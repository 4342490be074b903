"""Token shards: the corpus as flat arrays of token ids on disk, and fixed-length windows on them."""

import bisect
import hashlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flexibert.data.disk import require_space
from flexibert.data.duplicates import kept_rows
from flexibert.data.mixture import Mixture
from flexibert.data.splits import SPLITS
from flexibert.data.tokenizer import load_tokenizer, tokenizer_facts
from flexibert.errors import CorpusError
from flexibert.files import file_digest, read_json, whole_file, write_json

FINGERPRINT_BLOCKS, FINGERPRINT_BYTES = 16, 1 << 16
TOKENS_PER_BYTE = 0.6  # of the text, from above; 0.2 to 0.3 is usual for English

logger = logging.getLogger(__name__)


def tokenise(
    documents: str | Path,
    tokenizer: str | Path,
    out_train: str | Path,
    out_validation: str | Path,
    summary: str | Path,
    duplicates: str | Path | None = None,
) -> None:
    """Tokenise the documents of one shard; each document is followed by the separator token.

    Args:
        documents: Parquet file of `corpus.collect_documents`.
        tokenizer: tokenizer.json with its facts beside it.
        out_train, out_validation: Flat arrays of token ids, little-endian uint16 (uint32 above 65,536 tokens).
        summary: JSON file: per split documents, text bytes, tokens, digest and fingerprint of the file.
        duplicates: File of `duplicates.find_duplicates`; the documents it marks are left out.
            Without it all stay.

    Raises:
        CorpusError: No space on the disk, or a tokenizer that makes an id beyond its vocabulary.
    """
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # one job is one core; shards are the parallel unit
    facts = tokenizer_facts(tokenizer)
    encoder = load_tokenizer(tokenizer)
    kind = token_dtype(facts.vocabulary)
    size = _text_bytes(documents)
    require_space(Path(out_train).parent, int(size * TOKENS_PER_BYTE * kind.itemsize), f"the token shard {out_train}")
    keep = np.ones(_row_count(documents), bool) if duplicates is None else kept_rows(duplicates, documents)
    outs = {"train": Path(out_train), "validation": Path(out_validation)}
    count: dict[str, dict[str, Any]] = {split: {"documents": 0, "bytes": 0, "tokens": 0} for split in SPLITS}
    with ExitStack() as stack:
        parts = {split: stack.enter_context(whole_file(path)) for split, path in outs.items()}
        streams = {split: stack.enter_context(open(part, "wb")) for split, part in parts.items()}
        for texts, splits in _kept_groups(documents, keep):
            for split, text, encoding in zip(
                splits, texts, encoder.encode_batch_fast(texts, add_special_tokens=False), strict=True
            ):
                ids = np.array([*encoding.ids, facts.separator], kind)
                ids.tofile(streams[split])
                count[split]["documents"] += 1
                count[split]["bytes"] += len(text.encode())
                count[split]["tokens"] += len(ids)
        for split, stream in streams.items():
            stream.flush()
            count[split] |= {"digest": file_digest(parts[split]), "fingerprint": fingerprint(parts[split])}
    dropped = int(len(keep) - keep.sum())
    write_json(summary, {"duplicates": dropped, **count})
    logger.info("%s: %s", documents, {split: count[split]["tokens"] for split in SPLITS})


def token_dtype(vocabulary: int) -> np.dtype:
    """Smallest unsigned type that holds every token id."""
    return np.dtype("<u2" if vocabulary <= 1 << 16 else "<u4")


def _row_count(documents: str | Path) -> int:
    import pyarrow.parquet as pq

    return pq.ParquetFile(documents).metadata.num_rows


def _text_bytes(documents: str | Path) -> int:
    import pyarrow.parquet as pq

    meta = pq.ParquetFile(documents).metadata
    return sum(meta.row_group(group).column(0).total_uncompressed_size for group in range(meta.num_row_groups))


def _kept_groups(documents: str | Path, keep: np.ndarray) -> Iterator[tuple[list[str], list[str]]]:
    """(texts, splits) of the documents that stay, one row group (about 4 MB) at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(documents)
    first = 0
    for group in range(file.num_row_groups):
        table = file.read_row_group(group, columns=["document", "split"])
        chosen = table.filter(pa.array(keep[first : first + len(table)]))
        first += len(table)
        yield chosen["document"].to_pylist(), chosen["split"].to_pylist()


def fingerprint(path: str | Path) -> str:
    """SHA-256 of a file's size and of up to 16 blocks of 64 KiB spread over it: a check in milliseconds.

    A file of up to 1 MiB is covered whole; `verify` compares the digests of all bytes.
    """
    size = os.path.getsize(path)
    digest = hashlib.sha256(str(size).encode())
    span = FINGERPRINT_BLOCKS * FINGERPRINT_BYTES
    starts = range(0, size, FINGERPRINT_BYTES)
    if size > span:
        starts = np.linspace(0, size - FINGERPRINT_BYTES, FINGERPRINT_BLOCKS, dtype=np.int64).tolist()
    with open(path, "rb") as stream:
        for start in starts:
            stream.seek(start)
            digest.update(stream.read(FINGERPRINT_BYTES))
    return digest.hexdigest()


def write_manifest(
    summaries: Sequence[str | Path],
    weights: Mapping[str, float],
    tokenizer: str | Path,
    out: str | Path,
    counts: Sequence[str | Path] = (),
) -> None:
    """Gather the shards of all sources into one manifest.

    Args:
        summaries: JSON files of `tokenise`, at corpus/{source}/{shard}.json beside their .bin files.
        weights: Weight of each source, by its name.
        tokenizer: tokenizer.json, whose facts are repeated in the manifest.
        out: corpus/manifest.json.
        counts: JSON files of `corpus.collect_documents`, whose counts join those of the source.

    Raises:
        CorpusError: A source without training text, or no validation text at all.
    """
    facts = tokenizer_facts(tokenizer)
    folder = Path(out).parent
    entries: dict[str, dict[str, Any]] = {
        name: {"weight": weight, "counts": {}, **{split: _empty() for split in SPLITS}}
        for name, weight in weights.items()
    }
    for path in sorted(map(Path, summaries), key=lambda path: (path.parent.name, len(path.stem), path.stem)):
        summary, entry = read_json(path), entries[path.parent.name]
        entry["counts"]["duplicates"] = entry["counts"].get("duplicates", 0) + summary["duplicates"]
        for split in SPLITS:
            file = path.parent / f"{split}-{path.stem}.bin"
            shard = {key: summary[split][key] for key in ("documents", "tokens", "digest", "fingerprint")}
            entry[split]["shards"].append({"file": str(file.relative_to(folder)), **shard})
            for key in ("documents", "bytes", "tokens"):
                entry[split][key] += summary[split][key]
    for count in map(read_json, counts):
        total = entries[count["source"]]["counts"]
        for key in ("read", "empty", "invalid_utf8", "cut"):
            total[key] = total.get(key, 0) + count[key]
    _check_entries(entries)
    special = {role: getattr(facts, role) for role in ("pad", "unknown", "start", "separator", "mask")}
    write_json(
        out,
        {
            "dtype": token_dtype(facts.vocabulary).str,
            "vocabulary": facts.vocabulary,
            "special": special,
            "special_ids": list(facts.special),
            "tokenizer": file_digest(tokenizer),
            "sources": entries,
        },
    )


def _empty() -> dict:
    return {"documents": 0, "bytes": 0, "tokens": 0, "shards": []}


def _check_entries(entries: dict[str, dict]) -> None:
    problems = [
        f"corpus source '{name}': no training document is left (counts: {entry['counts']}); supply UTF-8 text, "
        "or remove the source"
        for name, entry in entries.items()
        if entry["weight"] > 0 and not entry["train"]["documents"]
    ]
    if not any(entry["validation"]["documents"] for entry in entries.values()):
        problems.append(
            "corpus.validation: no document was held out to measure the loss on; raise the share or add documents"
        )
    if problems:
        raise CorpusError(problems)


def verify(manifest: str | Path) -> None:
    """Compare every shard with its digest in the manifest, reading all of it.

    Raises:
        CorpusError: A shard that is missing or differs, each named.
    """
    _raise_changed(Path(manifest), "digest", file_digest)


def _raise_changed(manifest: Path, key: str, digest: Callable[[Path], str]) -> None:
    problems = []
    for source in read_json(manifest)["sources"].values():
        for split in SPLITS:
            for shard in source[split]["shards"]:
                path = manifest.parent / shard["file"]
                if not path.exists():
                    problems.append(f"{path}: the shard is missing; delete {manifest} to have the corpus made again")
                elif digest(path) != shard[key]:
                    problems.append(
                        f"{path}: the shard is not the one {manifest} describes ({key} differs); delete "
                        "both to have them made again"
                    )
    if problems:
        raise CorpusError(problems)


@dataclass(frozen=True)
class _Stretch:
    """One shard file and the number of the first window on it, counted inside its source."""

    path: Path
    first: int
    tokens: int


class TokenShards:
    """Fixed-length windows on the token shards of one split, by memory map with random access.

    A window is the start token and the next `length - 1` tokens of a shard: documents run on, with a separator between
    them. Windows do not overlap; a shard's last incomplete one is left out.

    Args:
        manifest: corpus/manifest.json.
        split: "train" or "validation".
        length: Tokens a window, the start token included.

    Raises:
        CorpusError: A shard that is missing or not the one of the manifest, or no text for a single window.
    """

    def __init__(self, manifest: str | Path, split: str, length: int) -> None:
        path = Path(manifest)
        facts = read_json(path)
        _raise_changed(path, "fingerprint", fingerprint)
        self.split, self.length = split, length
        self.vocabulary: int = facts["vocabulary"]
        self.special: dict[str, int] = facts["special"]
        self.special_ids: list[int] = facts["special_ids"]
        self.dtype = np.dtype(facts["dtype"])
        self.sources = list(facts["sources"])
        self.weights = [facts["sources"][name]["weight"] for name in self.sources]
        self._stretches = [
            self._of_source(path.parent, facts["sources"][name][split]["shards"]) for name in self.sources
        ]
        self.windows = [sum((s.tokens // (length - 1)) for s in stretches) for stretches in self._stretches]
        if not any(count for count, weight in zip(self.windows, self.weights, strict=True) if weight > 0):
            raise CorpusError(
                f"{path}: the {split} text is shorter than one sequence of {length} tokens; add text or shorten it"
            )
        self._firsts = np.concatenate([[0], np.cumsum(self.windows)])
        self._maps: dict[Path, np.ndarray] = {}
        self._mixture: tuple[int, Mixture] | None = None

    def _of_source(self, folder: Path, shards: list[dict]) -> list[_Stretch]:
        stretches, first = [], 0
        for shard in shards:
            count = shard["tokens"] // (self.length - 1)
            if count:
                stretches.append(_Stretch(folder / shard["file"], first, shard["tokens"]))
            first += count
        return stretches

    def __len__(self) -> int:
        """Number of windows over all sources."""
        return int(self._firsts[-1])

    def window(self, index: int) -> np.ndarray:
        """Window number `index`, 0 <= index < len(self): int64 of shape (length,)."""
        source = int(np.searchsorted(self._firsts, index, side="right")) - 1
        return self._window(source, index - int(self._firsts[source]))

    def _window(self, source: int, number: int) -> np.ndarray:
        stretches = self._stretches[source]
        stretch = stretches[bisect.bisect_right(stretches, number, key=lambda s: s.first) - 1]
        if stretch.path not in self._maps:
            self._maps[stretch.path] = np.memmap(stretch.path, self.dtype, "r")
        start = (number - stretch.first) * (self.length - 1)
        out = np.empty(self.length, np.int64)
        out[0] = self.special["start"]
        out[1:] = self._maps[stretch.path][start : start + self.length - 1]
        return out

    def batch(self, step: int, batch_size: int, seed: int) -> np.ndarray:
        """Training sequences of optimiser step `step` (from 0), a function of the arguments alone.

        Args:
            step: Optimiser step, from 0.
            batch_size: Sequences a step; the same in the whole run.
            seed: Seed of the order.

        Returns:
            Token ids, int64 of shape (batch_size, length), mixed by the sources' weights.
        """
        if self._mixture is None or self._mixture[0] != seed:
            self._mixture = (seed, Mixture(self.windows, self.weights, seed))
        sources, numbers = self._mixture[1].at(np.arange(step * batch_size, (step + 1) * batch_size))
        return np.stack([self._window(int(s), int(n)) for s, n in zip(sources, numbers, strict=True)])
