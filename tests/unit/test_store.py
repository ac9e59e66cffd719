"""The replica file: what the feeder applies is what workers see, whole, in another process too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from radius.store import RecordStore, StoreUnavailable


def test_a_new_store_is_empty_and_makes_its_directory(tmp_path: Path) -> None:
    store = RecordStore(tmp_path / "radius" / "records.lmdb")
    assert store.revision() == 0
    assert store.get(b"uana") is None
    store.close()


def test_entries_are_written_replaced_and_deleted_with_their_revision(tmp_path: Path) -> None:
    store = RecordStore(tmp_path / "records.lmdb")
    store.apply({b"uana": b"1", b"ueva": b"1"}, 5)
    store.apply({b"uana": b"2", b"ueva": None, b"unobody": None}, 2**40)
    assert (store.get(b"uana"), store.get(b"ueva"), store.revision()) == (b"2", None, 2**40)
    store.close()


def test_replacing_leaves_nothing_of_before(tmp_path: Path) -> None:
    store = RecordStore(tmp_path / "records.lmdb")
    store.apply({b"uana": b"1", b"ueva": b"1"}, 5)
    store.apply({b"uana": b"2"}, 3, replace=True)
    with store.snapshot() as snapshot:
        assert dict(snapshot.scan(b"u")) == {b"uana": b"2"}
        assert snapshot.revision() == 3
    store.close()


def test_a_snapshot_stays_as_it_was_and_the_next_one_is_newer(tmp_path: Path) -> None:
    store = RecordStore(tmp_path / "records.lmdb")
    store.apply({b"uana": b"1"}, 1)
    with store.snapshot() as before:
        store.apply({b"uana": b"2"}, 2)
        assert (before.get(b"uana"), before.revision()) == (b"1", 1)
        with store.snapshot() as after:
            assert (after.get(b"uana"), after.revision()) == (b"2", 2)
            assert after.generation() != before.generation()
    store.close()


def test_an_unapplied_batch_leaves_no_trace(tmp_path: Path) -> None:
    store = RecordStore(tmp_path / "records.lmdb")
    store.apply({b"uana": b"1"}, 1)
    with pytest.raises(StoreUnavailable):
        store.apply({b"uana": b"2", b"u" * 600: b"too long a key"}, 2)
    assert (store.get(b"uana"), store.revision()) == (b"1", 1)
    store.close()


def test_a_full_store_says_so_and_goes_on_reading(tmp_path: Path) -> None:
    store = RecordStore(tmp_path / "records.lmdb", map_size=1 << 16)
    store.apply({b"uana": b"1"}, 1)
    with pytest.raises(StoreUnavailable):
        store.apply({b"u%d" % number: bytes(1000) for number in range(100)}, 2)
    assert (store.get(b"uana"), store.revision()) == (b"1", 1)
    store.close()


def test_scan_gives_one_kind_of_entry_in_order(tmp_path: Path) -> None:
    store = RecordStore(tmp_path / "records.lmdb")
    store.apply({b"n2": b"b", b"n10": b"a", b"uana": b"", b"m123456": b""}, 1)
    with store.snapshot() as snapshot:
        assert list(snapshot.scan(b"n")) == [(b"n10", b"a"), (b"n2", b"b")]
        assert list(snapshot.scan(b"z")) == []
    store.close()


def test_stores_of_one_path_in_one_process_share_it(tmp_path: Path) -> None:
    path = tmp_path / "records.lmdb"
    feeder, worker = RecordStore(path), RecordStore(path)
    feeder.apply({b"uana": b"1"}, 1)
    feeder.close()
    feeder.close()
    assert worker.get(b"uana") == b"1"
    worker.close()
    again = RecordStore(path)
    assert again.get(b"uana") == b"1"
    again.close()


def test_another_process_sees_what_was_applied(tmp_path: Path) -> None:
    path = tmp_path / "records.lmdb"
    store = RecordStore(path)
    store.apply({b"uana": b"from the feeder"}, 1)
    script = "import sys, pathlib, radius.store as s; print(s.RecordStore(pathlib.Path(sys.argv[1])).get(b'uana'))"
    run = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "b'from the feeder'"
    store.close()


def test_a_file_that_is_no_store_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "records.lmdb"
    path.write_bytes(b"not an LMDB file" * 1000)
    with pytest.raises(StoreUnavailable):
        RecordStore(path)


def test_a_directory_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "radius").write_text("a file in the way")
    with pytest.raises(StoreUnavailable):
        RecordStore(tmp_path / "radius" / "records.lmdb")
