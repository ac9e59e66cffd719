"""What the API takes and gives of adoptions, and how their rows are shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from api.fields import Flag, Instant, Key, Note, Text, clean_note
from api.models import Body, View, columns
from core.database import Transaction
from provisioning.routeros.adoption import report as adoption
from provisioning.routeros.adoption.models import Adoption, AdoptionCandidate, AdoptionRow
from provisioning.routeros.adoption.prospect import Prospect
from provisioning.routeros.adoption.words import difference_words, row_words, summary, words_of
from provisioning.routeros.models import Router

Decisions = Literal["accept", "link", "create", "skip"]


def unix_lines(value: Any) -> Any:
    """A sheet that was written on Windows ends its lines otherwise."""
    return value.replace("\r\n", "\n") if isinstance(value, str) else value


Sheet = Annotated[str, BeforeValidator(unix_lines), AfterValidator(clean_note), Field(max_length=1_000_000)]
_EXPORTED = 1_000


class AdoptionIn(Body):
    router: Text = Field(max_length=64, description="The router's name, or its id", examples=["borda-1"])
    restricting: list[Text] = Field(
        default_factory=list,
        max_length=20,
        description="Address lists in which its people put who is suspended, beside the product's own",
        examples=[["bloqueados"]],
    )


class DecisionIn(Body):
    decision: Decisions = Field(description="What is to become of it", examples=["create"])
    subscription_id: Key | None = Field(None, description="link: the subscription that it is", examples=[12])
    subscriber_id: Key | None = Field(None, description="create: whose it will be", examples=[7])
    document: Text = Field(
        "", max_length=18, description="create: or the CPF or CNPJ of a subscriber", examples=["390.533.447-05"]
    )
    name: Text = Field("", description="create: the name, if that subscriber is new", examples=["Maria da Silva"])
    plan_id: Key | None = Field(None, description="create: its plan; null: the guess", examples=[3])
    login: Text = Field("", max_length=128, description="create: a login, where the router has none", examples=[""])
    access: Text = Field(
        "", max_length=8, description="ppp, dhcp, static or hotspot; empty: as the router serves it now", examples=[""]
    )
    take: list[Text] = Field(
        default_factory=list,
        max_length=3,
        description="accept, link: what the facts take from the router: password, address, mac",
        examples=[["password"]],
    )


class EntryIn(Body):
    login: Text = Field(max_length=255, description="The login, MAC address or address", examples=["maria"])
    document: Text = Field(max_length=18, description="The subscriber's CPF or CNPJ", examples=["390.533.447-05"])
    name: Text = Field("", description="The subscriber's name, if it is new", examples=["Maria da Silva"])
    plan: Text = Field("", description="The plan's name or id; empty: the guess", examples=["Fibra 500 Mega"])


class ListIn(Body):
    csv: Sheet = Field(
        "",
        description="Lines of login,document,name,plan under a line with these headings",
        examples=["login,document,name,plan\nmaria,390.533.447-05,Maria da Silva,Fibra 500 Mega"],
    )
    entries: list[EntryIn] = Field(
        default_factory=list,
        max_length=20_000,
        description="Or the same as objects",
        examples=[[{"login": "maria", "document": "390.533.447-05", "name": "Maria da Silva", "plan": "3"}]],
    )
    dry_run: Flag = Field(False, description="Whether only to say what it would do", examples=[True])


class StartIn(Body):
    at_once: Flag = Field(
        False,
        description="Whether to go on although the router is not in maintenance, so that it is held from then on",
        examples=[False],
    )


class AdoptionEnd(Body):
    note: Note = Field("", description="Why", examples=["everything is imported and marked"])


class AdoptionView(View):
    model_config = columns("id", "router", "status", "counts", "started_at")

    id: int = Field(description="The adoption's id", examples=[2])
    router_id: int = Field(description="The router that was read", examples=[1])
    router: str = Field(description="Its name; empty: it is gone", examples=["borda-1"])
    status: str = Field(description="open, importing, marking or closed", examples=["open"])
    version: str = Field(description="The router's RouterOS release", examples=["7.20.4"])
    identity: str = Field(description="What the router calls itself", examples=["BORDA-1"])
    summary: list[str] = Field(description="The report in words", examples=[["310 match and differ in nothing"]])
    counts: dict[str, int] = Field(description="Candidates by verdict", examples=[{"matched": 310, "new": 4}])
    left_rows: int = Field(description="Rows that are no subscriber's", examples=[12])
    progress: dict[str, int] = Field(
        description="Candidates decided, imported, failed; rows marked, and not marked by reason",
        examples=[{"decided": 310, "imported": 300, "failed": 1, "marked": 0}],
    )
    restricting: list[str] = Field(description="Lists that count as suspended", examples=[["bloqueados"]])
    unread: dict[str, str] = Field(description="Menus that the router did not let us read, and why", examples=[{}])
    trouble: str = Field(description="Why it does not go on; empty: it does", examples=[""])
    actor: str = Field(description="Who started it, or the last import or marking", examples=["ana"])
    started_at: Instant = Field(description="When the router was read", examples=["2026-03-02T12:00:00Z"])
    closed_at: Instant | None = Field(description="When it was closed", examples=["2026-03-03T12:00:00Z"])


class CandidateView(View):
    model_config = columns("id", "verdict", "name", "access", "address", "found_id", "decision", "status", "words")

    id: int = Field(description="The candidate's id", examples=[31])
    verdict: str = Field(description="matched, differs, new, conflict or ignored", examples=["differs"])
    name: str = Field(description="How the router calls it", examples=["maria"])
    access: str = Field(description="How the router serves it", examples=["ppp"])
    login: str = Field(description="Its PPP login; empty: none", examples=["maria"])
    mac: str = Field(description="Its MAC address; empty: none", examples=["02:00:5e:10:00:01"])
    address: str = Field(description="Its address; empty: none fixed", examples=["100.64.0.9"])
    profile: str = Field(description="Its PPP profile", examples=["fibra-500"])
    upload_bps: int | None = Field(description="Its upload speed on the router", examples=[250000000])
    download_bps: int | None = Field(description="Its download speed on the router", examples=[500000000])
    suspended: bool = Field(description="Whether the router has it suspended", examples=[False])
    words: list[str] = Field(
        description="What differs, and what one should know", examples=[["address: 100.64.0.9 on the router"]]
    )
    found_id: int | None = Field(description="The subscription that it matches", examples=[12])
    plan_id: int | None = Field(description="Its plan, or the plan that its speed says", examples=[3])
    subscriber_id: int | None = Field(description="Whose it is, or may be", examples=[7])
    guess_document: str = Field(description="A CPF or CNPJ that stands at its rows", examples=["39053344705"])
    guess_name: str = Field(description="Whose it is, or may be", examples=["Maria da Silva"])
    decision: str = Field(description="accept, link, create, skip; empty: nobody has decided", examples=["accept"])
    wanted: dict[str, Any] = Field(description="The decision's particulars", examples=[{"plan_id": 3}])
    status: str = Field(description="waiting, imported or failed", examples=["imported"])
    detail: str = Field(description="Why it failed", examples=["no subnet holds 100.64.0.9"])
    subscription_id: int | None = Field(description="The subscription that it became", examples=[12])


class AdoptedRowView(View):
    model_config = columns("id", "menu", "name", "candidate_id", "key", "mark", "words")

    id: int = Field(description="The row's number in the report", examples=[77])
    menu: str = Field(description="The menu that it stands in", examples=["/ppp/secret"])
    row_id: str = Field(description="Its number at the router", examples=["*1A"])
    name: str = Field(description="How the router calls it", examples=["maria"])
    candidate_id: int | None = Field(description="Whose it is; null: no subscriber's", examples=[31])
    fields: dict[str, str] = Field(description="What it has, but for secrets", examples=[{"profile": "fibra-500"}])
    key: str = Field(description="The key that it bears; empty: none", examples=["s12:secret"])
    mark: str = Field(description="marked, changed, gone, taken, refused; empty: nothing was done", examples=["marked"])
    words: str = Field(description="Why it is no subscriber's, or was not marked", examples=["has no name"])


class FullCandidateView(CandidateView):
    rows: list[AdoptedRowView] = Field(description="Its rows on the router")


class AcceptedView(View):
    accepted: int = Field(description="How many exact matches were accepted", examples=[310])


class BadEntryView(View):
    model_config = columns("line", "login", "error")

    line: int = Field(description="The line, or the number of the entry", examples=[3])
    login: str = Field(description="Its login", examples=["maria"])
    error: str = Field(description="What is wrong with it", examples=["document: a CPF (11 digits) …"])


class ListView(View):
    dry_run: bool = Field(description="Whether nothing was decided", examples=[False])
    decided: int = Field(description="How many candidates it decides", examples=[40])
    suspended: int = Field(description="How many of them the router has suspended: they would be ACTIVE", examples=[2])
    errors: list[BadEntryView] = Field(description="Rows that cannot be used")


class MarkView(View):
    model_config = columns("id", "menu", "name", "subscription_id", "comment", "new_comment", "then")

    id: int = Field(description="The row's number in the report", examples=[77])
    menu: str = Field(description="The menu that it stands in", examples=["/ppp/secret"])
    name: str = Field(description="How the router calls it", examples=["maria"])
    subscription_id: int = Field(description="Whose it is", examples=[12])
    key: str = Field(description="The key that it gets; empty: it is not marked", examples=["s12:secret"])
    comment: str = Field(description="Its comment now", examples=["Maria, casa azul"])
    new_comment: str = Field(description="Its comment then", examples=["catraca:s12:secret Maria, casa azul"])
    then: list[str] = Field(
        description="What the next plan would change of it, or why it is not marked",
        examples=[["profile: fibra-500 → catraca-500M-250M-1f3c"]],
    )


class MarksView(View):
    to_mark: int = Field(description="How many rows would be marked", examples=[620])
    unmarked: int = Field(description="How many stay as they are", examples=[3])
    to_change: int = Field(description="How many of those marked the next plan would change", examples=[310])
    adds: dict[str, int] = Field(description="What it would add, by menu", examples=[{"/ppp/profile": 4}])
    problems: list[str] = Field(description="What it could not do, and why", examples=[[]])
    rows: list[MarkView] = Field(description="Each row, a page of them")
    next: str | None = Field(
        description="Give it back as `after` to get the next page of rows; null: this was the last", examples=["MS41MA"]
    )


def show_adoption(tx: Transaction, row: Adoption, language: str) -> AdoptionView:
    """With the router's name and the report in words."""
    router = tx.session.get(Router, row.router_id)
    return AdoptionView.of(
        row,
        router="" if router is None else router.name,
        summary=summary(row.counts, row.left_rows, language),
        progress=adoption.progress_of(tx, row.id),
    )


def show_candidate(row: AdoptionCandidate, language: str) -> CandidateView:
    upload, download = row.rate or (None, None)
    return CandidateView.of(row, upload_bps=upload, download_bps=download, words=_words(row, language))


def show_row(row: AdoptionRow, language: str) -> AdoptedRowView:
    return AdoptedRowView.of(row, words=row_words(row.why, row.mark, row.key, row.detail, language))


def show_mark(
    row_id: int, prospect: Prospect, changes: Mapping[int, Mapping[str, tuple[str, str]]], language: str
) -> MarkView:
    """One row of the preview."""
    mark = prospect.marks.get(row_id)
    if mark is None:
        left = prospect.unmarked[row_id]
        row, key, comment, then = (
            left.row,
            "",
            left.row.fields.get("comment", ""),
            [words_of(left.why.stored, language)],
        )
    else:
        row, key, comment = mark.row, mark.key, mark.comment
        then = [f"{name}: {was or '–'} → {new or '–'}" for name, (was, new) in changes.get(row_id, {}).items()]
    return MarkView(
        id=row_id, menu=row.menu.value, name=row.name, subscription_id=prospect.subscriptions[row_id], key=key,
        comment=row.fields.get("comment", ""), new_comment=comment, then=then,
    )  # fmt: skip


def sheet_rows(tx: Transaction, adoption_id: int, language: str) -> Iterator[tuple[object, ...]]:
    """Every candidate under the columns of `adoption_words.COLUMNS`."""
    after = 0
    while rows := adoption.candidates_of(tx, adoption_id, after=after, limit=_EXPORTED):
        comments = adoption.comments_of(tx, [row.id for row in rows])
        for row in rows:
            upload, download = row.rate or ("", "")
            yield (
                row.id, row.verdict, row.name, row.access, row.login, row.mac, row.address, upload, download,
                row.profile, comments.get(row.id, ""), row.found_id, row.subscriber_id, row.guess_document,
                row.guess_name, row.plan_id, "yes" if row.suspended else "no", row.decision, row.status,
                row.subscription_id,
                "; ".join([*_words(row, language), *([row.detail] if row.detail else [])]),
            )  # fmt: skip
        after = rows[-1].id


def _words(row: AdoptionCandidate, language: str) -> list[str]:
    differences = [difference_words(name, pair[0], pair[1], language) for name, pair in row.differs.items()]
    return [*differences, *(words_of(remark, language) for remark in row.remarks)]
