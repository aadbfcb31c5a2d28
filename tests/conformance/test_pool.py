# SPDX-License-Identifier: GPL-2.0-or-later
"""A pool of four prefixes: who gets what when there is little, and what is said when there is nothing."""
import pytest

from access import VALID_S, PREFERRED_S, each, rule
from packets import IA_NA, NO_PREFIX, REBIND, RENEW, REQUEST, SOLICIT, STATUS, SUCCESS, ia_na, ia_pd, iaprefix

ENV = {"DHCPV6_PD_PREFIX": "2001:db8:ffff:fc00::/54"}
ALL = {f"2001:db8:ffff:{n}00::/56" for n in ("fc", "fd", "fe", "ff")}


@pytest.fixture(autouse=True)
def empty_again(access):
    """Each test begins with four free prefixes; freed ones are remembered, and given to others where nothing else is left."""
    holders = access.holders = {}
    yield
    for holder in holders.values():
        for (kind, iaid), prefix in holder.bound().items():
            if kind == "prefix":
                holder.release(ia_pd(iaid, iaprefix(prefix)))
    assert access.vbng.delegated() == {}


def holder(access):
    client = access.client()
    access.holders[client.name] = client
    return client


def fill(access):
    """Four clients with a prefix each, in the order of their coming."""
    clients = [holder(access) for _ in range(4)]
    assert {c.obtain().prefix() for c in clients} == ALL
    return clients


def give_back(client):
    prefix = client.bound()[("prefix", 1)]
    client.release(ia_pd(1, iaprefix(prefix)))
    return prefix


@rule("RFC 9915 §18.3.1", "offers hold nothing: three times as many clients as prefixes solicit, and each is offered one")
def test_more_offers_than_prefixes(access):
    offers = [access.client().solicit(ia_pd(1)).prefix() for _ in range(12)]
    assert set(offers) <= ALL
    assert access.bound() == {} and access.vbng.delegated() == {}
    client = holder(access)
    assert client.request(ia_pd(1, iaprefix(client.solicit(ia_pd(1)).prefix()))).prefix() in ALL


@rule("RFC 9915 §18.3.2", "who comes too late for what was offered is given another one")
def test_an_offer_that_somebody_else_took(access):
    late = holder(access)
    offered = late.solicit(ia_pd(1)).prefix()
    assert holder(access).obtain(ia_pd(1, iaprefix(offered))).prefix() in ALL
    assert late.request(ia_pd(1, iaprefix(offered))).prefix() in ALL
    assert len(set(access.bound().values())) == 2


@rule("RFC 9915 §18.3.2", "every prefix of the pool is given before one is refused")
def test_the_whole_pool_is_used(access):
    fill(access)
    assert set(access.bound().values()) == ALL == set(access.vbng.delegated())


@each(SOLICIT, REQUEST, RENEW, REBIND)
@rule("RFC 9915 §18.3.9", "where none is left a SOLICIT is answered by NoPrefixAvail in the IA, without a prefix")
@rule("RFC 9915 §18.3.2", "where none is left a REQUEST is answered by NoPrefixAvail in the IA, without a prefix")
@rule("RFC 9915 §18.3.4", "where none is left a RENEW of what is not known is answered by NoPrefixAvail in the IA")
@rule("RFC 9915 §18.3.5", "where none is left a REBIND of what is not known is answered by NoPrefixAvail in the IA")
def test_exhausted(access, client, kind):
    fill(access)
    answer = client.ask(kind, ia_pd(1))
    assert answer.ia().status == NO_PREFIX and not answer.ia().resources and not answer.has(STATUS)
    assert not client.bound()


@rule("RFC 9915 §18.3.2", "who gets no prefix is not kept from an address")
def test_exhausted_for_prefixes_alone(access, client):
    fill(access)
    answer = client.obtain(ia_pd(1), ia_na(1))
    assert answer.ia().status == NO_PREFIX and answer.ia(IA_NA).status == SUCCESS and answer.address()


@each(RENEW, REBIND)
@rule("RFC 9915 §18.3.4", "where none is left what somebody claims of others is taken back")
def test_exhausted_for_a_claim(access, client, kind):
    taken = fill(access)[0].bound()[("prefix", 1)]
    ia = client.ask(kind, ia_pd(1, iaprefix(taken), iaprefix("2001:db8:dead::/56"))).ia()
    assert ia.status == NO_PREFIX and ia.lifetimes() == {taken: (0, 0), "2001:db8:dead::/56": (0, 0)}


@rule("RFC 9915 §18.3.4", "those who hold the last prefixes renew them")
def test_exhausted_but_held(access):
    for client in fill(access):
        had = client.bound()[("prefix", 1)]
        assert client.renew(ia_pd(1, iaprefix(had))).ia().lifetimes() == {had: (PREFERRED_S, VALID_S)}


@rule("RFC 9915 §18.3.9", "a message with more IAs than there are prefixes is offered all that there is, and told of the rest")
def test_more_ias_than_prefixes(access):
    client = holder(access)
    ias = client.solicit(*(ia_pd(i) for i in range(6))).ias()
    assert {r.what for ia in ias for r in ia.resources} == ALL
    assert [ia.status for ia in ias] == [SUCCESS] * 4 + [NO_PREFIX] * 2
    assert client.request(*(ia_pd(i) for i in range(6))).ias()[5].status == NO_PREFIX
    assert set(client.bound().values()) == ALL


@rule("RFC 9915 §18.3.7", "what is released is available to others")
def test_released_is_available(access):
    clients = fill(access)
    freed = give_back(clients[2])
    late = holder(access)
    assert late.obtain().prefix() == freed
    assert access.client().solicit(ia_pd(1)).ia().status == NO_PREFIX


@rule("RFC 9915 §18.3.7", "what was released first goes to others first")
def test_the_longest_free_goes_first(access):
    clients = fill(access)
    freed = [give_back(clients[i]) for i in (3, 0, 2, 1)]
    assert [holder(access).obtain().prefix() for _ in freed] == freed


@rule("RFC 9915 §18.3.7", "who released is given the same again, as long as nobody else needed it")
def test_released_and_taken_up_again(access):
    clients = fill(access)
    freed = [give_back(c) for c in clients]
    assert [c.obtain().prefix() for c in reversed(clients)] == freed[::-1]


@rule("RFC 9915 §18.3.9", "who released and came too late is offered another one")
def test_released_and_lost(access):
    clients = fill(access)
    first = give_back(clients[0])
    assert holder(access).obtain().prefix() == first
    assert clients[0].solicit(ia_pd(1)).ia().status == NO_PREFIX
    second = give_back(clients[1])
    assert clients[0].obtain().prefix() == second
