"""The last rejects: from a worker's socket into the table, within bounds, and out again at the API."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

import radius.reject_book
import radius.reject_collector
from core.database import Database
from core.errors import Unavailable
from core.job_queue import Job
from core.runtime import Runtime
from radius import nas
from radius.models import AccessReject, NasSighting
from radius.reject_book import (
    CALLERS_AN_HOUR,
    KEPT,
    Bounds,
    keep_rejects,
    keep_sightings,
    last_rejects,
    place_of,
    purge_rejects,
)
from radius.reject_collector import RejectCollector
from radius.reject_events import Folded, Kind, RejectSender, events_socket
from tests.factories_api import Client, opened
from tests.factories_metrics import reject_note
from tests.outage import outage
from tests.scenarios.waiting import until
from tests.ticking import FakeClock

ANA = Kind(b"ana", "wrong_password", 1, b"02:00:5E:10:00:01")


def at(clock: FakeClock) -> float:
    return clock().timestamp()


def folded(clock: FakeClock, times: int = 1, subscription_id: int = 7, detail: str = "") -> Folded:
    return Folded(detail, subscription_id, at(clock), at(clock), times)


def keep(database: Database, bounds: Bounds, rejects: dict[Kind, Folded]) -> int:
    with database.transaction() as tx:
        return keep_rejects(tx, rejects, bounds)


def rows(database: Database) -> list[AccessReject]:
    with database.reading() as tx:
        return last_rejects(tx, limit=10_000)


def checks(database: Database) -> list[str]:
    with database.reading() as tx:
        return list(tx.session.scalars(select(Job.key).where(Job.kind == "session.check").order_by(Job.id)))


def test_rejects_of_one_kind_are_one_row(database: Database, clock: FakeClock) -> None:
    bounds = Bounds()
    strange = Kind(b"\xff\0x", "unknown_user", 2, b"")
    keep(database, bounds, {ANA: folded(clock, 3, detail="old"), strange: folded(clock, subscription_id=0)})
    began = clock()
    clock.advance(minutes=5)
    keep(database, bounds, {ANA: folded(clock, 2, detail="new")})
    first, second = rows(database)
    assert (first.login, first.reason, first.nas_id, first.times) == ("ana", "wrong_password", 1, 5)
    assert (first.first_at, first.last_at, first.detail) == (began, clock(), "new")
    assert (first.subscription_id, first.calling_station_id) == (7, "02:00:5E:10:00:01")
    assert (second.login, second.subscription_id, second.times) == ("hex:ff0078", None, 1)


def test_what_comes_late_or_without_its_subscription_spoils_nothing(database: Database, clock: FakeClock) -> None:
    keep(database, Bounds(), {ANA: folded(clock)})
    earlier = Folded("", 0, at(clock) - 60, at(clock) - 30)
    keep(database, Bounds(), {ANA: earlier})
    [row] = rows(database)
    assert (row.first_at, row.last_at) == (clock() - timedelta(seconds=60), clock())
    assert (row.subscription_id, row.times) == (7, 2)


def test_names_at_random_cannot_fill_the_table(
    database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(radius.reject_book, "STRANGERS_AN_HOUR", 100)
    bounds, left_out = Bounds(), 0
    for batch in range(4):
        names = [Kind(b"%d-%d" % (batch, n), "unknown_user", 1, b"") for n in range(40)]
        left_out += keep(database, bounds, {name: folded(clock, 2, 0) for name in names})
        clock.advance(minutes=1)
    assert (len(rows(database)), left_out) == (100, 2 * 60)
    known = Kind(b"0-0", "unknown_user", 1, b"")
    assert keep(database, bounds, {known: folded(clock, 1, 0), ANA: folded(clock)}) == 0, "rows there are go on"
    assert next(row.times for row in rows(database) if row.login == "0-0") == 3
    assert keep(database, Bounds(), {Kind(b"new", "unknown_user", 1, b""): folded(clock, 1, 0)}) == 1, (
        "a process that was started again knows what the hour has had"
    )
    clock.advance(hours=1)
    assert keep(database, bounds, {Kind(b"new", "unknown_user", 1, b""): folded(clock, 1, 0)}) == 0


def test_a_subscription_called_from_everywhere_has_one_row_for_the_rest(database: Database, clock: FakeClock) -> None:
    bounds = Bounds()
    for n in range(CALLERS_AN_HOUR + 15):
        keep(database, bounds, {ANA._replace(calling_station_id=b"%012x" % n): folded(clock)})
    keep(database, bounds, {ANA._replace(login=b"bia"): folded(clock, subscription_id=8)})
    callers = {row.calling_station_id: row.times for row in rows(database) if row.subscription_id == 7}
    assert len(callers) == CALLERS_AN_HOUR + 1
    assert callers[""] == 15
    assert len(rows(database)) == CALLERS_AN_HOUR + 2


def test_the_session_limit_has_the_session_checked_but_not_all_the_time(database: Database, clock: FakeClock) -> None:
    bounds = Bounds()
    limit = {ANA._replace(reason="session_limit"): folded(clock), ANA: folded(clock, subscription_id=9)}
    for _ in range(3):
        keep(database, bounds, limit)
        with database.transaction() as tx:  # a job that still waits would take in the next one by itself
            for job in tx.session.scalars(select(Job)):
                job.status = "done"
        clock.advance(seconds=3)
    assert checks(database) == ["7"]
    clock.advance(seconds=2)
    keep(database, bounds, limit)
    assert checks(database) == ["7", "7"]


def test_pages_are_in_order_of_the_last_time_and_miss_nothing(database: Database, clock: FakeClock) -> None:
    bounds = Bounds()
    names = [Kind(b"%d" % n, "unknown_user", 1, b"") for n in range(7)]
    keep(database, bounds, {name: folded(clock, 1, 0) for name in names})
    clock.advance(seconds=1)
    keep(database, bounds, {names[3]: folded(clock, 1, 0)})
    found: list[str] = []
    place = None
    with database.reading() as tx:
        while page := last_rejects(tx, after=place, limit=2):
            found += [row.login for row in page]
            place = place_of(page[-1])
    assert found[0] == "3"
    assert sorted(found) == [str(n) for n in range(7)]


def test_what_is_old_is_forgotten(runtime: Runtime, clock: FakeClock) -> None:
    keep(runtime.database, Bounds(), {ANA: folded(clock)})
    clock.advance(days=KEPT.days - 1)
    keep(runtime.database, Bounds(), {ANA._replace(nas_id=2): folded(clock)})
    clock.advance(days=2)
    purge_rejects(runtime)
    assert [row.nas_id for row in rows(runtime.database)] == [2]


@pytest.mark.parametrize(
    ("seen", "then", "stored"),
    [
        ((1.0, None, None), (None, 2.0, None), (1, 2, None)),
        ((5.0, 5.0, None), (3.0, 7.0, 6.0), (5, 7, 6)),
        ((None, None, 4.0), (None, None, 4.0), (None, None, 4)),
    ],
    ids=["another kind", "the later one counts", "twice the same"],
)
def test_sightings_are_kept(
    database: Database,
    seen: tuple[float | None, ...],
    then: tuple[float | None, ...],
    stored: tuple[int | None, ...],
) -> None:
    for told in (seen, then):
        with database.transaction() as tx:
            keep_sightings(tx, {3: told, 4: (9.0, None, None)})  # type: ignore[dict-item]
    with database.reading() as tx:
        row = tx.session.get_one(NasSighting, 3)
        instants = (row.signed_at, row.unsigned_at, row.refused_at)
        assert instants == tuple(at and datetime.fromtimestamp(at, UTC) for at in stored)


@pytest.fixture
def collector(database: Database, tmp_path: Path) -> Iterator[RejectCollector]:
    made = RejectCollector(database, events_socket(tmp_path))
    made.open()
    yield made
    made.close()


@pytest.fixture
def sender(tmp_path: Path) -> Iterator[RejectSender]:
    made = RejectSender(events_socket(tmp_path))
    yield made
    made.close()


def test_from_the_worker_to_the_table(
    database: Database, collector: RejectCollector, sender: RejectSender, clock: FakeClock
) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=collector.run, args=(stop,))
    thread.start()
    sender.note(reject_note(at=at(clock)))
    sender.see({1: (0, 1, 0)}, at(clock))
    sender.flush()
    until(lambda: rows(database), "the reject is in the table")
    sender.note(reject_note(at=at(clock)))
    sender.flush()
    stop.set()
    thread.join()
    assert [row.times for row in rows(database)] == [2], "what came before the end is written too"
    assert collector.counters() == {
        ("reject_note", "written"): 2, ("reject_note", "left_out"): 0, ("reject_note", "dropped"): 0,
    }  # fmt: skip
    with database.reading() as tx:
        assert tx.session.scalar(select(func.count()).select_from(NasSighting)) == 1


def test_while_the_database_is_away_rejects_wait_within_bounds(
    database: Database,
    collector: RejectCollector,
    sender: RejectSender,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(radius.reject_collector, "MOST_KINDS", 10)

    def tell(*names: int) -> None:
        for n in names:
            sender.note(reject_note(b"%d" % n, at=at(clock)))
        sender.flush()
        collector.listen(0.0)

    with outage(database, "access_reject"):
        for names in (range(8), range(6, 15), range(2)):
            tell(*names)
            with pytest.raises(Unavailable):
                collector.write()
    collector.write()
    assert sum(row.times for row in rows(database)) == 8 + 4 + 2
    assert len(rows(database)) == 10
    assert collector.counters()["reject_note", "dropped"] == 5
    assert collector.counters()["reject_note", "written"] == 14


def test_what_could_not_be_written_has_used_up_nothing(
    database: Database,
    collector: RejectCollector,
    sender: RejectSender,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(radius.reject_book, "STRANGERS_AN_HOUR", 10)
    for n in range(6):
        sender.note(reject_note(b"%d" % n, "unknown_user", at=at(clock), subscription_id=0))
    sender.flush()
    collector.listen(0.0)

    def fail(*_: object) -> None:
        raise Unavailable("gone at the last moment")

    with monkeypatch.context() as broken:
        broken.setattr(radius.reject_collector, "keep_sightings", fail)
        for _ in range(3):
            with pytest.raises(Unavailable):
                collector.write()
    collector.write()
    assert len(rows(database)) == 6
    assert collector.counters()["reject_note", "left_out"] == 0


def test_the_api_tells_why_in_words(runtime: Runtime, clock: FakeClock) -> None:
    client = Client(runtime)
    subscription = opened(client, "maria@provedor")
    with runtime.database.transaction() as tx:
        router = nas.add_nas(tx, name="pop-centro", network="192.0.2.1", secret="kX7-two-dozen-random")
        nas_id = router.id
    limit = Kind(b"maria@provedor", "session_limit", nas_id, b"")
    keep(
        runtime.database,
        Bounds(),
        {
            limit: folded(clock, 4, subscription, "other session from 02:00:5E:10:00:09 at NAS pop-norte"),
            Kind(b"nobody", "unknown_user", 99, b""): folded(clock, 1, 0),
        },
    )
    answer = client.get(f"/subscriptions/{subscription}/rejects")
    [told] = answer.content["items"]
    assert told["words"] == "session limit, other session from 02:00:5E:10:00:09 at NAS pop-norte"
    assert told["words_pt"].startswith("limite de sessões, ")
    assert (told["nas_name"], told["times"], told["login"]) == ("pop-centro", 4, "maria@provedor")
    assert client.get("/subscriptions/999/rejects").status == 404
    [other] = client.get("/rejects", login="nobody").content["items"]
    assert (other["nas_name"], other["subscription_id"], other["words"]) == (
        None,
        None,
        "no subscription has this login",
    )
    assert client.get("/rejects", nas=nas_id).content["items"] == [told]
    assert client.get("/rejects", reason="eap_not_offered").content["items"] == []
    first = client.get("/rejects", limit=1).content
    second = client.get("/rejects", limit=1, after=first["next"]).content
    assert {first["items"][0]["login"], second["items"][0]["login"]} == {"maria@provedor", "nobody"}
    assert second["next"] is None


def test_the_api_tells_which_nas_sign(runtime: Runtime, clock: FakeClock) -> None:
    client = Client(runtime)
    with runtime.database.transaction() as tx:
        for number, name in enumerate(["silent", "signs", "never signs"], 1):
            secret = "kX7-two-dozen-random"
            router = nas.add_nas(
                tx, name=name, network=f"192.0.2.{number}", secret=secret, require_message_authenticator=False
            )
            seen = {"silent": None, "signs": (at(clock), None, None), "never signs": (None, at(clock), None)}[name]
            if seen:
                keep_sightings(tx, {router.id: seen})
    told = {each["nas_name"]: each["verdict"] for each in client.get("/nas/message-authenticator").content["items"]}
    assert told == {"silent": "never_heard", "signs": "safe", "never signs": "unsigned"}
    page = client.get("/nas/message-authenticator", limit=2).content
    [last] = client.get("/nas/message-authenticator", limit=2, after=page["next"]).content["items"]
    assert last["nas_name"] == "never signs"


def test_a_socket_that_cannot_be_made_is_tried_again(database: Database, tmp_path: Path) -> None:
    place = tmp_path / "host"
    place.write_text("a file where the directory should be")
    collector = RejectCollector(database, events_socket(place))
    collector.listen(0.0)
    place.unlink()
    collector.listen(0.0)
    assert events_socket(place).exists()
    collector.close()
    assert not events_socket(place).exists()
