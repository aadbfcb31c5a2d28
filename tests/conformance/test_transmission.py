# SPDX-License-Identifier: GPL-2.0-or-later
"""By what way answers come (RFC 9915 §7.2, §18.3.10), and how long a message may be."""
import pytest

from access import ELSEWHERE, HOME, ROUTER_LINK_LOCAL, each, rule
from packets import (CONFIRM, DNS_SERVERS, INFORMATION_REQUEST, REBIND, RENEW, REQUEST, SOLICIT, Ether, ia_na, ia_pd, iaaddr, opt, oro)


@pytest.mark.parametrize("sport", [546, 1, 547, 1024, 30000, 65535])
@rule("RFC 9915 §7.2", "clients may send from any port, and are answered on 546")
def test_source_ports(client, sport):
    assert client.solicit(ia_pd(1), sport=sport).udp.dport == 546
    assert client.request(ia_pd(1), sport=sport).udp.dport == 546


@pytest.mark.parametrize("address", [HOME, ELSEWHERE])
@rule("RFC 9915 §18.3.10", "an answer is unicast to the address that the message came from")
def test_answers_go_to_the_source(access, client, address):
    client.address = address
    answer = client.solicit(ia_pd(1))
    assert (answer.ip.src, answer.ip.dst) == (ROUTER_LINK_LOCAL, address)
    assert answer.frame[Ether].dst == access.line.wire.mac


@rule("RFC 8200 §5", "a message of 1500 octets with its headers is taken")
def test_a_full_frame(client):
    room = 1500 - 40 - 8 - len(client.message(SOLICIT, ia_pd(1))) - 4
    assert client.solicit(opt(65001, b"x" * room), ia_pd(1)).prefix()


@rule("RFC 8200 §5", "a message that comes in fragments is taken")
def test_fragments(client):
    assert client.solicit(opt(65001, b"x" * 1600), ia_pd(1)).prefix()


@rule("RFC 8200 §5", "what is longer than 2048 octets, of which a node need put 1500 together, is dropped, and harms nobody")
def test_overlong(access, client):
    access.assert_dropped("overlong", client.message(SOLICIT, opt(65001, b"x" * 4000), ia_pd(1)))
    assert client.solicit(ia_pd(1)).prefix()


@each(SOLICIT, REQUEST, CONFIRM, RENEW, REBIND, INFORMATION_REQUEST)
@rule("RFC 9915 §18.3", "a message that is sent again is answered again, afresh and with the same words")
def test_retransmission(client, kind):
    ias = {INFORMATION_REQUEST: (), CONFIRM: (ia_na(1, iaaddr("2001:db8:ffff::5:6:7")),)}.get(kind, (ia_pd(1), ia_na(2), ia_pd(3)))
    data = client.message(kind, *ias, oro(DNS_SERVERS), x=0x424242)
    assert len({client.access.line.ask(data).message for _ in range(3)}) == 1
