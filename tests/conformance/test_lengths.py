# SPDX-License-Identifier: GPL-2.0-or-later
"""A pool of several lengths (RFC 8168), and what is left out of a delegated prefix (RFC 6603)."""
import ipaddress
import struct

import pytest

import packets
from access import HOME, PREFERRED_S, VALID_S, each, inside, rule
from lab import POOL
from packets import REBIND, RENEW, REQUEST, SOLICIT, ia_pd, iaprefix, oro, walk

ENV = {"DHCPV6_PD_MIN_LENGTH": "52", "DHCPV6_PD_DELEGATION_LENGTH": "56", "DHCPV6_PD_MAX_LENGTH": "62", "DHCPV6_PD_EXCLUDE": "1/64",
       "DHCPV6_CLIENT_LIMIT": "11"}
PD_EXCLUDE = 67


def length(prefix):
    return ipaddress.ip_network(prefix).prefixlen


def hint(n):
    return ia_pd(1, iaprefix(f"::/{n}"))


@rule("RFC 9915 §18.3.9", "a free prefix of any of the pool's lengths is given to who hints at it")
def test_an_exact_prefix(access, client):
    # The first test here: nobody has had any of these yet.
    for iaid, wish in enumerate(("2001:db8:ffff:b000::/52", "2001:db8:ffff:a480::/58", "2001:db8:ffff:a4c0::/62")):
        assert client.obtain(ia_pd(iaid, iaprefix(wish))).prefix() == wish and access.route(wish) == HOME
    # A part of what is taken, and what holds a part of it, are taken.
    for wish in "2001:db8:ffff:b100::/56", "2001:db8:ffff:a400::/56", "2001:db8:ffff:a480::/62":
        assert client.solicit(ia_pd(9, iaprefix(wish))).prefix() != wish


@pytest.mark.parametrize("asked", range(52, 63))
@each(SOLICIT, REQUEST, RENEW, REBIND)
@rule("RFC 8168 §3.2", "a length that the pool has is given to who hints at it")
@rule("RFC 8168 §3.5", "a length that is hinted at for what is not bound yet is given at RENEW and REBIND, too")
def test_a_length_of_the_pool(client, kind, asked):
    answer = client.ask(kind, hint(asked))
    assert length(answer.prefix()) == asked and inside(answer.prefix(), POOL)
    if client.bound():
        client.release(ia_pd(1, iaprefix(answer.prefix())))


@pytest.mark.parametrize("asked,given", [(1, 52), (48, 52), (51, 52), (63, 62), (64, 62), (128, 62), (0, 56)])
@rule("RFC 8168 §3.2", "a length that the pool does not have brings the nearest that it has")
def test_a_length_beyond_the_pool(client, asked, given):
    assert length(client.solicit(hint(asked)).prefix()) == given


@rule("RFC 8168 §3.2", "without a hint the length is the configured one")
def test_no_hint(client):
    assert length(client.solicit(ia_pd(1)).prefix()) == 56


@rule("RFC 8987 §4.1", "prefixes of several lengths under different IAIDs do not overlap, and each has a route of its length")
def test_several_lengths_in_one_message(access, client):
    ias = client.obtain(*(ia_pd(n, iaprefix(f"::/{n}")) for n in (52, 62, 56, 60, 54))).ias()
    given = [ia.resources[0].what for ia in ias]
    assert [length(p) for p in given] == [52, 62, 56, 60, 54]
    networks = sorted(map(ipaddress.ip_network, given))
    assert not any(a.overlaps(b) for a, b in zip(networks, networks[1:]))
    assert [access.route(p) for p in given] == [HOME] * 5


@rule("RFC 8987 §4.1", "how many leases a client may hold is the operator's to say")
def test_the_limit_is_configured(client):
    given = [ia.resources[0].what for ia in client.obtain(*(ia_pd(n, iaprefix("::/62")) for n in range(13))).ias() if ia.resources]
    assert len(given) == len(client.bound()) == 11


@each(REQUEST, RENEW, REBIND, SOLICIT)
@rule("RFC 8168 §3.5", "a client that holds a prefix and hints at another length keeps what it holds")
def test_a_hint_beside_a_binding(client, kind):
    had = client.obtain(hint(60)).prefix()
    ia = client.ask(kind, ia_pd(1, iaprefix(had), iaprefix("::/56"))).ia()
    assert ia.lifetimes() == {had: (PREFERRED_S, VALID_S)}


# RFC 6603

def excluded(answer):
    """The Prefix Exclude options of the one prefix in an answer."""
    body = answer.bodies(packets.IA_PD)[0][12:]
    prefixes = [inner for code, inner in walk(body) if code == packets.IAPREFIX and struct.unpack("!II", inner[:8])[1]]
    assert len(prefixes) == 1
    return [what for code, what in walk(prefixes[0][25:]) if code == PD_EXCLUDE]


@each(SOLICIT, REQUEST, RENEW, REBIND)
@pytest.mark.parametrize("n", [56, 60, 62])
@rule("RFC 6603 §4.2", "who asks for it is told in the IA Prefix which part of it to leave out")
def test_prefix_exclude(client, kind, n):
    answer = client.ask(kind, oro(PD_EXCLUDE), hint(n))
    whole = ipaddress.ip_network(answer.prefix())
    part = list(whole.subnets(new_prefix=64))[1]
    # The length, then the bits behind the delegated prefix's own, from the left of as many octets as they need.
    bits = (int(part.network_address) >> 64) & ((1 << (64 - n)) - 1)
    octets = (64 - n - 1) // 8 + 1
    assert excluded(answer) == [bytes([64]) + (bits << (octets * 8 - (64 - n))).to_bytes(octets, "big")]
    assert PD_EXCLUDE not in answer.codes()
    if client.bound():
        client.release(ia_pd(1, iaprefix(answer.prefix())))


@rule("RFC 6603 §4.2", "who does not ask is told of no such part")
def test_prefix_exclude_unasked(client):
    assert excluded(client.solicit(hint(56))) == []


@each(RENEW, REBIND)
@rule("RFC 6603 §4.2", "a prefix that is taken back excludes nothing")
def test_prefix_exclude_of_a_withdrawn_prefix(client, kind):
    answer = client.ask(kind, oro(PD_EXCLUDE), ia_pd(1, iaprefix("2001:db8:dead::/56")))
    assert len(excluded(answer)) == 1
    body = answer.bodies(packets.IA_PD)[0][12:]
    withdrawn = [inner for code, inner in walk(body) if code == packets.IAPREFIX and not struct.unpack("!II", inner[:8])[1]]
    assert len(withdrawn) == 1 and not withdrawn[0][25:]
