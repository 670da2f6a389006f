"""Objects to files and back, and files that are not what they say."""

import io
import json
import math
import os
import pickle
import stat
import zipfile
from contextlib import suppress

import numpy as np
import pytest
import safetensors.numpy as safetensors
from hypothesis import given
from hypothesis import strategies as st

import gleed
from gleed.errors import GleedError
from gleed.serialization import FileFormatError, load, save

DTYPES = [
    *("float64", "float32", "float16", "bfloat16"),
    *("int64", "int32", "int16", "int8", "uint8", "bool"),
]


def assert_same(left, right):
    assert type(left) is type(right)
    if isinstance(left, gleed.Tensor):
        assert left.dtype == right.dtype
        assert left.shape == right.shape
        assert left.tolist() == right.tolist()
        assert left.requires_grad == right.requires_grad
    elif isinstance(left, dict):
        assert list(map(repr, left)) == list(map(repr, right))
        for one, other in zip(left.values(), right.values(), strict=True):
            assert_same(one, other)
    elif isinstance(left, (list, tuple)):
        assert len(left) == len(right)
        for one, other in zip(left, right, strict=True):
            assert_same(one, other)
    else:
        assert repr(left) == repr(right)


def saved(obj):
    file = io.BytesIO()
    save(obj, file)
    return file.getvalue()


def file_of(header, data=b""):
    """A safetensors file with any header: a text, or what JSON can hold."""
    text = (header if isinstance(header, str) else json.dumps(header)).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(dtype="F32", shape=(2,), begin=0, end=8):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (3,), (2, 0, 3), (3, 5)])
def test_tensors_come_back(tmp_path, dtype, shape):
    tensor = (gleed.rand(shape) * 3).to(getattr(gleed, dtype))
    save(tensor, tmp_path / "tensor")
    assert_same(load(tmp_path / "tensor"), tensor)


@pytest.mark.parametrize(
    "view",
    [lambda t: t.t(), lambda t: t[1:, ::2], lambda t: t[:, 1], lambda t: t[:1].expand(3, 5)],
    ids=["transposed", "sliced", "column", "expanded"],
)
def test_views_are_saved_as_what_they_show(view):
    tensor = view(gleed.arange(15.0).view(3, 5))
    loaded = load(io.BytesIO(saved(tensor)))
    assert_same(loaded, tensor)
    assert loaded.is_contiguous()


def test_objects_come_back_as_they_are(tmp_path):
    tensor = gleed.arange(4.0)
    obj = {
        "net": {"0.weight": tensor, "0.bias": tensor[:2]},
        "optimizer": {"state": {0: {"step": 3, "m": tensor * 2}}, "groups": [{"lr": 1e-3}]},
        "plain": [None, True, -3, 2**70, 0.1, -0.0, math.inf, -math.inf, math.nan],
        "texts": ["", "é\ud800", b"\0\xff"],
        3: (1, (), [], {}, ([tensor.to(gleed.bfloat16)],)),
        None: False,
        b"key": 1.5,
        "__metadata__": tensor,
        "a.b": tensor + 1,
        "a": {"b": tensor + 2},
    }  # fmt: skip
    save(obj, tmp_path / "obj")
    for mmap in (None, False, True):
        assert_same(load(tmp_path / "obj", mmap=mmap), obj)


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
KEYS = st.none() | st.booleans() | st.integers() | st.text() | st.binary()


def nested(inner):
    lists = st.lists(inner, max_size=4)
    return lists | lists.map(tuple) | st.dictionaries(KEYS, inner, max_size=4)


@given(st.recursive(PLAIN | st.lists(st.integers(0, 9)).map(gleed.tensor), nested, max_leaves=12))
def test_any_object_comes_back(obj):
    assert_same(load(io.BytesIO(saved(obj))), obj)


def test_a_model_and_its_optimizer_come_back(tmp_path):
    def make():
        model = gleed.nn.Sequential(gleed.nn.Linear(3, 4), gleed.nn.LayerNorm(4))
        return model, gleed.optim.AdamW(model.parameters(), lr=0.01)

    model, optimizer = make()
    model(gleed.rand(5, 3)).sum().backward()
    optimizer.step()
    save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "both")
    state = load(tmp_path / "both")
    other, other_optimizer = make()
    other.load_state_dict(state["model"])
    other_optimizer.load_state_dict(state["optimizer"])
    assert_same(dict(other.state_dict()), dict(model.state_dict()))
    assert_same(other_optimizer.state_dict(), optimizer.state_dict())


def test_the_same_memory_is_saved_once_and_shared_again():
    tensor = gleed.zeros(1000)
    obj = {
        "a": tensor,
        "b": [tensor],
        "part": tensor[:500],
        "parameter": gleed.nn.Parameter(tensor),
    }
    content = saved(obj)
    assert len(content) < 2 * 4000
    loaded = load(io.BytesIO(content))
    loaded["a"][0] = 7
    assert loaded["b"][0][0].item() == loaded["parameter"][0].item() == 7
    assert loaded["part"][0].item() == 0
    assert loaded["parameter"].requires_grad


def test_loaded_tensors_may_be_written_to_without_changing_the_file(tmp_path):
    save(gleed.zeros(5), tmp_path / "zeros")
    for mmap in (False, True):
        loaded = load(tmp_path / "zeros", mmap=mmap)
        loaded += 1
    assert load(tmp_path / "zeros").tolist() == [0.0] * 5


def test_large_files_are_mapped(tmp_path):
    tensor = gleed.arange(6_000_000, dtype=gleed.int32)
    save({"head": gleed.zeros(3, dtype=gleed.uint8), "large": tensor}, tmp_path / "large")
    loaded = load(tmp_path / "large")["large"]
    assert (loaded == tensor).all()
    assert loaded.data_ptr() % 64 == 0


def test_the_safetensors_package_reads_the_file(tmp_path):
    save({"w": gleed.arange(6.0).view(2, 3).t(), "n": {"i": gleed.tensor(5)}}, tmp_path / "file")
    tensors = safetensors.load_file(tmp_path / "file")
    assert tensors["w"].tolist() == [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]
    assert tensors["n.i"].item() == 5


def test_files_of_the_safetensors_package_are_read(tmp_path):
    arrays = {"odd": np.arange(3, dtype=np.uint8), "w": np.ones((2, 3)), "empty": np.ones((0, 2))}
    safetensors.save_file(arrays, tmp_path / "file", metadata={"format": "np"})
    loaded = load(tmp_path / "file")
    assert {name: tensor.tolist() for name, tensor in loaded.items()} == {
        name: array.tolist() for name, array in arrays.items()
    }


def test_misaligned_tensors_are_read():
    content = file_of(
        {"a": entry("U8", (1,), 0, 1), "b": entry("F64", (1,), 1, 9)}, b"\7" + np.ones(1).tobytes()
    )
    assert load(io.BytesIO(content))["b"].tolist() == [1.0]


def test_tensors_go_to_the_device_asked_for():
    assert load(io.BytesIO(saved(gleed.ones(1))), "cpu").device.type == "cpu"
    with pytest.raises(RuntimeError):
        load(io.BytesIO(saved(gleed.ones(1))), "nowhere")


@pytest.mark.parametrize(
    ("obj", "text"),
    [
        (
            {"net": {"fn": len}},
            r"obj\['net'\]\['fn'\] is of type builtin_function_or_method; a file holds",
        ),
        (
            [1, (2, {3: object()})],
            r"obj\[1\]\[1\]\[3\] is of type object; convert it, or leave it out",
        ),
        (gleed.nn.ReLU(), r"obj is of type \S+ReLU; save its state_dict\(\)"),
        (np.ones(2), r"obj is of type numpy.ndarray; convert it by gleed.from_numpy\(...\)"),
        ([np.float64(2)], r"obj\[0\] is of type numpy.float64; convert it by .item\(\)"),
        (type("Count", (dict,), {})(), r"obj is of type \S+Count; convert it by dict\(...\)"),
        ({1, 2}, "obj is of type set; convert it, or leave it out"),
    ],
)
def test_what_cannot_be_saved_is_named_with_its_place(obj, text):
    with pytest.raises(TypeError, match=text) as caught:
        save(obj, io.BytesIO())
    assert str(caught.value).startswith("save: tensors, numbers, strings, bytes, None, and dicts")


def test_ints_too_long_for_json_are_refused():
    with pytest.raises(TypeError, match="obj is an int of 20,001 bits; save it as a string"):
        save(1 << 20_000, io.BytesIO())


def test_keys_that_cannot_be_saved_are_named():
    text = (
        r"the keys of a dict are strings, numbers, bytes or None; obj\['a'\] has the key \(1, 2\)"
    )
    with pytest.raises(TypeError, match=text):
        save({"a": {(1, 2): 3}}, io.BytesIO())


def test_an_object_that_contains_itself_is_refused():
    obj = {"list": []}
    obj["list"].append(obj)
    text = r"nested 100 deep at most; obj\['list'\]\[0\]\['list'\]… goes deeper; does it"
    with pytest.raises(TypeError, match=text):
        save(obj, io.BytesIO())


def test_too_much_outside_of_tensors_is_refused():
    text = "all that is not in tensors takes 100,000,000 bytes at most; got .* save it in several"
    with pytest.raises(ValueError, match=text):
        save("x" * 100_000_001, io.BytesIO())


def test_a_failed_save_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "state"
    save(1, path)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        save(2, path)
    with pytest.raises(TypeError):
        save(len, path)
    assert load(path) == 1
    assert os.listdir(tmp_path) == ["state"]


def test_data_are_on_the_disk_before_the_file_has_its_name(tmp_path, monkeypatch):
    steps = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor):
        steps.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def replaced(source, target):
        steps.append("replace")
        assert os.path.dirname(source) == os.path.dirname(target)
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    save(1, tmp_path / "state")
    assert steps == ["file", "replace", "folder"]


def test_permissions_and_links_stay(tmp_path):
    path, link = tmp_path / "state", tmp_path / "latest"
    save(1, path)
    assert path.stat().st_mode & 0o111 == 0
    path.chmod(0o640)
    link.symlink_to(path)
    save(2, link)
    assert link.is_symlink()
    assert (load(path), path.stat().st_mode & 0o777) == (2, 0o640)


def test_a_missing_file_or_folder_is_pythons_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        save(1, tmp_path / "none" / "file")


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("something was executed",))


def zip_of_pickle():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Bomb()))
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (
            zip_of_pickle(),
            "is a zip file, such as torch.save .* it reads no pickles: load the file",
        ),
        (pickle.dumps(Bomb()) * 9, "is a pickle file, such as old versions of torch.save write"),
        (b"\x93NUMPY\x01\x00" + b"v" * 90, "is a NumPy file; use gleed.from_numpy"),
        (b"\x89HDF\r\n\x1a\n" + b"v" * 90, "is an HDF5 file; read it with h5py"),
        (b"", "is cut short or is no safetensors file: it has 0 bytes, and its first 8 announce"),
        (b"\x10\0\0\0\0\0\0\0{}", "it has 10 bytes, and its first 8 announce a header of 16"),
        (b"\xff" * 16, "announce a header of 18,446,744,073,709,551,615"),
    ],
)
def test_other_files_are_recognised(tmp_path, content, text):
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=text) as caught:
        load(path)
    assert str(caught.value).startswith(f"load: {str(path)!r} is ")


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("{", "has a header that is no JSON text"),
        ("[]", "has a header that is no JSON object"),
        ('{"a": NaN}', r"has a header that is no JSON text \(NaN is not JSON\)"),
        ('{"a": 1, "a": 2}', "has a header that names 'a' twice"),
        ("[" * 99_999, "has a header that is nested too deeply|is no JSON text"),
        ('{"a": ' + "9" * 9999 + "}", "has a header that is no JSON text"),
        ({"__metadata__": {"a": 1}}, "has metadata that are no texts"),
        ({"__metadata__": "text"}, "has metadata that are no texts"),
        ({"a": 1}, "has no dtype, shape and data_offsets for tensor 'a'"),
        ({"a": {"dtype": "F32"}}, "has no dtype, shape and data_offsets for tensor 'a'"),
        ({"a": {**entry(), "x": 1}}, "has no dtype, shape and data_offsets for tensor 'a'"),
        ({"a": entry("F8_E4M3")}, "has tensor 'a' of dtype 'F8_E4M3'; gleed reads F64, F32, F16"),
        ({"a": {**entry(), "dtype": []}}, r"has tensor 'a' of dtype \[\]"),
        ({"a": entry(shape=[-2])}, r"has tensor 'a' of shape \[-2\], which is no list of sizes"),
        ({"a": entry(shape=[True, 2])}, r"of shape \[True, 2\], which is no list of sizes"),
        ({"a": entry(shape=[2.0])}, r"of shape \[2.0\], which is no list of sizes"),
        ({"a": entry(shape=[2**64, 0], end=0)}, "which is no list of sizes"),
        ({"a": {**entry(), "shape": 2}}, "has tensor 'a' of shape 2, which is no list of sizes"),
        ({"a": {**entry(), "data_offsets": [8]}}, r"at data_offsets \[8\], which are no range"),
        ({"a": {**entry(), "data_offsets": [-8, 0]}}, "which are no range"),
        ({"a": entry(begin=8, end=0)}, "which takes 8 bytes, at data_offsets .*, which are -8"),
        ({"a": entry(shape=[3])}, r"of F32 and shape \[3\], which takes 12 bytes, at .* are 8"),
        ({"a": entry(shape=[2**62, 2**62])}, "which takes 85070591730234615865843651857942052864"),
        ({"a": entry(begin=8, end=16)}, "has tensor 'a' at byte 8, where it leaves bytes out"),
        ({"a": entry(), "b": entry(begin=4, end=12)}, "'b' at byte 4, where it overlaps another"),
        ({"a": entry(), "b": entry()}, "has tensor 'b' at byte 0, where it overlaps another"),
        ({"a": entry(), "b": entry(begin=8, end=16)}, "tensors take 16 bytes, 12 are there"),
        ({"a": entry("U8")} | {"a": entry("U8", [8])}, "goes on for 4 bytes after its last tensor"),
        ({"a": entry("BOOL", [12], 0, 12)}, "has tensor 'a' of BOOL with bytes other than 0 and 1"),
        ({"a": entry("U8", [1] * 3000 + [12], 0, 12)}, "has tensor 'a', which cannot be made"),
    ],
)
def test_headers_that_lie_are_refused(header, text):
    with pytest.raises(FileFormatError, match=text) as caught:
        load(io.BytesIO(file_of(header, b"\7" * 12)))
    assert isinstance(caught.value, (ValueError, GleedError))


@pytest.mark.parametrize(
    ("description", "text"),
    [
        ("[]", "has no structure that gleed understands"),
        ('{"version": 1}', "has no structure that gleed understands"),
        ('{"version": 2, "structure": 1}', "is of version 2; this gleed reads version 1"),
        (
            '{"version": 1, "structure": {"tensor": "w"}}',
            "has a structure with .*, which means noth",
        ),
        ('{"version": 1, "structure": {"tensor": []}}', "which means nothing"),
        ('{"version": 1, "structure": {"parameter": 1}}', "which means nothing"),
        ('{"version": 1, "structure": {"dict": [[1]]}}', "which means nothing"),
        ('{"version": 1, "structure": {"dict": [[[], 1]]}}', "which means nothing"),
        ('{"version": 1, "structure": {"tuple": 3}}', "which means nothing"),
        ('{"version": 1, "structure": {"float": "1.5"}}', "which means nothing"),
        ('{"version": 1, "structure": {"bytes": "?"}}', "which means nothing"),
        ('{"version": 1, "structure": {"eval": "1"}}', "which means nothing"),
        ('{"version": 1, "structure": {}}', "which means nothing"),
        ('{"version": 1, "structure": ' + "[" * 120 + "]" * 120 + "}", "nested more than 100 deep"),
        ('{"version": 1, "structure": ' + "[" * 99_999, "nested too deeply|no JSON text"),
    ],
)
def test_structures_that_lie_are_refused(description, text):
    content = file_of({"__metadata__": {"gleed": description}})
    with pytest.raises(FileFormatError, match=text):
        load(io.BytesIO(content))


def test_every_flipped_bit_is_found():
    content = saved({"weight": gleed.arange(6.0).view(2, 3), "step": 3})
    for place in range(8, len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 7
        # Only a change of the blanks after the header can be without effect.
        with suppress(FileFormatError):
            assert_same(load(io.BytesIO(damaged)), load(io.BytesIO(content)))


def test_a_changed_checksum_is_explained():
    content = saved(gleed.ones(3))[:-1] + b"\x40"
    text = "the file has the checksum .* is stated; it was damaged or changed after it was saved"
    with pytest.raises(FileFormatError, match=text):
        load(io.BytesIO(content))


def test_every_truncation_is_found():
    content = saved({"weight": gleed.ones(3), "step": 3})
    for length in range(len(content)):
        with pytest.raises(FileFormatError):
            load(io.BytesIO(content[:length]))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
ENTRIES = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "BF16", "BOOL", "U8", "F99"]),
        "shape": st.lists(st.integers(-1, 4) | st.integers(), max_size=3),
        "data_offsets": st.lists(st.integers(-1, 64), min_size=1, max_size=3),
    }
)


@given(header=st.dictionaries(st.text(), ENTRIES | JSON) | JSON, data=st.binary(max_size=64))
def test_no_header_does_harm(header, data):
    with suppress(FileFormatError):
        load(io.BytesIO(file_of(header, data)))


@given(description=JSON | st.recursive(JSON, lambda inner: st.dictionaries(
    st.sampled_from(["tensor", "parameter", "tuple", "dict", "bytes", "float"]), inner, max_size=2
)))  # fmt: skip
def test_no_structure_does_harm(description):
    text = json.dumps({"version": 1, "structure": description})
    with suppress(FileFormatError):
        load(io.BytesIO(file_of({"__metadata__": {"gleed": text}})))


@given(st.binary(max_size=200))
def test_no_bytes_do_harm(content):
    with pytest.raises(FileFormatError):
        load(io.BytesIO(content))
