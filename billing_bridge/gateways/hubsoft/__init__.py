"""HubSoft as a source of billing facts: importing this makes sources of the kind "hubsoft" askable."""

from __future__ import annotations

from billing_bridge.gateways.feed import FEEDS, Feed, FeedKind
from billing_bridge.gateways.hubsoft.client import HubSoft
from billing_bridge.gateways.hubsoft.mapping import plan
from billing_bridge.intake.models import BillingSource
from core.secrets import Secret


def connect(source: BillingSource) -> Feed:
    settings = source.settings
    password = source.password or Secret("")
    return HubSoft(settings["base_url"], settings["client_id"], source.secret, settings["username"], password)


FEEDS["hubsoft"] = FeedKind(plan, connect)
