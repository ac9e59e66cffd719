"""The peer in Python, pyrad's own server: `python -m bench.serve_pyrad PORT SUBSCRIBERS`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pyrad import packet, server
from pyrad.dictionary import Dictionary

import radius
from bench.records import SECRET


class PyradServer(server.Server):  # type: ignore[misc]
    """PAP and CHAP against a dict; six attributes in the Accept."""

    def __init__(self, subscribers: int, **options: Any) -> None:
        super().__init__(**options)
        self.passwords = {f"user{n:06d}": f"pass{n:06d}" for n in range(1, subscribers + 1)}

    def HandleAuthPacket(self, pkt: Any) -> None:  # noqa: N802
        reply = self.CreateReplyPacket(pkt)
        name = pkt["User-Name"][0]
        accepted = name in self.passwords and self.holds(pkt, self.passwords[name])
        reply.code = packet.AccessAccept if accepted else packet.AccessReject
        if accepted:
            rate = (int(name[4:]) % 10 + 1) * 10
            reply["Service-Type"] = "Framed-User"
            reply["Framed-Protocol"] = "PPP"
            reply["Framed-Pool"] = f"pool{rate // 10 - 1}"
            reply["Mikrotik-Rate-Limit"] = f"{rate}M/{rate}M"
            reply["Acct-Interim-Interval"] = 300
            reply["Class"] = b"c1.1.0000000000000000.-"
        reply.add_message_authenticator()
        self.SendReplyPacket(pkt.fd, reply)

    @staticmethod
    def holds(pkt: Any, password: str) -> bool:
        if "CHAP-Password" in pkt:
            return bool(pkt.VerifyChapPasswd(password))
        return bool(pkt.PwDecrypt(pkt["User-Password"][0]) == password)


def main() -> None:
    port, subscribers = int(sys.argv[1]), int(sys.argv[2])
    dictionaries = Path(radius.__file__).parent / "dictionaries"
    dictionary = Dictionary(str(dictionaries / "dictionary"))
    host = server.RemoteHost("127.0.0.1", SECRET.encode(), "bench")
    peer = PyradServer(
        subscribers, addresses=["127.0.0.1"], authport=port, acctport=port + 100, coaport=port + 200,
        hosts={"127.0.0.1": host}, dict=dictionary, coa_enabled=False,
    )  # fmt: skip
    peer.Run()


if __name__ == "__main__":
    main()
