"""FreeRADIUS in the place of a router: it takes our CoA and Disconnect, and its own log says what it took.

FreeRADIUS drops what is not authentic, so every request found here had the right Request Authenticator and
Message-Authenticator.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tests.freeradius import FreeRadius
from tests.scenarios.waiting import until

COA, DISCONNECT = "CoA-Request", "Disconnect-Request"
UNSUPPORTED_ATTRIBUTE = 401

_REQUEST = re.compile(r"^\((\d+)\) Received (CoA-Request|Disconnect-Request) Id (\d+ from \S+) to ")
_ANSWER = re.compile(r"^\((\d+)\) Sent (\S+) Id ")
_ATTRIBUTE = re.compile(r"^\((\d+)\)   (\S+) = (.*)$")
_SERVER = """
server receiver {{
	recv-coa {{
{refusals}
		ok
	}}
}}
"""
_REFUSES_COA = """
		if (&User-Name == "{user}" && &Packet-Type == CoA-Request) {{
			update reply {{
				&Error-Cause := {cause}
			}}
			reject
		}}"""


@dataclass
class Request:
    """One CoA- or Disconnect-Request as FreeRADIUS read it, and what it answered."""

    kind: str
    attributes: dict[str, str]
    answer: str = ""

    @property
    def user(self) -> str:
        return self.attributes.get("User-Name", "")


class CoaReceiver:
    """A FreeRADIUS with a CoA listener that acknowledges everything, but for CoA about those in `refuse_coa`."""

    def __init__(self, secret: str, refuse_coa: Mapping[str, int] | None = None) -> None:
        refusals = [_REFUSES_COA.format(user=user, cause=cause) for user, cause in (refuse_coa or {}).items()]
        server = _SERVER.format(refusals="".join(refusals))
        self.server = FreeRadius(secret, "127.0.0.1", {"coa": "receiver"}, server)

    def requests(self, user: str) -> list[Request]:
        """All answered requests about this user, oldest first."""
        return [request for request in read_log(self.server.log) if request.user == user and request.answer]

    def next_request(self, user: str, since: int) -> Request:
        """The first request about this user behind `since` others."""
        return until(lambda: self.requests(user)[since:], f"FreeRADIUS receives a request about {user}")[0]


def read_log(log: str) -> list[Request]:
    """The requests in the output of `freeradius -X`; one that was transmitted again counts once."""
    found: dict[str, Request] = {}
    numbers: dict[str, Request] = {}
    for line in log.splitlines():
        if received := _REQUEST.match(line):
            request = found.setdefault(received[3], Request(received[2], {}))
            numbers[received[1]] = request
        elif (attribute := _ATTRIBUTE.match(line)) and attribute[1] in numbers and not numbers[attribute[1]].answer:
            numbers[attribute[1]].attributes.setdefault(attribute[2], attribute[3].strip('"'))
        elif (answered := _ANSWER.match(line)) and answered[1] in numbers:
            numbers[answered[1]].answer = answered[2]
    return list(found.values())
