"""Taking over what a router already has: the report, what is decided about each candidate, the import, the marks."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from sqlalchemy import select
from starlette.requests import Request

from api.adoption_views import (
    AcceptedView,
    AdoptedRowView,
    AdoptionEnd,
    AdoptionIn,
    AdoptionView,
    CandidateView,
    DecisionIn,
    Decisions,
    FullCandidateView,
    ListIn,
    ListView,
    MarksView,
    StartIn,
    sheet_rows,
    show_adoption,
    show_candidate,
    show_mark,
    show_row,
)
from api.fields import PathKey
from api.models import Page
from api.paging import Pages
from api.requests import read, runtime_of, write
from core.database import Transaction
from provisioning.explain.words import choose_language
from provisioning.routeros.adoption import deciding as adoption_deciding
from provisioning.routeros.adoption import importing as adoption_import
from provisioning.routeros.adoption import marking as adoption_marking
from provisioning.routeros.adoption import report as adoption
from provisioning.routeros.adoption.models import Adoption
from provisioning.routeros.adoption.prospect import announced, prospect_of
from provisioning.routeros.adoption.reading import read_router, talking_to
from provisioning.routeros.adoption.words import sheet

router = APIRouter(prefix="/api/v1/adoptions", tags=["adoption"])
AdoptionId = Annotated[PathKey, Path(description="The adoption's id", examples=[2])]
CandidateId = Annotated[PathKey, Path(description="The candidate's id", examples=[31])]
Language = Annotated[
    Literal["en", "pt-BR"] | None,
    Query(description="In which language; absent: by Accept-Language, else English", examples=["pt-BR"]),
]
Verdicts = Literal["matched", "differs", "new", "conflict", "ignored"]
_CSV: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The candidates, as a table",
        "content": {"text/csv": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post(
    "",
    operation_id="adoption.start",
    status_code=201,
    summary="Read what a router has and compare it with what is known; writes nothing to the router",
)
def start(request: Request, body: AdoptionIn, lang: Language = None) -> AdoptionView:
    database = runtime_of(request).database
    with database.reading() as tx:
        router_id = adoption.refuse_second(tx, body.router)
    with talking_to(database, router_id) as connection:
        reading = read_router(connection)
    words = _language(request, lang)

    def work(tx: Transaction) -> AdoptionView:
        restricting = body.restricting
        return show_adoption(
            tx, adoption.store_report(tx, router=router_id, reading=reading, restricting=restricting), words
        )

    return write(request, work)


@router.get("", operation_id="adoption.list", summary="The adoptions, newest first")
def list_adoptions(request: Request, pages: Pages, lang: Language = None) -> Page[AdoptionView]:
    words = _language(request, lang)

    def look(tx: Transaction) -> Page[AdoptionView]:
        query = select(Adoption).order_by(Adoption.id.desc()).limit(pages.limit + 1)
        if pages.place is not None:
            query = query.where(Adoption.id < pages.place)
        rows = tx.session.scalars(query).all()
        return pages.made([(row.id, row) for row in rows], lambda row: show_adoption(tx, row, words))

    return read(request, look)


@router.get("/{adoption_id}", operation_id="adoption.show", summary="One adoption: its report, and how far it is")
def show(request: Request, adoption_id: AdoptionId, lang: Language = None) -> AdoptionView:
    words = _language(request, lang)
    return read(request, lambda tx: show_adoption(tx, adoption.get_adoption(tx, adoption_id), words))


@router.get(
    "/{adoption_id}/candidates", operation_id="adoption.candidates", summary="Subscribers as the router has them"
)
def list_candidates(
    request: Request,
    pages: Pages,
    adoption_id: AdoptionId,
    verdict: Annotated[Verdicts | None, Query(description="Only with this verdict", examples=["new"])] = None,
    decision: Annotated[Decisions | None, Query(description="Only decided so", examples=["create"])] = None,
    status: Annotated[
        Literal["waiting", "imported", "failed"] | None,
        Query(description="Only those that stand so", examples=["failed"]),
    ] = None,
    lang: Language = None,
) -> Page[CandidateView]:
    words = _language(request, lang)

    def look(tx: Transaction) -> Page[CandidateView]:
        rows = adoption.candidates_of(
            tx, adoption_id, after=pages.place or 0, limit=pages.limit + 1,
            verdict=verdict, decision=decision, status=status,
        )  # fmt: skip
        return pages.made([(row.id, row) for row in rows], lambda row: show_candidate(row, words))

    return read(request, look)


@router.get(
    "/{adoption_id}/candidates/{candidate_id}", operation_id="adoption.candidate", summary="One candidate with its rows"
)
def show_one(
    request: Request, adoption_id: AdoptionId, candidate_id: CandidateId, lang: Language = None
) -> FullCandidateView:
    words = _language(request, lang)

    def look(tx: Transaction) -> FullCandidateView:
        candidate = adoption.get_candidate(tx, adoption_id, candidate_id)
        rows = [show_row(row, words) for row in adoption.rows_of_candidate(tx, candidate_id)]
        return FullCandidateView(**show_candidate(candidate, words).model_dump(), rows=rows)

    return read(request, look)


@router.get("/{adoption_id}/rows", operation_id="adoption.rows", summary="The router's rows, and what became of each")
def list_rows(
    request: Request,
    pages: Pages,
    adoption_id: AdoptionId,
    only: Annotated[
        Literal["left", "marked", "changed", "gone", "taken", "refused"] | None,
        Query(description="left: no subscriber's; else what became of marking it", examples=["left"]),
    ] = None,
    lang: Language = None,
) -> Page[AdoptedRowView]:
    words = _language(request, lang)

    def look(tx: Transaction) -> Page[AdoptedRowView]:
        rows = adoption.rows_of(tx, adoption_id, only=only, after=pages.place or 0, limit=pages.limit + 1)
        return pages.made([(row.id, row) for row in rows], lambda row: show_row(row, words))

    return read(request, look)


@router.get(
    "/{adoption_id}/export",
    operation_id="adoption.export",
    summary="The candidates as CSV",
    response_class=Response,
    responses=_CSV,
)
def export(request: Request, adoption_id: AdoptionId, lang: Language = None) -> Response:
    words = _language(request, lang)
    content = read(request, lambda tx: sheet(sheet_rows(tx, adoption_id, words)))
    headers = {"Content-Disposition": f'attachment; filename="adoption-{adoption_id}.csv"'}
    return Response(content.encode("utf-8-sig"), media_type="text/csv", headers=headers)


@router.post(
    "/{adoption_id}/candidates/{candidate_id}/decide",
    operation_id="adoption.decide",
    summary="Say what is to become of a candidate; nothing is done yet",
)
def decide(
    request: Request, adoption_id: AdoptionId, candidate_id: CandidateId, body: DecisionIn, lang: Language = None
) -> CandidateView:
    words, given = _language(request, lang), body.given()

    def work(tx: Transaction) -> CandidateView:
        row = adoption_deciding.decide(tx, adoption_id=adoption_id, candidate_id=candidate_id, **given)
        return show_candidate(row, words)

    return write(request, work)


@router.post(
    "/{adoption_id}/accept-matched", operation_id="adoption.accept-matched", summary="Accept all exact matches"
)
def accept_matched(request: Request, adoption_id: AdoptionId) -> AcceptedView:
    def work(tx: Transaction) -> AcceptedView:
        return AcceptedView(accepted=adoption_deciding.accept_matched(tx, adoption_id=adoption_id))

    return write(request, work)


@router.post(
    "/{adoption_id}/list",
    operation_id="adoption.decide-by-list",
    summary="Decide to create the new ones that a list names, with whose they are and on which plan",
)
def decide_by_list(request: Request, adoption_id: AdoptionId, body: ListIn) -> ListView:
    entries = [entry.model_dump() for entry in body.entries]

    def work(tx: Transaction) -> ListView:
        found = adoption_deciding.decide_by_list(
            tx, adoption_id=adoption_id, csv=body.csv, entries=entries, dry_run=body.dry_run
        )
        return ListView.of(found, dry_run=body.dry_run)

    return write(request, work)


@router.post(
    "/{adoption_id}/import",
    operation_id="adoption.import",
    summary="Carry the decisions out, in the background; repeatable: what is done is not done again",
)
def import_decided(request: Request, adoption_id: AdoptionId, body: StartIn, lang: Language = None) -> AdoptionView:
    words = _language(request, lang)

    def work(tx: Transaction) -> AdoptionView:
        return show_adoption(tx, adoption_import.start_import(tx, adoption_id=adoption_id, at_once=body.at_once), words)

    return write(request, work)


@router.get(
    "/{adoption_id}/marks",
    operation_id="adoption.preview-marks",
    summary="Which comments would be written, and what the next plan would change then; writes nothing",
)
def preview_marks(request: Request, pages: Pages, adoption_id: AdoptionId, lang: Language = None) -> MarksView:
    words = _language(request, lang)

    def look(tx: Transaction) -> MarksView:
        prospect = prospect_of(tx, adoption_id)
        then = announced(tx, adoption_id, prospect)
        wanted = sorted(key for key in (*prospect.marks, *prospect.unmarked) if key > (pages.place or 0))
        views = {key: show_mark(key, prospect, then.changes, words) for key in wanted[: pages.limit + 1]}
        shown = pages.made(list(views.items()), lambda view: view)
        return MarksView(
            to_mark=len(prospect.marks), unmarked=len(prospect.unmarked), to_change=len(then.changes),
            adds=dict(then.adds), problems=list(then.problems), rows=shown.items, next=shown.next,
        )  # fmt: skip

    return read(request, look)


@router.post(
    "/{adoption_id}/mark",
    operation_id="adoption.mark",
    summary="Put our mark into the comments of the adopted rows, in the background; nothing else is written",
)
def mark(request: Request, adoption_id: AdoptionId, body: StartIn, lang: Language = None) -> AdoptionView:
    words = _language(request, lang)

    def work(tx: Transaction) -> AdoptionView:
        return show_adoption(
            tx, adoption_marking.start_marking(tx, adoption_id=adoption_id, at_once=body.at_once), words
        )

    return write(request, work)


@router.post(
    "/{adoption_id}/close",
    operation_id="adoption.close",
    summary="Be done with it: the passwords that were read are forgotten",
)
def close(request: Request, adoption_id: AdoptionId, body: AdoptionEnd, lang: Language = None) -> AdoptionView:
    words = _language(request, lang)

    def work(tx: Transaction) -> AdoptionView:
        return show_adoption(tx, adoption.close_adoption(tx, adoption_id=adoption_id, note=body.note), words)

    return write(request, work)


def _language(request: Request, wanted: str | None) -> str:
    return choose_language(wanted, request.headers.get("accept-language"))
