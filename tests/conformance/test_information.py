# SPDX-License-Identifier: GPL-2.0-or-later
"""INFORMATION-REQUEST (RFC 9915 §18.3.6)."""
import pytest

from access import rule
from packets import (CLIENTID, DNS_SERVERS, DOMAIN_LIST, ELAPSED_0, IA_NA, IA_PD, INFORMATION_REQUEST, REFRESH_TIME, REPLY, SERVERID, STATUS, in6, message, oro)

ENV = {"DHCPV6_NAMESERVER": "2001:db8:53::1", "DNS_SEARCH": "isp.example"}


@rule("RFC 9915 §18.3.6", "the REPLY has what is asked for, and the client's identifier")
def test_information(client):
    reply = client.information(oro(DNS_SERVERS, DOMAIN_LIST))
    assert reply.codes() == [SERVERID, CLIENTID, DNS_SERVERS, DOMAIN_LIST]
    assert reply.bodies(DNS_SERVERS) == [in6("2001:db8:53::1")]


@rule("RFC 9915 §18.3.6", "who does not say who it is is answered with what does not depend on that")
def test_anonymous_information(access):
    reply = access.line.ask(message(INFORMATION_REQUEST, ELAPSED_0, oro(DNS_SERVERS)))
    assert reply.type == REPLY and reply.codes() == [SERVERID, DNS_SERVERS]
    assert reply.bodies(SERVERID) == [access.duid]


@rule("RFC 9915 §18.3.6", "INFORMATION-REQUEST assigns nothing and leaves nothing to be remembered")
def test_information_leaves_no_trace(access, client):
    before = access.vbng.leases()
    reply = client.information(oro(DNS_SERVERS))
    assert not reply.ias(IA_NA) and not reply.ias(IA_PD) and not reply.has(STATUS)
    assert access.vbng.leases() == before


@rule("RFC 9915 §18.3.6", "a client that has leases may ask as well, and keeps them as they are")
def test_information_for_a_bound_client(access, client):
    had = client.obtain().prefix()
    client.information(oro(DNS_SERVERS))
    assert client.bound() == {("prefix", 1): had} and access.route(had) == client.address


@pytest.mark.xfail(strict=True, reason="there is no refresh time that could be configured")
@rule("RFC 9915 §21.23", "a refresh time comes to those who ask for it, no smaller than IRT_MINIMUM, 600 seconds")
def test_refresh_time(client):
    told = client.information(oro(REFRESH_TIME)).bodies(REFRESH_TIME)
    assert len(told) == 1 and len(told[0]) == 4 and int.from_bytes(told[0], "big") >= 600
