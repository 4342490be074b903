"""Settings: merging, the schema, and one sentence for each mistake."""

from pathlib import Path

import pytest
import yaml

from flexibert.config import (
    FIRST_STAGE,
    differences,
    merge,
    read_yaml,
    resolve,
    search_settings,
    training_settings,
)
from flexibert.errors import ConfigError
from flexibert.preflight import check_experiment

ROOT = Path(__file__).parents[1]
SOURCE = {"name": "a", "kind": "embedded", "weight": 1.0, "shards": 1}
SHIPPED = sorted(path for path in (ROOT / "config").glob("*.yaml"))


def problems_of(changes: dict) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        check_experiment(changes, ROOT)
    return caught.value.problems


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_configuration_is_complete_and_valid(path):
    settings = resolve(read_yaml(path), ROOT)
    for name in settings["searches"]:
        assert search_settings(settings, name)["levels"]


def test_every_default_stands_in_the_default_file():
    schema = read_yaml(ROOT / "workflow/schemas/config.schema.yaml")
    defaults = read_yaml(ROOT / "config/config.yaml")
    assert set(schema["properties"]) == set(defaults) == set(schema["required"])
    assert "default" not in yaml.safe_dump(schema).replace("defaults", "").replace("default stands", "")
    for section, keys in schema["properties"].items():
        if "required" in keys:
            assert set(keys["required"]) == set(defaults[section]), section


def test_every_key_of_the_schema_is_described():
    def undescribed(place: str, keys: dict) -> list[str]:
        found = []
        for name, value in keys.get("properties", {}).items():
            if not ({"description", "enum", "$ref", "properties", "items", "additionalProperties"} & set(value)):
                found.append(f"{place}.{name}")
            found += undescribed(f"{place}.{name}", value)
        return found

    assert undescribed("", read_yaml(ROOT / "workflow/schemas/config.schema.yaml")) == []


def test_every_section_says_what_it_makes_again():
    sections = set(read_yaml(ROOT / "config/config.yaml")) - {"name"}
    assert sections == set(FIRST_STAGE)


def test_changes_are_laid_over_key_by_key_and_lists_replace():
    base = {"a": {"x": 1, "y": [1, 2]}, "b": 2}
    assert merge(base, {"a": {"y": [3]}}) == {"a": {"x": 1, "y": [3]}, "b": 2}
    assert base == {"a": {"x": 1, "y": [1, 2]}, "b": 2}


def test_all_problems_are_told_at_once_with_the_remedy():
    problems = problems_of(
        {"pretrian": {}, "pretrain": {"mask_rat": 0.2, "steps": 0, "learning_rate": "1e-4"}, "name": "../up"}
    )
    text = "\n".join(problems)
    assert len(problems) == 5
    assert "unknown key 'pretrian'; did you mean 'pretrain'?" in text
    assert "pretrain: unknown key 'mask_rat'; did you mean 'mask_rate'?" in text
    assert "pretrain.steps: 0 is less than the minimum of 1" in text
    assert "write 1.0e-04" in text
    assert "name: '../up' cannot be used" in text


@pytest.mark.parametrize("name", ["../up", "/abs", "a b", "a;rm", "$(x)", "", "A", "a/b", ".", "x\n"])
def test_a_name_cannot_escape_the_results_folder(name):
    assert any(problem.startswith("name:") for problem in problems_of({"name": name}))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"pretrain": {"batch": 10, "micro_batch": 4}},
            "pretrain.batch: 10 is not a multiple of micro_batch x devices",
        ),
        ({"pretrain": {"warmup_steps": 900}}, "pretrain.warmup_steps: 900 leaves none"),
        ({"final": {"pretrain": {"length": 4096}}}, "final.pretrain.length: 4096 is longer than model.max_positions"),
        ({"tasks": {"length": 4096}}, "tasks.length: 4096 is longer than model.max_positions"),
        ({"finetune": {"learning_rate": [1.0, 0.1]}}, "finetune.learning_rate: the range [1.0, 0.1] is reversed"),
        ({"search": {"suite": "glue"}}, "searches.main.suite: suite 'glue' is not in tasks.suites"),
        ({"comparison": ["mian"]}, "comparison: 'mian' is not in searches; did you mean 'main'?"),
        ({"library": {"dimensions": 64, "graphs": 60}}, "library.dimensions: 64 dimensions need more graphs"),
        ({"tokenizer": {"kind": "file"}}, "tokenizer.path: missing"),
        ({"corpus": {"sources": [{**SOURCE, "kind": "folder"}]}}, "key 'path' is missing; kind 'folder' needs it"),
        (
            {"corpus": {"sources": [{**SOURCE, "kind": "hub", "id": "a/b", "path": "x"}]}},
            "key 'path' does not go with",
        ),
        ({"corpus": {"sources": [SOURCE, SOURCE]}}, "the name 'a' stands 2 times"),
        ({"tasks": {"suites": [{"suite": "glue", "source": "embedded"}]}}, "only probes are embedded"),
        ({"search": {"method": "boshnass"}}, "did you mean 'boshnas'?"),
        ({"confirm": {"seeds": 0}}, "confirm.seeds: 0 does not go with confirm.models 3; give confirm.seeds a number"),
        ({"tasks": {"test_share": 0}}, "tasks.test_share: 0 keeps no rows away, but a confirmed winner is scored"),
        ({"confirm": {"models": 0}}, "confirm.models: 0 does not go with confirm.seeds 3"),
        ({"confirm": {"searches": ["mian"]}}, "confirm.searches: 'mian' is not in searches; did you mean 'main'?"),
    ],
)
def test_what_a_schema_cannot_say_is_checked_too(changes, sentence):
    """By the configuration itself or by the room that knows."""
    assert any(sentence in problem for problem in problems_of(changes)), problems_of(changes)


def test_mistakes_that_different_rooms_know_are_told_together_and_once():
    problems = problems_of(
        {
            "library": {"dimensions": 64, "graphs": 60},
            "corpus": {"sources": [SOURCE, SOURCE]},
            "tokenizer": {"kind": "file"},
            "tasks": {"suites": [{"suite": "probes", "source": "embedded"}, {"suite": "glue", "source": "folder"}]},
            "space": "nowhere.yaml",
        }
    )
    keys = ["library.dimensions", "corpus.sources", "tokenizer.path", "tasks.suites", "space"]
    assert [problem.partition(":")[0] for problem in problems] == keys


def test_a_recipe_has_its_own_training_settings():
    settings = resolve(
        {"final": {"pretrain": {"steps": 7, "warmup_steps": 1}}, "retune": {"finetune": {"epochs": 9}}}, ROOT
    )
    assert training_settings(settings, "pretrain", "final")["steps"] == 7
    assert training_settings(settings, "pretrain", "scratch") == settings["pretrain"]
    assert training_settings(settings, "finetune", "retuned-1")["epochs"] == 9
    assert training_settings(settings, "finetune", "from-0a1b2c3d") == settings["finetune"]


def test_differences_name_dotted_keys():
    assert differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}, "d": 4}) == [("a.c", 2, 3), ("d", None, 4)]


def test_a_file_that_is_not_yaml_is_named(tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_text("a: [1,\nb: 2")
    with pytest.raises(ConfigError, match=r"broken\.yaml: not YAML: .*line 2"):
        read_yaml(path)
    with pytest.raises(ConfigError, match="no such file"):
        read_yaml(tmp_path / "absent.yaml")


def test_a_level_that_the_space_lacks_is_told_before_the_first_job():
    deep = merge(read_yaml(ROOT / "config/config.yaml")["search"]["levels"][0], {"level": 9})
    with pytest.raises(ConfigError, match=r"searches.main.levels: level 9 does not exist; config/spaces/.*yaml has \d"):
        check_experiment({"search": {"levels": [deep]}}, ROOT)
