"""Builders of files with sound digests that claim what they must not."""

import hashlib
import io
import json

import h5py
import numpy as np

NAME = "epoch-00001_step-000000002.h5"
ARRAY = np.arange(6, dtype="<f4")


def header(item, **changes):
    if isinstance(item, h5py.File):
        values = {"kind": "snapshot", "epoch": 1, "step": 2, "stage": 0}
    else:
        digest = hashlib.sha256(ARRAY.tobytes()).hexdigest()
        values = {"names": ["w"], "order": [0], "dtype": "float32", "sha256": digest}
    item.attrs.create("header", np.bytes_(json.dumps({**values, **changes})))


def write(folder, build):
    """The file that `build` makes out of a file with an empty group, sealed with a sound user block."""
    image = io.BytesIO()
    with h5py.File(image, "w", libver=("v110", "v110"), userblock_size=512) as file:
        header(file)
        file.create_group("tensors")
        build(file)
    return write_sealed(folder, image.getvalue()[512:])


def write_sealed(folder, content):
    digest = hashlib.sha256(content).hexdigest()
    head = f"kdprobe hdf5\nschema 1\nlength {len(content)}\nsha256 {digest}\n".encode()
    block = head + f"block {hashlib.sha256(head).hexdigest()}\n".encode()
    (folder / NAME).write_bytes(block.ljust(512, b"\0") + content)
    return folder / NAME


def tensor(file, name="tensors/000000", changes=None, **options):
    dataset = file.create_dataset(name, **({"data": ARRAY} | options))
    header(dataset, **(changes or {}))
    return dataset


def external_link(file):
    file["tensors/000000"] = h5py.ExternalLink("other.h5", "/tensors/000000")


def soft_link(file):
    tensor(file, "elsewhere")
    file["tensors/000000"] = h5py.SoftLink("/elsewhere")


def soft_link_alone(file):
    file["tensors/000000"] = h5py.SoftLink("/nowhere")


def linked_group(file):
    del file["tensors"]
    file["tensors"] = h5py.ExternalLink("other.h5", "/tensors")


def external_storage(file):
    tensor(file, data=None, shape=(6,), dtype="<f4", external=[("/etc/passwd", 0, 24)])


def virtual(file):
    layout = h5py.VirtualLayout(shape=(6,), dtype="<f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", shape=(6,))
    header(file.create_virtual_dataset("tensors/000000", layout))


def text_objects(file):
    tensor(file, data=["a", "b"], dtype=h5py.string_dtype())


def lists(file):
    tensor(file, data=None, shape=(2,), dtype=h5py.vlen_dtype(np.float32))


def references(file):
    tensor(file, data=None, shape=(2,), dtype=h5py.ref_dtype)


def compound(file):
    tensor(file, data=np.zeros(2, dtype=[("a", "<f4"), ("b", "<i4")]))


def booleans(file):
    tensor(file, data=np.zeros(2, dtype=bool), changes={"dtype": "bool"})


def filtered(file):
    tensor(file, compression="gzip")


def unknown_filter(file):
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk(ARRAY.shape)
    plan.set_filter(40_000, h5py.h5z.FLAG_OPTIONAL, ())
    space = h5py.h5s.create_simple(ARRAY.shape)
    dataset = h5py.h5d.create(file["tensors"].id, b"000000", h5py.h5t.IEEE_F32LE, space, plan)
    header(h5py.Dataset(dataset))


def chunked(file):
    tensor(file, chunks=(2,))


def huge(file):
    tensor(file, data=None, shape=(2**40,), dtype="<f4")


def unwritten(file):
    tensor(file, data=None, shape=(6,), dtype="<f4")


def no_shape(file):
    tensor(file, data=h5py.Empty("<f4"))


def groups(file):
    for number in range(10_000):
        file.create_group(f"tensors/{number:06d}")


def deep_group(file):
    tensor(file, "tensors/000000/000000")


def cycle(file):
    file["tensors/000000"] = file["/"]


def stored_type(file):
    file["tensors/000000"] = np.dtype("<f4")


def twice(file):
    file["tensors/000001"] = tensor(file)


def same_name(file):
    tensor(file)
    tensor(file, "tensors/000001", {"order": [1]})


def same_place(file):
    tensor(file)
    tensor(file, "tensors/000001", {"names": ["v"]})


def gap(file):
    tensor(file, "tensors/000001")


def extra(file):
    tensor(file)
    file["more"] = ARRAY


def big_endian(file):
    tensor(file, data=ARRAY.astype(">f4"))


def other_dtype(file):
    tensor(file, changes={"dtype": "bfloat16"})


def unknown_dtype(file):
    tensor(file, changes={"dtype": "object"})


def wrong_digest(file):
    tensor(file, changes={"sha256": "0" * 64})


def two_is_no_bool(file):
    data = np.array([0, 2], dtype="|u1")
    tensor(file, data=data, changes={"dtype": "bool", "sha256": hashlib.sha256(data.tobytes()).hexdigest()})


def not_complex(file):
    tensor(file, changes={"dtype": "complex64"})


def names_missing(file):
    tensor(file, changes={"names": None})


def number_as_name(file):
    tensor(file, changes={"names": [3]})


def not_json(file):
    tensor(file).attrs["header"] = np.bytes_(b"{")


def json_list(file):
    tensor(file).attrs["header"] = np.bytes_(b"[]")


def deep_json(file):
    tensor(file).attrs["header"] = np.bytes_(b"[" * 60_000)


def header_of_any_length(file):
    tensor(file).attrs["header"] = "{}"


def header_of_numbers(file):
    tensor(file).attrs["header"] = np.arange(3)


def many_attributes(file):
    tensor(file).attrs["more"] = 1


def no_header(file):
    file["tensors/000000"] = ARRAY


def other_kind(file):
    tensor(file)
    header(file, kind="entropy")


def negative_epoch(file):
    tensor(file)
    header(file, epoch=-1)


def other_epoch(file):
    tensor(file)
    header(file, epoch=3)
