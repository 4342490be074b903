"""Packages that one method alone needs: without them all else works, and a sentence tells."""

import sys
import tomllib
from pathlib import Path

import pytest

from flexibert.errors import ConfigError, SearchError
from flexibert.extras import EXTRAS, missing_extra
from flexibert.preflight import check_experiment
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
    assert all(missing_extra(choice) == "" for choice in EXTRAS)  # the pinned environment has all of them


def test_the_other_methods_need_none(bare):
    assert [name for name in METHODS if missing_extra(name)] == ["gp"]
    with pytest.raises(SearchError, match=r"method 'gp' needs the package botorch.* extra \[gp\]"):
        method_named("gp")


def test_an_experiment_that_needs_one_is_refused_before_the_first_job(bare):
    settings = {"searches": {"main": {}, "peer": {"method": "gp"}}}
    assert check_experiment({}, ROOT)
    with pytest.raises(ConfigError, match=r"searches.peer.method: 'gp' needs the package botorch"):
        check_experiment(settings, ROOT)
