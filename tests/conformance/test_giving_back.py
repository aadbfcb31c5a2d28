# SPDX-License-Identifier: GPL-2.0-or-later
"""RELEASE (RFC 9915 §18.3.7) and DECLINE (§18.3.8)."""
import pytest

import packets
from access import ELSEWHERE, HOME, each, rule
from packets import DECLINE, IA_NA, IA_PD, NO_BINDING, RELEASE, STATUS, SUCCESS, ia_na, ia_pd, iaaddr, iaprefix, unmasked, walk


def said_success(reply):
    return len(reply.bodies(STATUS)) == 1 and reply.status() == SUCCESS


def set_aside(access, kind="addresses"):
    return [p["set_aside"] for p in access.vbng.status()["pools"] if p["kind"] == kind][0]


@rule("RFC 9915 §18.3.7", "RELEASE ends the binding: Success, and no IA comes back")
@rule("RFC 8987 §4.2", "the route of a prefix that is released is removed")
def test_release(access, client):
    had = client.obtain(ia_pd(1), ia_na(2))
    reply = client.release(ia_pd(1, iaprefix(had.prefix())), ia_na(2, iaaddr(had.address())))
    assert said_success(reply) and not reply.ias(IA_PD) and not reply.ias(IA_NA)
    assert not client.bound() and access.route(had.prefix()) is None


@each(RELEASE, DECLINE)
@rule("RFC 9915 §18.3.7", "RELEASE of what is not bound: NoBinding in that IA and nothing else in it, Success for the message")
@rule("RFC 9915 §18.3.8", "DECLINE of what is not bound: NoBinding in that IA and nothing else in it, Success for the message")
def test_no_binding(client, kind):
    reply = client.ask(kind, ia_pd(1, iaprefix("2001:db8:ffff:8100::/56")), ia_na(2, iaaddr("2001:db8:ffff::5:6:7")))
    assert said_success(reply)
    for code in IA_PD, IA_NA:
        assert reply.ia(code).status == NO_BINDING
        assert [inner for inner, _ in walk(reply.bodies(code)[0][12:])] == [STATUS]


@each(RELEASE, DECLINE)
@rule("RFC 9915 §18.3.7", "a RELEASE that is sent again finds no binding, and is answered")
@rule("RFC 9915 §18.3.8", "a DECLINE that is sent again finds no binding, and is answered")
def test_again(client, kind):
    had = client.obtain(ia_na(1)).address()
    assert not client.ask(kind, ia_na(1, iaaddr(had))).ias(IA_NA)
    assert client.ask(kind, ia_na(1, iaaddr(had))).ia(IA_NA).status == NO_BINDING


@rule("RFC 9915 §18.3.7", "a lease that is not the IA's is passed over: what is bound stays")
def test_release_of_something_else(access, client):
    had = client.obtain().prefix()
    reply = client.release(ia_pd(1, iaprefix("2001:db8:ffff:8100::/56"), iaprefix("2001:db8:dead::/56"), iaprefix(had[:-2] + "57")))
    assert said_success(reply) and not reply.ias()
    assert client.bound() == {("prefix", 1): had} and access.route(had) == HOME


@rule("RFC 9915 §21.22", "bits behind its length make a prefix that is given back no other one")
def test_release_with_host_bits(access, client):
    had = client.obtain().prefix()
    assert said_success(client.release(ia_pd(1, unmasked(had[:-3] + "5", 56))))
    assert not client.bound() and access.route(had) is None


@rule("RFC 9915 §18.3.7", "an IA that names no lease gives none back")
def test_release_of_an_empty_ia(access, client):
    had = client.obtain().prefix()
    assert said_success(client.release(ia_pd(1)))
    assert client.bound() == {("prefix", 1): had} and access.route(had) == HOME


@each(RELEASE, DECLINE)
@rule("RFC 9915 §18.3.7", "nobody gives back what is somebody else's")
@rule("RFC 9915 §18.3.8", "nobody declines what is somebody else's")
def test_what_is_somebody_elses(access, client, kind):
    owner = access.client()
    had = owner.obtain(ia_pd(1), ia_na(1))
    client.ask(kind, ia_pd(1, iaprefix(had.prefix())), ia_na(1, iaaddr(had.address())))
    assert owner.bound() == {("prefix", 1): had.prefix(), ("address", 1): had.address()}
    assert access.route(had.prefix()) == HOME


@rule("RFC 9915 §18.3.7", "of several IAs those that are named end, the others stay")
def test_release_of_one_of_several(client):
    had = client.obtain(ia_pd(1), ia_pd(2), ia_na(1))
    first, second = (ia.resources[0].what for ia in had.ias())
    client.release(ia_pd(1, iaprefix(first)))
    assert client.bound() == {("prefix", 2): second, ("address", 1): had.address()}


@rule("RFC 9915 §18.3.7", "IAs with and without a binding in one RELEASE are dealt with each")
def test_release_of_known_and_unknown(client):
    had = client.obtain().prefix()
    reply = client.release(ia_pd(1, iaprefix(had)), ia_pd(2, iaprefix("2001:db8:ffff:8200::/56")))
    assert said_success(reply) and [(ia.iaid, ia.status) for ia in reply.ias()] == [(2, NO_BINDING)]
    assert not client.bound()


@rule("RFC 9915 §18.3.7", "who released is remembered: the same client is offered and given the same again")
def test_the_same_after_release(access, client):
    had = client.obtain(ia_pd(1), ia_na(1))
    client.release(ia_pd(1, iaprefix(had.prefix())), ia_na(1, iaaddr(had.address())))
    for _ in range(5):
        access.client().obtain(ia_pd(1), ia_na(1))
    again = client.solicit(ia_pd(1), ia_na(1))
    assert (again.prefix(), again.address()) == (had.prefix(), had.address())
    assert client.obtain().prefix() == had.prefix()


@each(RELEASE, DECLINE)
@rule("RFC 9915 §22", "on a shared link identifiers are no secret: who speaks from another address than the holder's ends nothing of it, and is answered")
def test_giving_back_from_elsewhere(access, client, kind):
    had = client.obtain(ia_pd(1), ia_na(1))
    before = access.vbng.status()["counters"]["dhcpv6_answered"]
    client.address = ELSEWHERE
    assert said_success(client.ask(kind, ia_pd(1, iaprefix(had.prefix())), ia_na(1, iaaddr(had.address()))))
    assert client.bound() == {("prefix", 1): had.prefix(), ("address", 1): had.address()} and access.route(had.prefix()) == HOME
    assert access.vbng.status()["counters"]["dhcpv6_answered"] == before + 1


@rule("RFC 9915 §18.3.7", "a client that has moved can give back from where it is now")
def test_release_after_a_move(access, client):
    had = client.obtain().prefix()
    client.address = ELSEWHERE
    client.renew(ia_pd(1, iaprefix(had)))
    client.release(ia_pd(1, iaprefix(had)))
    assert not client.bound() and access.route(had) is None


@rule("RFC 9915 §18.3.7", "a RELEASE without IAs is Success")
def test_release_of_nothing(client):
    assert said_success(client.release())


# DECLINE

@rule("RFC 9915 §18.3.8", "DECLINE: Success, the binding is gone, and the address is set aside")
def test_decline(access, client):
    had, before = client.obtain(ia_na(1)).address(), set_aside(access)
    reply = client.decline(ia_na(1, iaaddr(had)))
    assert said_success(reply) and not reply.ias(IA_NA)
    assert not client.bound() and set_aside(access) == before + 1
    assert [x["state"] for x in access.vbng.leases() if x["prefix"] == had] == ["declined"]


@rule("RFC 9915 §18.3.8", "a declined address is given to nobody: neither to who declined it nor to who asks for it by name")
def test_a_declined_address_is_not_given(access, client):
    had = client.obtain(ia_na(1)).address()
    client.decline(ia_na(1, iaaddr(had)))
    assert client.obtain(ia_na(1, iaaddr(had))).address() != had
    other = access.client()
    assert other.obtain(ia_na(1, iaaddr(had))).address() != had
    lifetimes = access.client().renew(ia_na(1, iaaddr(had))).ia(IA_NA).lifetimes()
    assert lifetimes[had] == (0, 0) and len(lifetimes) == 2


@rule("RFC 9915 §18.3.8", "an address that was declined is set aside over a restart, too")
def test_a_declined_address_after_a_restart(access, client):
    had = client.obtain(ia_na(1)).address()
    client.decline(ia_na(1, iaaddr(had)))
    access.restart()
    assert client.obtain(ia_na(1, iaaddr(had))).address() != had


@rule("RFC 9915 §18.3.8", "an address that is not the IA's is passed over")
def test_decline_of_something_else(access, client):
    had, before = client.obtain(ia_na(1)).address(), set_aside(access)
    assert said_success(client.decline(ia_na(1, iaaddr("2001:db8:ffff::9:9:9"))))
    assert client.bound() == {("address", 1): had} and set_aside(access) == before


@rule("RFC 9915 §18.2.8", "DECLINE is not for prefixes: one that is bound stays so, with its route")
def test_decline_of_a_prefix(access, client):
    had = client.obtain().prefix()
    assert said_success(client.decline(ia_pd(1, iaprefix(had))))
    assert client.bound() == {("prefix", 1): had} and access.route(had) == HOME


@rule("RFC 9915 §18.3.8", "declining again and again does not empty the pool")
def test_declining_without_end(client):
    for _ in range(40):
        ia = client.obtain(ia_na(1)).ia(IA_NA)
        if ia.status == packets.NO_ADDRS:
            break
        client.decline(ia_na(1, iaaddr(ia.resources[0].what)))
    else:
        pytest.fail("forty addresses are set aside for one client")


@each(RELEASE, DECLINE)
@rule("RFC 9915 §21.5", "an IA_TA that is given back is passed over, and what an IA_NA of its IAID has stays")
def test_giving_back_temporary_addresses(client, kind):
    had = client.obtain(ia_na(1)).address()
    reply = client.ask(kind, packets.ia_ta(1, iaaddr(had)))
    assert said_success(reply) and not reply.has(packets.IA_TA) and client.bound() == {("address", 1): had}
