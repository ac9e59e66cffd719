"""The emulated router's menus over the wire: logging in, printing, queries, writing, order, listening."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from lab.routeros.emulator import EmulatedRouter
from tests.factories_routeros import PASSWORD, USER, RawClient, bare_api, stocked
from tests.factories_tls import Authority

# Logging in


@pytest.mark.parametrize("version", ["6.42.12", "6.43", "6.49.18", "7.20.4"])
def test_logging_in_as_the_version_wants_it(version: str) -> None:
    with EmulatedRouter(version) as router, bare_api(router) as api:
        assert [row["version"] for row in api.path("/system/resource")] == [f"{version} (stable)"]


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ((f"=name={USER}", "=password=wrong"), "=message=invalid user name or password (6)"),
        (("=name=nobody", f"=password={PASSWORD}"), "=message=invalid user name or password (6)"),
        ((), "=message=invalid user name or password (6)"),
    ],
    ids=["password", "user", "challenge wanted"],
)
def test_login_refused(words: tuple[str, ...], answer: str) -> None:
    with EmulatedRouter() as router, RawClient(router, log_in=False) as client:
        assert client.ask("/login", *words) == [["!trap", answer], ["!done"]]


def test_before_6_43_words_of_a_plain_login_get_a_challenge() -> None:
    with EmulatedRouter("6.42.12") as router, RawClient(router, log_in=False) as client:
        ((done, ret),) = client.ask("/login", f"=name={USER}", f"=password={PASSWORD}")
        assert (done, len(ret)) == ("!done", len("=ret=") + 32)
        assert client.ask("/login", f"=name={USER}", "=response=00" + "0" * 32)[0] == [
            "!trap",
            "=message=cannot log in",
        ]


def test_a_command_before_login_is_fatal() -> None:
    with EmulatedRouter() as router, RawClient(router, log_in=False) as client:
        assert client.ask("/ppp/secret/print") == [["!fatal", "not logged in"]]
        assert client.ended()


def test_quit_is_fatal() -> None:
    with EmulatedRouter() as router, RawClient(router) as client:
        assert client.ask("/quit") == [["!fatal", "session terminated on request"]]
        assert client.ended()


def test_what_was_asked_before_quit_is_answered_before_the_end() -> None:
    with EmulatedRouter() as router, RawClient(router) as client:
        client.send(["/ppp/secret/add", "=name=ana", ".tag=1"], ["/quit"], ["/ppp/secret/add", "=name=bia"])
        assert client.answer() == [["!done", "=ret=*1", ".tag=1"]]
        assert client.answer() == [["!fatal", "session terminated on request"]]
        assert [row["name"] for row in router.rows("/ppp/secret")] == ["ana"]


def test_what_is_not_the_protocol_ends_the_connection() -> None:
    with EmulatedRouter() as router, RawClient(router) as client:
        client.socket.sendall(b"\xff\xff")
        assert client.ended()


def test_over_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    own = authority.issue("borda")
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(own.certificate, own.private_key)
    trusting = ssl.create_default_context(cafile=authority.ca)
    trusting.check_hostname = False
    with EmulatedRouter(tls=served) as router:
        with RawClient(router, trusting) as client:
            assert client.ask("/system/identity/print") == [["!re", "=name=borda-api-1"], ["!done"]]
            assert (router.connections_now, router.most_connections) == (1, 1)
        with pytest.raises(ssl.SSLError):
            RawClient(router, ssl.create_default_context())


# Printing


QUERIES = [
    ("all", [], "ana bia caio dora"),
    ("equal", ["?name=bia"], "bia"),
    ("equal with its sign", ["?=name=bia"], "bia"),
    ("a default counts as shown", ["?profile=default"], "bia dora"),
    ("several are and", ["?profile=gold", "?service=pppoe"], "caio"),
    ("or", ["?name=ana", "?name=bia", "?#|"], "ana bia"),
    ("not", ["?name=ana", "?#!"], "bia caio dora"),
    ("in one word", ["?name=ana", "?name=bia", "?#|!"], "caio dora"),
    ("many", ["?name=dora", "?name=bia", "?name=ana", "?#||"], "ana bia dora"),
    ("has", ["?remote-address"], "dora"),
    ("has not", ["?-remote-address"], "ana bia caio"),
    ("no asks for false", ["?disabled=no"], "ana bia caio"),
    ("true asks for true", ["?disabled=true"], "dora"),
    ("numbers by size", ["?>limit-bytes-in=9"], "caio"),
    ("less", ["?<limit-bytes-in=10", "?>limit-bytes-in=0"], "bia"),
    ("words by letter", ["?<name=bia"], "ana"),
    ("a copy of the top", ["?name=ana", "?#0.|"], "ana"),
    ("an index becomes the stack", ["?name=ana", "?name=bia", "?#1"], "ana"),
    ("by .id", ["?.id=*2", "?.id=*3", "?#|"], "bia caio"),
    ("a comment must be equal", ["?comment=catraca:s1:secret"], ""),
    ("a comment with its tail", ["?comment=catraca:s1:secret da rua 2"], "ana"),
    ("unknown property", ["?colour=red"], ""),
]


@pytest.mark.parametrize(("query", "names"), [row[1:] for row in QUERIES], ids=[row[0] for row in QUERIES])
def test_query(query: list[str], names: str) -> None:
    with stocked() as router, RawClient(router) as client:
        assert client.names("/ppp/secret/print", "=.proplist=name", *query) == names.split()


@pytest.mark.parametrize("query", [["?#|"], ["?name=ana", "?#9"], ["?name=ana", "?#x"]])
def test_a_query_that_cannot_be_worked_out_is_refused(query: list[str]) -> None:
    with stocked() as router, RawClient(router) as client:
        assert client.ask("/ppp/secret/print", *query)[0][0] == "!trap"


def test_proplist_chooses_and_orders_what_is_shown() -> None:
    with stocked() as router, RawClient(router) as client:
        rows = client.ask("/ppp/secret/print", "=.proplist=name,.id,remote-address,colour", "?service=any")
        assert rows == [
            ["!re", "=name=ana", "=.id=*1"],
            ["!re", "=name=dora", "=.id=*4", "=remote-address=10.0.0.4"],
            ["!done"],
        ]


def test_print_follows_changes() -> None:
    with stocked() as router, RawClient(router) as client:
        ask = ("/ppp/secret/print", "=.proplist=profile,comment", "?name=ana")
        before = client.ask(*ask)
        router.by_hand("/ppp/secret/set", id="ana", profile="default", comment="")
        assert [before, client.ask(*ask)] == [
            [["!re", "=profile=gold", "=comment=catraca:s1:secret da rua 2"], ["!done"]],
            [["!re", "=profile=default"], ["!done"]],
        ]


def test_count_only_and_getall() -> None:
    with stocked() as router, RawClient(router) as client:
        assert client.ask("/ppp/secret/print", "=count-only=", "?profile=gold") == [["!done", "=ret=2"]]
        assert client.names("/ppp/secret/getall", "?name=ana") == ["ana"]


@pytest.mark.parametrize(("version", "answer"), [("7.17", [["!done"]]), ("7.18", [["!empty"], ["!done"]])])
def test_nothing_to_show(version: str, answer: list[list[str]]) -> None:
    with EmulatedRouter(version) as router, RawClient(router) as client:
        assert client.ask("/ppp/secret/print") == answer


def test_tags_come_back_on_each_sentence_in_order() -> None:
    with stocked() as router, RawClient(router) as client:
        client.send(
            ["/ppp/secret/print", "=.proplist=name", "?name=ana", ".tag=7"],
            ["/ppp/secret/remove", "=.id=*99", ".tag=x"],
            ["/ppp/secret/print", "=.proplist=name", "?name=nobody", ".tag=8"],
        )
        assert [client.answer() for _ in range(3)] == [
            [["!re", "=name=ana", ".tag=7"], ["!done", ".tag=7"]],
            [["!trap", "=category=0", "=message=no such item", ".tag=x"], ["!done", ".tag=x"]],
            [["!empty", ".tag=8"], ["!done", ".tag=8"]],
        ]


def test_a_router_without_a_package_lacks_its_menus() -> None:
    with EmulatedRouter("6.49.18", lacks=["/ipv6"]) as router, RawClient(router) as client:
        assert client.ask("/ipv6/dhcp-server/binding/print") == [
            ["!trap", "=category=0", "=message=no such command or directory (ipv6)"],
            ["!trap", "=message=no such command prefix"],
            ["!done"],
        ]
        router.by_hand("/ppp/profile/add", name="gold")
        router.reboot()


def test_passwords_need_their_policy() -> None:
    with EmulatedRouter(sensitive=False) as router, RawClient(router) as client:
        router.by_hand("/ppp/secret/add", name="ana", password="segredo")
        assert "segredo" not in str(client.ask("/ppp/secret/print"))
        assert client.ask("/ppp/secret/print", "=.proplist=name,password") == [["!re", "=name=ana"], ["!done"]]


def test_rows_hold_octets() -> None:
    with EmulatedRouter() as router, RawClient(router) as client:
        router.by_hand("/ppp/secret/add", name="joão", comment="Avenida São João".encode("latin-1"))
        router.by_hand("/ppp/secret/add", name="zé")
        assert [row["name"] for row in router.rows("/ppp/secret")] == ["joão", "zé"]
        assert router.rows("/ppp/secret")[0]["comment"] == "Avenida São João"
        row = client.ask("/ppp/secret/print", "=.proplist=name,comment", "?name=joão".encode().decode("latin-1"))[0]
        assert row == ["!re", "=name=" + "joão".encode().decode("latin-1"), "=comment=Avenida São João"]


@pytest.mark.parametrize("length", [1, 120, 200, 20_000, 70_000])
def test_words_of_every_length(length: int) -> None:
    with EmulatedRouter() as router, bare_api(router) as api:
        api.path("/ppp/secret").add(name="ana", comment="é" * length)
        assert [row["comment"] for row in api.path("/ppp/secret")] == ["é" * length]


# Listening and the log


def test_listen_tells_changes_until_cancelled() -> None:
    with stocked() as router, RawClient(router) as client, RawClient(router) as other:
        client.send(["/ppp/secret/listen", "=.proplist=.id,comment", ".tag=l"])
        assert client.ask("/system/identity/print", "=.proplist=name")[-1] == ["!done"]  # so it listens by now
        other.ask("/ppp/secret/set", "=.id=*2", "=comment=x")
        router.by_hand("/ppp/secret/remove", id="*2")
        assert client.sentence() == ["!re", "=.id=*2", "=comment=x", ".tag=l"]
        assert client.sentence() == ["!re", "=.id=*2", "=.dead=true", ".tag=l"]
        client.send(["/cancel", "=tag=l", ".tag=c"])
        assert client.answer() == [["!trap", "=category=2", "=message=interrupted", ".tag=l"], ["!done", ".tag=l"]]
        assert client.answer() == [["!done", ".tag=c"]]


LOGGED = [
    ("6.49.18", "simple queue changed by admin"),
    (
        "7.20.4",
        "simple queue <q> changed by winbox-3.41/tcp-msg(winbox):admin@192.0.2.7/action:2 "
        "(/queue simple set *1 max-limit=1M/1M)",
    ),
]


@pytest.mark.parametrize(("version", "message"), LOGGED)
def test_the_log_tells_who(version: str, message: str) -> None:
    with EmulatedRouter(version) as router, RawClient(router) as client:
        client.ask("/queue/simple/add", "=name=q", "=target=10.0.0.1")
        router.by_hand("/queue/simple/set", id="q", max_limit="1M/1M")
        messages = [row["message"] for row in router.rows("/log") if "queue" in row["message"]]
        assert messages[1] == message
        assert "catraca" in messages[0]


def test_the_log_does_not_tell_passwords() -> None:
    with EmulatedRouter() as router:
        router.by_hand("/ppp/secret/add", name="ana", password="segredo")
        assert "segredo" not in str(router.rows("/log"))


def test_foreign_bytes_change_with_foreign_rows_only() -> None:
    with stocked() as router:
        before = router.foreign_bytes()
        router.by_hand("/ppp/secret/set", id="ana", password="other")
        router.by_hand("/queue/simple/add", name="ours", target="10.0.0.1", comment="catraca:s1:queue")
        router.dial("bia")
        assert router.foreign_bytes() == before
        router.by_hand("/ppp/secret/set", id="bia", password="other")
        assert router.foreign_bytes() != before
