"""A layered layout of a directed graph without cycles.

Nodes are assigned to layers, edges across several layers get a bend in each, layers are ordered so
that few edges cross, and then nodes move towards their neighbours, as springs would pull them.
Source: Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system
structures" (1981).
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

_ORDER_SWEEPS = 8
_PULL_SWEEPS = 60

# Bends pull this much harder than nodes, so that long edges are straight.
_BEND_STRENGTH = 4.0


@dataclass(frozen=True)
class Graph:
    """Nodes 0 … `size` - 1, and edges from node to node."""

    size: int
    edges: Sequence[tuple[int, int]]


@dataclass
class Layout:
    """Layers of nodes from the top, and the centre of each node along its layer.

    Each edge is a path of nodes; the bends in it are nodes numbered from the graph's size on.
    """

    layers: list[list[int]]
    paths: list[list[int]]
    x: dict[int, float]


def arrange(graph: Graph, widths: Sequence[float], gap: float) -> Layout:
    """Lay out `graph`, whose node `i` is `widths[i]` wide, with `gap` between neighbours."""
    layers, paths = _with_bends(graph, _layer_numbers(graph))
    layers = _ordered(layers, paths)
    springs = _springs(graph, paths)
    width = {node: widths[node] if node < graph.size else 0.0 for row in layers for node in row}
    x: dict[int, float] = {}
    for row in layers:
        x |= _placed(row, [0.0] * len(row), [1.0] * len(row), width, gap)
    for sweep in range(_PULL_SWEEPS):
        for row in layers if sweep % 2 == 0 else layers[::-1]:
            pulls = [sum(strength for _, strength in springs[node]) for node in row]
            wanted = [
                sum(strength * x[other] for other, strength in springs[node]) / pull
                for node, pull in zip(row, pulls, strict=True)
            ]
            x |= _placed(row, wanted, pulls, width, gap)
    return Layout(layers, paths, x)


def _depths(graph: Graph, edges: Sequence[tuple[int, int]]) -> list[int]:
    """Return for each node the length of the longest way along `edges` that ends in it."""
    waiting = [0] * graph.size
    followers: list[list[int]] = [[] for _ in range(graph.size)]
    for source, target in edges:
        waiting[target] += 1
        followers[source].append(target)
    depths = [0] * graph.size
    ready = [node for node in range(graph.size) if waiting[node] == 0]
    for node in ready:
        for target in followers[node]:
            depths[target] = max(depths[target], depths[node] + 1)
            waiting[target] -= 1
            if waiting[target] == 0:
                ready.append(target)
    return depths


def _layer_numbers(graph: Graph) -> list[int]:
    """Put every node as far down as the nodes that follow it allow."""
    heights = _depths(graph, [(target, source) for source, target in graph.edges])
    return [max(heights) - height for height in heights]


def _with_bends(graph: Graph, numbers: Sequence[int]) -> tuple[list[list[int]], list[list[int]]]:
    """Return the layers and the paths of edges, with a bend in every layer that an edge crosses."""
    layers: list[list[int]] = [[] for _ in range(max(numbers) + 1)]
    for node, number in enumerate(numbers):
        layers[number].append(node)
    paths = []
    bend = graph.size
    for source, target in graph.edges:
        path = [source]
        for number in range(numbers[source] + 1, numbers[target]):
            layers[number].append(bend)
            path.append(bend)
            bend += 1
        paths.append([*path, target])
    return layers, paths


def _ordered(layers: list[list[int]], paths: list[list[int]]) -> list[list[int]]:
    """Sort layers by the mean places of neighbours, down and up; return the best order met."""
    above: dict[int, list[int]] = {}
    below: dict[int, list[int]] = {}
    for path in paths:
        for upper, lower in pairwise(path):
            above.setdefault(lower, []).append(upper)
            below.setdefault(upper, []).append(lower)
    best = layers
    fewest = _crossings(layers, below)
    for sweep in range(_ORDER_SWEEPS):
        down = sweep % 2 == 0
        neighbours = above if down else below
        layers = [list(row) for row in layers]
        place: dict[int, float] = {}
        for row in layers if down else layers[::-1]:
            current = {node: float(i) for i, node in enumerate(row)}
            row.sort(key=lambda node: _mean_place(node, neighbours, place, current))
            place |= {node: float(i) for i, node in enumerate(row)}
        crossings = _crossings(layers, below)
        if crossings < fewest:
            best, fewest = layers, crossings
    return best


def _mean_place(
    node: int,
    neighbours: dict[int, list[int]],
    place: dict[int, float],
    current: dict[int, float],
) -> float:
    places = [place[other] for other in neighbours.get(node, ())]
    return sum(places) / len(places) if places else current[node]


def _crossings(layers: list[list[int]], below: dict[int, list[int]]) -> int:
    """Count the pairs of edges between successive layers that cross."""
    count = 0
    for upper, lower in pairwise(layers):
        place = {node: i for i, node in enumerate(lower)}
        seen: list[int] = []
        for node in upper:
            ends = sorted(place[target] for target in below.get(node, ()))
            count += sum(len(seen) - bisect.bisect_right(seen, end) for end in ends)
            for end in ends:
                bisect.insort(seen, end)
    return count


def _springs(graph: Graph, paths: list[list[int]]) -> dict[int, list[tuple[int, float]]]:
    """Return for each node the nodes that pull it, and how hard.

    An edge that much has led up to pulls harder: so the main line is straight, and what joins it
    (a parameter, say) stands at its side.
    """
    depths = _depths(graph, graph.edges)
    springs: dict[int, list[tuple[int, float]]] = {}
    for path in paths:
        strength = float(1 + depths[path[0]]) ** 2
        for upper, lower in pairwise(path):
            bends = (upper >= graph.size) + (lower >= graph.size)
            pull = strength * _BEND_STRENGTH**bends
            springs.setdefault(upper, []).append((lower, pull))
            springs.setdefault(lower, []).append((upper, pull))
    return springs


def _placed(
    row: Sequence[int],
    wanted: Sequence[float],
    pulls: Sequence[float],
    width: dict[int, float],
    gap: float,
) -> dict[int, float]:
    """Return places as near to those `wanted` as the order of `row` and the widths allow.

    Nearest in the sense of least squares weighted by `pulls`: neighbours that would overlap move as
    one block (the pool-adjacent-violators algorithm).
    """
    # The place of each node if all stood side by side; between blocks, order is all that matters.
    offsets = []
    end = 0.0
    for node in row:
        offsets.append(end + width[node] / 2)
        end += width[node] + gap
    blocks: list[tuple[float, float, int]] = []  # place of the block's origin, pull, node count
    for i in range(len(row)):
        origin, pull, count = wanted[i] - offsets[i], pulls[i], 1
        while blocks and blocks[-1][0] > origin:
            other, other_pull, other_count = blocks.pop()
            origin = (origin * pull + other * other_pull) / (pull + other_pull)
            pull, count = pull + other_pull, count + other_count
        blocks.append((origin, pull, count))
    origins = [origin for origin, _, count in blocks for _ in range(count)]
    return {row[i]: origins[i] + offsets[i] for i in range(len(row))}
