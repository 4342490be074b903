"""Nothing that a person can supply is executed, and no name leads out of the results folder."""

import ast
import functools
import json
import os
import pickle
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from toy import ROOT, run

from flexibert.config import read_yaml, resolve
from flexibert.data.sources import text_files
from flexibert.data.tasks import TaskData, check_tasks
from flexibert.data.tokenizer import check_tokenizer, load_tokenizer
from flexibert.encoder.checkpoint import load_model
from flexibert.encoder.named import model_by_name_or_file
from flexibert.errors import ConfigError, UsageError
from flexibert.preflight import check_experiment, check_typed
from flexibert.search.bench.table import read_table
from flexibert.settings import SuiteSettings, TokenizerSettings
from flexibert.space.design_space import DesignSpace
from flexibert.space.library.library import Library
from flexibert.training.state import DIGEST_LENGTH, StateKeeper, file_digest

READ_ONCE = functools.cache(read_yaml)
SOURCE = {"name": "a", "kind": "embedded", "weight": 1.0, "shards": 1}
ESCAPES = ["../up", "..", "/abs", "a/../../b", "a;touch x", "a|b", "$(touch x)", "`touch x`", "a'b", 'a"b', "a b"]
ESCAPES += ["a\nb", "a\n", "\na", "{model}", "*", "~", "", "-a", "a\\b", "a\0b"]

PLACES = {
    "name": lambda text: {"name": text},
    "source": lambda text: {"corpus": {"sources": [{**SOURCE, "name": text}]}},
    "search": lambda text: {"searches": {"main": {}, text: {}}},
    "comparison": lambda text: {"comparison": [text]},
    "suite": lambda text: {"tasks": {"suites": [{"suite": text, "source": "embedded"}]}},
    "suite of a search": lambda text: {"search": {"suite": text}},
    "suite of the final models": lambda text: {"final": {"suites": [text]}},
    "method": lambda text: {"search": {"method": text}},
    "data set": lambda text: {"corpus": {"sources": [{**SOURCE, "kind": "hub", "id": text}]}},
    "device": lambda text: {"jobs": {"device": text}},
    "threads": lambda text: {"jobs": {"threads": text}},
    "memory": lambda text: {"jobs": {"memory_mb": text}},
}


# names


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("text", ESCAPES, ids=repr)
def test_a_name_of_the_settings_cannot_escape(place, text, monkeypatch):
    monkeypatch.setattr("flexibert.config.read_yaml", READ_ONCE)  # the same two files hundreds of times
    with pytest.raises(ConfigError):
        resolve(PLACES[place](text), ROOT)


@pytest.mark.parametrize("text", ESCAPES, ids=repr)
def test_a_task_or_a_model_on_the_hub_cannot_escape(text):
    suite = SuiteSettings("probes", "embedded", names=(text,))
    assert f"has no task '{text}'" in check_tasks([suite])[0]
    assert check_tokenizer(TokenizerSettings("hub", 300, text))


@pytest.mark.parametrize("text", ["owner/..", "../owner", "owner/a..b", "a/b/c"])
def test_an_id_on_the_hub_is_no_path(text):
    with pytest.raises(ConfigError):
        resolve(PLACES["data set"](text), ROOT)
    assert "is not a model id" in check_tokenizer(TokenizerSettings("hub", 300, text))[0]


@pytest.mark.workflow
@pytest.mark.xdist_group("workflow")
@pytest.mark.parametrize(
    "target",
    [
        "results/test/models/../../../out/scratch/card.json",
        "results/test/models/0a1b/from-../out/card.json",
        "results/test/../../out/costs.parquet",
        "results/test/search/../../../out/level-1/library/costs.parquet",
        "results/test/glue/0a1b/scratch/probes-../../../out/best.json",
        "results/test/text/$(touch out)/documents-0000.parquet",
        "results/test/library/level-1;touch out/models.parquet",
        "/out/results/test/config.yaml",
    ],
)
def test_no_rule_makes_a_file_elsewhere(tmp_path, target):
    done = run(target, folder=tmp_path)
    assert done.returncode != 0
    assert "MissingRuleException" in done.text
    assert not list(tmp_path.glob("**/out*"))


# values


@pytest.mark.parametrize("text", ["it's", 'say "x"', "$(touch x)", "`touch x`", "a\\b", "a\nb"])
def test_a_typed_value_that_a_shell_would_read_is_refused(text):
    assert text in ast.literal_eval(check_typed({"space": text})[0].split(": ")[1].split(" holds")[0])
    assert check_typed({"corpus": {"sources": [{"path": text}]}})[0].startswith("--config corpus sources path")
    assert check_typed({"pretrain": {"steps": 5}, "name": "a", "space": "my space.yaml"}) == []


@pytest.mark.workflow
@pytest.mark.xdist_group("workflow")
def test_a_typed_value_is_not_executed(tmp_path):
    marker = tmp_path / "executed"
    space = tmp_path / f"it's $(touch {marker.name}).yaml"
    space.write_bytes((ROOT / "config/spaces/test.yaml").read_bytes())
    command = ("results/test/config.yaml", "--config", f"space={space.name}")
    refused = run(*command, folder=tmp_path)
    assert refused.returncode == 1
    assert "holds a character that a shell reads; write it into a file for --configfile" in refused.text
    accepted = run("results/test/config.yaml", folder=tmp_path, changes={"space": space.name})
    assert accepted.ok, accepted.text
    assert not marker.exists()


@pytest.mark.workflow
@pytest.mark.xdist_group("workflow")
def test_tags_of_yaml_and_odd_folder_names_are_not_executed(tmp_path):
    folder = tmp_path / "a b;touch executed $(touch executed) `touch executed` & 'c"
    folder.mkdir()
    done = run("results/test/config.yaml", folder=folder)
    assert done.ok, done.text
    tagged = folder / "tagged.yaml"
    tagged.write_text(f"name: !!python/object/apply:os.system ['touch {shlex.quote(str(folder / 'executed'))}']\n")
    refused = run("results/test/config.yaml", folder=folder, config=tagged)
    assert refused.returncode != 0
    with pytest.raises(ConfigError, match="not YAML"):
        read_yaml(tagged)
    with pytest.raises(UsageError):
        DesignSpace.from_yaml(tagged)
    assert not [path for place in (ROOT, tmp_path, folder) for path in place.glob("executed*")]


# files


class Payload:
    """Creates a folder when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = str(marker)

    def __reduce__(self) -> tuple:
        return os.mkdir, (self.marker,)


def plain(marker: Path, path: Path) -> None:
    path.write_bytes(pickle.dumps(Payload(marker)))


def of_torch(marker: Path, path: Path) -> None:
    torch.save({"weight": Payload(marker)}, path)


def of_numpy(marker: Path, path: Path) -> None:
    with open(path, "wb") as stream:
        np.save(stream, np.array([Payload(marker)], dtype=object), allow_pickle=True)


def of_numpy_archive(marker: Path, path: Path) -> None:
    with open(path, "wb") as stream:
        np.savez(stream, input_ids=np.array([Payload(marker)], dtype=object), allow_pickle=True)


KINDS = [plain, of_torch, of_numpy, of_numpy_archive]


def tokenizer(folder: Path, write) -> None:
    write(folder / "tokenizer.json")
    load_tokenizer(folder / "tokenizer.json")


def design_space(folder: Path, write) -> None:
    write(folder / "space.yaml")
    DesignSpace.from_yaml(folder / "space.yaml")


def settings(folder: Path, write) -> None:
    write(folder / "config.yaml")
    read_yaml(folder / "config.yaml")


def weights(folder: Path, write) -> None:
    for name in ("model.safetensors", "pytorch_model.bin", "config.json"):
        write(folder / name)
    load_model(folder, "masked_lm")


def weights_beside_a_sound_config(folder: Path, write) -> None:
    model = {"h": [32], "o": [["sa", "sdp", 2]], "f": [[64]], "p": []}
    (folder / "config.json").write_text(json.dumps({"model": model, "vocab_size": 300}))
    for name in ("model.safetensors", "pytorch_model.bin"):
        write(folder / name)
    load_model(folder, "masked_lm")


def model_dictionary(folder: Path, write) -> None:
    write(folder / "model.json")
    model_by_name_or_file(str(folder / "model.json"))


def table(folder: Path, write) -> None:
    write(folder / "table.csv")
    read_table(folder / "table.csv")


def prepared_task(folder: Path, write) -> None:
    (folder / "task.json").write_text("{}")
    write(folder / "train.npz")
    TaskData.load(folder, "train")


def library(folder: Path, write) -> None:
    (folder / "library.json").write_text("{}")
    for name in ("distances.npy", "embedding.npy", "neighbours.npy"):
        write(folder / name)
    found = Library(folder)
    for name in ("distances", "embedding", "neighbours"):
        with pytest.raises((ValueError, TypeError, AttributeError)):
            _ = getattr(found, name).shape
    raise ValueError("all three were refused")


def task_files(folder: Path, write) -> None:
    (folder / "CoLA").mkdir()
    for name in ("train.tsv", "dev.tsv"):
        write(folder / "CoLA" / name)
    assert check_tasks([SuiteSettings("glue", "folder", str(folder), ("cola",))]) == []
    from flexibert.data.task_files import read_examples
    from flexibert.data.task_table import TASKS

    read_examples(TASKS["glue-cola"], "train", "folder", folder)


READERS = [tokenizer, design_space, settings, weights, weights_beside_a_sound_config, model_dictionary, table]
READERS += [prepared_task, library, task_files]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reader", READERS)
def test_a_pickle_in_the_place_of_a_file_is_refused_unread(tmp_path, reader, kind):
    marker = tmp_path / "executed"
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises((ValueError, TypeError)):
        reader(folder, lambda path: kind(marker, path))
    assert not marker.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_pickle_in_the_place_of_a_training_state_is_thrown_away(tmp_path, kind):
    marker, states = tmp_path / "executed", tmp_path / "resume"
    states.mkdir()
    kind(marker, states / "new")
    digest = file_digest(states / "new")[:DIGEST_LENGTH]
    (states / "new").rename(states / f"state-0000000005-{digest}.safetensors")
    assert StateKeeper(states, "job", 10, 60).newest() is None
    assert not marker.exists()


def test_pickles_among_the_text_are_no_text(tmp_path):
    marker, text = tmp_path / "executed", tmp_path / "text"
    text.mkdir()
    for name in ("a.pkl", "b.pt", "c.bin", "d.npy", "e.py"):
        of_torch(marker, text / name)
    (text / "f.txt").write_text("A document.")
    assert [path.name for path in text_files(text)] == ["f.txt"]
    assert not marker.exists()


def test_the_payloads_do_execute_where_they_are_unpickled(tmp_path):
    """What the tests above would see if a reader did what it must not."""
    plain(tmp_path / "one", tmp_path / "a")
    pickle.loads((tmp_path / "a").read_bytes())
    of_torch(tmp_path / "two", tmp_path / "b")
    torch.load(tmp_path / "b", weights_only=False)
    of_numpy(tmp_path / "three", tmp_path / "c")
    np.load(tmp_path / "c", allow_pickle=True)
    assert all((tmp_path / name).is_dir() for name in ("one", "two", "three"))


def test_a_data_set_with_a_script_is_refused_unread(tmp_path, monkeypatch):
    from flexibert.data.download import HubData, fetch

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "set.py").write_text(f"import os\nos.mkdir({str(tmp_path / 'executed')!r})\n")
    with pytest.raises(UsageError):
        fetch(HubData(str(folder), "mine"), tmp_path / "out")
    assert not (tmp_path / "executed").exists()


# code

EXECUTING_IMPORTS = {"pickle", "dill", "joblib", "shelve", "marshal", "cloudpickle", "code"}
EXECUTING_CALLS = {"eval", "exec", "compile", "__import__"}
EXECUTING_METHODS = {("os", "system"), ("os", "popen"), ("torch", "load"), ("pandas", "read_pickle"), ("yaml", "load")}
EXECUTING_METHODS |= {("yaml", "unsafe_load"), ("yaml", "full_load"), ("runpy", "run_path")}
EXECUTING_KEYWORDS = {"shell", "trust_remote_code", "allow_pickle"}


def executing(tree: ast.AST) -> list[str]:
    """What could execute a file or a text: "line: code"."""
    found = []
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        bad = any(name.split(".")[0] in EXECUTING_IMPORTS for name in names)
        if isinstance(node, ast.Call):
            function = node.func
            bad |= isinstance(function, ast.Name) and function.id in EXECUTING_CALLS
            if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
                bad |= (function.value.id, function.attr) in EXECUTING_METHODS
            for keyword in node.keywords:
                off = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
                bad |= keyword.arg in EXECUTING_KEYWORDS and not off
        if bad:
            found.append(f"{node.lineno}: {ast.unparse(node)}")
    return found


CODE = sorted([*ROOT.glob("flexibert/**/*.py"), *ROOT.glob("workflow/scripts/*.py")])


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_code_executes_what_it_reads(path):
    safe_loader = "yaml.load(stream, Loader=_NoRepeatedKeys)"  # a subclass of SafeLoader
    assert [line for line in executing(ast.parse(path.read_text())) if safe_loader not in line] == []


def test_the_look_at_the_code_sees_what_it_looks_for():
    text = "import pickle\nsubprocess.run(x, shell=True)\ntorch.load(p)\neval(x)\nnp.load(p, allow_pickle=True)\n"
    assert len(executing(ast.parse(text))) == 5


def test_rules_have_no_shell_and_no_code_of_their_own():
    for path in (ROOT / "Snakefile", *ROOT.glob("rules/*.smk")):
        words = {line.strip() for line in path.read_text().splitlines()}
        assert not words & {"shell:", "run:", "notebook:", "wrapper:"}, path


def test_settings_that_are_checked_before_the_first_job_hold_no_surprise(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="no such file"):
        check_experiment({"space": "$(touch executed)"}, ROOT)
    assert not list(tmp_path.iterdir())
