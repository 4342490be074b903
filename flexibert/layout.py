"""Where everything lies in the results folder of an experiment, and which columns its tables have.

A path is a pattern such as "models/{model}/{recipe}/card.json". The rules use it as it is, since Snakemake knows the
braces as wildcards; `at` gives the path of one thing, `found` all that are there.
"""

import re
from pathlib import Path
from typing import Any, Generic, NamedTuple, Self, TypeVar

from flexibert.runs import recipe_pattern

ROUND_DIGITS = 3  # at least, in the names of rounds
OBSERVATION_COLUMNS = (  # then one a task (points)
    "level", "round", "model", "recipe", "origin", "source", "overlap", "reason", "status", "score",
)  # fmt: skip
LEADERBOARD_COLUMNS = (  # then `parameters`, and one a task (means, points)
    "rank", "role", *OBSERVATION_COLUMNS[:-1], "trainings", "failed",
    "score", "deviation", "posterior", "posterior_deviation",
)  # fmt: skip
PREDICTION_COLUMNS = ("id", "mean", "aleatoric", "epistemic")
MODEL_COST_COLUMNS = ("parameters", "flops_per_token", "latency_ms")  # after `id`
PROGRESS, LEASE = "progress.json", "lease.json"  # of a running job, in its folder of `resume`
MARKS = ("config.yaml", "search", "models", "glue")  # what tells a results folder from any other

PART = re.compile(r"\{(\w+)\}")
NUMBERED = ("level", "round")  # parts that are sorted as numbers: rounds may pass 999
# What a part of a path may be, as a regular expression; the rules' wildcards are held to the same.
PARTS = {
    "source": "[a-z0-9-]+",
    "shard": r"\d+",
    "manifest": "manifest|manifest-final",
    "task": "[a-z0-9]+-[a-z0-9]+",
    "search": "[a-z0-9-]+",
    "level": r"\d+",
    "round": r"\d+",
    "model": "[0-9a-f]+",
    "recipe": recipe_pattern(),
    "page": "report|comparison",
}


class Found(NamedTuple):
    """Something that is there: its path, and its parts by name."""

    path: Path
    parts: dict[str, str]


class Pattern(str):
    """A path with the names of its parts in braces; for Snakemake it is a text like any other.

    Attributes:
        root: The folder above; braces in it are no parts.
        below: The pattern below it.
    """

    root: str
    below: str

    def __new__(cls, root: str, below: str) -> "Pattern":
        pattern = super().__new__(cls, f"{root}/{below}" if below else root)
        pattern.root, pattern.below = root, below
        return pattern

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]  # a copy is made of both
        return self.root, self.below

    @property
    def names(self) -> list[str]:
        """Names in braces, in their order."""
        return PART.findall(self.below)

    def at(self, **parts: object) -> str:
        """The path with its parts filled in.

        Raises:
            TypeError: A part is lacking, or is none of the pattern.
        """
        if unlike := set(self.names) ^ set(parts):
            raise TypeError(f"{self}: {', '.join(sorted(unlike))} must be given if and only if it is in braces")
        return f"{self.root}/{self.below.format(**parts)}" if self.below else self.root

    def path(self, **parts: object) -> Path:
        """As `at`, as a path."""
        return Path(self.at(**parts))

    def found(self, **known: object) -> list[Found]:
        """What is there, sorted by its parts; what is named otherwise than PARTS allow is not ours.

        Args:
            known: Parts that are given; all others may be anything that PARTS allow.
        """
        glob = PART.sub(lambda part: str(known.get(part[1], "*")), self.below)
        allowed = PARTS | {name: re.escape(str(value)) for name, value in known.items()}
        pieces = PART.split(self.below)  # texts and names in turn
        pieces[::2] = map(re.escape, pieces[::2])
        pieces[1::2] = [f"(?P<{name}>{allowed[name]})" for name in self.names]
        there = []
        for path in Path(self.root).glob(glob):
            if match := re.fullmatch("".join(pieces), path.relative_to(self.root).as_posix()):
                there.append(Found(path, match.groupdict()))
        return sorted(there, key=_order)


def _order(found: Found) -> tuple[int | str, ...]:
    return tuple(int(value) if name in NUMBERED else value for name, value in found.parts.items())


class File:
    """A file or a folder inside a `Folder`.

    Args:
        below: Its name or pattern.
        apart: A job of its own makes it, or it is not always there, so that it is none of the folder's `files`.
    """

    def __init__(self, below: str, apart: bool = False) -> None:
        self.below, self.apart = below, apart

    def __get__(self, folder: "Folder", owner: Any = None) -> Pattern:
        return folder / self.below


F = TypeVar("F", bound="Folder")


class Inside(Generic[F]):
    """A folder of a kind inside another one."""

    def __init__(self, below: str, kind: type[F]) -> None:
        self.below, self.kind = below, kind

    def __get__(self, folder: "Folder", owner: Any = None) -> F:
        return self.kind(folder.root, str((folder / self.below).below))


class Folder:
    """A folder whose files are named by the attributes of its class.

    Args:
        root: An existing folder, or how a rule names it ("<results>").
        below: Pattern of this folder below the root; empty for the root itself.
    """

    def __init__(self, root: str | Path, below: str = "") -> None:
        self.root, self.below = str(root), below

    def __truediv__(self, name: str) -> Pattern:
        return Pattern(self.root, f"{self.below}/{name}" if self.below else name)

    @property
    def folder(self) -> Pattern:
        """The folder itself."""
        return Pattern(self.root, self.below)

    @property
    def files(self) -> list[Pattern]:
        """What one job writes into it, in the order of the class."""
        members = vars(type(self)).items()
        return [getattr(self, name) for name, value in members if isinstance(value, File) and not value.apart]

    def at(self, **parts: object) -> Self:
        """The folder with its parts filled in (see `Pattern.at`)."""
        return type(self)(self.folder.at(**parts))


class SourceFiles(Folder):
    """Text of one source: what was downloaded, and the clean documents of its shards."""

    download = File("download.json")
    documents = File("documents-{shard}.parquet")
    counts = File("documents-{shard}.json")


class TokenFiles(Folder):
    """Token ids of one source."""

    train = File("train-{shard}.bin")
    validation = File("validation-{shard}.bin")
    summary = File("{shard}.json")


class TaskFiles(Folder):
    """One labelled task, tokenised."""

    download = File("download.json", apart=True)
    train = File("train.npz")
    validation = File("validation.npz")
    test = File("test.npz", apart=True)  # of tasks that keep rows away
    plain = File("plain.json", apart=True)
    majority_answers = File("plain-majority.npz", apart=True)
    words_answers = File("plain-words.npz", apart=True)
    card = File("task.json")


class LibraryFiles(Folder):
    """Candidates of one level; `library.json` comes last and says that the others are whole."""

    models = File("models.parquet")
    distances = File("distances.npy")
    embedding = File("embedding.npy")
    neighbours = File("neighbours.npy")
    card = File("library.json")
    costs = File("costs.parquet", apart=True)


class RunFiles(Folder):
    """One trained model; `transformers` loads the folder."""

    config = File("config.json")
    weights = File("model.safetensors")
    card = File("card.json")
    curve = File("curve.csv")
    cost = File("cost.json")


class TunedFiles(Folder):
    """One run fine-tuned on one task."""

    best = File("best.json")
    trials = File("trials.csv")
    cost = File("cost.json")
    answers = File("answers.npz", apart=True)  # to the rows kept away, of recipes that are tested
    model = File("model", apart=True)


class RoundFiles(Folder):
    """One round of a search."""

    proposal = File("proposal.json")
    predictions = File("predictions.parquet")
    observations = File("observations.csv")


class Layout(Folder):
    """The results folder of an experiment, results/NAME."""

    config = File("config.yaml")
    versions = File("versions.json")

    source = Inside("text/{source}", SourceFiles)
    duplicates = File("text/duplicates-{manifest}.npz")
    duplicate_counts = File("text/duplicates-{manifest}.json")
    tokenizer = File("tokenizer/tokenizer.json")
    tokenizer_facts = File("tokenizer/tokenizer.meta.json")
    hub_tokenizer = File("tokenizer/hub/tokenizer.json")
    tokens = Inside("corpus/{source}", TokenFiles)
    manifest = File("corpus/{manifest}.json")
    task = Inside("tasks/{task}", TaskFiles)

    library = Inside("library/level-{level}", LibraryFiles)
    finer_library = Inside("search/{search}/level-{level}/library", LibraryFiles)

    level = File("search/{search}/level-{level}")
    round = Inside("search/{search}/level-{level}/round-{round}", RoundFiles)
    leaderboard = File("search/{search}/leaderboard.csv")
    best = File("search/{search}/best.json")

    run = Inside("models/{model}/{recipe}", RunFiles)
    tuned = Inside("glue/{model}/{recipe}/{task}", TunedFiles)
    score = File("glue/{model}/{recipe}/score.json")
    confirmation = File("confirm/{search}.json")
    final = File("final/{search}.json")
    speed = File("speed/{search}.json")
    evidence = File("evidence/{search}.json")
    evidence_table = File("evidence/{search}.csv")

    page = File("{page}/index.html")
    tables = File("{page}/tables")
    figures = File("{page}/figures")
    dag = File("dag")

    logs = File("logs")
    benchmarks = File("benchmarks")
    resume = File("resume")
    pretraining_state = File("resume/pretrain/{model}/{recipe}")
    transfer_state = File("resume/transfer/{model}/{recipe}")
    tuning_state = File("resume/finetune/{model}/{recipe}/{task}")


def round_name(number: int) -> str:
    """How a round is named in paths, e.g. "007"."""
    return f"{number:0{ROUND_DIGITS}d}"
