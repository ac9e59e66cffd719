"""The spool keeps what it took, whatever happens to the process, the file or the disk."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius.spool import (
    START,
    Position,
    SpoolBusy,
    SpoolFull,
    SpoolReader,
    SpoolUnavailable,
    SpoolWriter,
    segment_path,
    segments,
    spool_name,
    spool_of,
    spools_in,
)

RECORDS = [b"first", b"", b"\xca\x7a in the middle \xca\x7a\0\4", b"x" * 5_000, b"last"]


def write(directory: Path, *batches: list[bytes], **options: int) -> None:
    writer = SpoolWriter(directory, **options)
    for batch in batches:
        writer.append(batch)
    writer.close()


def read_all(directory: Path, position: Position = START, limit: int = 1 << 20) -> list[bytes]:
    reader = SpoolReader(directory)
    found: list[bytes] = []
    while True:
        payloads, position = reader.read(position, limit)
        if not payloads:
            return found
        found += payloads


@given(
    batches=st.lists(st.lists(st.binary(max_size=300), min_size=1, max_size=8), max_size=8), limit=st.integers(1, 2_000)
)
def test_gives_back_everything_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[bytes]], limit: int
) -> None:
    directory = tmp_path_factory.mktemp("spool")
    write(directory, *batches, segment_bytes=1_000)
    assert read_all(directory, limit=limit) == [payload for batch in batches for payload in batch]


def test_a_reader_follows_the_writer(tmp_path: Path) -> None:
    writer, reader = SpoolWriter(tmp_path, segment_bytes=100), SpoolReader(tmp_path)
    position, found = START, []
    for number in range(50):
        writer.append([b"record %d" % number])
        payloads, position = reader.read(position)
        found += payloads
        assert reader.read(position) == ([], position)
    writer.close()
    assert found == [b"record %d" % number for number in range(50)]
    assert len(segments(tmp_path)) > 5


def test_torn_at_any_byte_the_whole_records_are_read_and_new_ones_follow(tmp_path: Path) -> None:
    write(tmp_path / "whole", RECORDS)
    whole = segment_path(tmp_path / "whole", 1).read_bytes()
    ends = [sum(8 + len(each) for each in RECORDS[:count]) for count in range(len(RECORDS) + 1)]
    cuts = [*range(120), *range(len(whole) - 40, len(whole) + 1)]
    for cut in cuts:
        directory = tmp_path / str(cut)
        directory.mkdir()
        segment_path(directory, 1).write_bytes(whole[:cut])
        intact = RECORDS[: sum(end <= cut for end in ends[1:])]
        assert read_all(directory) == intact, f"cut at {cut}"
        write(directory, [b"after the crash"])
        assert read_all(directory) == [*intact, b"after the crash"], f"cut at {cut}"


def test_a_position_behind_a_torn_tail_goes_on_in_the_next_segment(tmp_path: Path) -> None:
    """What was read before the power went, but never reached the disk."""
    write(tmp_path, RECORDS)
    _, end = SpoolReader(tmp_path).read(START)
    os.truncate(segment_path(tmp_path, 1), 20)
    write(tmp_path, [b"after the crash"])
    assert read_all(tmp_path, end) == [b"after the crash"]


@given(at=st.integers(0, 5_100), flip=st.integers(1, 255))
def test_damage_costs_the_record_that_it_hits(tmp_path_factory: pytest.TempPathFactory, at: int, flip: int) -> None:
    directory = tmp_path_factory.mktemp("spool")
    write(directory, RECORDS)
    write(directory, [b"next segment"])
    path = segment_path(directory, 1)
    data = bytearray(path.read_bytes())
    at = min(at, len(data) - 1)
    data[at] ^= flip
    path.write_bytes(data)
    ends = [sum(8 + len(each) for each in RECORDS[: count + 1]) for count in range(len(RECORDS))]
    hit = next(index for index, end in enumerate(ends) if at < end)
    assert read_all(directory) == [*RECORDS[:hit], *RECORDS[hit + 1 :], b"next segment"]


def test_damage_that_fills_a_whole_read_is_stepped_over(tmp_path: Path) -> None:
    write(tmp_path, RECORDS)
    path = segment_path(tmp_path, 1)
    path.write_bytes(bytes(300_000) + path.read_bytes())
    write(tmp_path, [b"next segment"])
    assert read_all(tmp_path, limit=1_000) == [*RECORDS, b"next segment"]


def test_a_record_that_is_being_written_is_waited_for(tmp_path: Path) -> None:
    write(tmp_path, [b"whole"])
    path = segment_path(tmp_path, 1)
    payload = b"half now, half later"
    frame = b"\xca\x7a" + len(payload).to_bytes(2) + zlib.crc32(payload).to_bytes(4) + payload
    path.write_bytes(path.read_bytes() + frame[:12])
    reader = SpoolReader(tmp_path)
    payloads, position = reader.read(START)
    assert (payloads, reader.read(position)) == ([b"whole"], ([], position))
    path.write_bytes(path.read_bytes() + frame[12:])
    assert reader.read(position)[0] == [payload]


def test_damage_is_only_stepped_over_where_nobody_writes_any_more(tmp_path: Path) -> None:
    write(tmp_path, [b"first", b"second"])
    path = segment_path(tmp_path, 1)
    path.write_bytes(b"\0" + path.read_bytes()[1:])
    assert SpoolReader(tmp_path).read(START)[0] == []
    write(tmp_path, [b"third"])
    assert read_all(tmp_path) == [b"second", b"third"]


def test_drained_segments_go_and_their_numbers_do_not_come_again(tmp_path: Path) -> None:
    write(tmp_path, [b"one"], [b"two"], segment_bytes=1)
    reader = SpoolReader(tmp_path)
    end = Position(*reader.read(Position(2, 0))[1])
    reader.drop_before(end)
    assert segments(tmp_path) == [2], "the last one stays, so that its number is not given again"
    write(tmp_path, [b"three"])
    assert segments(tmp_path) == [2, 3]
    assert read_all(tmp_path, end) == [b"three"]
    reader.drop_before(Position(2, 0))
    assert segments(tmp_path) == [2, 3], "what is not drained stays"


def test_a_full_spool_refuses_and_takes_again_once_it_is_drained(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, segment_bytes=100, limit_bytes=350)
    for _ in range(3):
        writer.append([bytes(80)])
    with pytest.raises(SpoolFull):
        writer.append([bytes(80)])
    reader = SpoolReader(tmp_path)
    position = START
    for _ in range(3):
        position = reader.read(position, 1)[1]
    reader.drop_before(position)
    writer.append([b"room again"])
    writer.close()
    assert read_all(tmp_path, position) == [b"room again"]


def test_two_writers_are_one_too_many(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path)
    with pytest.raises(SpoolBusy):
        SpoolWriter(tmp_path)
    writer.close()
    SpoolWriter(tmp_path).close()


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SpoolUnavailable):
        SpoolWriter(tmp_path / "file" / "spool")


def test_every_spool_is_found_whoever_wrote_it(tmp_path: Path) -> None:
    first = tmp_path / "spool"
    made = [spool_of(first, number) for number in (1, 2, 10)] + [tmp_path / "spool-radsec"]
    assert made[0] == first
    for directory in made:
        write(directory, [b"record"])
    for other in ("spool-", "spool.old", "spools", "metrics"):
        (tmp_path / other).mkdir()
    (tmp_path / "spool-3").write_text("a file")
    assert spools_in(tmp_path) == sorted(made)
    assert spools_in(tmp_path / "nowhere") == []


def test_a_spool_has_a_name_of_its_own_for_life(tmp_path: Path) -> None:
    name = spool_name(tmp_path / "one")
    assert spool_name(tmp_path / "one") == name
    assert spool_name(tmp_path / "two") != name
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["name"]


def _in_child(work: Callable[[Path], None], directory: Path) -> int | None:
    child = multiprocessing.get_context("fork").Process(target=work, args=(directory,))
    child.start()
    child.join(20)
    return child.exitcode


def _fill_a_small_disk(directory: Path) -> None:
    """With files of at most 4000 bytes the disk is full in the middle of a batch."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, resource.RLIM_INFINITY))
    writer = SpoolWriter(directory)
    writer.append([b"a" * 3_000])
    for _ in range(3):
        try:
            writer.append([b"b" * 600, b"c" * 6_000])
        except SpoolFull:
            continue
        os._exit(3)
    writer.append([b"d" * 3_000])
    writer.close()
    os._exit(0)


def test_a_disk_that_is_full_keeps_what_it_has_and_nothing_of_the_batch(tmp_path: Path) -> None:
    assert _in_child(_fill_a_small_disk, tmp_path) == 0
    assert read_all(tmp_path) == [b"a" * 3_000, b"d" * 3_000]
    assert len(segments(tmp_path)) <= 3, "failed tries leave no litter"


def _write_until_killed(directory: Path) -> None:
    writer = SpoolWriter(directory)
    progress = os.open(directory / "progress", os.O_WRONLY | os.O_CREAT)
    for number in range(10**9):
        writer.append([b"%d" % number] * 3)
        os.pwrite(progress, b"%d" % number, 0)


def test_what_was_durable_is_there_after_kill_9(tmp_path: Path) -> None:
    child = multiprocessing.get_context("fork").Process(target=_write_until_killed, args=(tmp_path,))
    child.start()
    progress = tmp_path / "progress"
    while not progress.exists() or int(progress.read_bytes() or b"0") < 50:
        assert child.is_alive()
    child.kill()
    child.join(20)
    last = int(progress.read_bytes())
    expected = [b"%d" % number for number in range(last + 1) for _ in range(3)]
    assert read_all(tmp_path)[: len(expected)] == expected
    SpoolWriter(tmp_path).close()
