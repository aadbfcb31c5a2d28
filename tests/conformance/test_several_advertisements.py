# SPDX-License-Identifier: GPL-2.0-or-later
"""More than fits into one packet of the link's MTU (RFC 4861 §6.2.3), within a provisioning domain of its own (RFC 8801)."""
import time

import nd
from access import HOME, rule
from nd import CAPTIVE_PORTAL, DNSSL, HEADER, MTU, PREFIX, PVD, RDNSS, ROUTE, SLLA, advertisements, options_in, prefixes_in, send, slla, solicitation

NAMES = [f"a-name-that-takes-some-room-{n}.{'x' * 60}.example" for n in range(8)]
PREFIXES = ["2001:db8:ffff::/64", *(f"2001:db8:ffff:{n}::/64" for n in range(1, 8))]
ROUTES = [f"2001:db8:{n:x}:1:2:3::/96" for n in range(1, 17)]
SERVERS = [f"2001:db8:53::{n}" for n in range(1, 9)]
PORTAL = "https://portal.isp.example/" + "p" * 200
ENV = {
    "TRANSFER_PREFIX": ",".join(PREFIXES),
    "DNS_SEARCH": ",".join(NAMES),
    "DHCPV6_NAMESERVER": ",".join(SERVERS),
    "ROUTER_ADVERTISEMENT_ROUTES": ",".join(ROUTES),
    "DHCPV6_CAPTIVE_PORTAL": PORTAL,
    "ROUTER_ADVERTISEMENT_MTU": "1280",
    "ROUTER_ADVERTISEMENT_PVD": "isp.example",
    "ROUTER_ADVERTISEMENT_PVD_ONLY": "on",
}
PVD_NAME = b"\3isp\7example\0" + bytes(5)
PVD_HEAD = 4 + len(PVD_NAME)


def answer(access):
    """All packets of one."""
    advertisements(access)
    send(access, solicitation(slla(access.line.wire.mac)))
    first = nd.wait(access, HOME)
    time.sleep(0.1)
    return [first, *(x for x in advertisements(access) if x.dst == HOME)]


def within(heard):
    """The header and the options that the provisioning domain holds."""
    body = heard.one(PVD)
    assert body[:2] == b"\x20\0" and body[4:PVD_HEAD] == PVD_NAME
    return HEADER.unpack(body[PVD_HEAD:PVD_HEAD + 16]), options_in(body[PVD_HEAD + 16:])


def sequence(access):
    found = {x.one(PVD)[2:4] for x in answer(access)}
    assert len(found) == 1
    return int.from_bytes(found.pop(), "big")


@rule("RFC 4861 §6.2.3", "what does not fit into the link's MTU comes in several, none of which is longer, as few as hold it")
def test_packets(access):
    packets = answer(access)
    sizes = [len(x.bytes) + 40 for x in packets]
    assert max(sizes) <= 1280 and len(packets) == -(-sum(s - 56 - 40 for s in sizes) // (1280 - 56 - 40)), f"{sizes}"


@rule("RFC 6980 §5", "none comes in fragments")
def test_no_fragments(access):
    assert all(x.frame.payload.nh == 58 for x in answer(access))


@rule("RFC 4861 §6.2.3", "all of them have the same header")
def test_same_headers(access):
    packets = answer(access)
    assert len({x.header[3:] for x in packets}) == 1 and len({within(x)[0] for x in packets}) == 1


@rule("RFC 4861 §6.2.3", "each option is in one of them")
def test_options(access):
    options = [o for x in answer(access) for o in within(x)[1]]
    assert sorted(prefixes_in(options)) == sorted(PREFIXES) and len([1 for code, _ in options if code == PREFIX]) == 8
    assert len([1 for code, _ in options if code == ROUTE]) == 16
    servers = b"".join(body[6:] for code, body in options if code == RDNSS)
    assert servers == b"".join(map(nd.in6, SERVERS))
    names = b"".join(body[6:].rstrip(b"\0") + b"\0" for code, body in options if code == DNSSL)
    assert names == b"".join(b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0" for name in NAMES)
    assert [body.rstrip(b"\0").decode() for code, body in options if code == CAPTIVE_PORTAL] == [PORTAL]


@rule("RFC 8801 §3.2", "all of the domain but the options within it stands in each")
def test_domain_in_each(access):
    for x in answer(access):
        within(x)


@rule("RFC 8801 §3.1", "with the R flag the header for those who know of domains stands in it; by the outer one nobody takes us for a router")
def test_header_within(access):
    for x in answer(access):
        header = within(x)[0]
        assert header[0:3] == (134, 0, 0) and header[5] == 1800
        assert x.lifetime == 0 and x.flags & 0x18 == 0


@rule("RFC 8801 §3.3", "those who do not know of domains learn nothing but what is the link's own")
def test_outside(access):
    packets = answer(access)
    assert [sorted(code for code, _ in x.options) for x in packets] == [[SLLA, MTU, PVD]] + [[PVD]] * (len(packets) - 1)


@rule("RFC 8801 §4.1", "the sequence number is one more when what is advertised has changed, and the same after a restart")
def test_sequence_number(access):
    first = sequence(access)
    access.restart()
    assert sequence(access) == first
    access.env["ROUTER_ADVERTISEMENT_HOP_LIMIT"] = "32"
    try:
        access.restart()
        assert sequence(access) == (first + 1) & 0xffff
    finally:
        del access.env["ROUTER_ADVERTISEMENT_HOP_LIMIT"]
