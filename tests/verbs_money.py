"""The verbs of discounts, receipts on paper and monthly billing, as a provider would come to use them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import select

from core.job_queue import Job
from core.jobs import run_job, sweep
from core.runtime import Runtime
from tests.factories_billing import make_method
from tests.factories_monthly import make_base

Do = Callable[..., Any]


def promise_discounts(do: Do, runtime: Runtime) -> None:
    """A charge with a discount, received without an invoice and printed."""
    with runtime.database.transaction() as tx:
        [subscription] = make_base(tx, make_method(tx, name="Carteira"), 1)
    body = {"subscription_id": subscription, "description": "Visita", "amount_cents": 10_000}
    charge = do("charge.add", body=body)["id"]
    promised = do("charge.discount", charge, body={"discount_cents": 1000, "note": "on the telephone"})
    assert (promised["discount_cents"], promised["amount_cents"]) == (1000, 10_000)
    receipt = do("charge.receive", body={"charge_ids": [charge], "method": "cash", "cash_box": "Loja"})
    [line] = receipt["lines"]
    assert (receipt["amount_cents"], receipt["cash_box"], line["discount_cents"]) == (9000, "Loja", 1000)
    [discount] = do("invoice.show", line["invoice_id"])["discounts"]
    assert discount["palavras"].startswith("Desconto de R$ 10,00 para pagamento até o dia ")
    for size in ("a4", "80mm"):
        assert do("receipt.print", receipt["id"], size=size, lang="en").startswith(b"%PDF")


def bill_a_month(do: Do, runtime: Runtime) -> None:
    """A run from its preparation to its invoices, and one that is given up."""
    with runtime.database.transaction() as tx:
        method = make_method(tx, name="Faturamento").id
        ids = make_base(tx, make_method(tx, name="Mensal"), 3)
    given_up = do("billing-run.prepare", body={"billing_method_ids": [method]})["id"]
    do("billing-run.dismiss", given_up, body={"note": "wrong method"})
    month = "2027-01-15"
    run = do("billing-run.prepare", body={"month": month, "billing_method_ids": [], "states": ["ACTIVE"]})["id"]
    _work(runtime)
    shown = do("billing-run.show", run)
    assert (shown["status"], shown["month"], shown["looked_at"]) == ("review", "2027-01-01", shown["candidates"])
    assert [item["id"] for item in do("billing-run.list", status="review")["items"]] == [run]
    lines = {line["subscription_id"]: line for line in do("billing-run.lines", run, limit=200)["items"]}
    assert {alert["code"] for alert in lines[ids[0]]["alerts"]} == {"no-contact"}
    do("billing-run.decide", run, body={"line_ids": [lines[ids[0]]["id"]], "include": False, "note": "for free"})
    counted = do("billing-run.alerts", run)["items"]
    assert {item["code"]: item["warning"] for item in counted}["no-contact"] is True
    do("billing-run.confirm-alerts", run, body={"codes": []})
    do("billing-run.generate", run)
    _work(runtime)
    done = do("billing-run.show", run)
    assert (done["status"], done["billed"]) == ("done", done["included"])
    billed = do("billing-run.lines", run, status="billed", limit=200)["items"]
    assert {ids[1], ids[2]} <= {line["subscription_id"] for line in billed}
    assert ids[0] not in {line["subscription_id"] for line in billed}


def _work(runtime: Runtime) -> None:
    """Carry on every run as far as it goes without a person."""
    while True:
        with runtime.database.reading() as tx:
            mine = set(tx.session.scalars(select(Job.id).where(Job.kind == "billing-run.continue")))
        due = [job_id for job_id in sweep(runtime) if job_id in mine]
        if not due:
            return
        for job_id in due:
            run_job(runtime, job_id)
