"""Pascal VOC 2012 in its native layout: made small here, and written from real butterflies."""

import numpy as np
import pytest
from PIL import Image

from kdprobe.data import load_data
from kdprobe.data.crops import crop_window
from kdprobe.data.masks import shrink
from kdprobe.errors import ConfigError, DataError

BIRD, CAT = 3, 8  # palette indices
PALETTE = [v for k in range(256) for v in ((k * 37) % 256, (k * 59) % 256, (k * 83) % 256)]


def write_xml(path, objects, size=(40, 30), extra=""):
    """objects: (class, (x0, y0, x1, y1) counted from 0, difficult); the file counts from 1, as VOC does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(
        f"<object><name>{name}</name><difficult>{int(difficult)}</difficult><bndbox><xmax>{x1 + 1}</xmax>"
        f"<xmin>{x0 + 1}</xmin><ymax>{y1 + 1}</ymax><ymin>{y0 + 1}</ymin></bndbox>"
        "<part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox>"
        "</part></object>"
        for name, (x0, y0, x1, y1), difficult in objects
    )
    width, height = size
    path.write_text(
        f"<annotation><size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
        f"{text}{extra}</annotation>"
    )


def write_mask(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(values.astype(np.uint8))
    image.putpalette(PALETTE)
    image.save(path)


def write_image(path, size=(40, 30), value=90):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, 0, 0)).save(path, quality=100)


def write_lists(root, train, val):
    for task in ("Main", "Segmentation"):
        folder = root / "ImageSets" / task
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "train.txt").write_text("\n".join(train) + "\n")
        (folder / "val.txt").write_text("\n".join(val) + "\n")


@pytest.fixture
def voc(tmp_path):
    """Three images: a bird and a cat side by side, a difficult bird, a cat at the border; the last is val."""
    root = tmp_path / "VOCdevkit" / "VOC2012"
    scenes = {
        "a": [("bird", (2, 4, 13, 15), False), ("cat", (20, 4, 31, 15), False)],
        "b": [
            ("bird", (10, 10, 19, 19), False),
            ("bird", (25, 10, 34, 19), True),
            ("dog", (0, 0, 5, 5), False),
        ],
        "c": [("cat", (30, 20, 39, 29), False)],
    }
    numbers = {"bird": BIRD, "cat": CAT, "dog": 12}
    for name, objects in scenes.items():
        write_image(root / "JPEGImages" / f"{name}.jpg")
        write_xml(root / "Annotations" / f"{name}.xml", objects)
        mask = np.zeros((30, 40))
        for kind, (x0, y0, x1, y1), _ in objects:
            mask[y0 : y1 + 1, x0 : x1 + 1] = 255  # a seam of one pixel
            mask[y0 + 1 : y1, x0 + 1 : x1] = numbers[kind]
        write_mask(root / "SegmentationClass" / f"{name}.png", mask)
    write_lists(root, ["a", "b"], ["c"])
    return root


def load(root, **options):
    return load_data("pascal_voc_2012", root=root, **{"classes": ["bird", "cat"], **options})


def test_every_object_is_an_image_of_its_own(voc):
    data = load(voc, image_size=12, crop=1.0)
    assert data.ids == ("a/1", "b/1", "a/2") and data.labels.tolist() == [0, 0, 1]
    assert data.foreground_kind == "mask" and data.source_sizes == ((12, 12), (10, 10), (12, 12))
    expected = np.zeros((12, 12), dtype=bool)
    expected[1:11, 1:11] = True  # the seam is background
    np.testing.assert_array_equal(data.foregrounds[0].numpy(), expected)
    assert load(voc.parent.parent, image_size=12).ids == data.ids
    assert load(voc, split="test", image_size=12).ids == ("c/1",)
    assert load(voc, image_size=12, classes=None).classes[2] == "bird" and len(load(voc, classes=None)) == 4


def test_the_border_label_counts_under_the_released_rule_only(voc):
    data = load(voc, image_size=12, crop=1.5, mask_rule="released")
    seam = np.zeros(
        (18, 18), dtype=np.uint8
    )  # the window: 1.5 x 12 about the box, 1 column of it off the image
    seam[3:15, 3:15] = 255
    seam = seam[:, 1:]
    expected = np.asarray(Image.fromarray(seam).resize((12, 12), Image.Resampling.BILINEAR)) > 0
    np.testing.assert_array_equal(data.foregrounds[0].numpy(), expected)
    assert int(load(voc, image_size=12, crop=1.5).foregrounds[0].sum()) < int(expected.sum())


def test_difficult_objects_on_request(voc):
    assert "b/2" not in load(voc, image_size=12).ids
    assert "b/2" in load(voc, image_size=12, difficult=True).ids


def test_a_neighbour_of_the_class_is_foreground_another_class_is_not(voc):
    data = load(voc, image_size=30, crop=3.0, annotation="boxes")
    box = {i: f.numpy() for i, f in zip(data.ids, data.foregrounds, strict=True)}
    window = crop_window((10, 10, 19, 19), 3.0, (40, 30))
    assert window == (0, 0, 30, 30)
    expected = np.zeros((30, 30), dtype=bool)
    expected[10:20, 10:20] = expected[10:20, 25:30] = True  # the second bird is difficult, but a bird
    np.testing.assert_array_equal(box["b/1"], expected)
    masks = load(voc, image_size=30, crop=3.0)
    place = masks.ids.index("b/1")
    expected[:] = False
    expected[11:19, 11:19] = expected[11:19, 26:30] = True
    np.testing.assert_array_equal(masks.foregrounds[place].numpy(), expected)


def test_whole_images_hold_one_class(voc):
    data = load(voc, image_size=20, crop=None)
    assert data.ids == ("b",) and data.source_sizes == ((40, 30),)
    assert dict(data.left_out)["a"].endswith("several classes (bird, cat): set `crop`.")
    assert load(voc, image_size=20, crop=None, classes=["cat"]).ids == ("a",)


def test_largest_and_least_side(voc):
    write_xml(voc / "Annotations/b.xml", [("bird", (0, 0, 3, 3), False), ("bird", (10, 10, 19, 19), False)])
    assert load(voc, image_size=8, classes=["bird"], objects="largest").ids == ("a/1", "b/2")
    data = load(voc, image_size=8, least_side=5)
    assert (
        data.ids == ("a/1", "b/2", "a/2")
        and "4 x 4 pixels, below `least_side` 5" in dict(data.left_out)["b/1"]
    )


def test_without_masks_the_boxes_are_used_and_said(voc):
    (voc / "SegmentationClass").rename(voc / "elsewhere")
    data = load(voc, image_size=12)
    assert data.foreground_kind == "box" and "SegmentationClass" in data.notes[0]
    with pytest.raises(DataError, match="No folder SegmentationClass/"):
        load(voc, annotation="masks")


def test_boxes_beyond_the_image_are_clipped(voc):
    write_xml(voc / "Annotations/c.xml", [("cat", (30, 20, 55, 44), False)])
    data = load(voc, split="test", image_size=10, crop=1.0, annotation="boxes")
    assert data.source_sizes == ((10, 10),) and data.foregrounds.all()


def test_single_images_are_left_out_and_named(voc):
    (voc / "Annotations/a.xml").write_text("<annotation><object>")
    write_mask(voc / "SegmentationClass/b.png", np.full((30, 40), 38))
    with pytest.raises(DataError, match="no usable image"):
        load(voc)
    write_lists(voc, ["a", "b", "c", "d"], ["c"])
    write_image(voc / "JPEGImages" / "d.jpg", size=(20, 15))
    write_xml(voc / "Annotations/d.xml", [("cat", (1, 1, 9, 9), False)])
    reasons = dict(load(voc, image_size=12).left_out)
    assert set(reasons) == {"a", "b/1", "d/1"}
    assert "Cannot read the objects" in reasons["a"] and str(voc / "Annotations/a.xml") in reasons["a"]
    assert "the value 38, which is no class" in reasons["b/1"]
    assert "20 x 15 pixels, but its boxes were drawn on 40 x 30" in reasons["d/1"]
    Image.new("RGB", (40, 30), (128, 0, 0)).save(voc / "SegmentationClass/b.png")
    write_xml(voc / "Annotations/a.xml", [], extra="<object/>")
    reasons = dict(load(voc, image_size=12).left_out)
    assert "mode RGB, not palette indices" in reasons["b/1"] and "Object 1 in" in reasons["a"]
    write_mask(voc / "SegmentationClass/b.png", np.full((30, 40), CAT))
    assert "holds no pixel of the class bird" in dict(load(voc, image_size=12).left_out)["b/1"]


def test_grey_cmyk_and_turned_photographs(voc):
    """Modes become RGB; a turn noted by the camera is not applied, since boxes and masks are not turned."""
    pixels = np.zeros((30, 40), dtype=np.uint8)
    pixels[4:16, 2:14] = 200
    expected = None
    for mode in ("L", "RGB", "CMYK"):
        image = Image.fromarray(pixels).convert("RGB").convert(mode)
        exif = Image.Exif()
        exif[0x0112] = 6  # turn by 90 degrees
        image.save(
            voc / "JPEGImages/a.jpg", quality=100, exif=exif, **({} if mode == "L" else {"subsampling": 0})
        )
        data = load(voc, image_size=12, crop=1.0, classes=["bird"])
        shown = data.to_display(data[0].image)
        assert shown.shape == (12, 12, 3)
        np.testing.assert_allclose(shown, 200 / 255, atol=0.03, err_msg=mode)
        expected = data.foregrounds[0] if expected is None else expected
        assert bool((data.foregrounds[0] == expected).all())


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"objects": "biggest"}, "objects"),
        ({"least_side": 0}, "least_side"),
        ({"difficult": "no"}, "difficult"),
        ({"classes": ["brid"]}, "Did you mean 'bird'"),
        ({"root": None}, "root"),
    ],
)
def test_settings_that_cannot_be_used(voc, options, word):
    with pytest.raises(ConfigError, match=word):
        load(**{"root": voc, **options})


@pytest.fixture
def butterflies(real_data, tmp_path):
    """Leeds butterflies as Pascal VOC: indices of the palette, a seam of 255, a tight box counted from 1."""
    source, names = real_data / "leedsbutterfly", []
    for k, path in enumerate(sorted((source / "images").glob("*.png"))[::60]):
        image = Image.open(path).convert("RGB")
        inside = np.isin(np.asarray(Image.open(source / "segmentations" / f"{path.stem}_seg0.png")), (1, 3))
        rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        box = (columns[0], rows[0], columns[-1], rows[-1])
        names.append(path.stem)
        (tmp_path / "JPEGImages").mkdir(exist_ok=True)
        image.save(tmp_path / "JPEGImages" / f"{path.stem}.jpg", quality=95)
        values = np.where(inside, BIRD if k % 2 else CAT, 0)
        seam = inside & ~(np.roll(inside, 1, 0) & np.roll(inside, -1, 0) & np.roll(inside, 1, 1))
        write_mask(tmp_path / "SegmentationClass" / f"{path.stem}.png", np.where(seam, 255, values))
        write_xml(
            tmp_path / "Annotations" / f"{path.stem}.xml",
            [("bird" if k % 2 else "cat", box, False)],
            image.size,
        )
    write_lists(tmp_path, names[:8], names[8:])
    return tmp_path


def test_butterflies_written_as_voc_come_back(butterflies, real_data):
    data = load(butterflies, image_size=64)
    assert len(data) == 8 and data.left_out == () and data.labels.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    boxes = load(butterflies, image_size=64, annotation="boxes")
    released = load(butterflies, image_size=64, mask_rule="released")
    for place, identity in enumerate(data.ids):
        stem = identity.split("/")[0]
        whole = Image.open(real_data / "leedsbutterfly/images" / f"{stem}.png").convert("RGB")
        inside = np.isin(
            np.asarray(Image.open(real_data / "leedsbutterfly/segmentations" / f"{stem}_seg0.png")), (1, 3)
        )
        rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        left, top, right, bottom = crop_window((columns[0], rows[0], columns[-1], rows[-1]), 1.2, whole.size)
        shown = data.to_display(data[place].image)
        expected = (
            np.asarray(whole.crop((left, top, right, bottom)).resize((64, 64), Image.Resampling.BILINEAR))
            / 255
        )
        assert np.abs(shown - expected).mean() < 0.03  # JPEG
        mask, without_seam = data.foregrounds[place].numpy(), shrink(inside[top:bottom, left:right], 64)
        assert (mask & ~without_seam).sum() == 0 and mask.sum() > 0.7 * without_seam.sum()
        assert not (mask & ~boxes.foregrounds[place].numpy()).any()
        assert not (without_seam & ~released.foregrounds[place].numpy()).any()


@pytest.mark.parametrize(
    "xml",
    [
        "<annotation><object><name>bird</name><bndbox><xmin>nan</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
        "</object></annotation>",
        "<annotation><object><name>bird</name><bndbox><xmin>-inf</xmin><ymin>1</ymin><xmax>1e999</xmax><ymax>9</ymax>"
        "</bndbox></object></annotation>",
        "<annotation><size><width>inf</width><height>nan</height></size><object/></annotation>",
        '<?xml version="1.0" encoding="klingon"?><annotation/>',
    ],
)
def test_an_xml_file_with_impossible_content_is_left_out_and_named(voc, xml):
    (voc / "Annotations/a.xml").write_text(xml)
    reasons = dict(load(voc, image_size=12).left_out)
    assert set(reasons) == {"a"} and "a.xml" in reasons["a"] and "\n" not in reasons["a"]


def test_a_list_that_is_empty_or_no_text_is_named(voc):
    listing = voc / "ImageSets/Segmentation/train.txt"
    listing.write_text("\n\n")
    with pytest.raises(DataError, match=r"Segmentation/train\.txt names no image"):
        load(voc)
    listing.write_bytes(b"\xff\xfea\x00")
    with pytest.raises(DataError, match=r"Segmentation/train\.txt .*UTF-8"):
        load(voc)


@pytest.mark.parametrize("options", [{}, {"objects": "largest"}])
def test_a_box_whose_ends_are_swapped_is_said_to_be_empty(voc, options):
    write_xml(voc / "Annotations/a.xml", [("bird", (9, 9, 3, 3), False), ("bird", (2, 4, 6, 8), False)])
    write_lists(voc, ["a"], ["c"])
    data = load(voc, image_size=8, annotation="boxes", **options)
    assert data.ids == ("a/2",)
    assert options or "(9, 9, 3, 3)" in dict(data.left_out)["a/1"]
