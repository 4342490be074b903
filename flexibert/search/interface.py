"""What every search method is given and what it answers: the one interface behind which methods are peers."""

from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from flexibert.errors import SearchError
from flexibert.runs import Reason
from flexibert.space.architecture import Architecture


@dataclass(frozen=True)
class Pool:
    """The candidates a method may choose from; row i of every array is candidate i.

    Attributes:
        ids: One name a candidate.
        embedding: Coordinates whose distances follow the candidates' dissimilarity; shape (candidates, dimensions).
        features: Plain encoding of each candidate (one-hot and numeric columns), the paper's "naive embedding";
            shape (candidates, columns).
        identity: Equal integers for candidates that are the same network (isomorphic); shape (candidates,).
        sizes: Number of parameters, or None where it is not known; shape (candidates,).
        architectures: The models, or None where the candidates are not models.
        groups: Which property each column of `features` encodes (equal integers for one property), or None where
            each column is a property of its own; shape (columns,).
        levels: Which category a one-hot column of `features` stands for, equal integers for equal categories of any
            property, -1 for quantities; None where all are quantities; shape (columns,).
    """

    ids: list[str]
    embedding: np.ndarray
    features: np.ndarray
    identity: np.ndarray
    sizes: np.ndarray | None = None
    architectures: list[Architecture] | None = None
    groups: np.ndarray | None = None
    levels: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def models(self) -> list[Architecture]:
        """The candidates' architectures.

        Raises:
            SearchError: The candidates are not models.
        """
        if self.architectures is None:
            raise SearchError("the candidates are points of a table, not models; the table must name them")
        return self.architectures

    def take(self, rows: np.ndarray) -> "Pool":
        """The candidates in `rows`, in that order, each at most once."""
        rows = np.asarray(rows)
        if np.array_equal(rows, np.arange(len(self))):
            return self
        return replace(
            self,
            ids=[self.ids[row] for row in rows],
            embedding=self.embedding[rows],
            features=self.features[rows],
            identity=self.identity[rows],
            sizes=None if self.sizes is None else self.sizes[rows],
            architectures=None if self.architectures is None else [self.architectures[row] for row in rows],
        )


@dataclass(frozen=True)
class Observations:
    """What is known so far, in order of evaluation. A candidate may occur more than once (noisy repeats).

    Attributes:
        indices: Rows of the pool; shape (observations,).
        scores: Higher is better, on any scale; NaN marks a failed candidate; shape (observations,).
        pending: Rows being evaluated now, whose scores are not yet known; shape (pending,).
    """

    indices: np.ndarray
    scores: np.ndarray
    pending: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=int))


@dataclass(frozen=True)
class Proposal:
    """One candidate to evaluate next, and why.

    Attributes:
        index: Row of the pool.
        reason: Why it is chosen.
        mean: Predicted score, on the scale of the observed scores.
        aleatoric: Predicted standard deviation of the noise of one evaluation, same scale.
        epistemic: Standard deviation of the prediction itself (what more models would reduce), same scale.
        acquisition: Value by which the candidate was chosen; higher is better.
    """

    index: int
    reason: Reason
    mean: float | None = None
    aleatoric: float | None = None
    epistemic: float | None = None
    acquisition: float | None = None


@dataclass(frozen=True)
class Prediction:
    """A surrogate's view of the whole pool, for people and for the report; arrays of shape (candidates,)."""

    mean: np.ndarray
    aleatoric: np.ndarray
    epistemic: np.ndarray


class Method(Protocol):
    """A search method. It keeps no state: everything follows from the observations and the seed, so that a
    resumed search continues as the unbroken one would."""

    def propose(self, observations: Observations, pool: Pool, count: int, seed: int) -> list[Proposal]:
        """Choose `count` distinct candidates, none of them (nor an isomorphic one) observed or pending.

        Fewer are returned only where the pool has no more. Equal arguments give equal proposals.
        """
        ...

    def predict(self, observations: Observations, pool: Pool, seed: int) -> Prediction | None:
        """The surrogate's predictions for the whole pool, or None for a method that has no surrogate."""
        ...
