"""How inside addresses share outside ones: deterministic port blocks (RFC 7422), both ways. Pure.

Each outside address offers `blocks` blocks of `block_size` ports, counted from `first_port`; what is left over at the
end of the ports is not used. Inside address number i (from the first one, 0) has, by the rule's `layout`:

    sequential  outside address i // blocks, block i % blocks: neighbours share an outside address, the algorithm that
                RFC 7422 §2 names first and the usual script of `src-nat` rules for RouterOS
    netmap      outside address i % outsides, block i // outsides: neighbours have neighbouring outside addresses and
                the same block, which a router can say in one `netmap` rule a block

So an inside address always has the same block, and a log of every flow is not needed to tell whose a port was.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Literal

from ipam.space import Block

Layout = Literal["sequential", "netmap"]
LAYOUTS: tuple[Layout, ...] = ("sequential", "netmap")
PORTS = Block(1, 65_535)


@dataclass(frozen=True, slots=True)
class PortBlock:
    """The ports of one outside address, `first_port` to `last_port`, that one inside address has."""

    outside: IPv4Address
    first_port: int
    last_port: int


@dataclass(frozen=True, slots=True)
class Mapping:
    """Addresses and ports from first to last, both included. Valid when `problem` is None."""

    inside: Block
    outside: Block
    ports: Block
    block_size: int
    layout: Layout = "sequential"

    @property
    def blocks(self) -> int:
        """Blocks of one outside address."""
        return self.ports.size // self.block_size

    @property
    def capacity(self) -> int:
        """How many inside addresses the outside ones can serve."""
        return self.blocks * self.outside.size

    @property
    def problem(self) -> str | None:
        """Why the mapping cannot be, with the arithmetic."""
        if not self.blocks:
            return f"a block of {self.block_size} ports does not fit into the {self.ports.size} ports"
        if self.capacity < self.inside.size:
            return (
                f"{self.outside.size} outside addresses × {self.blocks} blocks of {self.block_size} ports"
                f" ({self.ports.size} ports ÷ {self.block_size}) serve {self.capacity} inside addresses,"
                f" and there are {self.inside.size}: {self.inside.size - self.capacity} too many"
            )
        return None

    def block_of(self, inside: IPv4Address) -> PortBlock | None:
        """What the inside address has outside; None: the rule is not about it."""
        if int(inside) not in self.inside:
            return None
        address, block = self._place(int(inside) - self.inside.first)
        first = self.ports.first + block * self.block_size
        return PortBlock(IPv4Address(self.outside.first + address), first, first + self.block_size - 1)

    def inside_of(self, outside: IPv4Address, port: int) -> IPv4Address | None:
        """Whose the port is; None: the rule is not about the address, or nobody has the port."""
        block = (port - self.ports.first) // self.block_size
        if int(outside) not in self.outside or not 0 <= block < self.blocks:
            return None
        number = self._number(int(outside) - self.outside.first, block)
        return IPv4Address(self.inside.first + number) if number < self.inside.size else None

    def _place(self, number: int) -> tuple[int, int]:
        """Which outside address and which of its blocks, both from 0."""
        if self.layout == "sequential":
            return divmod(number, self.blocks)
        block, address = divmod(number, self.outside.size)
        return address, block

    def _number(self, address: int, block: int) -> int:
        if self.layout == "sequential":
            return address * self.blocks + block
        return block * self.outside.size + address
