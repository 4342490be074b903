"""Clean documents of one shard of a text source, each assigned to training or validation by its content."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from flexibert.data.disk import require_space
from flexibert.data.signatures import BANDS, band_hashes
from flexibert.data.sources import folder_problems, pieces_of, raw_documents, source_folder
from flexibert.data.splits import split_of
from flexibert.errors import CorpusError
from flexibert.files import whole_file, write_json
from flexibert.settings import CorpusSettings, SourceSettings

LONGEST_DOCUMENT = 500_000  # characters; a longer one is cut, so that memory stays bounded
GROUP_BYTES = 4_000_000  # text of one row group of a documents file, the unit in which it is read again
NEEDED_KEY = {"folder": "path", "hub": "id"}  # of a source, by its kind
KEYS_OF_KIND = {
    "embedded": {"documents", "final_only"},
    "folder": {"path", "column", "unit", "join", "documents", "final_only"},
    "hub": {"id", "config", "split", "revision", "streaming", "column", "join", "documents", "final_only"},
}

logger = logging.getLogger(__name__)


def collect_documents(
    source: SourceSettings,
    shard: int,
    shards: int,
    settings: CorpusSettings,
    out: str | Path,
    counts: str | Path,
    downloaded: str | Path | None = None,
) -> None:
    """Write the clean documents of one shard, with what is needed to find their duplicates.

    A document is decoded, trimmed, and dropped when empty or not UTF-8. Its split follows from a hash of its words,
    so that equal documents land in the same split wherever they stand; duplicates are found later, over all shards
    and sources at once (`duplicates.find_duplicates`).

    Args:
        source: The text; its `weight` does not matter here.
        shard, shards: Which shard of how many.
        settings: The share of documents held out, and which duplicates will be looked for.
        out: Parquet file: document, split, words (uint64 hash), bands (8 x uint64, only with duplicates: near).
        counts: JSON file: documents, bytes, read, empty, invalid_utf8, cut.
        downloaded: Folder filled by `download.fetch`, for a hub source; the folder of `out` if not given.

    Raises:
        CorpusError: The source is missing, empty, or not text.
    """
    fetched = Path(downloaded or Path(out).parent)
    folder = source_folder(source, fetched)
    if folder is not None and folder.exists():
        size = sum(piece.size for piece in pieces_of(folder, shards)[shard::shards])
        require_space(Path(out).parent, size, f"the text of '{source.name}'")
    count = dict.fromkeys(("read", "documents", "bytes", "empty", "invalid_utf8", "cut"), 0)
    documents = raw_documents(source, shard, shards, fetched)
    with whole_file(out) as part:
        write_documents(part, clean_documents(documents, count), settings)
    if not count["documents"] and shards == 1:
        raise CorpusError(
            f"corpus source '{source.name}': none of {count['read']} documents can be used "
            f"({count['empty']} empty, {count['invalid_utf8']} not UTF-8); supply UTF-8 text"
        )
    write_json(counts, {"source": source.name, "shard": shard, **count})
    logger.info("%s, shard %d of %d: %s", source.name, shard, shards, count)


def clean_documents(documents: Iterator[str | bytes], count: dict[str, int]) -> Iterator[tuple[str, str]]:
    """(document, text that decides its split) of every usable raw document; `count` is kept up to date.

    A document of more than 500,000 characters comes out in parts that share one split.
    """
    for raw in documents:
        count["read"] += 1
        try:
            text = raw.decode("utf-8") if isinstance(raw, bytes) else raw
            size = len(raw if isinstance(raw, bytes) else text.encode("utf-8"))  # a lone surrogate fails here
        except UnicodeError:
            count["invalid_utf8"] += 1
            continue
        text = text.replace("\r\n", "\n").replace("\0", "").strip().removeprefix("\ufeff")
        if not text:
            count["empty"] += 1
            continue
        parts = list(_parts(text))
        count["cut"] += len(parts) > 1
        count["documents"] += len(parts)
        count["bytes"] += size
        for part in parts:
            yield part, parts[0]


def _parts(text: str) -> Iterator[str]:
    while len(text) > LONGEST_DOCUMENT:
        cut = text.rfind(" ", LONGEST_DOCUMENT // 2, LONGEST_DOCUMENT)
        cut = LONGEST_DOCUMENT if cut < 0 else cut
        yield text[:cut]
        text = text[cut:].lstrip()
    if text:
        yield text


def words_of(text: str) -> list[str]:
    """Words as they are compared: case and white space do not make documents different."""
    return text.casefold().split()


def words_hash(words: list[str]) -> int:
    """64-bit hash of a document's words, equal for equal documents on every machine."""
    return int.from_bytes(hashlib.blake2b(" ".join(words).encode(), digest_size=8).digest(), "little")


def write_documents(path: Path, documents: Iterator[tuple[str, str]], settings: CorpusSettings) -> None:
    """Write (document, text that decides its split) pairs as the parquet file of a shard."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    near = settings.duplicates == "near"
    names = ["document", "split", "words"] + (["bands"] if near else [])
    fields = [pa.string(), pa.string(), pa.uint64(), pa.list_(pa.uint64(), BANDS)][: len(names)]
    schema = pa.schema(list(zip(names, fields, strict=True)))
    group: list[tuple] = []
    size = 0

    def flush(writer: pq.ParquetWriter) -> None:
        texts, splits, hashes, bands = zip(*group, strict=True)
        columns = [pa.array(texts, pa.string()), pa.array(splits, pa.string()), pa.array(hashes, pa.uint64())]
        if near:
            columns.append(pa.FixedSizeListArray.from_arrays(pa.array(np.concatenate(bands)), BANDS))
        writer.write_table(pa.Table.from_arrays(columns, schema=schema))

    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for text, first in documents:
            words = words_of(text)
            key = words_hash(words)
            first_key = key if first is text else words_hash(words_of(first))
            bands = band_hashes(words, key) if near else None
            group.append((text, split_of(first_key, settings.validation), key, bands))
            size += len(text)
            if size >= GROUP_BYTES:
                flush(writer)
                group, size = [], 0
        if group:
            flush(writer)


def check_corpus(sources: Sequence[SourceSettings]) -> list[str]:
    """What keeps text sources from working on this machine, one sentence a problem; takes milliseconds."""
    problems: list[str] = []
    names = [source.name for source in sources]
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.append(f"corpus.sources: the name {name!r} stands {names.count(name)} times; give each source its own")
    if not any(source.weight > 0 for source in sources):
        problems.append("corpus.sources: every weight is 0; give at least one source a positive weight")
    for source in sources:
        kind, name = source.kind, source.name
        changed = {key: getattr(source, key) != default for key, default in source.defaults().items()}
        for key in sorted(changed.keys() - KEYS_OF_KIND[kind]):
            if changed[key]:
                problems.append(f"corpus source {name!r}: key {key!r} does not go with kind {kind!r}; remove it")
        needed = NEEDED_KEY.get(kind)
        if needed and not getattr(source, needed):
            problems.append(f"corpus source {name!r}: key {needed!r} is missing; kind {kind!r} needs it")
        elif kind == "folder":
            problems += folder_problems(Path(source.path or ""), name)
    return problems
