# SPDX-License-Identifier: GPL-2.0-or-later
"""By what way answers come (RFC 9915 §7.2, §18.3.10), and how long a message may be."""
import pytest

from access import ELSEWHERE, HOME, ROUTER_LINK_LOCAL, rule
from packets import SOLICIT, Ether, ia_pd, opt


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


@rule("RFC 9915 §16", "what is longer than any message has to be is dropped, and harms nobody")
def test_overlong(access, client):
    access.assert_dropped("overlong", client.message(SOLICIT, opt(65001, b"x" * 4000), ia_pd(1)))
    assert client.solicit(ia_pd(1)).prefix()


@rule("RFC 9915 §18.3.2", "a message that is sent again is answered again, afresh")
def test_retransmission(client):
    data = client.message(SOLICIT, ia_pd(1), x=0x424242)
    first, second = client.access.line.ask(data), client.access.line.ask(data)
    assert first.message == second.message
