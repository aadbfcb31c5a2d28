# SPDX-License-Identifier: GPL-2.0-or-later
"""An access network with the real server on it, and clients that speak for themselves.

Whatever a test is about, each answer is held against what every answer must be (RFC 9915 §16.10, §18.3, §21), and where no answer is
expected the server's own counters must tell that the message arrived and why it was dropped.
"""
import collections
import ipaddress
import itertools
import struct

import pytest

import packets
from lab import POOL, TRANSFER, Netns
from packets import (ADVERTISE, AUTH, CLIENTID, CONFIRM, DECLINE, ELAPSED_0, IA_NA, IA_PD, INFORMATION_REQUEST, NAMES, PREFERENCE, RAPID_COMMIT, REBIND,
                     RECONF_ACCEPT, RELEASE, RENEW, REPLY, REQUEST, SERVERID, SOLICIT, STATUS, SUCCESS, Subscriber, message, opt)

# Addresses of the subscribers' side; its kernel answers neighbour solicitations for them.
HOME, ELSEWHERE, RELAY_LINK_LOCAL = "fe80::c:1", "fe80::c:2", "fe80::c:3"
RELAY = "2001:db8:ffff::c:4"
ROUTER_LINK_LOCAL, ROUTER = "fe80::1", "2001:db8:ffff::1"

PREFERRED_S, VALID_S = 1800, 14400  # by default
T1_S, T2_S = PREFERRED_S * 5 // 10, PREFERRED_S * 8 // 10
MAX_BINDINGS = 8  # of a client

SERVED = (SOLICIT, REQUEST, RENEW, REBIND)  # every IA of theirs is answered
NTP = 56  # one for each time source (RFC 5908 §4)
TO_ONE_SERVER = (REQUEST, RENEW, RELEASE, DECLINE)


def rule(section, text):
    """What a test holds the server to: "RFC 9915 §16.2" and the rule in words of our own."""
    return pytest.mark.rule(section, text)


def inside(what, where):
    return ipaddress.ip_network(what).subnet_of(ipaddress.ip_network(where))


class Access:
    def __init__(self, lab, env):
        # All of its clients speak from one link-layer address, more of them than one may have.
        self.lab, self.env = lab, {"DHCPV6_STATION_LIMIT": "0", **env}
        own = lab.add(Netns("own"), Netns.delete)
        # The link is the tests' own: nobody on it need look for duplicates of addresses.
        own.sysctl(net__ipv6__conf__default__dad_transmits=0)
        lab.cpe.sysctl(net__ipv6__conf__cpe0__dad_transmits=0)
        self.vbng = lab.vbng(own=own, **self.env).wait_serving()
        for address in HOME, ELSEWHERE, RELAY_LINK_LOCAL, RELAY:
            lab.cpe.ip("addr", "add", f"{address}/64", "dev", "cpe0", "nodad")
        self.cpe = lab.cpe
        self.line = Subscriber(lab.wire(), lab.cpe, own.mac("sub0"), HOME)
        self.duid = self.line.ask(message(INFORMATION_REQUEST, ELAPSED_0)).duid(SERVERID)
        self.numbers = itertools.count(1)

    def restart(self, meanwhile=lambda: None):
        assert self.vbng.stop()[0] == 0
        meanwhile()
        self.vbng = self.lab.vbng(own=self.vbng.own, **self.env).wait_serving()
        self.line.router_mac = self.vbng.own.mac("sub0")

    def client(self, duid=None, address=HOME):
        return Client(self, duid or packets.duid(next(self.numbers)), address)

    def pool(self):
        return self.env.get("DHCPV6_PD_PREFIX", POOL)

    def counters(self):
        return self.vbng.status()["counters"]

    def bound(self, client=None):
        """{(kind, IAID): prefix or address}: what is bound, of one client or of (DUID, kind, IAID) of all."""
        leases = [x for x in self.vbng.leases() if x["state"] == "bound"]
        if client is None:
            return {(x["duid"], x["kind"], x["iaid"]): x["prefix"] for x in leases}
        return {(x["kind"], x["iaid"]): x["prefix"] for x in leases if x["duid"] == client.name}

    def route(self, prefix):
        """The next hop of a delegated prefix, None where it has no route."""
        return self.vbng.delegated().get(prefix)

    def assert_dropped(self, reason, data, **how):
        """It arrives, is not answered, and is counted for that reason and no other."""
        before = self.counters()
        self.line.assert_ignored(data, **how)
        after = self.counters()
        grown = collections.Counter(after["drops"]) - collections.Counter(before["drops"])
        assert grown == {reason: 1}, f"dropped for {dict(grown)}, not for {reason}"
        # With the message that assert_ignored() sends after it. What was longer than any message never was one.
        came = 1 if reason == "overlong" else 2
        assert after["dhcpv6_received"] - before["dhcpv6_received"] == came
        assert after["dhcpv6_answered"] - before["dhcpv6_answered"] == 1

    def assert_sound(self):
        """No prefix with two owners, none outside of the pool, and a route for each that is delegated and for nothing else."""
        assert self.vbng.process.poll() is None, self.vbng.text()
        bound = [x for x in self.vbng.leases() if x["state"] == "bound"]
        prefixes = {x["prefix"]: x["next_hop"] for x in bound if x["kind"] == "prefix"}
        addresses = [x["prefix"] for x in bound if x["kind"] == "address"]
        assert len(prefixes) + len(set(addresses)) == len(bound), "something is bound twice"
        networks = sorted(map(ipaddress.ip_network, prefixes))
        assert not any(a.overlaps(b) for a, b in itertools.pairwise(networks))
        assert all(inside(p, self.pool()) for p in prefixes) and all(inside(a, TRANSFER) for a in addresses)
        assert self.vbng.delegated() == prefixes
        assert self.counters()["routes_failed"] == 0


class Client:
    """One DUID. `through` puts what it says into relays."""

    def __init__(self, access, duid, address=HOME):
        self.access, self.duid, self.address = access, duid, address
        self.name = ":".join(f"{b:02x}" for b in duid)
        self.id = opt(CLIENTID, duid)
        self.server = opt(SERVERID, access.duid)
        self.through = lambda data: data

    def message(self, kind, *options, x=None):
        """A valid one, as far as the options are."""
        named = [self.server] if kind in TO_ONE_SERVER else []
        return message(kind, self.id, *named, ELAPSED_0, *options, x=x)

    def ask(self, kind, *options, x=None, **how):
        data = self.message(kind, *options, x=x)
        answer = self.access.line.ask(self.through(data), **{"src": self.address, **how})
        self.judge(data, answer)
        return answer

    def solicit(self, *options, **how):
        answer = self.ask(SOLICIT, *options, **how)
        assert answer.type == ADVERTISE, str(answer)
        return answer

    def obtain(self, *options, **how):
        """By rapid commit."""
        answer = self.ask(SOLICIT, opt(RAPID_COMMIT), *(options or (packets.ia_pd(1),)), **how)
        assert answer.type == REPLY and answer.has(RAPID_COMMIT), str(answer)
        return answer

    def request(self, *options, **how):
        return self.ask(REQUEST, *options, **how)

    def renew(self, *options, **how):
        return self.ask(RENEW, *options, **how)

    def release(self, *options, **how):
        return self.ask(RELEASE, *options, **how)

    def decline(self, *options, **how):
        return self.ask(DECLINE, *options, **how)

    def confirm(self, *options, **how):
        return self.ask(CONFIRM, *options, **how)

    def information(self, *options, **how):
        return self.ask(INFORMATION_REQUEST, *options, **how)

    def bound(self):
        return self.access.bound(self)

    def judge(self, asked, answer):
        """What holds for every answer (RFC 9915 §16.10, §18.3, §21)."""
        said = str(answer)
        kind, options = asked[0], list(packets.walk(asked[4:]))
        requested = [code for c, body in options if c == packets.ORO for code, in struct.iter_unpack("!H", body)]
        assert answer.type == REPLY or (kind, answer.type) == (SOLICIT, ADVERTISE), said
        assert answer.bodies(SERVERID) == [self.access.duid], said
        assert answer.bodies(CLIENTID) == [self.duid], said
        codes = answer.codes()
        assert codes == [o.optcode for o in packets.layers(answer.layer)], f"scapy reads another message:\n{said}"
        several = [c for c, n in collections.Counter(codes).items() if n > 1 and c not in (IA_NA, IA_PD, NTP)]
        assert not several, f"options {several} stand more than once:\n{said}"
        accepts = {RECONF_ACCEPT, AUTH} if RECONF_ACCEPT in dict(options) else set()
        uncalled = set(codes) - {CLIENTID, SERVERID, IA_NA, IA_PD, STATUS, PREFERENCE, RAPID_COMMIT, *accepts, *requested}
        assert not uncalled, f"nobody asked for {uncalled}:\n{said}"
        assert answer.has(RAPID_COMMIT) == ((kind, answer.type) == (SOLICIT, REPLY)), said
        assert answer.has(STATUS) == (kind in (RELEASE, DECLINE, CONFIRM)), f"a status where none belongs, or none where one does:\n{said}"
        assert answer.status() == SUCCESS or kind == CONFIRM, said
        self.judge_ias(kind, options, answer)

    def judge_ias(self, kind, options, answer):
        listed = [(c, int.from_bytes(body[:4], "big")) for c, body in options if c in (IA_NA, IA_PD)]
        wanted = set(listed)
        ias = [(code, ia) for code in (IA_NA, IA_PD) for ia in answer.ias(code)]
        got = [(code, ia.iaid) for code, ia in ias]
        assert len(got) == len(set(got)), f"an IA is answered twice:\n{answer}"
        assert set(got) == wanted if kind in SERVED else set(got) <= wanted, f"other IAs than {wanted}:\n{answer}"
        times = {(ia.t1, ia.t2) for _, ia in ias if any(r.valid for r in ia.resources)}
        assert len(times) <= 1, f"T1 and T2 differ within a message:\n{answer}"
        for _, ia in ias:
            what = [r.what for r in ia.resources]
            assert len(what) == len(set(what)), f"a lease stands twice in an IA:\n{answer}"
            assert ia.t1 <= ia.t2 and all(r.preferred <= r.valid for r in ia.resources), str(answer)
            # A status that is not success and a lease of use exclude each other.
            assert ia.status == SUCCESS or not any(r.valid for r in ia.resources), str(answer)


def name_of(kind):
    return NAMES[kind - 1].replace("_", "-")


def each(*kinds):
    """The test for each of these message types."""
    return pytest.mark.parametrize("kind", kinds, ids=name_of)
