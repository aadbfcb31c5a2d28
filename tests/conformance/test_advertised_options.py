# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything that an advertisement can say, each from its variable."""
import struct
import time

import nd
from access import rule
from nd import CAPTIVE_PORTAL, MTU, PREF64, PVD, ROUTE, SLLA, solicit
from packets import NOT_ON_LINK, SUCCESS, ia_na, iaaddr

PORTAL = "https://portal.isp.example/api"
FIRST, SECOND, THIRD, POOL = "2001:db8:ffff::/64", "2001:db8:ffff:1::/64", "2001:db8:ffff:2::/64", "2001:db8:ffff:8000::/49"
ENV = {
    "TRANSFER_PREFIX": f"{FIRST},{SECOND},{THIRD}",
    "ROUTER_ADVERTISEMENT_PREFIXES": f"{SECOND},on-link=off,valid=600,preferred=300 {THIRD},autonomous=off,router-address=on {POOL},pd-preferred=on",
    "ROUTER_ADVERTISEMENT_MANAGED": "on",
    "ROUTER_ADVERTISEMENT_PREFERENCE": "high",
    "ROUTER_ADVERTISEMENT_LIFETIME": "900",
    "ROUTER_ADVERTISEMENT_HOP_LIMIT": "63",
    "ROUTER_ADVERTISEMENT_REACHABLE_TIME": "30000",
    "ROUTER_ADVERTISEMENT_RETRANS_TIMER": "1000",
    "ROUTER_ADVERTISEMENT_SOURCE_LINK_LAYER": "off",
    "ROUTER_ADVERTISEMENT_MTU": "1400",
    "ROUTER_ADVERTISEMENT_ROUTES": "2001:db8:1::/48@low,2001:db8:2::/80@high@7200,::/0@medium",
    "ROUTER_ADVERTISEMENT_PREF64": "64:ff9b::/96",
    "ROUTER_ADVERTISEMENT_PVD": "isp.example",
    "ROUTER_ADVERTISEMENT_PVD_HTTP": "on",
    "ROUTER_ADVERTISEMENT_PVD_LEGACY": "on",
    "ROUTER_ADVERTISEMENT_PVD_DELAY": "5",
    "ROUTER_ADVERTISEMENT_PVD_SEQUENCE": "513",
    "DHCPV6_CAPTIVE_PORTAL": PORTAL,
}
ON_LINK, AUTONOMOUS, ROUTER_ADDRESS, PD_PREFERRED = 0x80, 0x40, 0x20, 0x10


@rule("RFC 4861 §4.2", "hop limit, M and O, lifetime, reachable time and retransmission timer are what is configured")
def test_header(access):
    heard = solicit(access)
    assert heard.header[3:] == (63, 0x80 | 0x40 | 0x08, 900, 30000, 1000)


@rule("RFC 4191 §2.2", "the preference as a default router stands in the header")
def test_preference(access):
    assert solicit(access).scapy.ra.prf == 1  # high


@rule("RFC 4861 §6.2.1", "the source link-layer address can be left out")
def test_no_source_link_layer_address(access):
    assert not solicit(access).of(SLLA)


@rule("RFC 4861 §4.6.4", "the MTU can be less than the tunnel's")
def test_mtu(access):
    assert solicit(access).one(MTU) == struct.pack("!HI", 0, 1400)


@rule("RFC 4861 §4.6.2", "each prefix has the flags and lifetimes that were given for it")
def test_prefixes(access):
    assert solicit(access).prefixes() == {
        FIRST: (ON_LINK | AUTONOMOUS, 14400, 1800, "2001:db8:ffff::"),
        SECOND: (AUTONOMOUS, 600, 300, "2001:db8:ffff:1::"),
        THIRD: (ON_LINK | ROUTER_ADDRESS, 14400, 1800, "2001:db8:ffff:2::1"),
        POOL: (PD_PREFERRED, 14400, 1800, "2001:db8:ffff:8000::"),
    }


@rule("RFC 6275 §7.2", "where the R flag is set the field holds our address, which answers")
def test_router_address(access):
    assert solicit(access).prefixes()[THIRD][3] == "2001:db8:ffff:2::1"
    assert "2001:db8:ffff:2::1" in [a["local"] for a in access.vbng.own.addresses("sub0")]


@rule("RFC 9762 §4", "the P flag tells that prefixes are delegated to clients")
def test_pd_preferred(access):
    assert solicit(access).prefixes()[POOL][0] == PD_PREFERRED


@rule("RFC 4191 §2.3", "routes come with preference and lifetime, in as many octets as their prefix needs")
def test_routes(access):
    heard = solicit(access)
    assert heard.of(ROUTE) == [
        struct.pack("!BBI", 48, 0x18, 900) + nd.in6("2001:db8:1::")[:8],
        struct.pack("!BBI", 80, 0x08, 7200) + nd.in6("2001:db8:2::"),
        struct.pack("!BBI", 0, 0, 900),
    ]


@rule("RFC 8781 §4", "the NAT64 prefix has its length code and a lifetime of three of the longest intervals")
def test_pref64(access):
    assert solicit(access).one(PREF64) == struct.pack("!H", 1800 // 8 << 3 | 0) + nd.in6("64:ff9b::")[:12]


@rule("RFC 8910 §2.3", "the captive portal's API stands there as by DHCPv6, padded with zeros")
def test_captive_portal(access):
    body = solicit(access).one(CAPTIVE_PORTAL)
    assert body.rstrip(b"\0") == PORTAL.encode() and (len(body) + 2) % 8 == 0


@rule("RFC 8801 §3.1", "the provisioning domain has its name, its flags, the delay and the sequence number")
def test_provisioning_domain(access):
    heard = solicit(access)
    assert heard.one(PVD) == struct.pack("!HH", 0x8000 | 0x4000 | 5, 513) + b"\3isp\7example\0" + bytes(5)


@rule("RFC 8801 §3.2", "there is one in an advertisement, and what stands beside it is for all")
def test_provisioning_domain_beside_others(access):
    heard = solicit(access)
    assert heard.lifetime == 900 and len(heard.of(PVD)) == 1 and heard.prefixes()


@rule("RFC 4861 §6.2.3", "what fits into one packet comes in one")
def test_one_packet(access):
    solicit(access)
    time.sleep(0.1)
    assert not nd.advertisements(access)


@rule("RFC 4861 §6.2.1", "we have an address in each transfer network, which the status tells")
def test_addresses(access):
    ours = {a["local"] for a in access.vbng.own.addresses("sub0")}
    assert {"2001:db8:ffff::1", "2001:db8:ffff:1::1", "2001:db8:ffff:2::1"} <= ours
    subscriber = access.vbng.status()["subscriber"]
    assert subscriber["transfer"] == "2001:db8:ffff::1/64"
    assert subscriber["more_transfers"] == ["2001:db8:ffff:1::1/64", "2001:db8:ffff:2::1/64"]
    assert "            and 2001:db8:ffff:2::1/64\n" in access.vbng.verb("status").stdout


@rule("RFC 9915 §18.3.3", "addresses of any transfer network are right for the link")
def test_confirm_in_every_transfer_network(client):
    for address, want in ("2001:db8:ffff:1::5", SUCCESS), ("2001:db8:ffff:2::5", SUCCESS), ("2001:db8:ffff:3::5", NOT_ON_LINK):
        assert client.confirm(ia_na(1, iaaddr(address))).status() == want, address
