"""Images from files and folders: every format, every way to be damaged; grids of images."""

from __future__ import annotations

import gzip
import pickle
import re
import struct
import zipfile

import numpy as np
import pytest

from geomot import images
from geomot.images import load_images, load_labels, save_animation, save_grid

PICTURES = pytest.importorskip("PIL.Image")

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (5, 6, 4), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (5, 3, 6, 4), dtype=np.uint8)


def idx(array, code=0x08):
    head = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


def save_pictures(folder, stack, suffix="png", mode=None):
    folder.mkdir(exist_ok=True, parents=True)
    for k, image in enumerate(stack):
        pixels = np.moveaxis(image, 0, -1) if image.ndim == 3 else image
        picture = PICTURES.fromarray(pixels)
        (picture if mode is None else picture.convert(mode)).save(folder / f"{k}.{suffix}")
    return folder


def assert_same(found, expected):
    assert found.dtype == expected.dtype
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, expected)


# ---------------------------------------------------------------------------------------------
# Arrays
# ---------------------------------------------------------------------------------------------


def test_npy(tmp_path):
    file = tmp_path / "a.npy"
    for stack in (BYTES, COLOUR, BYTES / 255.0, (BYTES / 255.0).astype(np.float32), COLOUR[:, :1]):
        np.save(file, stack)
        found, labels = load_images(file)
        assert_same(found, stack)
        assert labels is None


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (BYTES.astype(np.int64), BYTES),
        (BYTES.astype(">u2"), BYTES),
        (BYTES.astype(np.int64) * 3, BYTES * 3.0),
        (BYTES.astype(np.int64) - 1, BYTES - 1.0),
        (BYTES > 100, np.where(BYTES > 100, 255, 0).astype(np.uint8)),
        (BYTES.astype(np.float16), BYTES.astype(np.float32)),
        (BYTES.astype(">f8"), BYTES.astype(np.float64)),
        (np.asfortranarray(BYTES), BYTES),
        # the last axis holds the channels
        (np.moveaxis(COLOUR, 1, -1), COLOUR),
        (np.moveaxis(COLOUR, 1, -1)[..., :1], COLOUR[:, :1]),
        # a square number of columns
        (RNG.integers(0, 9, (3, 49), dtype=np.uint8),) * 2,
    ],
)
def test_values_and_shapes(tmp_path, stored, expected):
    np.save(tmp_path / "a.npy", stored)
    found, _ = load_images(tmp_path / "a.npy")
    if stored.ndim == 2:
        expected = expected.reshape(3, 7, 7)
    assert_same(found, np.asarray(expected))


@pytest.mark.parametrize("compress", [False, True])
def test_npz(tmp_path, compress):
    file = tmp_path / "a.npz"
    save = np.savez_compressed if compress else np.savez
    labels = [3, 1, 4, 1, 5]
    save(file, anything=BYTES)
    assert_same(load_images(file)[0], BYTES)
    save(file, x_train=BYTES, y_train=labels, x_test=BYTES[:2], y_test=labels[:2])
    found, known = load_images(file)
    assert_same(found, BYTES)
    assert known.tolist() == labels
    assert len(load_images(file, array="x_test")[0]) == 2
    save(file, images=BYTES, labels=np.array(labels)[:, None])
    assert load_images(file)[1].tolist() == labels
    save(file, images=BYTES, labels=["a", "b", "a", "b", "c"])
    assert load_images(file)[1].tolist() == ["a", "b", "a", "b", "c"]


def test_much_compressed_images_are_read(tmp_path):
    stack = np.zeros((300, 128, 128))
    np.savez_compressed(tmp_path / "a.npz", images=stack)
    assert load_images(tmp_path / "a.npz")[0].shape == stack.shape


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("array", "code"),
    [
        (BYTES, 0x08),
        (BYTES.astype(np.int8) // 2 - 70, 0x09),
        (BYTES.astype(np.int16) - 300, 0x0B),
        (BYTES.astype(np.int32) - 300, 0x0C),
        (BYTES.astype(np.float32) / 7, 0x0D),
        (BYTES.astype(np.float64) / 7, 0x0E),
    ],
)
def test_idx(tmp_path, array, code, packed):
    file = tmp_path / "images-idx3-ubyte"
    file.write_bytes(gzip.compress(idx(array, code)) if packed else idx(array, code))
    found, labels = load_images(file)
    expected = array if array.dtype in (np.uint8, np.float32) else array.astype(np.float64)
    assert_same(found, expected)
    assert labels is None


def test_idx_with_labels(tmp_path):
    (tmp_path / "x").write_bytes(idx(BYTES))
    (tmp_path / "y.gz").write_bytes(gzip.compress(idx(np.array([3, 1, 4, 1, 5], np.uint8))))
    found, labels = load_images(tmp_path / "x", labels=tmp_path / "y.gz")
    assert labels.dtype == np.int64
    assert labels.tolist() == [3, 1, 4, 1, 5]
    found, labels = load_images(tmp_path / "x", labels=tmp_path / "y.gz", limit=2)
    assert_same(found, BYTES[:2])
    assert labels.tolist() == [3, 1]
    assert len(load_images(tmp_path / "x", limit=9)[0]) == 5


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (lambda f: np.save(f, [3, 1, 4]), [3, 1, 4]),
        (lambda f: np.save(f, [3.0, 1.0, 4.0]), [3, 1, 4]),
        (lambda f: np.save(f, ["a", "b", "a"]), ["a", "b", "a"]),
        (lambda f: np.savez(f, anything=[3, 1]), [3, 1]),
        (lambda f: np.savez(f, y=[3, 1], images=np.zeros((2, 3, 3))), [3, 1]),
        (lambda f: f.write(b"3\n1\n\n4\n"), [3, 1, 4]),
        (lambda f: f.write("\ufeffcoat\nÄrmel\n".encode()), ["coat", "Ärmel"]),
        (lambda f: f.write("coat\nÄrmel\n".encode("utf-16")), ["coat", "Ärmel"]),
        (lambda f: f.write("coat\nÄrmel\n".encode("cp1252")), ["coat", "Ärmel"]),
        (lambda f: f.write(gzip.compress(b"3\n1\n")), [3, 1]),
        (lambda f: f.write(b'"Rio, Brazil"\r\n"York, UK"\r\n'), ["Rio, Brazil", "York, UK"]),
    ],
)
def test_labels(tmp_path, write, expected):
    with open(tmp_path / "labels", "wb") as file:
        write(file)
    assert load_labels(tmp_path / "labels").tolist() == expected


# ---------------------------------------------------------------------------------------------
# Folders
# ---------------------------------------------------------------------------------------------


def test_folder_of_grey_pictures(tmp_path):
    stack = RNG.integers(0, 256, (12, 6, 4), dtype=np.uint8)
    folder = save_pictures(tmp_path / "a", stack)
    (folder / "notes.txt").write_text("no picture")
    (folder / "inside").mkdir()
    found, labels = load_images(folder)
    # 2 before 10
    assert_same(found, stack)
    assert labels is None
    assert_same(load_images(folder, limit=11)[0], stack[:11])


def test_folder_of_colour_pictures(tmp_path):
    assert_same(load_images(save_pictures(tmp_path / "a", COLOUR))[0], COLOUR)
    found = load_images(save_pictures(tmp_path / "b", COLOUR, "jpg"))[0]
    assert found.shape == COLOUR.shape
    mixed = save_pictures(tmp_path / "c", BYTES[:2])
    PICTURES.fromarray(np.moveaxis(COLOUR[0], 0, -1)).save(mixed / "2.png")
    PICTURES.fromarray(BYTES[3]).save(mixed / "3.png")
    expected = [np.stack(3 * [BYTES[0]]), np.stack(3 * [BYTES[1]]), COLOUR[0], 3 * [BYTES[3]]]
    assert_same(load_images(mixed)[0], np.array(expected))


def test_other_modes_of_pictures(tmp_path):
    black = np.where(BYTES > 100, 255, 0).astype(np.uint8)
    assert_same(load_images(save_pictures(tmp_path / "1", black, mode="1"))[0], black)
    assert_same(load_images(save_pictures(tmp_path / "LA", BYTES, mode="LA"))[0], BYTES)
    assert_same(load_images(save_pictures(tmp_path / "RGBA", COLOUR, mode="RGBA"))[0], COLOUR)
    assert load_images(save_pictures(tmp_path / "P", COLOUR, mode="P"))[0].shape == COLOUR.shape
    deep = RNG.integers(0, 65536, (3, 6, 4), dtype=np.uint16)
    folder = save_pictures(tmp_path / "I16", deep)
    assert_same(load_images(folder)[0], deep.astype(np.float32) / np.float32(65535))
    PICTURES.fromarray(BYTES[0]).save(folder / "3.png")
    found = load_images(folder)[0]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[3], BYTES[0] / 255.0, rtol=1e-6)


def test_folder_of_classes(tmp_path):
    save_pictures(tmp_path / "shoe", BYTES[:2])
    save_pictures(tmp_path / "bag", BYTES[2:])
    found, labels = load_images(tmp_path)
    assert labels.tolist() == ["bag", "bag", "bag", "shoe", "shoe"]
    assert_same(found, BYTES[[2, 3, 4, 0, 1]])
    found, labels = load_images(tmp_path, limit=2)
    assert labels.tolist() == ["bag", "shoe"]
    (tmp_path / "numbers.txt").write_text("0\n1\n2\n3\n4\n")
    _, labels = load_images(tmp_path, limit=2, labels=tmp_path / "numbers.txt")
    assert labels.tolist() == [0, 4]
    save_pictures(tmp_path / "digits" / "10", BYTES[:1])
    save_pictures(tmp_path / "digits" / "9", BYTES[:1])
    assert load_images(tmp_path / "digits")[1].tolist() == [9, 10]


def test_pictures_of_any_size_are_cut_and_scaled(tmp_path):
    tall = np.zeros((30, 10), np.uint8)
    tall[10:20] = 200
    wide = np.zeros((3, 8, 20), np.uint8)
    wide[1, :, 6:14] = 100
    save_pictures(tmp_path, [tall])
    PICTURES.fromarray(np.moveaxis(wide, 0, -1)).save(tmp_path / "1.png")
    found, _ = load_images(tmp_path, size=4)
    assert found.shape == (2, 3, 4, 4)
    assert (found[0] == 200).all()
    assert (found[1] == np.array([0, 100, 0])[:, None, None]).all()


# ---------------------------------------------------------------------------------------------
# Bad input
# ---------------------------------------------------------------------------------------------


def nan_images():
    stack = np.zeros((9000, 3, 2))
    stack[8500, 2, 1] = np.nan
    return stack


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (nan_images(), "images must be finite, got nan in image 8500 at pixel (2, 1)"),
        (np.full((2, 3, 2), np.inf, np.float32), "got inf in image 0"),
        (np.zeros((0, 3, 2)), "holds no images"),
        (np.zeros((2, 0, 2)), "holds no images"),
        (np.zeros((2, 5)), "images must have shape (n, height, width)"),
        (np.zeros(4), "images must have shape (n, height, width)"),
        (np.zeros((1, 2, 3, 4, 5)), "images must have shape"),
        (np.zeros((2, 3, 2), complex), "images must hold real numbers, got dtype complex128"),
        (np.array([["a"]]), "images must hold real numbers"),
    ],
)
def test_bad_arrays(tmp_path, array, message):
    for name, save in (("a.npy", np.save), ("a.npz", lambda f, a: np.savez(f, images=a))):
        save(tmp_path / name, array)
        with pytest.raises(ValueError, match=re.escape(message)) as caught:
            load_images(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name))


@pytest.mark.parametrize("missing", ["nan", "NaN", "<NA>"])
def test_missing_labels(tmp_path, missing):
    (tmp_path / "labels").write_text(f"1\n{missing}\n2\n")
    with pytest.raises(ValueError, match=f"must not be missing, got {missing} at index 1"):
        load_labels(tmp_path / "labels")


def test_a_table_is_no_list_of_labels(tmp_path):
    (tmp_path / "labels.csv").write_text("0,shirt\n1,coat\n2,shirt\n")  # pandas, with its index
    with pytest.raises(ValueError, match="one label per line, but has several columns"):
        load_labels(tmp_path / "labels.csv")


class Trap:
    def __reduce__(self):
        return (open, ("sprung", "w"))


def bad_files():
    good = idx(BYTES)
    packed = gzip.compress(good)
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 2, 2), }"
    huge = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + header.ljust(117) + b"\n"
    return {
        "empty": (b"", "neither an npy, npz or idx file"),
        "pickle": (pickle.dumps(Trap()), "pickles are never loaded"),
        "text": (b"1,2\n3,4\n", "neither an npy, npz or idx file"),
        "picture": (b"\x89PNG\r\n\x1a\n", "neither an npy, npz or idx file nor a folder"),
        "short idx": (good[:-1], "cut short: 119 of 120 bytes for shape (5, 6, 4)"),
        "header of idx": (good[:9], "cut short"),
        "long idx": (good + b"\0", "too long for the shape (5, 6, 4)"),
        "claims": (bytes([0, 0, 8, 3]) + 12 * b"\xff" + bytes(9), "too short for the shape"),
        "no axes": (bytes([0, 0, 8, 0]), "not an idx file"),
        "short gzip": (packed[:-9], "before the end-of-stream marker"),
        "damaged gzip": (packed[:60] + bytes(4) + packed[64:], "CRC check failed"),
        "gzip of a short idx": (gzip.compress(good[:-1]), "cut short"),
        "gzip of claims": (
            gzip.compress(bytes([0, 0, 8, 3]) + 12 * b"\xff" + bytes(9)),
            "too short for the shape",
        ),
        "gzip of else": (gzip.compress(b"hello\0"), "not an idx file"),
        "short npy": (b"\x93NUMPY\x01\x00", "EOF"),
        "huge npy": (huge + bytes(64), "mmap length is greater than file size"),
        "short zip": (b"PK\x03\x04hello", "not a zip file"),
    }


@pytest.mark.parametrize("name", bad_files())
def test_bad_files(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    content, message = bad_files()[name]
    file = tmp_path / "a.npy"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        load_images(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.npy"]
    if name not in ("text", "picture"):
        with pytest.raises(ValueError, match=re.escape(str(file))):
            load_labels(file)


def test_nothing_is_unpickled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trap = np.array([Trap()], dtype=object)
    np.save("a.npy", trap, allow_pickle=True)
    np.savez("a.npz", images=trap, labels=trap, allow_pickle=True)
    for name in ("a.npy", "a.npz"):
        for load in (load_images, load_labels):
            with pytest.raises(ValueError, match=name):
                load(name)
    assert not (tmp_path / "sprung").exists()


def test_claimed_sizes_are_not_believed(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (100, 1048576), }"
        head = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + header.ljust(117) + b"\n"
        archive.writestr("images.npy", head + bytes(100 << 20))
    with pytest.raises(ValueError, match="far larger than its file"):
        load_images(tmp_path / "a.npz")
    monkeypatch.setattr(images, "_IMAGE_UNPACKED_ALLOWANCE", 2**20)
    packed = gzip.compress(idx(np.zeros((3, 1024, 1024), np.uint8)))
    (tmp_path / "a.gz").write_bytes(packed)
    with pytest.raises(ValueError, match="too short"):
        load_images(tmp_path / "a.gz")


def test_bad_archives(tmp_path):
    file = tmp_path / "a.npz"
    np.savez(file, a=BYTES, b=BYTES)
    with pytest.raises(ValueError, match="choose the array that holds the images: a, b"):
        load_images(file)
    with pytest.raises(ValueError, match="there is no array c, only: a, b"):
        load_images(file, array="c")
    with pytest.raises(ValueError, match="no array labels, only: a, b"):
        load_labels(file)
    np.savez(file, images=BYTES, labels=[1, 2])
    with pytest.raises(ValueError, match="array labels has 2 labels for 5 images"):
        load_images(file)
    np.save(tmp_path / "a.npy", BYTES)
    with pytest.raises(ValueError, match="array applies only to npz files"):
        load_images(tmp_path / "a.npy", array="a")


def test_bad_folders(tmp_path):
    with pytest.raises(ValueError, match="the folder holds no images") as caught:
        load_images(tmp_path)
    assert str(caught.value).startswith(str(tmp_path))
    save_pictures(tmp_path, BYTES)
    PICTURES.fromarray(BYTES[0, :5]).save(tmp_path / "x.png")
    message = "images must have one size: 0.png has 4 x 6 pixels and x.png 4 x 5"
    with pytest.raises(ValueError, match=message):
        load_images(tmp_path)
    (tmp_path / "x.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"x\.png is not a picture, or is damaged"):
        load_images(tmp_path)
    whole = (tmp_path / "0.png").read_bytes()
    (tmp_path / "x.png").write_bytes(whole[:-30])
    with pytest.raises(ValueError, match=r"x\.png cannot be read"):
        load_images(tmp_path)
    with pytest.raises(ValueError, match="array applies only to npz files"):
        load_images(tmp_path, array="a")


def test_bad_arguments(tmp_path):
    np.save(tmp_path / "a.npy", BYTES)
    np.save(tmp_path / "y.npy", [1, 2])
    with pytest.raises(ValueError, match="5 images, but there are 2 labels"):
        load_images(tmp_path / "a.npy", labels=tmp_path / "y.npy")
    with pytest.raises(ValueError, match="size applies only to folders"):
        load_images(tmp_path / "a.npy", size=8)
    with pytest.raises(ValueError, match="limit must be at least 1"):
        load_images(tmp_path / "a.npy", limit=0)
    with pytest.raises(TypeError, match="path must be a string or path"):
        load_images(3)
    with pytest.raises(TypeError, match="labels must be a string or path"):
        load_images(tmp_path / "a.npy", labels=3)
    with pytest.raises(FileNotFoundError):
        load_images(tmp_path / "missing.npy")
    for labels in ([1.5], [[1, 2]], [], [1j], [np.nan]):
        np.save(tmp_path / "y.npy", labels)
        with pytest.raises(ValueError, match="labels must"):
            load_labels(tmp_path / "y.npy")


# ---------------------------------------------------------------------------------------------
# Grids
# ---------------------------------------------------------------------------------------------


def drawn(path):
    with PICTURES.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def test_grid_has_the_pixels(tmp_path):
    file = tmp_path / "grid.png"
    save_grid(file, BYTES[:4], columns=2)
    canvas = drawn(file)
    # each pixel is a square of so many: 13 x 9 of them with the gaps
    scale = images._GRID_PIXELS // 13
    margin = [(canvas.shape[0] - 13 * scale) // 2, (canvas.shape[1] - 9 * scale) // 2]
    rows = margin[0] + scale * np.arange(13) + scale // 2
    columns = margin[1] + scale * np.arange(9) + scale // 2
    grid = canvas[rows[:, None], columns]
    for k, (top, left) in enumerate([(0, 0), (0, 5), (7, 0), (7, 5)]):
        shown = grid[top : top + 6, left : left + 4]
        assert np.abs(shown - BYTES[k][..., None]).max() <= 1
    assert (np.ptp(grid[6], axis=-1) > 10).all()


def test_grid_in_colour(tmp_path):
    file = tmp_path / "grid.png"
    save_grid(file, COLOUR[:1])
    canvas = drawn(file)
    scale = images._GRID_PIXELS // 6
    margin = [(canvas.shape[0] - 6 * scale) // 2, (canvas.shape[1] - 4 * scale) // 2]
    rows = margin[0] + scale * np.arange(6) + scale // 2
    columns = margin[1] + scale * np.arange(4) + scale // 2
    grid = canvas[rows[:, None], columns]
    assert np.abs(grid - np.moveaxis(COLOUR[0], 0, -1)).max() <= 1


def test_grid_of_floats_is_clipped(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "_GRID_PIXELS", 50)
    stack = np.array([[[-1.0, 0.0], [0.5, 3.0]]])
    save_grid(tmp_path / "a.png", stack, vmin=0.0, vmax=1.0, gap=0)
    save_grid(tmp_path / "b.png", np.array([[[0, 0], [127.5, 255]]]), vmin=0, vmax=255)
    np.testing.assert_array_equal(drawn(tmp_path / "a.png"), drawn(tmp_path / "b.png"))
    save_grid(tmp_path / "c.png", np.ones((3, 4, 4)))
    assert (tmp_path / "c.png").stat().st_size > 100


def test_grid_in_a_file_without_an_ending_is_png(tmp_path):
    save_grid(tmp_path / "a", BYTES[:4])
    save_grid(tmp_path / "b.png", BYTES[:4])
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert not (tmp_path / "a").exists()


def test_grid_with_text(tmp_path):
    save_grid(tmp_path / "a.png", BYTES[:4], columns=2, row_labels=["a", "b"], title="title")
    save_grid(tmp_path / "b.png", BYTES[:4], columns=2)
    labelled, plain = drawn(tmp_path / "a.png"), drawn(tmp_path / "b.png")
    assert labelled.shape[0] > plain.shape[0]
    assert labelled.shape[1] > plain.shape[1]


@pytest.mark.parametrize(
    ("stack", "options", "message"),
    [
        (BYTES[0, 0], {}, "images must have shape"),
        (BYTES[:0], {}, "images must have shape"),
        (np.array([[["a"]]]), {}, "images must hold real numbers"),
        (RNG.random((2, 2, 4, 4)), {}, "images must have 1, 3 or 4 channels, got 2"),
        (BYTES, {"columns": 0}, "columns must be at least 1"),
        (BYTES, {"gap": -1}, "gap must be at least 0"),
        (BYTES, {"row_labels": ["a"], "columns": 1}, "row_labels must have 5 entries, got 1"),
    ],
)
def test_bad_grids(tmp_path, stack, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        save_grid(tmp_path / "a.png", stack, **options)
    assert not (tmp_path / "a.png").exists()


def test_animations(tmp_path):
    pictures = pytest.importorskip("PIL.Image")
    ramp = np.linspace(0.0, 1.0, 4)[:, None, None] * np.ones((8, 5))
    colour = np.stack([ramp, 0.0 * ramp, 1.0 - ramp], axis=1)
    for frames, first, last in (
        (ramp, [0, 0, 0], [255, 255, 255]),
        (ramp[:, None], [0, 0, 0], [255, 255, 255]),
        (np.rint(255 * ramp).astype(np.uint8), [0, 0, 0], [255, 255, 255]),
        (colour, [0, 0, 255], [255, 0, 0]),
    ):
        save_animation(tmp_path / "a.gif", frames, size=20)
        with pictures.open(tmp_path / "a.gif") as found:
            assert (found.n_frames, found.size) == (6, (10, 16))
            for frame, expected in ((0, first), (3, last)):
                found.seek(frame)
                pixels = np.asarray(found.convert("RGB"))
                assert (pixels == expected).all()


def test_bad_animations(tmp_path):
    pytest.importorskip("PIL")
    for frames, message in [
        (np.zeros((3, 4)), "frames must have shape"),
        (np.zeros((0, 4, 4)), "frames must have shape"),
        (np.zeros((2, 5, 4, 4)), "frames must have shape"),
        (np.full((2, 4, 4), np.nan), "frames must be finite"),
    ]:
        with pytest.raises(ValueError, match=message):
            save_animation(tmp_path / "a.gif", frames)
    with pytest.raises(ValueError, match="path must end in .gif"):
        save_animation(tmp_path / "a.png", np.zeros((2, 4, 4)))
