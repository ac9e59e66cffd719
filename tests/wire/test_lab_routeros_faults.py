"""The emulated router's faults: what they do to a connection, to a command, and what is left afterwards."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

import librouteros
import pytest

from lab.routeros.emulator import EmulatedRouter
from tests.factories_routeros import RawClient, bare_api, refused


def add(client: RawClient, name: str) -> list[list[str]]:
    return client.ask("/ppp/secret/add", f"=name={name}")


def names(router: EmulatedRouter) -> list[str]:
    return [row["name"] for row in router.rows("/ppp/secret")]


def eventually(holds: Callable[[], bool]) -> bool:
    """Whether it does within some seconds."""
    for _ in range(500):
        if holds():
            return True
        time.sleep(0.01)
    return False


def is_silent(client: RawClient) -> bool:
    client.socket.settimeout(0.1)
    try:
        return not client.socket.recv(1, socket.MSG_PEEK)
    except TimeoutError:
        return True
    finally:
        client.socket.settimeout(5.0)


@pytest.mark.parametrize("carried_out", [False, True])
def test_hang_after_some_sentences_until_healed(carried_out: bool) -> None:
    with EmulatedRouter() as router, RawClient(router) as client:
        router.faults.hang(after=1, carried_out=carried_out)
        assert add(client, "ana")[0][0] == "!done"
        client.send(["/ppp/secret/add", "=name=bia"])
        assert router.faults.wait_until_hanging(10)
        assert eventually(lambda: names(router) == ["ana", "bia"][: 1 + carried_out])
        assert is_silent(client)
        with RawClient(router, log_in=False) as other:
            other.send(["/login"])
            assert is_silent(other)
        router.faults.heal()
        assert client.answer() == [["!done", "=ret=*2"]]
        assert names(router) == ["ana", "bia"]


def test_a_client_that_leaves_a_hanging_router_has_nothing_more_done() -> None:
    with EmulatedRouter() as router:
        with RawClient(router) as client:
            router.faults.hang()
            client.send(["/ppp/secret/add", "=name=ana"], ["/ppp/secret/add", "=name=bia"])
            assert router.faults.wait_until_hanging(10)
        router.faults.heal()
        with RawClient(router) as client:
            assert add(client, "caio")[0][0] == "!done"
        assert names(router) == ["caio"]


def test_a_late_answer_is_taken_for_the_next_commands_by_bare_librouteros() -> None:
    with EmulatedRouter() as router, bare_api(router) as api:
        router.faults.hang()
        api.protocol.transport.sock.settimeout(0.1)
        with pytest.raises(TimeoutError):
            list(api("/system/identity/print"))
        api.protocol.transport.sock.settimeout(5.0)
        router.faults.heal()
        assert next(iter(api("/ppp/profile/print")))["name"] == "borda-api-1"


@pytest.mark.parametrize("mid_sentence", [False, True])
def test_reset(mid_sentence: bool) -> None:
    with EmulatedRouter() as router:
        with RawClient(router) as client:
            router.faults.reset(after=1, mid_sentence=mid_sentence)
            add(client, "ana")
            with pytest.raises((ConnectionError, librouteros.exceptions.ConnectionClosed)):
                add(client, "bia")
        assert names(router) == ["ana", "bia"][: 1 + mid_sentence]
        with RawClient(router) as client:
            assert add(client, "caio")[0][0] == "!done"


def test_reset_again_and_again() -> None:
    with EmulatedRouter() as router:
        router.faults.reset(times=None)
        for _ in range(3):
            with RawClient(router, log_in=False) as client:
                client.send(["/login"])
                assert client.ended()
        router.faults.heal()
        with RawClient(router) as client:
            assert add(client, "ana")[0][0] == "!done"


def test_fatal() -> None:
    with EmulatedRouter() as router, RawClient(router) as client:
        router.faults.fatal("session killed", after=1)
        add(client, "ana")
        assert add(client, "bia") == [["!fatal", "session killed"]]
        assert client.ended()
        assert names(router) == ["ana"]


def test_trap_of_a_menu_or_a_command_some_times() -> None:
    with EmulatedRouter() as router, bare_api(router) as api:
        router.faults.trap("/ppp/secret/add", "failure: busy", category=4, times=2)
        router.faults.trap("/queue", "not enough permissions (9)")
        secrets = api.path("/ppp/secret")
        assert [refused(lambda: secrets.add(name="ana")) for _ in range(2)] == ["failure: busy"] * 2
        assert secrets.add(name="ana") == "*1"
        assert refused(lambda: list(api("/queue/simple/print"))) == "not enough permissions (9)"
        router.faults.heal()
        assert list(api("/queue/simple/print")) == []


def test_a_full_disk_refuses_writes_only() -> None:
    with EmulatedRouter() as router, bare_api(router) as api:
        router.faults.no_space()
        assert refused(lambda: api.path("/ppp/secret").add(name="ana")) == "failure: no space left on device"
        assert refused(lambda: api.path("/ppp/profile").update(**{".id": "*0", "comment": "x"})).startswith("failure")
        assert list(api.path("/ppp/secret")) == []
        router.faults.heal()
        assert api.path("/ppp/secret").add(name="ana") == "*1"


def test_refuse_ends_connections_and_lets_nobody_in() -> None:
    with EmulatedRouter() as router:
        with RawClient(router) as client:
            router.faults.refuse()
            assert client.ended()
        with pytest.raises(ConnectionRefusedError):
            RawClient(router)
        router.faults.heal()
        with RawClient(router) as client:
            assert add(client, "ana")[0][0] == "!done"


def test_slow_answers_come_all_the_same() -> None:
    with EmulatedRouter(latency=0.01) as router, RawClient(router) as client:
        router.faults.slow(0.05)
        client.send(["/system/identity/print"], ["/ppp/secret/print"])
        assert [client.answer()[-1], client.answer()[-1]] == [["!done"], ["!done"]]


def test_reboot_drops_connections_and_what_is_dynamic() -> None:
    with EmulatedRouter() as router, RawClient(router) as client:
        router.by_hand("/ppp/profile/add", name="gold", rate_limit="1M/2M", address_list="x")
        router.by_hand("/ppp/secret/add", name="ana", profile="gold")
        router.by_hand("/ip/firewall/address-list/add", list="x", address="10.9.9.9", timeout="1h")
        router.by_hand("/ip/firewall/address-list/add", list="x", address="10.9.9.8")
        router.dial("ana")
        router.reboot()
        assert client.ended()
        left = [router.rows(path) for path in ("/ppp/active", "/queue/simple")]
        assert left == [[], []]
        assert [row["address"] for row in router.rows("/ip/firewall/address-list")] == ["10.9.9.8"]
        assert [row["message"] for row in router.rows("/log")] == ["router rebooted"]


def test_a_reboot_by_api() -> None:
    with EmulatedRouter() as router, RawClient(router) as client:
        client.send(["/system/reboot"])
        assert client.ended()
        with RawClient(router) as again:
            assert add(again, "ana")[0][0] == "!done"


LOST = [
    ("nothing", 0, "ana:2 caio bia"),
    ("the move", 1, "ana:2 bia caio"),
    ("the removal", 2, "dora ana:2 bia caio"),
    ("the change", 3, "dora ana:1 bia caio"),
    ("an added one", 4, "dora ana:1 bia"),
    ("more than there were", 999, ""),
]


@pytest.mark.parametrize(("count", "left"), [row[1:] for row in LOST], ids=[row[0] for row in LOST])
def test_a_power_cut_loses_the_last_writes(count: int, left: str) -> None:
    with EmulatedRouter() as router:
        for comment in ("dora", "ana:1", "bia", "caio"):
            router.by_hand("/ip/firewall/filter/add", chain="forward", comment=comment)
        router.by_hand("/ip/firewall/filter/set", id="*2", comment="ana:2")
        router.by_hand("/ip/firewall/filter/remove", id="*1")
        router.by_hand("/ip/firewall/filter/move", numbers="*4", destination="*3")
        router.power_cut(lost_writes=count)
        assert " ".join(row["comment"] for row in router.rows("/ip/firewall/filter")) == left


@pytest.mark.parametrize("lost_writes", [0, 1])
def test_a_power_cut_in_the_middle_of_work(lost_writes: int) -> None:
    with EmulatedRouter() as router:
        with RawClient(router) as client:
            router.faults.power_cut(after=2, lost_writes=lost_writes)
            client.send(*(["/ppp/secret/add", f"=name={name}"] for name in ("ana", "bia", "caio", "dora")))
            assert client.ended()
        assert names(router) == ["ana", "bia"][: 2 - lost_writes]
        with RawClient(router) as client:
            assert add(client, "eva")[0][0] == "!done"


def test_connections_are_counted_as_the_clients_hold_them() -> None:
    with EmulatedRouter() as router:
        for _ in range(5):
            with RawClient(router):
                assert router.connections_now == 1
        assert router.most_connections == 1
        with RawClient(router), RawClient(router):
            assert (router.connections_now, router.most_connections) == (2, 2)


def test_many_clients_at_once() -> None:
    with EmulatedRouter() as router:

        def work(number: int) -> None:
            with bare_api(router) as api:
                for count in range(20):
                    api.path("/queue/simple").add(name=f"q{number}-{count}", target=f"10.0.{number}.{count}")

        threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rows = router.rows("/queue/simple")
        assert len({row[".id"] for row in rows}) == len({row["name"] for row in rows}) == 100
        assert router.sentences["/queue/simple/add"] == 100
