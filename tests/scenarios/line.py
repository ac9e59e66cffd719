"""A subscriber's line at the router, played with radclient: it dials, its session is accounted, it hangs up."""

from __future__ import annotations

import itertools

from tests.radclient import ACCEPT, ACCOUNTED, Answer, Attributes, Radclient
from tests.scenarios.provider import PASSWORD

NAS_IP_ADDRESS = "192.0.2.1"
"""What the router says its address is: not the one that its packets come from."""
CALLING_STATION_ID = "02:00:5E:10:00:01"
_POOL_ADDRESS = "100.64.0.9"
_sessions = itertools.count(0x81C00001)

METHODS = {"PAP": "User-Password", "CHAP": "CHAP-Password", "MS-CHAP": "MS-CHAP-Password"}
"""The attribute from which radclient makes each method's proof by itself."""


class Line:
    """One login. There is at most one session at a time; `session_id` and `granted` (Class) are of the last one."""

    def __init__(self, radclient: Radclient, login: str, password: str = PASSWORD) -> None:
        self.radclient, self.login, self.password = radclient, login, password
        self.session_id = self.granted = self.address = ""

    def asks(self, method: str = "PAP", password: str = "") -> Answer:
        """What an Access-Request is answered; it begins no session."""
        proof: Attributes = {METHODS[method]: password or self.password}
        return self.radclient.authenticate({"User-Name": self.login, **proof, **self._port()})

    def dial(self) -> Answer:
        """Connect: the Access-Accept, and an Accounting-Start that the server has acknowledged."""
        answer = self.asks()
        assert answer.code == ACCEPT, answer.printed
        self.session_id = f"{next(_sessions):x}"
        self.granted = answer.get("Class")
        self.address = answer.get("Framed-IP-Address") or _POOL_ADDRESS
        self.account("Start")
        return answer

    def interim(self, granted: str = "", more: Attributes | None = None) -> None:
        """An Interim-Update; `granted` is the Class that a CoA has brought."""
        self.granted = granted or self.granted
        self.account("Interim-Update", more)

    def hang_up(self, cause: str = "Admin-Reset") -> None:
        self.account("Stop", {"Acct-Terminate-Cause": cause})

    def account(self, status: str, more: Attributes | None = None) -> None:
        """Send one record of the session, which must be acknowledged."""
        answer = self.radclient.account({**self._session(status), **(more or {})})
        assert answer.code == ACCOUNTED, answer.printed

    def _session(self, status: str) -> dict[str, str | int | bytes]:
        return {
            "Acct-Status-Type": status,
            "User-Name": self.login,
            "Acct-Session-Id": self.session_id,
            "Framed-IP-Address": self.address,
            "Class": bytes.fromhex(self.granted.removeprefix("0x")),
            **self._port(),
        }

    def _port(self) -> Attributes:
        return {
            "NAS-IP-Address": NAS_IP_ADDRESS,
            "NAS-Port-Id": "vlan-101",
            "Calling-Station-Id": CALLING_STATION_ID,
            "Service-Type": "Framed-User",
            "Framed-Protocol": "PPP",
        }
