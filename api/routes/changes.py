"""Scheduled changes: what is to happen to a subscription at an instant."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.requests import Request

from api.fields import Instant, Note, PathKey, Text
from api.models import Body, Change, Page, View, columns
from api.paging import Pages
from api.requests import read, write
from api.values import Values
from core.database import Transaction
from provisioning.scheduled import changes as scheduled_changes
from provisioning.scheduled.actions import ACTIONS
from provisioning.scheduled.models import ScheduledChange
from provisioning.subscriptions import get_subscription

router = APIRouter(prefix="/api/v1", tags=["change"])
ChangeId = Annotated[PathKey, Path(description="The scheduled change's id", examples=[7])]
SubscriptionId = Annotated[PathKey, Path(description="The subscription's id", examples=[12])]
Status = Literal["waiting", "done", "failed", "cancelled"]
StatusFilter = Annotated[Status | None, Query(description="Only in this status", examples=["failed"])]
_ARGUMENTS = "The action's arguments, by name, as `change.actions` lists them"


class ScheduleIn(Body):
    action: Text = Field(description="What is to happen: one of `change.actions`", examples=["pause"])
    arguments: Values = Field(
        default_factory=dict, description=_ARGUMENTS, examples=[{"until": "2026-08-01T00:00:00-03:00"}]
    )
    due_at: Instant = Field(description="When", examples=["2026-07-01T00:00:00-03:00"])
    note: Note = Field("", description="Why", examples=["travelling in July, asked by telephone"])


class ChangeEdit(Change):
    arguments: Values = Field(
        default_factory=dict,
        description=f"{_ARGUMENTS}: all of them",
        examples=[{"until": "2026-08-15T00:00:00-03:00"}],
    )
    due_at: Instant = Field(
        default_factory=lambda: datetime.min.replace(tzinfo=UTC),
        description="When",
        examples=["2026-07-03T00:00:00-03:00"],
    )
    note: Note = Field(default_factory=str, description="Why", examples=["leaves two days later"])


class ChangeCancelIn(Body):
    note: Note = Field("", description="Why it is not to happen", examples=["stays at home"])


class ChangeView(View):
    model_config = columns("id", "subscription_id", "action", "due_at", "status", "result", "actor", "note")

    id: int = Field(description="The scheduled change's id", examples=[7])
    subscription_id: int = Field(description="Of which subscription", examples=[12])
    action: str = Field(description="What is to happen", examples=["pause"])
    arguments: dict[str, object] = Field(
        description="The action's arguments", examples=[{"until": "2026-08-01T03:00:00+00:00"}]
    )
    due_at: Instant = Field(description="When", examples=["2026-07-01T03:00:00Z"])
    note: str = Field(description="Why", examples=["travelling in July, asked by telephone"])
    status: Status = Field(description="waiting, done, failed or cancelled", examples=["waiting"])
    result: str = Field(description="How it ended: the new state, or why it failed", examples=["state PAUSED"])
    version: int = Field(description="1, and one more with each edit", examples=[1])
    created_at: Instant = Field(description="When it was scheduled", examples=["2026-06-20T12:00:00Z"])
    created_by: str = Field(description="By whom", examples=["ana"])
    actor: str = Field(description="In whose name it happens: who scheduled or last edited it", examples=["ana"])
    done_at: Instant | None = Field(description="When it ended", examples=["2026-07-01T03:00:00Z"])


class ArgumentView(View):
    name: str = Field(description="The argument's name", examples=["until"])
    rule: str = Field(description="What it has to be", examples=["an instant in ISO 8601 with a time zone"])
    required: bool = Field(description="Whether it has to be there", examples=[False])


class ActionView(View):
    name: str = Field(description="The action's name", examples=["pause"])
    words: str = Field(description="What it does", examples=["Pause at the subscriber's request"])
    palavras: str = Field(description="The same in Portuguese", examples=["Suspender a pedido do cliente"])
    needs_note: bool = Field(description="Whether it needs a note", examples=[False])
    arguments: list[ArgumentView] = Field(description="Its arguments")


@router.post(
    "/subscriptions/{subscription_id}/changes",
    operation_id="subscription.schedule-change",
    status_code=201,
    summary="Schedule a change of a subscription",
)
def schedule(request: Request, subscription_id: SubscriptionId, body: ScheduleIn) -> ChangeView:
    def work(tx: Transaction) -> ChangeView:
        given = body.given()
        return ChangeView.of(scheduled_changes.schedule_change(tx, subscription_id=subscription_id, **given))

    return write(request, work)


@router.get(
    "/subscriptions/{subscription_id}/changes",
    operation_id="subscription.changes",
    summary="The scheduled changes of a subscription, newest first",
)
def of_subscription(
    request: Request, subscription_id: SubscriptionId, pages: Pages, status: StatusFilter = None
) -> Page[ChangeView]:
    read(request, lambda tx: get_subscription(tx, subscription_id))
    wanted = scheduled_changes.changes_query(subscription_id=subscription_id, status=status)
    return pages.of(wanted, ScheduledChange.id, ChangeView.of, newest_first=True)


@router.get("/changes", operation_id="change.list", summary="The scheduled changes, newest first")
def list_all(
    pages: Pages,
    status: StatusFilter = None,
    since: Annotated[
        Instant | None, Query(description="Only those due at or after this", examples=["2026-07-01T00:00:00-03:00"])
    ] = None,
    until: Annotated[
        Instant | None, Query(description="Only those due before this", examples=["2026-07-02T00:00:00-03:00"])
    ] = None,
) -> Page[ChangeView]:
    wanted = scheduled_changes.changes_query(status=status, since=since, until=until)
    return pages.of(wanted, ScheduledChange.id, ChangeView.of, newest_first=True)


@router.get("/changes/actions", operation_id="change.actions", summary="What can be scheduled, with its arguments")
def actions() -> Page[ActionView]:
    return Page(items=[_shown(name) for name in sorted(ACTIONS)], next=None)


@router.get("/changes/{change_id}", operation_id="change.show", summary="One scheduled change")
def show(request: Request, change_id: ChangeId) -> ChangeView:
    return read(request, lambda tx: ChangeView.of(scheduled_changes.get_change(tx, change_id)))


@router.patch("/changes/{change_id}", operation_id="change.edit", summary="Edit a scheduled change while it waits")
def edit(request: Request, change_id: ChangeId, body: ChangeEdit) -> ChangeView:
    def work(tx: Transaction) -> ChangeView:
        return ChangeView.of(scheduled_changes.edit_change(tx, change_id=change_id, **body.given()))

    return write(request, work)


@router.post("/changes/{change_id}/cancel", operation_id="change.cancel", summary="Cancel a scheduled change")
def cancel(request: Request, change_id: ChangeId, body: ChangeCancelIn) -> ChangeView:
    def work(tx: Transaction) -> ChangeView:
        return ChangeView.of(scheduled_changes.cancel_change(tx, change_id=change_id, note=body.note))

    return write(request, work)


def _shown(name: str) -> ActionView:
    action = ACTIONS[name]
    arguments = [
        ArgumentView(name=key, rule=argument.kind.words, required=argument.required)
        for key, argument in action.arguments.items()
    ]
    return ActionView.of(action, arguments=arguments)
