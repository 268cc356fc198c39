"""Files that are replaced as a whole, by threads and processes, also by those that are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from stat import S_ISDIR as is_folder

import numpy as np
import pytest
from test_solution import by_hand

import geomot
from geomot import load
from geomot._files import replacing as _saving
from geomot._files.replacing import replacing, replacing_folder, replacing_text

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX")
not_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)

# A process that stops in the middle of writing a.txt.
HALF_WRITTEN = """
import sys, time
from geomot._files.replacing import replacing
with replacing(sys.argv[1]) as file:
    file.write(b"half")
    file.flush()
    print("ready", flush=True)
    time.sleep(600)
"""

SAVES = """
import sys
from geomot import load
solution = load(sys.argv[1])
for _ in range(40):
    solution.save(sys.argv[2])
"""


def run(code, *arguments):
    """A Python process that finds the package under test."""
    root = Path(geomot.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def refusals(path, read, busy):
    """Read as long as something is busy; what went wrong."""
    found = []
    while busy():
        try:
            read(path)
        except Exception as error:
            found.append(error)
    return found


def in_threads(*functions):
    """Start one thread for each; their errors."""
    errors = []

    def guarded(function):
        try:
            function()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(f,)) for f in functions]
    for thread in threads:
        thread.start()
    return threads, errors


def test_threads_that_save_to_one_path(tmp_path):
    path = tmp_path / "map.npz"
    solutions = [by_hand(n) for n in (30, 60, 90, 120)]
    solutions[0].save(path)

    def save(solution):
        for _ in range(20):
            solution.save(path)

    threads, errors = in_threads(*(lambda s=s: save(s) for s in solutions))
    refused = refusals(path, load, lambda: any(t.is_alive() for t in threads))
    assert errors == []
    assert refused == []
    assert load(path) in solutions
    assert os.listdir(tmp_path) == ["map.npz"]


def test_processes_that_save_to_one_path(tmp_path):
    path = tmp_path / "map.npz"
    by_hand(30).save(tmp_path / "a.npz")
    by_hand(90).save(tmp_path / "b.npz")
    by_hand(30).save(path)
    processes = [run(SAVES, tmp_path / name, path) for name in ("a.npz", "b.npz")]
    refused = refusals(path, load, lambda: any(p.poll() is None for p in processes))
    assert [p.wait() for p in processes] == [0, 0]
    assert refused == []
    assert load(path) in (by_hand(30), by_hand(90))
    assert sorted(os.listdir(tmp_path)) == ["a.npz", "b.npz", "map.npz"]


@posix
def test_what_a_killed_save_leaves_goes_with_the_next_when_it_is_old(tmp_path):
    path = tmp_path / "a.txt"
    replacing_text(path, "whole")
    process = run(HALF_WRITTEN, path)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert path.read_text() == "whole"
    (left,) = (p for p in tmp_path.iterdir() if p != path)
    assert left.name.startswith(".a.txt.")
    assert left.name.endswith(".partial")
    # It might be that of a process which is still writing, until it is an hour old.
    replacing_text(path, "again")
    assert left.exists()
    replacing_text(tmp_path / "other.txt", "of another file")
    hour_ago = path.stat().st_mtime - 3601
    os.utime(left, (hour_ago, hour_ago))
    replacing_text(path, "at last")
    assert sorted(os.listdir(tmp_path)) == ["a.txt", "other.txt"]
    assert path.read_text() == "at last"


def test_files_of_others_are_never_taken_for_leftovers(tmp_path):
    names = [".a.txt.partial", ".a.txt.0123.partial", "a.txt.0123456789abcdef.partial", ".a.txt"]
    for name in names:
        (tmp_path / name).write_text("mine")
        os.utime(tmp_path / name, (0, 0))
    replacing_text(tmp_path / "a.txt", "new")
    assert sorted(os.listdir(tmp_path)) == sorted([*names, "a.txt"])


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, MemoryError])
def test_an_exception_leaves_everything_as_it_was(tmp_path, error):
    path = tmp_path / "a.txt"
    with pytest.raises(error), replacing(path) as file:
        file.write(b"half")
        raise error
    assert os.listdir(tmp_path) == []
    path.write_text("old")
    with pytest.raises(error), replacing(path) as file:
        file.write(b"half")
        raise error
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


@posix
def test_a_full_disk_leaves_the_old_file(tmp_path):
    """A process that may write 10 kB and no more."""
    code = """
import resource, signal, sys
from geomot._files.replacing import replacing
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    with replacing(sys.argv[1]) as file:
        file.write(bytes(20_000))
except OSError as error:
    print(type(error).__name__, error.errno is not None)
"""
    path = tmp_path / "a.txt"
    path.write_text("old")
    process = run(code, path)
    assert process.communicate()[0] == "OSError True\n"
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


@posix
def test_content_is_on_the_disk_before_the_name(tmp_path, monkeypatch):
    steps = []
    fsync, replace = os.fsync, os.replace

    def record_fsync(handle):
        found = os.fstat(handle)
        steps.append(("folder", None) if is_folder(found.st_mode) else ("file", found.st_size))
        fsync(handle)

    def record_replace(*names):
        steps.append(("replace", None))
        replace(*names)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(os, "replace", record_replace)
    replacing_text(tmp_path / "a.txt", "12345")
    assert steps == [("file", 5), ("replace", None), ("folder", None)]


@posix
def test_a_folder_that_cannot_be_synced_is_no_error(tmp_path, monkeypatch):
    fsync = os.fsync

    def only_files(handle):
        if is_folder(os.fstat(handle).st_mode):
            raise OSError(22, "Invalid argument")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", only_files)
    replacing_text(tmp_path / "a.txt", "12345")
    assert (tmp_path / "a.txt").read_text() == "12345"


# ---- as an ordinary open would have it ----


@posix
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_permissions_of_new_files_follow_the_umask(tmp_path, mask):
    before = os.umask(mask)
    try:
        replacing_text(tmp_path / "ours", "new")
        (tmp_path / "plain").write_text("new")
    finally:
        os.umask(before)
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


@posix
@pytest.mark.parametrize("mode", [0o600, 0o664, 0o755])
def test_permissions_of_replaced_files_are_kept(tmp_path, mode):
    path = tmp_path / "a.txt"
    path.write_text("old")
    path.chmod(mode)
    replacing_text(path, "new")
    assert path.stat().st_mode & 0o777 == mode


@posix
@not_root
def test_write_protected_files_are_not_replaced(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    path.chmod(0o444)
    with pytest.raises(PermissionError, match=r"a\.txt"):
        replacing_text(path, "new")
    assert path.read_text() == "old"


@posix
def test_links_are_followed(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "far" / "a.txt")
    for text in ("new", "newer"):  # at first the link leads nowhere
        replacing_text(tmp_path / "link", text)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "far" / "a.txt").read_text() == text
    assert os.listdir(tmp_path / "far") == ["a.txt"]


def test_the_longest_names(tmp_path):
    for name in ("x" * 255, "ü" * 127, "x" + "ü" * 127):
        replacing_text(tmp_path / name, name)
        assert (tmp_path / name).read_text(encoding="utf-8") == name
    assert len(os.listdir(tmp_path)) == 3


def test_places_refused(tmp_path):
    for bad in (None, 3, b"a.txt"):
        with pytest.raises(TypeError, match="path must be a string or path"):
            replacing_text(bad, "new")
    with pytest.raises(ValueError, match="path must name a regular file"):
        replacing_text(tmp_path, "new")
    # realpath would drop the separator, and a file of that name appear
    with pytest.raises(ValueError, match="path must name a file"):
        replacing_text(str(tmp_path / "results") + os.sep, "new")
    with pytest.raises(FileNotFoundError, match=r"missing.a\.txt'$"):
        replacing_text(tmp_path / "missing" / "a.txt", "new")
    assert os.listdir(tmp_path) == []


# ---- folders ----


def test_threads_that_replace_one_folder(tmp_path):
    names = ("a", "b")
    target = tmp_path / "model"

    def save(k):
        for _ in range(30):
            with replacing_folder(target, names) as folder:
                for name in names:
                    (folder / name).write_text(f"{k}")

    threads, errors = in_threads(*(lambda k=k: save(k) for k in range(4)))
    for thread in threads:
        thread.join()
    assert errors == []
    assert os.listdir(tmp_path) == ["model"]
    assert sorted(os.listdir(target)) == ["a", "b"]
    assert (target / "a").read_text() == (target / "b").read_text()


@posix
def test_a_replaced_folder_keeps_its_permissions(tmp_path):
    target = tmp_path / "model"
    for text in ("old", "new"):
        with replacing_folder(target, ("a",)) as folder:
            (folder / "a").write_text(text)
        if text == "old":
            target.chmod(0o750)
            (target / "a").chmod(0o600)
    assert (target / "a").read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o750
    assert (target / "a").stat().st_mode & 0o777 == 0o600


def test_a_failed_folder_leaves_the_old_one(tmp_path):
    target = tmp_path / "model"
    with replacing_folder(target, ("a",)) as folder:
        (folder / "a").write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing_folder(target, ("a",)) as folder:
        (folder / "a").write_text("half")
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == ["model"]
    assert (target / "a").read_text() == "old"


def test_what_killed_saves_of_a_folder_leave_goes_with_the_next(tmp_path):
    target = tmp_path / "model"
    left = _saving._beside(target, "partial")
    old = _saving._beside(target, "old")
    for folder in (left, old):
        folder.mkdir()
        (folder / "a").write_text("left")
    assert _saving.put_aside(target) == [old]
    os.utime(left, (0, 0))
    with replacing_folder(target, ("a",)) as folder:
        (folder / "a").write_text("new")
    assert os.listdir(tmp_path) == ["model"]
    assert (target / "a").read_text() == "new"


def test_foreign_files_in_a_folder_put_aside_are_kept(tmp_path):
    """Somebody may have put them in while the new folder was being written."""
    target = tmp_path / "model"
    with replacing_folder(target, ("a",)) as folder:
        (folder / "a").write_text("old")
    with replacing_folder(target, ("a",)) as folder:
        (folder / "a").write_text("new")
        (target / "mine.txt").write_text("precious")
    assert [p.read_text() for p in tmp_path.glob(".*/mine.txt")] == ["precious"]
    assert os.listdir(target) == ["a"]


def test_arrays_written_through_it_are_numpys(tmp_path):
    rows = np.arange(12.0).reshape(3, 4)
    with replacing(tmp_path / "a.npy") as file:
        np.save(file, rows)
    with replacing(tmp_path / "a.csv") as file:
        np.savetxt(file, rows, delimiter=",")
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), rows)
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "a.csv", delimiter=","), rows)
