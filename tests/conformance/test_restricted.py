# SPDX-License-Identifier: GPL-2.0-or-later
"""A server without rapid commit, addresses and RECONFIGURE, whose leases do not end; a client may hold as many as it likes."""
import pytest

from access import HOME, each, rule
from packets import ADVERTISE, AUTH, IA_NA, NO_ADDRS, RAPID_COMMIT, REBIND, RECONF_ACCEPT, RENEW, REQUEST, SOLICIT, STATUS, ia_na, ia_pd, iaaddr, iaprefix, opt

INFINITY = 0xffffffff
ENV = {"DHCPV6_RAPID_COMMIT": "off", "DHCPV6_IA_NA": "off", "DHCPV6_RECONFIGURE": "off", "DHCPV6_CLIENT_LIMIT": "0",
       "DHCPV6_VALID_LIFETIME": str(INFINITY), "DHCPV6_PREFERRED_LIFETIME": str(INFINITY)}


@rule("RFC 9915 §18.3.1", "where rapid commit is off an ADVERTISE answers, without the option, and binds nothing")
def test_rapid_commit_is_off(client):
    answer = client.ask(SOLICIT, opt(RAPID_COMMIT), ia_pd(1))
    assert answer.type == ADVERTISE and not answer.has(RAPID_COMMIT) and answer.prefix()
    assert not client.bound()


@each(SOLICIT, REQUEST)
@rule("RFC 9915 §18.3.9", "where addresses are off an IA_NA of a SOLICIT has NoAddrsAvail and no address, and prefixes are offered")
@rule("RFC 9915 §18.3.2", "where addresses are off an IA_NA of a REQUEST has NoAddrsAvail and no address, and prefixes are given")
def test_addresses_are_off(client, kind):
    answer = client.ask(kind, ia_na(1), ia_pd(1), ia_na(2, iaaddr("2001:db8:ffff::3:3:3")))
    assert [(ia.status, ia.resources) for ia in answer.ias(IA_NA)] == [(NO_ADDRS, [])] * 2
    assert answer.prefix() and not answer.has(STATUS)


@each(RENEW, REBIND)
@rule("RFC 9915 §18.3.4", "an address that cannot be extended is taken back, with NoAddrsAvail")
def test_renewal_of_an_address(client, kind):
    client.request(ia_pd(1))
    ia = client.ask(kind, ia_na(1, iaaddr("2001:db8:ffff::3:3:3")), ia_pd(1)).ia(IA_NA)
    assert ia.status == NO_ADDRS and ia.lifetimes() == {"2001:db8:ffff::3:3:3": (0, 0)}


@rule("RFC 9915 §21.4", "leases that do not end have no T1 and T2 either")
@rule("RFC 9915 §7.7", "infinity is 0xffffffff")
def test_infinity(access, client):
    ia = client.request(ia_pd(1)).ia()
    assert (ia.t1, ia.t2) == (INFINITY, INFINITY)
    assert [(r.preferred, r.valid) for r in ia.resources] == [(INFINITY, INFINITY)]
    lease = [x for x in access.vbng.leases() if x["duid"] == client.name][0]
    assert lease["valid_left_s"] is None and access.route(lease["prefix"]) == HOME


@rule("RFC 9915 §21.20", "where it is off nobody is told to accept RECONFIGURE, nor given a key for it")
def test_reconfigure_is_off(client):
    for answer in client.solicit(opt(RECONF_ACCEPT), ia_pd(1)), client.request(opt(RECONF_ACCEPT), ia_pd(1)), client.information(opt(RECONF_ACCEPT)):
        assert not answer.has(RECONF_ACCEPT) and not answer.has(AUTH)


@rule("RFC 9915 §18.3.5", "without rapid commit a REBIND of what is bound is answered as ever")
def test_rebind_of_a_binding(client):
    had = client.request(ia_pd(1)).prefix()
    assert client.ask(REBIND, ia_pd(1, iaprefix(had))).prefix() == had


@rule("RFC 9915 §18.3.4", "a RENEW, which names one server, creates bindings without rapid commit as well")
def test_renew_of_the_unknown(client):
    assert client.renew(ia_pd(1, iaprefix("2001:db8:ffff:9200::/56"))).prefix() == "2001:db8:ffff:9200::/56"


@pytest.mark.xfail(strict=True, reason="on purpose: a binding that is not known is granted at REBIND with rapid commit off, too, "
                                       "so that a lost store costs nobody the connection")
@rule("RFC 9915 §18.3.5", "a REBIND, which every server hears, creates bindings only where rapid commit is on")
def test_rebind_of_the_unknown(access, client):
    access.line.send(client.message(REBIND, ia_pd(1, iaprefix("2001:db8:ffff:9300::/56"))))
    client.information()
    assert not client.bound()


@rule("RFC 9915 §18.3.4", "whoever holds as many prefixes as a message can name renews all of them by one")
@rule("RFC 9915 §18.3.7", "and gives all of them back by one")
def test_as_many_as_a_message_can_name(access, client):
    iaids = range(30)
    had = {ia.iaid: ia.resources[0].what for ia in client.request(*map(ia_pd, iaids)).ias()}
    named = [ia_pd(i, iaprefix(had[i])) for i in iaids]
    assert {ia.iaid: ia.lifetimes() for ia in client.renew(*named).ias()} == {i: {had[i]: (INFINITY, INFINITY)} for i in iaids}
    assert set(client.bound().values()) == set(had.values()) and {access.route(p) for p in had.values()} == {HOME}
    assert not client.release(*named).ias()
    assert not client.bound() and not [p for p in had.values() if access.route(p)]
