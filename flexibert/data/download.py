"""Everything that comes from the Hugging Face hub comes through here, once; afterwards the work is offline."""

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from flexibert.data.hub import hub_problems
from flexibert.errors import CorpusError
from flexibert.files import whole_file, write_json
from flexibert.settings import SourceSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class HubData:
    """A data set on the hub, or a part of it.

    Attributes:
        id: OWNER/NAME.
        name: How people call it, for messages.
        config: Where the data set has several.
        split: A name, several names, or None for all.
        revision: None for the newest.
        streaming: Whether it will be read without being downloaded.
    """

    id: str
    name: str
    config: str | None = SourceSettings.config
    split: str | Sequence[str] | None = SourceSettings.split
    revision: str | None = SourceSettings.revision
    streaming: bool = SourceSettings.streaming

    @classmethod
    def from_mapping(cls, source: Mapping[str, Any]) -> "HubData":
        """The data of a text source or of a task (`tasks.hub_source`), whose other keys are left out."""
        return cls(**{entry.name: source[entry.name] for entry in fields(cls) if entry.name in source})


def fetch(source: HubData, folder: str | Path) -> None:
    """Copy the data files of one hub data set into a folder, as they are (parquet).

    A file that is already there whole is kept, so an interrupted download goes on where it stopped. `download.json`
    in the folder is written last: it names the files, and is the only thing to declare as a job's output.

    Args:
        source: The data set.
        folder: One folder a split is made in it: folder/train/*.parquet. Nothing is fetched of a streamed source.

    Raises:
        CorpusError: The hub cannot be reached, or has no such data set, configuration or split.
    """
    if source.streaming:
        write_json(Path(folder) / "download.json", {"id": source.id, "streaming": True})
        return
    name = source.name
    with hub_problems(f"data source '{name}'", source.id):
        files, revision = _files_of(source)
        wanted = [source.split] if isinstance(source.split, str) else source.split or sorted(files)
        missing = sorted(set(wanted) - set(files))
        if missing:
            has = ", ".join(sorted(files))
            raise CorpusError(
                f"data source '{name}': '{source.id}' has no split {', '.join(missing)}; its splits are {has}"
            )
        got: dict[str, list[str]] = {split: [] for split in wanted}
        for split in wanted:
            for number, address in enumerate(files[split]):
                path = Path(folder) / split / f"{number:05d}{Path(address).suffix}"
                _copy(address, path)
                got[split].append(f"{split}/{path.name}")
                logger.info("%s: %s, file %d of %d", name, split, number + 1, len(files[split]))
    write_json(Path(folder) / "download.json", {"id": source.id, "revision": revision, "files": got})


def fetch_tokenizer(model: str, out: str | Path) -> None:
    """Copy the `tokenizer.json` of a model on the hub; nothing else of its repository is read.

    Args:
        model: Model id, e.g. "FacebookAI/roberta-base".
        out: File to write.

    Raises:
        CorpusError: The hub cannot be reached, or has no such model or no such file.
    """
    with hub_problems("tokenizer.path", model):
        from huggingface_hub import hf_hub_download

        found = hf_hub_download(model, "tokenizer.json")
    with whole_file(out) as part:
        shutil.copyfile(found, part)


def _files_of(source: HubData) -> tuple[dict[str, list[str]], str]:
    """Addresses of the parquet files by split, and the revision they belong to."""
    from datasets import load_dataset_builder

    revision = source.revision
    try:
        builder = load_dataset_builder(source.id, source.config, revision=revision)
    except RuntimeError:  # a data set with a loading script: the hub keeps a converted copy
        revision = "refs/convert/parquet"
        builder = load_dataset_builder(source.id, source.config, revision=revision)
    files = builder.config.data_files or {}
    addresses = {str(split): sorted(map(str, paths)) for split, paths in files.items()}
    strange = sorted({Path(path).suffix for paths in addresses.values() for path in paths} - {".parquet"})
    if strange or not addresses:
        raise CorpusError(
            f"data source '{source.id}': its files are {', '.join(strange) or 'unknown'}, not parquet; set "
            "`streaming: true`, or convert them and use kind folder"
        )
    return addresses, str(builder.hash or revision or "")


def _copy(address: str, path: Path) -> None:
    """Copy one file from the hub (hf://) or from a local folder, unless it is there."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    if address.startswith("hf://"):
        from huggingface_hub import HfFileSystem

        HfFileSystem().get_file(address, str(part))
    else:
        shutil.copyfile(address, part)
    part.replace(path)
