"""Pictures of graphs: what is in them, and that they are laid out well."""

import itertools
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gleed
from gleed import nn
from gleed.graph import draw
from gleed.visualize.layered import Graph, arrange

SVG = "{http://www.w3.org/2000/svg}"
GAP = 10


def drawn(path):
    """The kinds and texts of the boxes of a picture, and the number of its edges."""
    root = ElementTree.parse(path).getroot()
    boxes = [
        (group.get("class"), *(text.text for text in group.iter(f"{SVG}text")))
        for group in root.iter(f"{SVG}g")
    ]
    return boxes, sum(path.get("class") == "edge" for path in root.iter(f"{SVG}path"))


def test_operations_parameters_and_shapes_are_named(tmp_path):
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    draw(model(gleed.rand(5, 3)).sum(), path=tmp_path / "graph.svg", names=model)
    boxes, edges = drawn(tmp_path / "graph.svg")
    assert ("leaf", "0.weight", "4 × 3") in boxes
    assert ("leaf", "0.bias", "4") in boxes
    assert ("op", "relu", "5 × 4") in boxes
    assert ("op", "sum", "scalar") in boxes
    assert ("result", "result", "scalar") in boxes
    assert edges >= len(boxes) - 1


def test_names_may_be_a_mapping_and_any_text(tmp_path):
    weight, other = (gleed.ones(2, requires_grad=True) for _ in range(2))
    draw(weight * other * weight, path=tmp_path / "graph.svg", names={"<w & ü>": weight})
    boxes, edges = drawn(tmp_path / "graph.svg")
    assert ("leaf", "<w & ü>", "2") in boxes
    assert ("leaf", "tensor", "2") in boxes
    assert (len(boxes), edges) == (5, 5)


def test_a_deep_graph_is_drawn(tmp_path):
    x = weight = gleed.ones(1, requires_grad=True)
    for _ in range(1500):
        x = x * 1.0
    draw(x, path=tmp_path / "graph.svg", names={"w": weight})
    assert len(drawn(tmp_path / "graph.svg")[0]) == 1502


def test_drawing_leaves_gradients_and_graph_alone(tmp_path):
    weight = gleed.ones(2, requires_grad=True)
    loss = (weight * weight).sum()
    draw(loss, path=tmp_path / "graph.svg")
    assert weight.grad is None
    loss.backward()
    assert weight.grad.tolist() == [2.0, 2.0]


def test_a_graph_that_backward_has_released_is_drawn(tmp_path):
    weight = gleed.ones(2, requires_grad=True)
    loss = (weight * weight).sum()
    loss.backward()
    draw(loss, path=tmp_path / "graph.svg", names={"w": weight})
    boxes, _ = drawn(tmp_path / "graph.svg")
    assert ("leaf", "w", "2") in boxes
    assert "mul" in {name for _, name, _ in boxes}


def test_a_tensor_without_a_graph_is_refused(tmp_path):
    text = r"draw: a tensor with a grad_fn is needed; got one without; compute it from tensors"
    with pytest.raises(RuntimeError, match=text):
        draw(gleed.ones(2), path=tmp_path / "graph.svg")
    assert not (tmp_path / "graph.svg").exists()


def test_a_captured_program_is_drawn_with_its_lines(tmp_path):
    model = nn.Linear(3, 4)
    optimizer = gleed.optim.SGD(model.parameters(), lr=0.1)

    def step(x):
        loss = (model(x) * 2).sum()
        loss.backward()  # "<&>"
        optimizer.step()
        return loss.detach()

    draw(step, gleed.rand(5, 3), path=tmp_path / "graph.svg")
    boxes, edges = drawn(tmp_path / "graph.svg")
    assert ("input", "x", "float32[5, 3]") in boxes
    assert ("leaf", "model.weight", "float32[4, 3]") in boxes
    assert ("op", "affine", "float32[5, 4]") in boxes
    assert ("result", "result", "float32[]") in boxes
    assert ("result", "model.weight", "float32[4, 3]") in boxes
    assert {kind for kind, *_ in boxes} >= {"backward", "optimizer"}
    root = ElementTree.parse(tmp_path / "graph.svg").getroot()
    titles = {title.text for group in root.iter(f"{SVG}g") for title in group.iter(f"{SVG}title")}
    assert any(
        "Backward0 at" in title and title.endswith('loss.backward()  # "<&>"') for title in titles
    )
    assert edges >= len(boxes) - 3


def test_what_computes_nothing_is_refused(tmp_path):
    with pytest.raises(TypeError, match="draw: it takes a function; got str; give it what"):
        draw("loss", path=tmp_path / "graph.svg")


@st.composite
def graphs(draw):
    size = draw(st.integers(2, 12))
    pairs = list(itertools.combinations(range(size), 2))
    edges = draw(st.lists(st.sampled_from(pairs), max_size=20))
    # Every node leads to the last, as every node of a tensor's graph leads to the tensor.
    edges += [(node, size - 1) for node in range(size - 1) if node not in {a for a, _ in edges}]
    return Graph(size, edges)


@given(graphs(), st.data())
def test_layouts_are_sound(graph, data):
    widths = data.draw(st.lists(st.floats(5, 50), min_size=graph.size, max_size=graph.size))
    layout = arrange(graph, widths, GAP)
    layer_of = {node: i for i, layer in enumerate(layout.layers) for node in layer}
    assert sorted(node for node in layer_of if node < graph.size) == list(range(graph.size))
    for layer in layout.layers:
        for left, right in itertools.pairwise(layer):
            half = sum(widths[node] / 2 for node in (left, right) if node < graph.size)
            assert layout.x[right] - layout.x[left] >= half + GAP - 1e-6
    for (source, target), path in zip(graph.edges, layout.paths, strict=True):
        assert (path[0], path[-1]) == (source, target)
        assert all(layer_of[b] == layer_of[a] + 1 for a, b in itertools.pairwise(path))


def test_a_chain_is_straight():
    layout = arrange(Graph(4, [(0, 1), (1, 2), (2, 3)]), [10, 50, 20, 30], GAP)
    assert len({round(x, 6) for x in layout.x.values()}) == 1


def test_edges_cross_no_more_than_they_must():
    layout = arrange(Graph(5, [(0, 3), (1, 2), (2, 4), (3, 4)]), [10] * 5, GAP)
    above, below = layout.layers[:2]
    assert [{0: 3, 1: 2}[node] for node in above] == below


def test_bodies_are_drawn_before_what_they_are_of(tmp_path):
    path = tmp_path / "graph.svg"

    def f(x):
        return gleed.cond(x.sum() > 0, lambda x: x.sin(), lambda x: x.exp(), (x,))

    gleed.graph.draw(f, gleed.ones(3), path=path)
    text = path.read_text()
    assert text.count('class="body"') == 2
    assert "if %1: float32[3]" in text and "else: float32[3]" in text

    with gleed.graph.Graph().as_default():
        x = gleed.graph.placeholder("float32", [None], name="x")
        rows = gleed.graph.map_fn(lambda r: gleed.graph.cond(r > 0, lambda: r * 2, lambda: -r), x)
        gleed.graph.draw(rows, path=path)
    text = path.read_text()
    for name in ("map/f/gt", "map/f/cond/true_fn/mul", "map/f/cond/false_fn/neg", "map/f/cond"):
        assert f">{name}<" in text
