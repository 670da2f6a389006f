"""PyTorch's module database, run against gleed.

Every entry brings constructor arguments and inputs. Both libraries build the module, gleed's takes
the state of PyTorch's, and results and the gradients of inputs and parameters must agree.
"""

import pytest
import torch
from torch.testing._internal.common_modules import module_db

import gleed

from .operators import SEED, Copies, compare, compare_gradients, copied

pytestmark = [
    pytest.mark.filterwarnings("ignore:enable_nested_tensor is True"),
    pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN"),
    pytest.mark.filterwarnings("ignore:linear_cross_entropy. ``options`` ignored"),
    pytest.mark.filterwarnings("ignore:reduction. 'mean' divides the total loss"),
]

# Modules of the database that gleed has not, and why.
MISSING: dict[str, str] = {}
# Gradients of log-likelihoods in the hundreds: in float32 both libraries are this far from those in
# float64, gleed less than PyTorch.
SCALES = {"CTCLoss": 10}
SAMPLES = 40  # of an entry, from all over what it has
ENTRIES = {entry.module_cls.__name__: entry for entry in module_db}


class Arguments(Copies):
    """Arguments of constructors too, which may be layers."""

    def __call__(self, value):
        if isinstance(value, torch.nn.TransformerEncoderLayer):
            return encoder_layer(value)
        return super().__call__(value)


def encoder_layer(theirs):
    """gleed's layer with the options of PyTorch's."""
    attention = theirs.self_attn
    return gleed.nn.TransformerEncoderLayer(
        attention.embed_dim,
        attention.num_heads,
        theirs.linear1.out_features,
        theirs.dropout.p,
        getattr(gleed.nn.functional, theirs.activation.__name__),
        theirs.norm1.eps,
        attention.batch_first,
        theirs.norm_first,
        theirs.linear1.bias is not None,
    )


def built(entry, sample, dtype, training):
    """PyTorch's module and gleed's, of one state."""
    given = sample.constructor_input
    copies = Arguments()
    theirs = entry.module_cls(*given.args, **given.kwargs).to(dtype).train(training)
    ours = getattr(gleed.nn, entry.module_cls.__name__)(*copies(given.args), **copies(given.kwargs))
    ours = ours.to(copies(dtype)).train(training)
    if entry.is_lazy:  # the shapes of their parameters follow from the first input
        given = sample.forward_input
        theirs(*given.args, **given.kwargs), ours(*copies(given.args), **copies(given.kwargs))
    state = theirs.state_dict()
    assert list(ours.state_dict()) == list(state)
    ours.load_state_dict({key: copied(value) for key, value in state.items()})
    return theirs, ours


def agree(entry, sample, dtype, training):
    """Raise AssertionError unless both modules do the same with the inputs of a sample."""
    theirs, ours = built(entry, sample, dtype, training)
    copies = Arguments()
    given = sample.forward_input
    args, kwargs = copies(given.args), copies(given.kwargs)
    for library in (torch, gleed):
        library.manual_seed(SEED)
    wanted, results = theirs(*given.args, **given.kwargs), ours(*args, **kwargs)
    compare(results, wanted)
    parameters = zip(theirs.parameters(), ours.parameters(), strict=True)
    scale = SCALES.get(entry.module_cls.__name__, 1)
    compare_gradients(results, wanted, [*copies.leaves, *parameters], scale)
    compare(dict(ours.state_dict()), dict(theirs.state_dict()))


def test_every_module_is_there_or_listed():
    missing = {name for name in ENTRIES if not hasattr(gleed.nn, name)}
    assert missing == set(MISSING)
    assert len(ENTRIES) >= 100


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("name", sorted(set(ENTRIES) - set(MISSING)))
def test_module(name, dtype, training):
    entry = ENTRIES[name]
    torch.manual_seed(SEED)
    samples = entry.module_inputs_func(entry, "cpu", dtype, requires_grad=True, training=training)
    step = -(-len(samples) // SAMPLES)
    for number, sample in [*enumerate(samples)][::step]:
        try:
            agree(entry, sample, dtype, training)
        except Exception as error:
            error.add_note(f"in sample {number}, made with {sample.constructor_input.kwargs}")
            raise
