"""The ranked list of operations behind the edit distance: what a vertex costs."""

from collections.abc import Iterable

from flexibert.errors import DesignSpaceError
from flexibert.space.architecture import PARAMETERS, Architecture
from flexibert.space.design_space import DesignSpace

ENDS = ("input", "output", "add_norm")  # operations of every graph
TENTHS = 10  # costs are computed as integers, in tenths
RANK, EDGE = TENTHS, 1  # cost of a difference of one rank, and of an edge (paper: graph edit distance)


class Ranks:
    """The ranked operation list of the edit distance (paper: graph edit distance): a vertex costs what its rank says.

    `input, output, add_norm, '', f<width> ascending, '', l_..., '', sa_..., '', c_...`, operations by hidden size,
    then parameter; blanks take a position so that families stand apart.
    """

    def __init__(self, operations: list[str]) -> None:
        self.operations = operations
        self.rank = {operation: k for k, operation in enumerate(operations) if operation}

    @classmethod
    def of_space(cls, space: DesignSpace) -> "Ranks":
        """The list of a design space: every operation at every hidden size."""
        choices = space.choices
        heads = {(form[0], hidden, "", form[1]) for form in choices.forms for hidden in choices.hidden_sizes}
        return cls(_ranked(set(choices.feed_forward), heads))

    @classmethod
    def of_architectures(cls, architectures: Iterable[Architecture]) -> "Ranks":
        """The shortest list that ranks all given models, whatever their spaces."""
        widths: set[int] = set()
        heads: set[tuple] = set()
        for architecture in architectures:
            for layer in dict.fromkeys(architecture.layers):
                widths.update(layer.feed_forward)
                even = layer.hidden / len(layer.heads)
                for head in layer.heads:
                    size = "" if head.size == even else head.size
                    heads.add((head.operation, layer.hidden, size, head.parameter))
        return cls(_ranked(widths, heads))

    def problems(self, architecture: Architecture) -> list[str]:
        """Which operations of a model are not in the list."""
        missing = dict.fromkeys(label for label in architecture.labels if label not in self.rank)
        allowed = ", ".join(label for label in self.rank if label not in ENDS)
        return [
            f"operation {label} is not in the ranked list of the design space (allowed: {allowed})" for label in missing
        ]

    def check(self, architecture: Architecture) -> None:
        """Raise DesignSpaceError for a model with an operation that is not in the list."""
        problems = self.problems(architecture)
        if problems:
            raise DesignSpaceError([f"model {architecture.id}: {problem}" for problem in problems])


def _ranked(widths: set[int], heads: set[tuple]) -> list[str]:
    listed = ["input", "output", "add_norm", "", *(f"f{width}" for width in sorted(widths))]
    for operation in ("l", "sa", "c"):
        order = PARAMETERS.get(operation, ())
        family = sorted(
            (head for head in heads if head[0] == operation),
            key=lambda head: (head[1], head[2] or 0, order.index(head[3]) if order else head[3]),
        )
        listed += [""] if family else []
        listed += [
            f"{name}_h{hidden}_p-{parameter}" + (f"_d{size}" if size else "")
            for name, hidden, size, parameter in family
        ]
    return listed
