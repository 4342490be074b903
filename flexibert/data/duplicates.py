"""Duplicate documents over all shards and sources at once, in bounded memory."""

import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from flexibert.data.disk import require_space
from flexibert.files import whole_file, write_json

PARTITION_ENTRIES = 8_000_000  # hashes compared at once: about 400 MB while they are sorted
ENTRY = np.dtype([("hash", "<u8"), ("document", "<u8")])
EXACT = np.uint64(1 << 63)  # marks an entry that stems from the hash of the whole document

logger = logging.getLogger(__name__)


def find_duplicates(
    documents: Sequence[str | Path], kind: Literal["none", "exact", "near"], out: str | Path, counts: str | Path
) -> None:
    """Mark every document that equals, or nearly equals, an earlier one.

    "Earlier" is the order of `documents`, then the order inside a file. Since one of two similar documents is dropped
    wherever they stand, training text does not reappear in the validation text, nor in another source. Hashes are
    spread over partition files on disk by value and compared partition by partition: memory does not grow with the
    corpus, except for two bytes a document.

    Args:
        documents: Files written by `corpus.collect_documents`, in order of the configuration.
        kind: Which duplicates are looked for: none, exact ones, or near ones too.
        out: npz file: `names` (source/file), `offsets` (first document of each file), `exact` and `near` (packed bits).
        counts: JSON file: documents, exact and near duplicates, by source.
    """
    import pyarrow.parquet as pq

    paths = [Path(path) for path in documents]
    offsets = np.concatenate([[0], np.cumsum([pq.ParquetFile(path).metadata.num_rows for path in paths])]).astype(
        np.int64
    )
    exact, near = np.zeros(offsets[-1], bool), np.zeros(offsets[-1], bool)
    if kind != "none":
        _mark(paths, offsets, kind == "near", exact, near, Path(out).parent)
    near &= ~exact
    with whole_file(out) as part, open(part, "wb") as stream:
        np.savez(
            stream,
            names=np.array([document_key(path) for path in paths]),
            offsets=offsets,
            exact=np.packbits(exact),
            near=np.packbits(near),
        )
    write_json(counts, _counts(paths, offsets, exact, near))


def document_key(path: str | Path) -> str:
    """Name of a documents file inside a results folder: source/file."""
    path = Path(path)
    return f"{path.parent.name}/{path.name}"


def _counts(paths: list[Path], offsets: np.ndarray, exact: np.ndarray, near: np.ndarray) -> dict:
    sources: dict[str, dict[str, int]] = {}
    for index, path in enumerate(paths):
        rows = slice(offsets[index], offsets[index + 1])
        count = sources.setdefault(path.parent.name, {"documents": 0, "exact": 0, "near": 0})
        count["documents"] += int(offsets[index + 1] - offsets[index])
        count["exact"] += int(exact[rows].sum())
        count["near"] += int(near[rows].sum())
    logger.info("duplicates by source: %s", sources)
    return {"sources": sources}


def _mark(
    paths: list[Path], offsets: np.ndarray, with_near: bool, exact: np.ndarray, near: np.ndarray, folder: Path
) -> None:
    """Set `exact` and `near` where a document's hash occurred before."""
    entries = int(offsets[-1]) * (9 if with_near else 1)
    partitions = max(1, -(-entries // PARTITION_ENTRIES))
    require_space(folder, entries * ENTRY.itemsize, "the search for duplicates")
    with tempfile.TemporaryDirectory(dir=folder, prefix=".duplicates-") as scratch:
        files = [Path(scratch) / f"{number:06d}" for number in range(partitions)]
        for chunk in _entries(paths, offsets, with_near):
            which = chunk["hash"] % np.uint64(partitions)
            for number in range(partitions):
                with open(files[number], "ab") as stream:
                    chunk[which == number].tofile(stream)
        for file in files:
            table = np.fromfile(file, ENTRY) if file.exists() else np.empty(0, ENTRY)
            table.sort(order=("hash", "document"))
            again = table["document"][1:][table["hash"][1:] == table["hash"][:-1]]
            whole = (again & EXACT).astype(bool)
            exact[(again[whole] & ~EXACT).astype(np.int64)] = True
            near[again[~whole].astype(np.int64)] = True


def _entries(paths: list[Path], offsets: np.ndarray, with_near: bool) -> Iterator[np.ndarray]:
    """(hash, document) entries of all documents, a batch at a time."""
    import pyarrow.parquet as pq

    columns = ["words", "bands"] if with_near else ["words"]
    for path, first in zip(paths, offsets, strict=False):
        position = int(first)
        for batch in pq.ParquetFile(path).iter_batches(batch_size=65536, columns=columns):
            numbers = np.arange(position, position + len(batch), dtype=np.uint64)
            position += len(batch)
            hashes, owners = [batch.column(0).to_numpy(zero_copy_only=False)], [numbers | EXACT]
            if with_near:
                bands = batch.column(1).flatten().to_numpy(zero_copy_only=False)
                hashes.append(bands)
                owners.append(np.repeat(numbers, len(bands) // max(1, len(batch))))
            chunk = np.empty(sum(map(len, hashes)), ENTRY)
            chunk["hash"], chunk["document"] = np.concatenate(hashes), np.concatenate(owners)
            yield chunk


def kept_rows(duplicates: str | Path, documents: str | Path) -> np.ndarray:
    """Which documents of one file stay: bool of shape (documents,)."""
    with np.load(duplicates, allow_pickle=False) as table:
        index = table["names"].tolist().index(document_key(documents))
        first, last = table["offsets"][index : index + 2]
        start = first // 8
        drop = table["exact"][start : -(-last // 8)] | table["near"][start : -(-last // 8)]
        return ~np.unpackbits(drop).astype(bool)[first - 8 * start : last - 8 * start]
