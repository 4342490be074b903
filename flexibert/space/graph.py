"""The computational graph of a model: its edges, and a networkx view for people."""

from typing import TYPE_CHECKING

from flexibert.space.architecture import Architecture

if TYPE_CHECKING:
    import networkx


def to_networkx(architecture: Architecture) -> "networkx.DiGraph":
    """The paper's computational graph with the operation of each vertex as its attribute `label`.

    Vertices are numbered in the order of `architecture.labels`. Layer inputs lead to every head, heads to the
    add_norm, that through the feed-forward chain to the second add_norm; both add_norms have a residual edge.
    """
    import networkx

    graph = networkx.DiGraph()
    graph.add_nodes_from((k, {"label": label}) for k, label in enumerate(architecture.labels))
    graph.add_edges_from(edges(architecture))
    return graph


def edges(architecture: Architecture) -> list[tuple[int, int]]:
    """The directed edges of the graph, between positions in `architecture.labels`."""
    found = []
    source = 0
    for layer in architecture.layers:
        heads = range(source + 1, source + 1 + len(layer.heads))
        first = heads.stop
        second = first + len(layer.feed_forward) + 1
        found += [(source, head) for head in heads] + [(head, first) for head in heads] + [(source, first)]
        found += [(k, k + 1) for k in range(first, second)] + [(first, second)]
        source = second
    return [*found, (source, source + 1)]
