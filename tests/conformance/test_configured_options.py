# SPDX-License-Identifier: GPL-2.0-or-later
"""What an operator may have told to whoever asks for it (RFC 9915 §21.7), each as its own RFC writes it."""
import shutil
import struct

import pytest

from access import NTP, each, rule
from packets import DNS_SERVERS, DOMAIN_LIST, FQDN, INFORMATION_REQUEST, REBIND, RENEW, REQUEST, SOLICIT, ia_na, ia_pd, in6, opt, oro, walk

AFTR, MAPE, MAPT, LW, PORTAL = 64, 94, 95, 96, 103
S46_RULE, S46_BR, S46_DMR, S46_V4V6BIND, S46_PORTPARAMS = range(89, 94)
NTP_ADDRESS, NTP_MULTICAST, NTP_NAME = 1, 2, 3
API = "https://portal.provider1.example/api?x=1"
ENV = {
    "DHCPV6_NAMESERVER": "2001:db8:53::1,2001:db8:53::2",
    "DNS_SEARCH": "isp.example",
    "DHCPV6_NTP_SERVER": "2001:db8::123,ff05::101,ntp.isp.example",
    "DHCPV6_AFTR_NAME": "aftr.isp.example",
    "DHCPV6_CAPTIVE_PORTAL": API,
    "DHCPV6_S46_MAPE": "br=2001:db8:e::1 rule=2001:db8:4000::/40,192.0.2.0/24,ea=16,fmr rule=2001:db8:5000::/40,198.51.100.0/24,ea=16",
    "DHCPV6_S46_MAPT": "dmr=64:ff9b::/96 rule=2001:db8:8000::/33,198.51.100.7/32,ea=0,psid-offset=4,psid-len=6,psid=33",
    "DHCPV6_S46_LW4O6": "br=2001:db8:e::2 bind=203.0.113.9,2001:db8:42:ff00::/56,psid-len=8,psid=18",
    "DHCPV6_OPTION_242": "0a0b0c",
    "DNS_ZONE": "home.example",
}
ALL = DNS_SERVERS, DOMAIN_LIST, NTP, AFTR, MAPE, MAPT, LW, PORTAL, 242


def labels(name):
    return b"".join(bytes([len(x)]) + x.encode() for x in name.split(".")) + b"\0"


def told(client, code):
    return client.information(oro(code)).bodies(code)


def whole(client, code):
    """The options in the one container that is told."""
    (body,) = told(client, code)
    return list(walk(body))


@rule("RFC 3646 §3", "DNS servers stand in their order, 16 octets each")
def test_dns_servers(client):
    assert told(client, DNS_SERVERS) == [in6("2001:db8:53::1") + in6("2001:db8:53::2")]


@rule("RFC 3646 §4", "names of the search list are in DNS form, and not compressed")
def test_search_list(client):
    assert told(client, DOMAIN_LIST) == [labels("isp.example")]


@rule("RFC 5908 §4", "each time source has an option of its own, with one suboption: a server's address, a group's, or a name")
def test_ntp(client):
    assert told(client, NTP) == [opt(NTP_ADDRESS, in6("2001:db8::123")), opt(NTP_MULTICAST, in6("ff05::101")), opt(NTP_NAME, labels("ntp.isp.example"))]


@rule("RFC 6334 §3", "the AFTR's name is one, in DNS form, with its end")
def test_aftr_name(client):
    assert told(client, AFTR) == [labels("aftr.isp.example")]


@rule("RFC 8910 §2.2", "the captive portal's API is told as a URI without an end of its own")
def test_captive_portal(client):
    assert told(client, PORTAL) == [API.encode()]


@rule("RFC 7598 §4.1", "a rule: flags, length of the embedded bits, the IPv4 prefix, and of the IPv6 prefix as many octets as it has")
@rule("RFC 7598 §5.1", "the container of MAP-E has its rules and at least one border relay")
def test_map_e(client):
    assert sorted(whole(client, MAPE)) == [(S46_RULE, bytes([0, 16, 24, 198, 51, 100, 0, 40]) + in6("2001:db8:5000::")[:5]),
                                           (S46_RULE, bytes([1, 16, 24, 192, 0, 2, 0, 40]) + in6("2001:db8:4000::")[:5]),
                                           (S46_BR, in6("2001:db8:e::1"))]


@rule("RFC 7598 §4.3", "the default mapping rule: of its prefix as many octets as it has")
@rule("RFC 7598 §4.5", "port parameters stand within their rule, the PSID on the left of its field")
@rule("RFC 7598 §5.2", "the container of MAP-T has its rules and one default mapping rule")
def test_map_t(client):
    ports = opt(S46_PORTPARAMS, bytes([4, 6]) + struct.pack("!H", 33 << 10))
    assert sorted(whole(client, MAPT)) == [(S46_RULE, bytes([0, 0, 32, 198, 51, 100, 7, 33]) + in6("2001:db8:8000::")[:5] + ports),
                                           (S46_DMR, bytes([96]) + in6("64:ff9b::")[:12])]


@rule("RFC 7598 §4.4", "a lightweight binding: the IPv4 address, then of the IPv6 prefix as many octets as it has, then its ports")
@rule("RFC 7598 §5.3", "the container of lightweight 4over6 has a binding and a border relay")
def test_lightweight_4over6(client):
    ports = opt(S46_PORTPARAMS, bytes([0, 8]) + struct.pack("!H", 18 << 8))
    assert sorted(whole(client, LW)) == [(S46_BR, in6("2001:db8:e::2")),
                                         (S46_V4V6BIND, bytes([203, 0, 113, 9, 56]) + in6("2001:db8:42:ff00::")[:7] + ports)]


@pytest.mark.parametrize("code", [S46_RULE, S46_BR, S46_DMR, S46_V4V6BIND, S46_PORTPARAMS])
@rule("RFC 7598 §6", "what belongs into a container is not told outside of one, though it is asked for")
def test_nothing_outside_of_its_container(client, code):
    assert not client.information(oro(code)).has(code)


@rule("RFC 9915 §21.7", "an option that nobody here knows is told as it was given")
def test_any_other_option(client):
    assert told(client, 242) == [b"\x0a\x0b\x0c"]


@each(SOLICIT, REQUEST, RENEW, REBIND, INFORMATION_REQUEST)
@rule("RFC 9915 §18.3", "whoever asks for all that there is gets all of it, in each kind of answer, and only NTP comes more than once")
def test_all_of_them(client, kind):
    answer = client.ask(kind, oro(*ALL), b"" if kind == INFORMATION_REQUEST else ia_pd(1))
    assert {c: len(answer.bodies(c)) for c in ALL} == {**dict.fromkeys(ALL, 1), NTP: 3}


FLAG_S, FLAG_O, FLAG_N = 1, 2, 4


@pytest.mark.skipif(not shutil.which("dnsmasq"), reason="dnsmasq is not installed: nobody has a name in a DNS of ours")
@pytest.mark.parametrize("wished,told,whose", [(FLAG_S, FLAG_S, "home.example"), (0, FLAG_S | FLAG_O, "home.example"), (FLAG_N, FLAG_N, "isp.example")])
@rule("RFC 4704 §4.1", "S tells that we have the name in a DNS, N that nobody has, O that S is not as the client wished; with N there is no S")
@rule("RFC 4704 §6", "whoever wants its name in no DNS has it in none")
def test_a_name_in_our_zone(client, wished, told, whose):
    answer = client.obtain(ia_na(1), opt(FQDN, bytes([wished]) + labels("cpe.isp.example")), oro(FQDN))
    name = f"cpe.{whose}" if wished == FLAG_N else f"cpe-isp-example.{whose}"
    assert answer.bodies(FQDN) == [bytes([told]) + labels(name)]
