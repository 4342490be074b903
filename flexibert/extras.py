"""Packages that one search method or one figure alone needs: each is an extra of the installation."""

from importlib.util import find_spec

# The choice that needs it, which is also the name of the extra in pyproject.toml -> the package as it is imported.
EXTRAS = {"gp": "botorch", "tsne": "sklearn"}


def missing_extra(choice: str) -> str:
    """What to install for a search method or a kind of map; "" where nothing is missing.

    Args:
        choice: Any value of `search.method` or `report.embedding_map`, e.g. "gp".
    """
    package = EXTRAS.get(choice)
    if package is None or find_spec(package) is not None:
        return ""
    return f"{choice!r} needs the package {package}, which is not there; install flexibert with its extra [{choice}]"
