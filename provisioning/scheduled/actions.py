"""What a scheduled change may do: a registry, so that other modules add actions of their own.

An action names its arguments, so that they are checked when the change is scheduled, and the command that it is when
the change happens. The command decides then, by the facts of that instant: what it refuses, fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.database import Transaction
from core.errors import InvalidInput
from ipam.subnets import get_subnet
from provisioning.addresses import assign_address, release_address
from provisioning.admission import limit_sessions, reset_mac
from provisioning.cancellation import cancel
from provisioning.intervals import live_rows
from provisioning.models import PauseRow
from provisioning.moves.migration import start_migration
from provisioning.moves.transfer import transfer
from provisioning.orders import order_restriction
from provisioning.pauses import pause, resume
from provisioning.plans import get_plan
from provisioning.scheduled.arguments import (
    ADDRESS,
    CENTS,
    COUNT,
    FLAG,
    INSTANT,
    KEY,
    KEYS,
    LEVEL,
    RATE,
    TEXT,
    Argument,
)
from provisioning.speed.commands import end_speed_override, override_speed
from provisioning.subscribers import get_subscriber
from provisioning.subscriptions import activate, change_price, lock_subscription, switch_plan
from provisioning.trust.unblock import end_trust_unblock, grant_trust_unblock

Command = Callable[..., Any]
Check = Callable[[Transaction, Mapping[str, Any]], object]


@dataclass(frozen=True, slots=True)
class Action:
    """`run(tx, subscription_id=…, note=…, **arguments)` carries it out; where it gives a text, that is the result.

    `check` looks, when the change is scheduled, whether what its arguments name is there; `needs_note`: not without.
    """

    name: str
    words: str
    palavras: str
    run: Command
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    check: Check | None = None
    needs_note: bool = False


ACTIONS: dict[str, Action] = {}
ALIASES = {"enable": "resume"}
"""Other names of actions; a change is kept under the action's own."""


def register_action(action: Action) -> Action:
    """Add an action; importing the module that calls this is what makes it known."""
    if action.name in ACTIONS and ACTIONS[action.name] != action:
        raise ValueError(f"two actions with the name {action.name}")
    ACTIONS[action.name] = action
    return action


def action_named(name: str) -> Action:
    action = ACTIONS.get(ALIASES.get(name, name))
    if action is None:
        raise InvalidInput("action", f"one of {', '.join(sorted({*ACTIONS, *ALIASES}))}", "resume")
    return action


def _resume(tx: Transaction, *, subscription_id: int, note: str) -> str:
    lock_subscription(tx, subscription_id)
    if not live_rows(tx, PauseRow, subscription_id):
        return "was not paused"
    resume(tx, subscription_id=subscription_id, note=note)
    return ""


def _assign_address(tx: Transaction, *, subscription_id: int, note: str, **arguments: Any) -> str:
    return f"given {assign_address(tx, subscription_id=subscription_id, **arguments).address}"


def _release_address(tx: Transaction, *, subscription_id: int, note: str) -> str:
    return f"released {release_address(tx, subscription_id=subscription_id, note=note)}"


def _restrict(tx: Transaction, *, subscription_id: int, note: str, **arguments: Any) -> str:
    rule = note[:120] or "scheduled change"
    return f"order {order_restriction(tx, subscription_id=subscription_id, rule=rule, **arguments).id}"


def _migrate(tx: Transaction, *, subscription_id: int, note: str, **arguments: Any) -> str:
    new = start_migration(tx, subscription_id=subscription_id, note=note, **arguments)
    return f"subscription {new.id} is {new.state}"


def _transfer(tx: Transaction, *, subscription_id: int, note: str, **arguments: Any) -> str:
    return f"protocol {transfer(tx, subscription_id=subscription_id, note=note, **arguments).protocol}"


def _known_subscriber(tx: Transaction, arguments: Mapping[str, Any]) -> object:
    return get_subscriber(tx, arguments["subscriber_id"])


def _known_plan(tx: Transaction, arguments: Mapping[str, Any]) -> object:
    return get_plan(tx, arguments["plan_id"])


def _known_subnet(tx: Transaction, arguments: Mapping[str, Any]) -> object:
    return get_subnet(tx, arguments["subnet_id"])


_SPEEDS = {
    "download_bps": Argument(RATE, required=True), "upload_bps": Argument(RATE, required=True),
    "until": Argument(INSTANT),
}  # fmt: skip
_CANCELLING = {
    "cancel_open_invoices": Argument(FLAG), "fine_cents": Argument(CENTS), "withdrawal_order": Argument(FLAG),
    "withdrawal_note": Argument(TEXT),
}  # fmt: skip
_MIGRATING = {
    "plan_id": Argument(KEY, required=True), "immediate": Argument(FLAG), "change_price": Argument(FLAG),
}  # fmt: skip
_RESTRICTING = {
    "level": Argument(LEVEL, required=True), "invoice_ids": Argument(KEYS, required=True),
    "minimum_open_cents": Argument(CENTS),
}  # fmt: skip

for _action in (
    Action("resume", "End a pause: back to active", "Habilitar", _resume),
    Action(
        "pause", "Pause at the subscriber's request", "Suspender a pedido do cliente", pause,
        {"until": Argument(INSTANT), "return_note": Argument(TEXT)},
    ),
    Action("activate", "The installation is done", "Ativar", activate),
    Action("cancel", "Cancel for good", "Cancelar", cancel, _CANCELLING),
    Action(
        "switch-plan", "Another plan", "Alterar plano", switch_plan,
        {"plan_id": Argument(KEY, required=True), "change_price": Argument(FLAG)}, _known_plan,
    ),
    Action("change-price", "A price of its own", "Alterar valor", change_price, {"price_cents": Argument(CENTS)}),
    Action("migrate", "Migrate to another service", "Migrar para outro serviço", _migrate, _MIGRATING, _known_plan),
    Action(
        "transfer", "Hand on to another subscriber", "Migrar para outro cliente", _transfer,
        {"subscriber_id": Argument(KEY, required=True), "debts": Argument(TEXT)}, _known_subscriber,
    ),
    Action(
        "trust-unblock", "Service on a promise", "Desbloqueio em confiança", grant_trust_unblock,
        {"until": Argument(INSTANT, required=True)}, needs_note=True,
    ),
    Action("end-trust-unblock", "End a trust unblock", "Encerrar desbloqueio em confiança", end_trust_unblock),
    Action("override-speed", "A custom speed", "Navegação customizada", override_speed, _SPEEDS),
    Action("end-speed-override", "Back to the plan's speed", "Encerrar navegação customizada", end_speed_override),
    Action(
        "assign-address", "Give a fixed address", "Atribuir IP fixo", _assign_address,
        {"subnet_id": Argument(KEY, required=True), "address": Argument(ADDRESS)}, _known_subnet,
    ),
    Action("release-address", "Take the fixed address back", "Liberar IP fixo", _release_address),
    Action(
        "limit-sessions", "How many sessions at once", "Limitar sessões", limit_sessions,
        {"limit": Argument(COUNT, required=True)},
    ),
    Action("reset-mac", "Learn the MAC address again", "Reaprender o MAC", reset_mac),
    Action("restrict", "Order a restriction for open invoices", "Suspender por débito", _restrict, _RESTRICTING),
):  # fmt: skip
    register_action(_action)
