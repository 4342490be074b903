"""Exported folders load with plain transformers where this package is not installed."""

import json
import os
import subprocess
import sysconfig
import venv

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from flexibert.cli import main
from flexibert.encoder.checkpoint import load_model, save_model
from flexibert.encoder.export import CODE
from flexibert.encoder.network import MaskedLanguageModel
from flexibert.encoder.settings import EncoderSettings
from flexibert.files import write_json

MODEL = {
    "l": 3,
    "o": ["sa", "l", "c"],
    "h": [16, 16, 24],
    "n": [2, 4, 4],
    "f": [[8, 8], [8], [8]],
    "p": ["wma", "dft", 5],
}
SPECIAL = {
    "bert": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
    "roberta": ["<pad>", "<unk>", "<s>", "</s>", "<mask>"],
}


def write_tokenizer(path, special):
    tokens = special + sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={token: number for number, token in enumerate(tokens)}, merges=[]))
    tokenizer.add_special_tokens(special)
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(), decoders.ByteLevel()
    path.parent.mkdir(parents=True)
    tokenizer.save(str(path))
    return len(tokens)


def make_results(folder, special="bert"):
    """An experiment's folder with one trained model and one classifier that was fine-tuned from it."""
    vocabulary = write_tokenizer(folder / "tokenizer" / "tokenizer.json", SPECIAL[special])
    run = folder / "models" / "0a1b2c3d4e5f" / "scratch"
    torch.manual_seed(0)
    save_model(
        run, MaskedLanguageModel(EncoderSettings.from_model_dict(MODEL, vocab_size=vocabulary, max_positions=24))
    )
    card = {"model": "0a1b2c3d4e5f", "recipe": "scratch", "architecture": MODEL, "origin": "pretrain", "source": None}
    card |= {"overlap": None, "status": "ok", "steps": 10, "tokens": 960, "train_loss": 5.5, "validation_loss": 5.25}
    write_json(run / "card.json", card)
    glue = folder / "glue" / "0a1b2c3d4e5f" / "scratch"
    save_model(glue / "probes-cola" / "model", load_model(run, "classification", labels=2))
    best = {"hyperparameters": {"learning_rate": 0.001}, "epoch": 2, "score": 31.25}
    write_json(glue / "probes-cola" / "best.json", best)
    write_json(glue / "score.json", {"score": 31.25, "tasks": {"probes-cola": 31.25, "probes-rte": None}})
    write_json(folder / "tasks" / "probes-cola" / "task.json", {"labels": ["unacceptable", "acceptable"]})
    (folder / "config.yaml").write_text("pretrain: {steps: 10, batch: 4}\nfinal: {pretrain: {steps: 99}}\n")
    return run


@pytest.fixture(scope="module")
def clean_python(tmp_path_factory):
    """An interpreter that has this one's packages, but not this project."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=False, symlinks=True)
    [packages] = folder.glob("lib/python*/site-packages")
    (packages / "shared.pth").write_text(sysconfig.get_path("purelib") + "\n")  # .pth files in there are not followed
    return folder / "bin" / "python"


LOAD = """
import importlib.util, json, sys
assert importlib.util.find_spec("flexibert") is None, "this environment is not clean"
import torch
from transformers import AutoModel, AutoModelForMaskedLM, AutoModelForSequenceClassification, AutoTokenizer, pipeline
lm, classifier = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(lm, trust_remote_code=True)
batch = tokenizer(["a b", "abcd"], padding=True, return_tensors="pt")
model = AutoModelForMaskedLM.from_pretrained(lm, trust_remote_code=True)
encoder = AutoModel.from_pretrained(lm, trust_remote_code=True)
assert torch.equal(encoder(**batch).last_hidden_state, model(**batch, output_hidden_states=True).hidden_states[-1])
answer = pipeline("text-classification", classifier, trust_remote_code=True)("good work")
filled = pipeline("fill-mask", lm, trust_remote_code=True)("a " + tokenizer.mask_token)
pair = tokenizer.convert_ids_to_tokens(tokenizer("a", "b")["input_ids"])
ids = batch["input_ids"].tolist()
print(json.dumps({"ids": ids, "sum": model(**batch).logits.sum().item(), "label": answer[0]["label"], "pair": pair}))
"""


@pytest.mark.slow
def test_export_loads_without_this_package(tmp_path, clean_python):
    run = make_results(tmp_path / "results")
    assert main(["export", str(run), "--to", str(tmp_path / "lm")]) == 0
    assert main(["export", str(run), "--to", str(tmp_path / "classifier"), "--task", "probes-cola"]) == 0
    environment = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1", "PATH": os.environ["PATH"]}
    command = [clean_python, "-c", LOAD, tmp_path / "lm", tmp_path / "classifier"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    ids = torch.tensor(told["ids"])
    expected = load_model(run, "masked_lm").eval()(ids, ids != 0).logits.sum().item()
    assert told["sum"] == pytest.approx(expected, rel=1e-4)
    assert told["label"] in ("unacceptable", "acceptable")
    assert told["pair"][0] == "[CLS]"
    assert told["pair"].count("[SEP]") == 2


def test_card_states_what_the_model_is(tmp_path):
    run = make_results(tmp_path / "results")
    assert main(["export", str(run), "--to", str(tmp_path / "out"), "--task", "probes-cola"]) == 0
    card = (tmp_path / "out" / "README.md").read_text()
    for told in ("| 2 | 4 x l/dft | 16 | 8 |", "| steps | 10 |", "| probes-cola | 31.25 |", "| probes-rte | failed |"):
        assert told in card
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["id2label"] == {"0": "unacceptable", "1": "acceptable"}


def test_code_of_an_export_asks_for_nothing_of_this_package(tmp_path):
    run = make_results(tmp_path / "results", "roberta")
    assert main(["export", str(run), "--to", str(tmp_path / "out")]) == 0
    names = {module.rpartition(".")[2] for module in CODE}
    for path in (tmp_path / "out").glob("*.py"):
        for line in path.read_text().splitlines():
            assert not line.lstrip().startswith(("from flexibert", "import flexibert")), path.name
            if line.startswith("from ."):
                assert line.split()[1][1:] in names
    assert {path.stem for path in (tmp_path / "out").glob("*.py")} == names
    assert json.loads((tmp_path / "out" / "tokenizer_config.json").read_text())["mask_token"] == "<mask>"


def told(capsys, *arguments):
    assert main(["export", *map(str, arguments)]) == 1
    return capsys.readouterr().err


def test_what_cannot_be_exported_is_told(tmp_path, capsys):
    results = tmp_path / "results"
    run, out = make_results(results), tmp_path / "out"
    assert "holds no card.json" in told(capsys, results, "--to", out)
    assert "kept are: probes-cola" in told(capsys, run, "--to", out, "--task", "probes-rte")
    card = json.loads((run / "card.json").read_text())
    write_json(run / "card.json", card | {"status": "failed", "reason": "diverged at step 3"})
    assert "diverged at step 3" in told(capsys, run, "--to", out)
    write_json(run / "card.json", card)
    (results / "tokenizer" / "tokenizer.json").unlink()
    assert "tokenizer.json does not exist" in told(capsys, run, "--to", out)
    assert not out.exists()
    out.mkdir()
    assert "exists already" in told(capsys, run, "--to", out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "results"]
