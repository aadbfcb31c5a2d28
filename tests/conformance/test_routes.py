# SPDX-License-Identifier: GPL-2.0-or-later
"""The delegating router's own part (RFC 8987): what the kernel of its namespace has, and what becomes of packets."""
import ipaddress
import os
import signal
import struct
import time

import pytest
from scapy.layers import inet6 as si6

from access import ELSEWHERE, HOME, RELAY, rule
from lab import OUR_PROTOCOL, PATIENCE_S, POOL, TRANSFER, wait_for
from packets import RAPID_COMMIT, SOLICIT, ia_na, ia_pd, iaprefix, opt

SILENCE_S = 3  # longer than anything is on its way


def routes(access, prefix):
    """All routes of exactly this prefix, as the kernel has them."""
    return [r for r in access.vbng.own.routes() if r["dst"] == prefix]


@rule("RFC 8987 §4.2", "a prefix that is delegated has one route of its length, to the client's link-local address on its link")
def test_a_route_a_prefix(access, client):
    prefix = client.obtain().prefix()
    found = routes(access, prefix)
    assert [(r["gateway"], r["dev"], str(r["protocol"])) for r in found] == [(HOME, "sub0", OUR_PROTOCOL)]


@rule("RFC 8987 §4.1", "several prefixes of one client are delegated at a time, and each is routed")
def test_several_prefixes(access, client):
    prefixes = [ia.resources[0].what for ia in client.obtain(*(ia_pd(i) for i in range(4))).ias()]
    assert [access.route(p) for p in prefixes] == [HOME] * 4


@rule("RFC 8987 §4.2", "addresses are on the link and need no route")
def test_addresses_have_no_route(access, client):
    before = access.vbng.delegated()
    client.obtain(ia_na(1))
    assert access.vbng.delegated() == before


@pytest.mark.parametrize("how", ["REQUEST", "RENEW", "SOLICIT"])
@rule("RFC 8987 §4.2", "the route moves with the client by whichever message it comes from its new address")
def test_the_route_moves(access, client, how):
    prefix = client.obtain().prefix()
    client.address = ELSEWHERE
    {"REQUEST": client.request, "RENEW": client.renew, "SOLICIT": lambda *ia: client.ask(SOLICIT, opt(RAPID_COMMIT), *ia)}[how](ia_pd(1, iaprefix(prefix)))
    assert [r["gateway"] for r in routes(access, prefix)] == [ELSEWHERE]


@rule("RFC 8987 §4.2", "an offer to somebody who is bound does not move the route")
def test_an_offer_moves_nothing(access, client):
    prefix = client.obtain().prefix()
    client.address = ELSEWHERE
    assert client.solicit(ia_pd(1)).prefix() == prefix
    assert access.route(prefix) == HOME


@rule("RFC 8987 §4.2", "the route goes with the lease, and the routes of others stay")
def test_the_route_goes(access, client):
    other = access.client().obtain().prefix()
    prefix = client.obtain().prefix()
    client.release(ia_pd(1, iaprefix(prefix)))
    assert not routes(access, prefix) and access.route(other) == HOME


@rule("RFC 8987 §4.2", "a route that somebody took away is there again with the next RENEW")
def test_a_route_is_healed(access, client):
    prefix = client.obtain().prefix()
    access.vbng.own.ip("-6", "route", "del", prefix)
    assert not routes(access, prefix)
    client.renew(ia_pd(1, iaprefix(prefix)))
    assert access.route(prefix) == HOME


@rule("RFC 8987 §4.2", "an offer makes no route")
def test_an_offer_makes_no_route(access, client):
    before = access.vbng.delegated()
    prefix = client.solicit(ia_pd(1)).prefix()
    assert not routes(access, prefix) and access.vbng.delegated() == before


@rule("RFC 8987 §4.3", "a fault of the delegating router's server takes neither a lease nor a route away")
def test_a_fault(access, client):
    prefix = client.obtain().prefix()
    bound, server = access.bound(), access.vbng.pids()[1]
    os.kill(server, signal.SIGKILL)
    assert access.route(prefix) == HOME
    wait_for("the next server", lambda: access.vbng.verb("healthcheck", check=False).stdout == "serving\n")
    assert access.bound() == bound and access.route(prefix) == HOME
    assert client.renew(ia_pd(1, iaprefix(prefix))).prefix() == prefix


@rule("RFC 8987 §4.3", "leases and routes survive a restart of the delegating router")
def test_restart(access, client):
    had = client.obtain(ia_pd(1), ia_pd(2), ia_na(1))
    bound, delegated = access.bound(), access.vbng.delegated()
    access.restart()
    assert access.bound() == bound and access.vbng.delegated() == delegated
    assert client.renew(ia_na(1)).address() == had.address()


@rule("RFC 8987 §4.4", "an operator sees who holds which prefix, by what next hop, and for how long")
def test_leases_are_shown(access, client):
    prefix = client.obtain().prefix()
    lease = [x for x in access.vbng.leases() if x["duid"] == client.name]
    assert [(x["prefix"], x["state"], x["next_hop"], x["iaid"]) for x in lease] == [(prefix, "bound", HOME, 1)]
    assert 14300 <= lease[0]["valid_left_s"] <= 14400


@rule("RFC 8987 §4.4", "an operator clears one lease, all of a client, or all there are, each with its route")
def test_leases_are_cleared(access, client):
    other = access.client().obtain().prefix()
    first, second, third = (ia.resources[0].what for ia in client.obtain(*(ia_pd(i) for i in range(3))).ias())
    for which, left in (first, {second: HOME, third: HOME, other: HOME}), (client.name, {other: HOME}), ("--all", {}):
        access.vbng.verb("leases", "clear", which)
        assert {p: access.route(p) for p in (first, second, third, other) if access.route(p)} == left
        assert {p for p in (first, second, third, other) if p in access.bound().values()} == set(left)
    assert not access.bound() and not access.vbng.delegated()
    # It is told at its next RENEW, and has the same again.
    assert client.renew(ia_pd(0, iaprefix(first))).prefix() == first and access.route(first) == HOME


def send_into(access, source, target, mac=None, patience=PATIENCE_S):
    """An echo request of a subscriber's: [(ICMPv6 type, code)] of what comes of it first, the request itself not counted."""
    line, seq = access.line, next(access.numbers)
    line.wire.read()
    line.wire.send(line.frame(si6.ICMPv6EchoRequest(id=4711, seq=seq), str(target), src=str(source), hop_limit=64, mac=mac))
    end, came = time.monotonic() + patience, []
    while time.monotonic() < end and not came:
        for _, mine, data in line.wire.read():
            if not mine and data[12:14] == b"\x86\xdd" and data[20] == 58 and struct.pack("!HH", 4711, seq) in data:
                came.append((data[54], data[55]))
        time.sleep(0.005)
    return came


def two_hosts(prefix):
    """One in each of two networks of a delegated prefix."""
    first = ipaddress.ip_network(prefix).network_address
    return first + 0x1234, first + (7 << 64) + 0x5678


DESTINATION_UNREACHABLE, REJECT_ROUTE, ECHO_REQUEST = 1, 6, 128


@rule("RFC 8987 §4.2", "a packet for a delegated prefix from anybody else goes to who holds it")
def test_a_packet_for_a_delegated_prefix(access, client):
    client.address = ELSEWHERE
    target = two_hosts(client.obtain().prefix())[1]
    # From other hardware than that which the prefix leads to, with an address that it made for itself on the link.
    source = ipaddress.ip_network(TRANSFER).network_address + 0x9999
    assert send_into(access, source, target, mac="02:00:5e:99:99:99") == [(ECHO_REQUEST, 0)]


@rule("RFC 8987 §4.2", "a packet that a subscriber sends into its own prefix is refused (ICMPv6 type 1, code 6) and not sent back")
def test_a_packet_into_ones_own_prefix(access, client):
    assert send_into(access, *two_hosts(client.obtain().prefix())) == [(DESTINATION_UNREACHABLE, REJECT_ROUTE)]


@rule("RFC 8987 §4.2", "a packet that a subscriber sends from one of its own prefixes into another is not sent back either")
def test_a_packet_into_ones_own_other_prefix(access, client):
    one, other = (ia.resources[0].what for ia in client.obtain(ia_pd(1), ia_pd(2)).ias())
    assert send_into(access, two_hosts(one)[0], two_hosts(other)[0]) == [(DESTINATION_UNREACHABLE, REJECT_ROUTE)]


@rule("RFC 8987 §4.2", "a packet for a part of the pool that nobody holds is refused")
def test_a_packet_into_what_nobody_holds(access, client):
    source = two_hosts(client.obtain().prefix())[0]
    held = set(access.bound().values())
    free = next(p for p in map(str, ipaddress.ip_network(POOL).subnets(new_prefix=56)) if p not in held)
    came = send_into(access, source, two_hosts(free)[0])
    assert len(came) == 1 and came[0][0] == DESTINATION_UNREACHABLE


@rule("RFC 8987 §4.2", "who may send from a prefix is its holder, as long as it holds it: ingress filters follow the leases")
def test_sources_follow_the_leases(access, client):
    prefix = client.obtain().prefix()
    source = two_hosts(prefix)[0]
    assert (ECHO_REQUEST, 0) in send_into(access, source, RELAY)
    assert not send_into(access, source, RELAY, mac="02:00:5e:99:99:99", patience=SILENCE_S), "from somebody else's hardware"
    assert not send_into(access, "2001:db8:77::1", RELAY, patience=SILENCE_S), "from no prefix of ours"
    client.release(ia_pd(1, iaprefix(prefix)))
    assert not send_into(access, source, RELAY, patience=SILENCE_S), "it is nobody's now"
