"""Packages that one method or one figure alone needs: without them all else works, and a sentence tells."""

import sys
import tomllib
from pathlib import Path

import pytest

from flexibert.config import merge
from flexibert.errors import ConfigError, SearchError, UsageError
from flexibert.extras import EXTRAS, missing_extra
from flexibert.preflight import check_experiment
from flexibert.report.figure_tables import embedding_map
from flexibert.report.folder import ResultsFolder
from flexibert.search.methods import METHODS, method_named

ROOT = Path(__file__).parents[1]


@pytest.fixture
def bare(monkeypatch) -> None:
    """An installation without any extra."""
    for package in EXTRAS.values():
        monkeypatch.setitem(sys.modules, package, None)


def test_each_extra_is_one_of_the_project(monkeypatch):
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(EXTRAS) == set(declared) - {"workflow", "develop"}
    assert [missing_extra(choice) for choice in EXTRAS] == ["", ""]  # the pinned environment has all of them


def test_the_other_methods_need_none(bare):
    assert [name for name in METHODS if missing_extra(name)] == ["gp"]
    with pytest.raises(SearchError, match=r"method 'gp' needs the package botorch.* extra \[gp\]"):
        method_named("gp")


def test_an_experiment_that_needs_one_is_refused_before_the_first_job(bare):
    settings = {"searches": {"main": {}, "peer": {"method": "gp"}}}
    assert check_experiment({}, ROOT)
    with pytest.raises(ConfigError, match=r"searches.peer.method: 'gp' needs the package botorch"):
        check_experiment(settings, ROOT)
    with pytest.raises(ConfigError) as told:
        check_experiment(merge(settings, {"report": {"embedding_map": "tsne"}}), ROOT)
    assert len(told.value.problems) == 2


def test_a_report_names_the_key_that_needs_one(bare, finished_results):
    folder = ResultsFolder(finished_results)
    folder.settings["report"] = {"embedding_map": "pca"}
    assert len(embedding_map(folder))
    folder.settings["report"] = {"embedding_map": "tsne"}
    with pytest.raises(UsageError, match=r"report.embedding_map: 'tsne' needs the package sklearn.* extra \[tsne\]"):
        embedding_map(folder)
