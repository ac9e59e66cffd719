"""What people decide about the candidates of an adoption: one by one, all exact matches, or by a list.

A decision is only written down; `adoption_import` carries it out. Until then it can be changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update

from core.database import Transaction
from core.errors import CatracaError, InvalidInput, NotAllowed
from core.units import format_rate
from provisioning import checks
from provisioning.documents import parse_document
from provisioning.models import Plan, Subscriber
from provisioning.plans import get_plan
from provisioning.routeros.adoption.facts import Verdict
from provisioning.routeros.adoption.listing import BadEntry, Entry, check, read_csv
from provisioning.routeros.adoption.models import (
    ACCEPT,
    CREATE,
    FAILED,
    IMPORTED,
    LINK,
    SKIP,
    UNDECIDED,
    WAITING,
    AdoptionCandidate,
)
from provisioning.routeros.adoption.report import get_candidate, lock_adoption
from provisioning.routeros.rows import Access
from provisioning.subscribers import get_subscriber
from provisioning.subscriptions import get_subscription

TAKEN = ("password", "address", "mac")
"""What a decision may `take` from the router although the facts say something else."""
_ACCESSES = (Access.PPP, Access.DHCP, Access.STATIC, Access.HOTSPOT)
_ALLOWED: Mapping[str, frozenset[str]] = {
    ACCEPT: frozenset({"access", "take"}),
    LINK: frozenset({"subscription_id", "access", "take"}),
    CREATE: frozenset({"subscriber_id", "document", "name", "plan_id", "access", "login"}),
    SKIP: frozenset(),
}


@dataclass(frozen=True, slots=True)
class ListOutcome:
    """What a list did, or would do: how many candidates it decides, and its rows that it cannot use.

    `suspended`: how many of those decided are suspended on the router now, and will be ACTIVE by the facts.
    """

    decided: int
    suspended: int
    errors: Sequence[BadEntry]


def decide(tx: Transaction, *, adoption_id: int, candidate_id: int, decision: str, **wanted: Any) -> AdoptionCandidate:
    """Write down what is to become of a candidate.

    accept: it is the subscription that it matches; link: it is `subscription_id`; create: a new subscription of
    `subscriber_id`, or of a new subscriber `document`, `name`, on `plan_id` (None: the guess); skip: it stays foreign.
    `access`: how the router serves it, unless as it does now; `take`: what the facts take from the router (`TAKEN`).
    NotAllowed once it is imported; InvalidInput names the field.
    """
    lock_adoption(tx, adoption_id)
    candidate = get_candidate(tx, adoption_id, candidate_id)
    given = {name: value for name, value in wanted.items() if value not in (None, "", [])}
    if decision not in _ALLOWED:
        raise InvalidInput("decision", f"one of {', '.join(_ALLOWED)}", ACCEPT)
    if unknown := sorted(set(given) - _ALLOWED[decision]):
        raise InvalidInput(unknown[0], f"nothing that {decision} takes", None)
    if candidate.status == IMPORTED:
        raise NotAllowed(f"candidate {candidate_id} is imported: subscription {candidate.subscription_id}")
    _write(tx, candidate, decision, _checked(tx, candidate, decision, given))
    after = {"decision": decision, **candidate.wanted}
    tx.audit("decide", "adoption_candidate", candidate_id, after=after)
    return candidate


def accept_matched(tx: Transaction, *, adoption_id: int) -> int:
    """Accept every exact match that nobody has decided yet; gives how many."""
    lock_adoption(tx, adoption_id)
    exact = (
        AdoptionCandidate.adoption_id == adoption_id,
        AdoptionCandidate.verdict == Verdict.MATCHED.value,
        AdoptionCandidate.decision == UNDECIDED,
    )
    count = tx.session.scalar(select(func.count()).select_from(AdoptionCandidate).where(*exact)) or 0
    statement = update(AdoptionCandidate).where(*exact).values(decision=ACCEPT, decided_by=tx.actor.name)
    tx.session.execute(statement, execution_options={"synchronize_session": False})
    tx.audit("accept-matched", "adoption", adoption_id, after={"accepted": count})
    return count


def decide_by_list(
    tx: Transaction,
    *,
    adoption_id: int,
    csv: str = "",
    entries: Sequence[Mapping[str, str]] = (),
    dry_run: bool = False,
) -> ListOutcome:
    """Decide `create` for the new candidates that the list names, all good rows of it. `dry_run`: decide nothing."""
    lock_adoption(tx, adoption_id)
    if bool(csv) == bool(entries):
        raise InvalidInput("csv", "either csv or entries", "login,document,name,plan")
    good, bad = check(read_csv(csv) if csv else enumerate(entries, 1))
    decisions, refused = _resolved(tx, adoption_id, good)
    if not dry_run:
        for candidate, wanted in decisions:
            _write(tx, candidate, CREATE, wanted)
        tx.audit("decide-by-list", "adoption", adoption_id, after={"decided": len(decisions), "refused": len(refused)})
    suspended = sum(candidate.suspended for candidate, _ in decisions)
    return ListOutcome(len(decisions), suspended, sorted([*bad, *refused], key=lambda one: one.line))


def _write(tx: Transaction, candidate: AdoptionCandidate, decision: str, wanted: dict[str, Any]) -> None:
    candidate.decision, candidate.wanted, candidate.decided_by = decision, wanted, tx.actor.name
    if candidate.status == FAILED:
        candidate.status, candidate.detail = WAITING, ""


def _checked(tx: Transaction, candidate: AdoptionCandidate, decision: str, given: dict[str, Any]) -> dict[str, Any]:
    if (access := given.get("access")) is not None and access not in _ACCESSES:
        raise InvalidInput("access", f"one of {', '.join(_ACCESSES)}", Access.PPP.value)
    if odd := sorted(set(given.get("take", ())) - set(TAKEN)):
        raise InvalidInput("take", f"some of {', '.join(TAKEN)}, not {odd[0]}", ["password"])
    if decision == ACCEPT and candidate.found_id is None:
        raise NotAllowed(f"candidate {candidate.id} matches no subscription: link it to one, or create one")
    if decision == ACCEPT and candidate.verdict == Verdict.CONFLICT:
        raise NotAllowed(f"candidate {candidate.id} is in conflict: link it to the subscription that it is")
    if decision == LINK:
        _refuse_cancelled(tx, given)
    return _creation(tx, candidate, given) if decision == CREATE else given


def _refuse_cancelled(tx: Transaction, given: Mapping[str, Any]) -> None:
    if (key := given.get("subscription_id")) is None:
        raise InvalidInput("subscription_id", "the subscription that it is", 12)
    if get_subscription(tx, key).cancelled_at is not None:
        raise NotAllowed(f"subscription {key} was cancelled", state="CANCELLED")


def _creation(tx: Transaction, candidate: AdoptionCandidate, given: dict[str, Any]) -> dict[str, Any]:
    """The whole of it, guesses included, so that what is shown before the import is what it does."""
    plan_id = given.get("plan_id") or candidate.plan_id
    if plan_id is None:
        raise InvalidInput("plan_id", f"a plan: {_no_guess(candidate)}", 3)
    wanted = {**given, "plan_id": get_plan(tx, plan_id).id}
    if "login" in given:
        checks.login(given["login"])
    if "subscriber_id" in given:
        if "document" in given or "name" in given:
            raise InvalidInput("subscriber_id", "either a subscriber, or a new one's document and name", 7)
        get_subscriber(tx, given["subscriber_id"])
        return wanted
    return {**wanted, **_whose(tx, candidate, given)}


def _whose(tx: Transaction, candidate: AdoptionCandidate, given: Mapping[str, Any]) -> dict[str, Any]:
    document = given.get("document") or candidate.guess_document
    if not document:
        raise InvalidInput("document", "the subscriber's CPF or CNPJ, or a subscriber_id", "390.533.447-05")
    number = parse_document(document).number
    holder = tx.session.scalar(select(Subscriber.id).where(Subscriber.document == number))
    if holder is not None:
        return {"subscriber_id": holder, "document": number}
    name = given.get("name") or candidate.guess_name
    if not name:
        raise InvalidInput("name", "the new subscriber's name", "Maria da Silva")
    return {"document": number, "name": checks.required_text(name, "name", 200, "Maria da Silva")}


def _no_guess(candidate: AdoptionCandidate) -> str:
    if not candidate.rate:
        return "no row says a speed"
    return f"no single plan has the speed {'/'.join(map(format_rate, candidate.rate))} (upload/download)"


Decided = tuple[AdoptionCandidate, dict[str, Any]]


def _resolved(tx: Transaction, adoption_id: int, entries: Iterable[Entry]) -> tuple[list[Decided], list[BadEntry]]:
    by_name, plans = _undecided_by_name(tx, adoption_id), _Plans(tx)
    decided: list[Decided] = []
    refused: list[BadEntry] = []
    for entry in entries:
        try:
            candidate = _meant(by_name.get(entry.login, []))
            given = {"document": entry.document, "name": entry.name, "plan_id": plans.id_of(entry.plan)}
            wanted = _creation(tx, candidate, {name: value for name, value in given.items() if value})
            decided.append((candidate, wanted))
        except CatracaError as error:
            refused.append(BadEntry(entry.line, entry.login, error.detail))
    return decided, refused


def _meant(found: Sequence[AdoptionCandidate]) -> AdoptionCandidate:
    if not found:
        raise NotAllowed("login: the report has no such login, MAC address or address")
    if len(found) > 1:
        raise NotAllowed("login: more than one candidate has it; decide them one by one")
    [candidate] = found
    if candidate.status == IMPORTED:
        raise NotAllowed(f"login: imported already, as subscription {candidate.subscription_id}")
    if candidate.verdict not in (Verdict.NEW, Verdict.IGNORED):
        raise NotAllowed(f"login: it is not new but {candidate.verdict}; decide it by itself")
    return candidate


def _undecided_by_name(tx: Transaction, adoption_id: int) -> Mapping[str, list[AdoptionCandidate]]:
    found: dict[str, list[AdoptionCandidate]] = defaultdict(list)
    for one in tx.session.scalars(select(AdoptionCandidate).where(AdoptionCandidate.adoption_id == adoption_id)):
        for name in {one.login or one.mac, one.address} - {""}:
            found[name].append(one)
    return found


class _Plans:
    """Plans by what people write for them: the name, whatever its capitals, or the id."""

    def __init__(self, tx: Transaction) -> None:
        rows = tx.session.execute(select(Plan.id, Plan.name)).all()
        self._ids = {name.casefold(): key for key, name in rows} | {str(key): key for key, _ in rows}

    def id_of(self, text: str) -> int | None:
        """None where nothing is written. InvalidInput for what is no plan."""
        if not text:
            return None
        if (key := self._ids.get(text.casefold())) is None:
            raise InvalidInput("plan", f"{text!r} is no plan's name or id", next(iter(self._ids), "Fibra 500 Mega"))
        return key
