# SPDX-License-Identifier: GPL-2.0-or-later
"""Router advertisements as they are by default, who gets them, and when (RFC 4861 §6)."""
import itertools
import signal
import struct
import time

import pytest

import nd
from access import ELSEWHERE, HOME, ROUTER_LINK_LOCAL, rule
from lab import PATIENCE_S, TRANSFER, Stopwatch
from nd import DNSSL, LATE_S, MAX_RA_DELAY_S, MIN_DELAY_S, MTU, PREFIX, RDNSS, SLLA, advertisements, assert_dropped, send, slla, solicit, solicitation
from packets import ALL_NODES, si6

NAMESERVER = "2001:db8:53::1"
ENV = {"DHCPV6_NAMESERVER": NAMESERVER, "DNS_SEARCH": "isp.example"}
ON_LINK, AUTONOMOUS = 0x80, 0x40
MANAGED, OTHER = 0x80, 0x40


# What they say.

@rule("RFC 4861 §6.2.3", "the header says what is configured: hop limit, flags, lifetime, and times that are left to hosts as 0")
def test_header(access):
    heard = solicit(access)
    assert heard.hop_limit == 64 and heard.flags == OTHER and heard.lifetime == 1800
    assert (heard.reachable, heard.retrans) == (0, 0)


@rule("RFC 4861 §6.1.2", "they come from the router's link-local address, with hop limit 255, code 0 and a right checksum")
def test_source(access):
    heard = solicit(access)
    assert heard.scapy.ip.src == ROUTER_LINK_LOCAL and heard.frame.src == access.line.router_mac


@rule("RFC 4861 §4.6.1", "the source link-layer address is that of the interface")
def test_source_link_layer_address(access):
    assert solicit(access).one(SLLA) == nd.mac(access.line.router_mac)


@rule("RFC 4861 §4.6.4", "the MTU is the tunnel's")
def test_mtu(access):
    assert solicit(access).one(MTU) == struct.pack("!HI", 0, 1420)


@rule("RFC 4861 §4.6.2", "the transfer network is advertised on-link and for autoconfiguration, with its lifetimes")
def test_prefix(access):
    assert solicit(access).prefixes() == {TRANSFER: (ON_LINK | AUTONOMOUS, 14400, 1800, TRANSFER.split("/")[0])}


@rule("RFC 8106 §5.1", "name servers last three of the longest intervals")
def test_rdnss(access):
    heard = solicit(access)
    assert heard.one(RDNSS) == struct.pack("!HI", 0, 1800) + nd.in6(NAMESERVER)
    assert heard.scapy.one(si6.ICMPv6NDOptRDNSS).dns == [NAMESERVER]


@rule("RFC 8106 §5.2", "so does the search list, whose names are padded with zeros")
def test_dnssl(access):
    heard = solicit(access)
    assert heard.one(DNSSL) == struct.pack("!HI", 0, 1800) + b"\3isp\7example\0\0\0\0"


@rule("RFC 4861 §6.2.3", "what is not configured is not said")
def test_nothing_else(access):
    assert sorted(code for code, _ in solicit(access).options) == sorted([SLLA, MTU, PREFIX, RDNSS, DNSSL])


# Which solicitations count.

@pytest.mark.parametrize("hop_limit", [0, 1, 64, 254])
@rule("RFC 4861 §6.1.1", "a solicitation that a router has forwarded, or that says so, is discarded")
def test_hop_limit(access, hop_limit):
    assert_dropped(access, "hop_limit", solicitation(slla("02:00:00:00:00:01")), hop_limit=hop_limit)


@rule("RFC 4861 §6.1.1", "one of another code than 0 is discarded")
def test_code(access):
    assert_dropped(access, "code", solicitation(code=1))


@rule("RFC 4861 §6.1.1", "one with a wrong checksum is discarded")
def test_checksum(access):
    assert_dropped(access, None, solicitation(), checksum=0x1234)


@pytest.mark.parametrize("length", [4, 7])
@rule("RFC 4861 §6.1.1", "one of less than 8 octets is discarded")
def test_short(access, length):
    assert_dropped(access, "truncated", solicitation()[:length])


@pytest.mark.parametrize("rest", [b"\1\0\0\0\0\0\0\0", b"\1\2\0\0\0\0\0\0", b"\x63\0", b"\1", b"\1\1\2\0\0\0\0"],
                         ids=["length 0", "over the end", "unknown of length 0", "an octet", "seven octets"])
@rule("RFC 4861 §6.1.1", "one with an option of length 0, or over the end, is discarded")
def test_bad_options(access, rest):
    assert_dropped(access, "bad_option", solicitation() + rest)


@rule("RFC 4861 §6.1.1", "one from nowhere that tells a link-layer address is discarded")
def test_unspecified_source_with_link_layer_address(access):
    assert_dropped(access, "slla_unspec", solicitation(slla("02:00:00:00:00:01")), src="::")


@rule("RFC 4861 §6.1.1", "options that are not known, and whatever is reserved, do no harm")
def test_unknown_options(access):
    advertisements(access)
    sent = send(access, solicitation(b"\xfd\2" + b"\xff" * 14, slla(access.line.wire.mac), b"\x0e\1nonce1", reserved=0xffffffff))
    assert nd.wait(access, HOME, after=sent).lifetime == 1800


@rule("RFC 4861 §6.1.1", "one to the router's own address is as good as one to all routers")
def test_unicast_solicitation(access):
    assert solicit(access, dst=ROUTER_LINK_LOCAL).lifetime == 1800


@rule("RFC 4861 §6.2.6", "one from a multicast address is answered to nobody")
def test_multicast_source(access):
    advertisements(access)
    send(access, solicitation(), src="ff02::1234")
    solicit(access)
    assert not [x for x in advertisements(access) if x.dst == "ff02::1234"]


# Who gets an answer, and when.

@rule("RFC 7772 §5.1", "who solicits from an address is answered by unicast, and nobody else is woken")
def test_unicast_answer(access):
    time.sleep(0.1)
    advertisements(access)
    send(access, solicitation(slla(access.line.wire.mac)))
    nd.wait(access, HOME)
    time.sleep(0.1)
    assert not [x for x in advertisements(access) if x.dst == HOME], "answered twice"


@rule("RFC 4861 §6.2.6", "answers wait for a random time, at most MAX_RA_DELAY_TIME")
def test_answers_are_delayed_at_random(access):
    delays, watch = [], Stopwatch()
    for _ in range(25):
        advertisements(access)
        sent = send(access, solicitation(slla(access.line.wire.mac)))
        delays.append(nd.wait(access, HOME, after=sent).at - sent)
    assert max(delays) < MAX_RA_DELAY_S + LATE_S + watch.excuse()
    assert max(delays) - min(delays) > 0.003, f"no chance in {delays}"


@rule("RFC 4861 §6.2.6", "many solicitations of one host at once have one answer")
def test_solicitations_are_joined(access):
    advertisements(access)
    before = access.counters()["rs_received"]
    for _ in range(5):
        send(access, solicitation(slla(access.line.wire.mac)))
    nd.wait(access, HOME)
    time.sleep(0.1)
    # A delay of next to nothing may have parted them; five answers would mean that nothing is joined.
    assert len(advertisements(access)) <= 2
    assert access.counters()["rs_received"] - before == 5


@rule("RFC 4861 §6.2.6", "whose link-layer address is told is answered there, without neighbour discovery")
def test_answer_to_the_address_told(access):
    heard = solicit(access, slla("02:00:5e:00:00:77"), src="fe80::77:77")
    assert heard.frame.dst == "02:00:5e:00:00:77"
    assert heard.frame.src == access.line.router_mac


@rule("RFC 4861 §6.2.6", "who tells none is found by neighbour discovery")
def test_answer_without_link_layer_address(access):
    heard = solicit(access, b"", src=ELSEWHERE)
    assert heard.frame.dst == access.line.wire.mac


@rule("RFC 4861 §6.2.6", "who tells a group's link-layer address is answered by multicast, for which the delays hold")
def test_group_as_link_layer_address(access):
    advertisements(access)
    sent = send(access, solicitation(slla("33:33:00:00:00:77")), src="fe80::77:78")
    assert nd.wait(access, ALL_NODES, after=sent).frame.dst == "33:33:00:00:00:01"
    assert not [x for x in advertisements(access) if x.dst == "fe80::77:78"]


@rule("RFC 4861 §6.2.6", "who has no address yet is answered by multicast, within what MIN_DELAY_BETWEEN_RAS and MAX_RA_DELAY_TIME allow")
def test_unspecified_source(access):
    advertisements(access)
    watch = Stopwatch()
    sent = send(access, solicitation(), src="::")
    heard = nd.wait(access, ALL_NODES, after=sent)
    assert heard.frame.dst == "33:33:00:00:00:01"
    assert heard.at - sent < MIN_DELAY_S + MAX_RA_DELAY_S + LATE_S + watch.excuse()


@rule("RFC 4861 §6.2.6", "however many solicit, multicast ones are MIN_DELAY_BETWEEN_RAS apart")
def test_multicast_ones_are_three_seconds_apart(access):
    advertisements(access)
    watch, times = Stopwatch(), []
    while len(times) < 3 and time.monotonic() < watch.begun + PATIENCE_S:
        send(access, solicitation(), src="::")
        times += [x.at for x in advertisements(access) if x.dst == ALL_NODES]
        time.sleep(0.01)
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert len(times) == 3 and min(gaps) > MIN_DELAY_S - 0.05 - watch.excuse(), f"{gaps}"
    assert max(gaps) < MIN_DELAY_S + MAX_RA_DELAY_S + LATE_S + watch.excuse()


@rule("RFC 4861 §6.2.4", "what has changed is announced at once, and not closer than MIN_DELAY_BETWEEN_RAS")
def test_announcement(access):
    nd.settle(access)
    watch = Stopwatch()
    access.vbng.send(signal.SIGHUP)
    heard = nd.wait(access, ALL_NODES)
    assert heard.at - watch.begun < 1 + watch.excuse()
    access.vbng.send(signal.SIGHUP)
    assert nd.wait(access, ALL_NODES).at - heard.at > MIN_DELAY_S - 0.05 - watch.excuse()


@rule("RFC 4861 §6.2.4", "the first goes when the link is there, and the next not later than MAX_INITIAL_RTR_ADVERT_INTERVAL after it")
def test_initial_advertisements(access):
    time.sleep(MIN_DELAY_S)
    access.restart()
    watch, times = Stopwatch(), []
    while len(times) < 2:
        heard = nd.wait(access, ALL_NODES)
        times += [heard.at] if heard.lifetime else []  # not the farewell
    assert 15.9 - watch.excuse() < times[1] - times[0] < 16 + LATE_S + watch.excuse()


@rule("RFC 4861 §6.2.5", "who ceases to be a router says so: lifetime 0, name servers gone, the prefix deprecated")
def test_farewell(access):
    time.sleep(MIN_DELAY_S)
    advertisements(access)
    assert access.vbng.stop()[0] == 0
    last = nd.wait(access, ALL_NODES)
    while last.lifetime:  # one that was due
        last = nd.wait(access, ALL_NODES)
    access.vbng = access.lab.vbng(own=access.vbng.own, **access.env).wait_serving()
    access.line.router_mac = access.vbng.own.mac("sub0")
    assert not [x for x in advertisements(access) if not x.lifetime], "said twice"
    assert last.flags & 0x18 == 0
    assert last.prefixes()[TRANSFER][1:3] == (7200, 0)
    assert last.one(RDNSS)[2:6] == b"\0\0\0\0" and last.one(DNSSL)[2:6] == b"\0\0\0\0"
