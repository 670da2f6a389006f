"""Declare a network as a graph, as TensorFlow 1 had it, then feed it: it reads handwritten digits.

Draws the graph (define_and_run.svg). Needs scikit-learn: pip install "gleed[demo]"
"""

import numpy as np
from sklearn.datasets import load_digits

from gleed import graph as g

# The graph: nothing is computed here.
g.set_random_seed(0)
images = g.placeholder("float32", [None, 64], name="images")
labels = g.placeholder("int64", [None], name="labels")


def layer(x, units, name):
    """x · weight + bias, with variables of their own."""
    with g.variable_scope(name):
        weight = g.get_variable("weight", [x.shape[1], units])
        bias = g.get_variable("bias", [units], initializer=g.zeros_initializer())
        return x @ weight + bias


hidden = layer(images, 64, "hidden").relu()
scores = layer(hidden, 10, "scores")
loss = g.cross_entropy(scores, labels)
accuracy = scores.argmax(1).eq(labels).float().mean()
step = g.train.AdamOptimizer(0.003).minimize(loss)

# The run: data goes in, numbers come out.
digits = load_digits()
data, classes = digits.data / 16, digits.target
order = np.random.default_rng(0).permutation(len(data))
train, held_back = order[:1400], order[1400:]

with g.Session() as session:
    session.run(g.global_variables_initializer())
    for epoch in range(15):
        for i in range(0, len(train), 50):
            batch = train[i : i + 50]
            value, _ = session.run([loss, step], {images: data[batch], labels: classes[batch]})
        share = session.run(accuracy, {images: data[held_back], labels: classes[held_back]})
        print(f"epoch {epoch + 1:2}   loss {value:.4f}   held back: {share:.2%}")

g.draw(loss, path="define_and_run.svg")
