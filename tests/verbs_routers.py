"""The verbs of routers that are held over their API, as an operator comes to use them: at an emulated router."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.runtime import Runtime
from lab.routeros.emulator import EmulatedRouter
from tests.factories import cpf
from tests.factories_moves import follow_up
from tests.factories_routers import API_PASSWORD
from tests.factories_tls import Authority

Do = Callable[..., Any]


def hold_routers(do: Do, runtime: Runtime) -> None:
    """A router is added, tried, given subscriptions, and forgotten at last."""
    with EmulatedRouter(tls=presenting(runtime.settings.data_dir)) as emulator:
        router = set_up(do, emulator)
        place_services(do, router)
        converge(do, router)
        maintain(do, router)
        forget(do, router)


def set_up(do: Do, emulator: EmulatedRouter) -> str:
    """Its certificate is looked at and pinned before the password is sent to it; gives its name."""
    where = {"address": emulator.host, "port": emulator.port}
    seen = do("router.fingerprint", body=where)["tls_fingerprint"]
    body = {"name": "borda-1", "login": "catraca", "password": API_PASSWORD, "tls": "pinned", "tls_fingerprint": seen}
    made = do("router.add", body={**where, **body, "garden": {"portal": "192.0.2.20", "allow": ["pix.bank.example"]}})
    assert (made["name"], made["port"], made["services"], made["advice"]) == ("borda-1", emulator.port, 0, [])
    assert (made["garden"]["portal_port"], made["removal_cap"]) == (80, None)
    tried = do("router.test", "borda-1")
    assert (tried["ok"], tried["version"], tried["identity"], tried["tls_fingerprint"]) == (
        True, emulator.version, emulator.identity, seen,
    )  # fmt: skip
    wanted = {"check_minutes": 30, "reduced_list": "late", "garden": None, "cut_connections": False}
    changed = do("router.change", made["id"], body=wanted)
    assert (changed["check_minutes"], changed["reduced_list"], changed["garden"]) == (30, "late", None)
    assert (made["cut_connections"], changed["cut_connections"]) == (True, False)
    assert [item["id"] for item in do("router.list")["items"]] == [made["id"]]
    assert do("router.show", "borda-1")["check_minutes"] == 30
    return "borda-1"


def place_services(do: Do, router: str) -> None:
    """One by one, then all that are left; one is taken away again."""
    plan = do("plan.add", body={"name": "Router 50", "price_cents": 7990, "download_bps": "50M", "upload_bps": "25M"})
    owner = do("subscriber.register", body={"name": "Edu Reis", "document": cpf(300_000_077)})["id"]
    bought = {"subscriber_id": owner, "plan_id": plan["id"], "password": "s3nha-longa"}
    first, second = (do("subscription.open", body={**bought, "login": f"edu-{n}@x"})["id"] for n in (1, 2))
    served = do("router.serve", router, body={"subscription_id": first, "access": "static"})
    assert (served["router_name"], served["access"], served["login"]) == (router, "static", "edu-1@x")
    assert served["advice"] == ["it needs a fixed address: the subscription has none yet"]
    wanted = {"access": "ppp", "plan_id": plan["id"]}
    prospect = do("router.preview-services", router, body=wanted)
    assert (prospect["total"], prospect["to_serve"], prospect["already"]) == (2, 1, 1)
    assert do("router.serve-many", router, body={**wanted, "expected": 1}) == prospect
    listed = do("router.services", router)["items"]
    assert [(item["subscription_id"], item["access"]) for item in listed] == [(first, "static"), (second, "ppp")]
    gone = do("router.stop-serving", router, body={"subscription_id": first, "note": "moved away"})
    assert gone["removed_at"] is not None
    assert do("subscription.routers", first)["items"] == [gone]


def converge(do: Do, router: str) -> None:
    """What would be done is looked at, done, and proven."""
    served = next(item for item in do("router.services", router)["items"] if item["access"] == "ppp")
    do("subscription.activate", served["subscription_id"])
    planned = do("router.plan", router, language="pt")
    assert (planned["in_step"], planned["summary"]["held"], len(planned["words"]) > 0) == (False, 0, True)
    applied = do("router.apply", router, body={})
    assert (applied["done"] > 0, applied["refused"], applied["left"], applied["held"]) == (True, [], 0, 0)
    assert do("router.plan", router)["summary"]["add"] == 0
    assert router in do("router.check", router)["words"]
    (standing,) = do("router.status", name=router)["items"]
    assert (standing["name"], standing["failures"], standing["drift"]) == (router, 0, 0)
    assert do("router.drift", name=router, status="open")["items"] == []


def maintain(do: Do, router: str) -> None:
    begun = do("router.start-maintenance", router, body={"note": "firmware"})
    assert (begun["maintenance_since"] is not None, begun["maintenance_note"]) == (True, "firmware")
    assert do("router.end-maintenance", router)["maintenance_since"] is None


def forget(do: Do, router: str) -> None:
    told = do("router.remove", router, give_up_services=True, note="replaced")
    assert (told["services"], "stays there as it is" in told["words"]) == (1, True)
    assert do("router.list")["items"] == []


def adopt_a_router(do: Do, runtime: Runtime) -> None:
    """What somebody set up by hand: reported, decided, imported, marked; one is left as it is."""
    plan = do("plan.add", body={"name": "Rural 10", "price_cents": 5990, "download_bps": "11M", "upload_bps": "3M"})[
        "id"
    ]
    owner = do("subscriber.register", body={"name": "Ivo Braga", "document": cpf(300_000_078)})["id"]
    bought = {"subscriber_id": owner, "plan_id": plan, "login": "ivo", "password": "s-ivo"}
    known = do("subscription.open", body=bought)["id"]
    do("subscription.activate", known)
    with EmulatedRouter() as emulator:
        stock(emulator)
        where = {"address": emulator.host, "port": emulator.port, "login": "catraca", "password": API_PASSWORD}
        router = do("router.add", body={"name": "torre-2", **where})["id"]
        do("router.start-maintenance", "torre-2")
        adoption = do("adoption.start", body={"router": "torre-2", "restricting": ["bloqueados"]}, lang="en")
        assert adoption["counts"] == {"matched": 1, "differs": 0, "new": 3, "conflict": 0, "ignored": 0}
        assert do("adoption.show", adoption["id"], lang="en") == do("adoption.list", lang="en")["items"][0] == adoption
        decide_about(do, adoption["id"], plan)
        assert do("adoption.import", adoption["id"], body={})["status"] == "importing"
        assert follow_up(runtime, "adoption.import") == ["Applied"]
        mark_the_rows(do, runtime, adoption["id"], emulator)
        assert do("adoption.close", adoption["id"], body={"note": "done"})["status"] == "closed"
        do("router.remove", "torre-2", give_up_services=True)
        assert do("adoption.show", adoption["id"])["router_id"] == router


def stock(emulator: EmulatedRouter) -> None:
    emulator.stock("/ppp/profile", [{"name": "rural", "rate_limit": "3M/11M"}])
    people = {"ivo": "Ivo", "lia": f"Lia Melo {cpf(300_000_079)}", "noe": "Noé", "teste": "=cmd"}
    rows = [
        {"name": name, "password": f"s-{name}", "profile": "rural", "comment": said} for name, said in people.items()
    ]
    emulator.stock("/ppp/secret", rows)


def decide_about(do: Do, adoption: int, plan: int) -> None:
    assert do("adoption.accept-matched", adoption) == {"accepted": 1}
    new = {item["name"]: item for item in do("adoption.candidates", adoption, verdict="new", lang="en")["items"]}
    assert (new["lia"]["plan_id"], new["lia"]["guess_name"]) == (plan, "Lia Melo")
    assert do("adoption.candidate", adoption, new["lia"]["id"])["rows"][0]["menu"] == "/ppp/secret"
    assert do("adoption.decide", adoption, new["lia"]["id"], body={"decision": "create"})["decision"] == "create"
    assert do("adoption.decide", adoption, new["teste"]["id"], body={"decision": "skip"})["decision"] == "skip"
    sheet = {"csv": f"login,documento,nome,plano\r\nnoe,{cpf(300_000_080)},Noé Cruz,Rural 10\r\nzoe,1,,\r\n"}
    dry = do("adoption.decide-by-list", adoption, body={**sheet, "dry_run": True})
    assert (dry["decided"], [item["line"] for item in dry["errors"]]) == (1, [3])
    assert do("adoption.decide-by-list", adoption, body=sheet)["decided"] == 1
    told = do("adoption.export", adoption).decode("utf-8-sig")
    assert "'=cmd" in told
    assert "s-ivo" not in told
    assert {item["words"] for item in do("adoption.rows", adoption, only="left", lang="en")["items"]} >= {
        "a profile: the product keeps profiles of its own, this one stays"
    }


def mark_the_rows(do: Do, runtime: Runtime, adoption: int, emulator: EmulatedRouter) -> None:
    preview = do("adoption.preview-marks", adoption, limit=2, lang="en")
    assert (preview["to_mark"], preview["unmarked"], preview["to_change"], len(preview["rows"])) == (3, 0, 3, 2)
    assert preview["adds"] == {"/ppp/profile": 1}
    first = preview["rows"][0]
    assert first["new_comment"] == f"catraca:{first['key']} Ivo"
    assert do("adoption.mark", adoption, body={})["status"] == "marking"
    assert follow_up(runtime, "adoption.mark") == ["Applied"]
    assert emulator.rows("/ppp/secret")[0]["comment"] == first["new_comment"]
    shown = do("adoption.show", adoption)
    assert (shown["status"], shown["progress"]["imported"], shown["progress"]["marked"]) == ("open", 3, 3)


def presenting(directory: Path) -> ssl.SSLContext:
    """A router's end of TLS, with a certificate that its operator made."""
    own = Authority(directory).issue("borda-1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.certificate, own.private_key)
    return context
