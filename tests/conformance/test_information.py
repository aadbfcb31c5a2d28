# SPDX-License-Identifier: GPL-2.0-or-later
"""INFORMATION-REQUEST (RFC 9915 §18.3.6), and how long a client waits before it asks again (§21.23 to §21.25)."""
import struct

from access import each, rule
from packets import (CLIENTID, DNS_SERVERS, DOMAIN_LIST, ELAPSED_0, IA_NA, IA_PD, INF_MAX_RT, INFORMATION_REQUEST, NO_PREFIX, REBIND, REFRESH_TIME, RENEW,
                     REPLY, REQUEST, SERVERID, SOL_MAX_RT, SOLICIT, STATUS, ia_pd, in6, message, oro)

ENV = {"DHCPV6_NAMESERVER": "2001:db8:53::1", "DNS_SEARCH": "isp.example", "DHCPV6_INFORMATION_REFRESH_TIME": "7200",
       "DHCPV6_SOL_MAX_RT": "3600", "DHCPV6_INF_MAX_RT": "1800"}


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


@rule("RFC 9915 §21.23", "the refresh time comes with the REPLY to who asks for it")
def test_refresh_time(client):
    assert client.information(oro(REFRESH_TIME)).bodies(REFRESH_TIME) == [struct.pack("!I", 7200)]
    assert not client.information(oro(DNS_SERVERS)).has(REFRESH_TIME)


@each(SOLICIT, REQUEST, RENEW, REBIND)
@rule("RFC 9915 §21.23", "the refresh time comes with no other message, though it is asked for")
def test_refresh_time_out_of_place(client, kind):
    reply = client.ask(kind, oro(REFRESH_TIME, DNS_SERVERS), ia_pd(1))
    assert reply.has(DNS_SERVERS) and not reply.has(REFRESH_TIME)


@each(SOLICIT, REQUEST, RENEW, REBIND, INFORMATION_REQUEST)
@rule("RFC 9915 §21.24", "SOL_MAX_RT comes with every kind of answer to who asks for it")
@rule("RFC 9915 §21.25", "INF_MAX_RT comes with every kind of answer to who asks for it")
def test_retransmission_limits(client, kind):
    reply = client.ask(kind, oro(SOL_MAX_RT, INF_MAX_RT), b"" if kind == INFORMATION_REQUEST else ia_pd(1))
    assert reply.bodies(SOL_MAX_RT) == [struct.pack("!I", 3600)] and reply.bodies(INF_MAX_RT) == [struct.pack("!I", 1800)]


@rule("RFC 9915 §18.2.9", "SOL_MAX_RT comes with an offer that has no lease, too")
def test_retransmission_limits_without_a_lease(client):
    client.obtain(*(ia_pd(i) for i in range(8)))
    answer = client.solicit(oro(SOL_MAX_RT), ia_pd(8))
    assert answer.ia().status == NO_PREFIX and answer.has(SOL_MAX_RT)
