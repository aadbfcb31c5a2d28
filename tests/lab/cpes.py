# SPDX-License-Identifier: GPL-2.0-or-later
"""CPEs that speak by hand, several of them on one link, and what the packet filter knows of them."""
import ipaddress
import json

import pytest

import packets as p
from lab import TRANSFER, Netns, run, wait_for
from packets import si6

OUR_ADDRESS = TRANSFER.replace("/64", "1")
TABLE = "vbng-provider1"


def in_prefix(prefix, n):
    """Its nth /64, host 1."""
    net = ipaddress.ip_network(prefix)
    return str(net.network_address + (n << 64) + 1)


class Cpe(p.Subscriber):
    """A station on the street, with a link-layer address of its own, that speaks by hand: nothing answers for it."""

    def __init__(self, street, n):
        super().__init__(street.wire, street.lab.cpe, street.vbng.own.mac("sub0"), address=f"fe80::c:{n:x}")
        self.street = street
        self.n = n
        self.wan = None
        self.mac = f"02:00:00:00:0c:{n:02x}"

    def frame(self, *what, mac=None, **how):
        return super().frame(*what, mac=mac or self.mac, **how)

    def lease(self, *ias):
        """Its prefix, once the packet filter knows whose it is."""
        reply = self.obtain(self.n, *(ias or (p.ia_pd(1),)))
        self.reply = reply
        self.prefix = reply.prefix()
        wait_for("the station in the packet filter", lambda: (self.mac, self.address) in self.street.stations())
        return self

    def release(self):
        server = self.server_id()
        self.ask(p.message(p.RELEASE, p.client_id(self.n), server, p.ELAPSED_0, p.ia_pd(1, p.iaprefix(self.prefix))))

    def echo(self, src, dst):
        """Sends a request; its identifier."""
        ident = p.xid() & 0xffff
        self.wire.send(self.frame(si6.ICMPv6EchoRequest(id=ident, seq=1, data=b"x" * 56), dst, src, 64))
        return ident

    def came(self):
        """Every ICMPv6 packet for this station's card since the last look, neighbour solicitations answered."""
        got = []
        for _, mine, data in self.wire.read():
            if mine or data[12:14] != b"\x86\xdd" or data[20] != 58:
                continue
            frame = p.Ether(data)
            if frame.haslayer(si6.ICMPv6ND_NS):
                self.answer_for(frame)
            elif frame.dst == self.mac:
                got.append(frame)
        return got

    def answer_for(self, frame):
        """Its WAN address is looked for by neighbour discovery."""
        target = frame[si6.ICMPv6ND_NS].tgt
        if target != self.wan or frame[si6.IPv6].src == "::":
            return
        self.wire.send(self.frame(si6.ICMPv6ND_NA(tgt=target, R=1, S=1, O=1) / si6.ICMPv6NDOptDstLLAddr(lladdr=self.mac),
                                  frame[si6.IPv6].src, target))

    def wait_for(self, what, match):
        """All that came until something matches, and that one last."""
        heard = []

        def look():
            heard.extend(self.came())
            return next((f for f in heard if match(f)), None)
        try:
            found = wait_for(what, look, every=0.005)
        except AssertionError as e:
            raise AssertionError(f"{e}; heard {[f.summary() for f in heard]}") from None
        return heard, found

    def all_of_it(self):
        """What was sent so far has brought about no more than this: the router has answered an echo request that was sent after it."""
        asked = self.echo(self.address, "fe80::1")
        heard, reply = self.wait_for("the router's echo reply", lambda f: f.haslayer(si6.ICMPv6EchoReply) and f[si6.ICMPv6EchoReply].id == asked)
        return [f for f in heard if f is not reply]


class Street:
    unfiltered = False

    def __init__(self, lab, **how):
        self.lab = lab
        self.vbng = lab.vbng(**{"WIREGUARD_BACKEND": "none", **how}).wait_serving()
        self.wire = lab.wire()
        if not self.unfiltered:
            self.vbng.wait_log("packet filter's rules are in force")

    def stations(self):
        """(link-layer address, next hop) of each, as nft shows them."""
        listed = self.vbng.own.exec("nft", "-j", "list", "set", "inet", TABLE, "stations", check=False)
        sets = [x["set"] for x in json.loads(listed.stdout or '{"nftables": []}')["nftables"] if "set" in x]
        return {tuple(e["concat"]) for s in sets for e in s.get("elem", [])}

    def cpe(self, n, *ias):
        return Cpe(self, n).lease(*ias)


def needs_nf_tables():
    """Without it vbng warns and serves, and there is nothing to see."""
    ns = Netns("probe")
    try:
        said = run(*ns.cmd("nft", "add", "table", "inet", "probe"), check=False)
    finally:
        ns.delete()
    if said.returncode:
        pytest.skip(f"this kernel has no nf_tables: {said.stderr.strip()}")
