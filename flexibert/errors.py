"""Mistakes of use: what a person can mend, told in one sentence a problem."""

from collections.abc import Iterable


class UsageError(ValueError):
    """A mistake in what a person supplied (a setting, a file, an argument), never a bug.

    Args:
        problems: One sentence a problem; each names the file, key or value and the remedy.
        heading: Said once above the problems when there is more than one, e.g. "config is not usable".
    """

    def __init__(self, problems: str | Iterable[str], heading: str = "") -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        self.heading = heading
        super().__init__(self._text())

    def _text(self) -> str:
        if not self.heading and len(self.problems) == 1:
            return self.problems[0]
        lines = [f"{self.heading}:"] if self.heading else []
        return "\n".join(lines + [f"  - {problem}" for problem in self.problems])


class ConfigError(UsageError):
    """A configuration file or a setting that cannot be used."""


class DesignSpaceError(UsageError):
    """A design space or a model dictionary that cannot be built."""


class CorpusError(UsageError):
    """A text source that is missing, empty or not text."""


class TaskError(UsageError):
    """A labelled task whose files, columns or labels are not as declared."""


class ModelError(UsageError):
    """Weights, a configuration or an input that a model cannot take."""


class SearchError(UsageError):
    """Observations, a table or a method that a search cannot use."""
