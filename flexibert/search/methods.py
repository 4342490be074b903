"""The search methods by name; each is imported only when it is asked for, so that a small job starts at once."""

import difflib
from collections.abc import Callable
from importlib import import_module

from flexibert.errors import SearchError
from flexibert.extras import missing_extra
from flexibert.search.interface import Method


def _factory(module: str, name: str, **settings: object) -> Callable[[], Method]:
    """A function that imports `flexibert.search.<module>` and makes its method `name`."""

    def make() -> Method:
        return getattr(import_module(f"flexibert.search.{module}"), name)(**settings)

    return make


METHODS: dict[str, Callable[[], Method]] = {
    "boshnas": _factory("boshnas.method", "Boshnas"),
    "boshnas-paper": _factory("paper.method", "PaperBoshnas"),
    "boshnas-paper-first-order": _factory("paper.method", "PaperBoshnas", second_order=False),
    "boshnas-paper-homoscedastic": _factory("paper.method", "PaperBoshnas", heteroscedastic=False),
    "random": _factory("peers.controls", "RandomSearch"),
    "largest": _factory("peers.controls", "LargestFirst"),
    "largest-group": _factory("peers.controls", "LargestGroup"),
    "evolution": _factory("peers.evolution", "RegularisedEvolution"),
    "local": _factory("peers.local", "LocalSearch"),
    "gp": _factory("peers.gaussian_process", "GaussianProcess"),
    "bananas": _factory("peers.bananas", "Bananas"),
    "reinforce": _factory("peers.reinforce", "Reinforce"),
    "tpe": _factory("peers.tpe", "Tpe"),
}


def method_named(name: str) -> Method:
    """Make the search method called `name`.

    Raises:
        SearchError: No such method; the sentence lists those that exist. Or its package is not installed.
    """
    if name not in METHODS:
        close = difflib.get_close_matches(name, METHODS, n=1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        raise SearchError(f"method '{name}' does not exist; choose one of {', '.join(METHODS)}.{hint}")
    if missing := missing_extra(name):
        raise SearchError(f"method {missing}")
    return METHODS[name]()
