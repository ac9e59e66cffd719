"""The groups of verbs, so that `catraca --help` need not build the API; a test keeps them equal to its document."""

from __future__ import annotations

GROUPS = {
    "subscriber": "The provider's customers",
    "plan": "What is sold: price and speeds",
    "subscription": "A subscriber's services: state, trust, speed, pause, address, why",
    "billing-method": "Billing methods and their suspension rules",
    "charge": "What has to be paid, before it stands on an invoice",
    "invoice": "Invoices and their payment",
    "receipt": "Money that came in, and taking it back",
    "dunning": "The guarded run that restricts who is late",
    "nas": "Routers that may ask RADIUS",
    "session": "Who is connected, who was, and what does not run as it should",
    "radius": "The RADIUS processes; `radius test`: what a NAS would be answered, and why",
    "reject": "Whom RADIUS refused lately, and why",
    "folder": "Folders of subnets",
    "subnet": "Subnets, their reserved ranges and how full they are",
    "address": "Single addresses: who has one, who had one",
    "prefix": "Prefixes that are routed to subscriptions",
    "cgnat": "How inside addresses share public ones, in blocks of ports",
    "evidence": "Signed exports of connection records, for a court's order",
    "hold": "Legal holds: connection records that no purge takes",
    "history": "The address history: how long it is kept, what would go",
    "audit": "The audit trail",
    "job": "The outbox: what waits to be done",
    "token": "API tokens",
    "health": "Whether the product can serve",
    "problem": "What an error means",
}
