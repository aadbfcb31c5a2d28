# SPDX-License-Identifier: GPL-2.0-or-later
"""RENEW (RFC 9915 §18.3.4) and REBIND (§18.3.5): what goes on, what has moved, and what has never been heard of."""

from access import ELSEWHERE, HOME, PREFERRED_S, T1_S, T2_S, VALID_S, each, inside, rule
from lab import POOL, TRANSFER, wait_for
from packets import (IA_NA, IA_PD, NO_PREFIX, REBIND, RENEW, STATUS, SUCCESS, ia_na, ia_pd, iaaddr, iaprefix, unmasked)

FULL, GONE = (PREFERRED_S, VALID_S), (0, 0)
OLD = "2001:db8:dead:4200::/56"  # of another prefix than we have


@each(RENEW, REBIND)
@rule("RFC 9915 §18.3.4", "a RENEW of what is bound brings it with new lifetimes, T1 and T2")
@rule("RFC 9915 §18.3.5", "a REBIND of what is bound brings it with new lifetimes, T1 and T2")
def test_prolong(client, kind):
    had = client.obtain(ia_pd(1), ia_na(2))
    reply = client.ask(kind, ia_pd(1, iaprefix(had.prefix())), ia_na(2, iaaddr(had.address())))
    assert reply.ia().lifetimes() == {had.prefix(): FULL} and reply.ia(IA_NA).lifetimes() == {had.address(): FULL}
    assert (reply.ia().t1, reply.ia().t2, reply.ia().status) == (T1_S, T2_S, SUCCESS)
    assert client.bound() == {("prefix", 1): had.prefix(), ("address", 2): had.address()}


@each(RENEW, REBIND)
@rule("RFC 9915 §18.3.4", "an IA is known by its IAID: the leases need not be named")
def test_prolong_without_naming(client, kind):
    had = client.obtain(ia_pd(1), ia_na(1))
    reply = client.ask(kind, ia_pd(1), ia_na(1))
    assert (reply.prefix(), reply.address()) == (had.prefix(), had.address())


@each(RENEW, REBIND)
@rule("RFC 9915 §18.3.4", "T1 and T2 are the same in all IAs of the REPLY, old, new and moved")
@rule("RFC 9915 §18.3.5", "T1 and T2 are the same in all IAs of the REPLY to a REBIND")
def test_one_t1_and_t2(client, kind):
    had = client.obtain(ia_pd(1), ia_na(1))
    reply = client.ask(kind, ia_pd(1, iaprefix(had.prefix())), ia_pd(2, iaprefix(OLD)), ia_pd(3), ia_na(1), ia_na(2, iaaddr("2001:db8:dead::5")))
    assert {(ia.t1, ia.t2) for code in (IA_NA, IA_PD) for ia in reply.ias(code)} == {(T1_S, T2_S)}


@each(RENEW, REBIND)
@rule("RFC 9915 §18.3.4", "an IA of a known client that is new to us is served beside the old one")
def test_a_further_ia(client, kind):
    had = client.obtain().prefix()
    reply = client.ask(kind, ia_pd(1, iaprefix(had)), ia_pd(2))
    prefixes = [ia.resources[0].what for ia in reply.ias()]
    assert prefixes[0] == had and len(set(prefixes)) == 2
    assert client.bound() == {("prefix", i + 1): p for i, p in enumerate(prefixes)}


# Renumbering.

@each(RENEW, REBIND)
@rule("RFC 9915 §18.3.4", "a prefix that is not ours (any more) comes back with lifetimes 0, beside one that is")
@rule("RFC 9915 §18.3.5", "a REBIND of a prefix that is not ours (any more) is answered in the same way")
@rule("RFC 9096 §3.5", "a CE router is told what is stale, so that it can tell its hosts")
def test_renumbered(access, client, kind):
    lifetimes = client.ask(kind, ia_pd(1, iaprefix(OLD))).ia().lifetimes()
    new = client.bound()[("prefix", 1)]
    assert lifetimes == {OLD: GONE, new: FULL} and inside(new, POOL)
    assert access.route(new) == HOME and access.route(OLD) is None


@each(RENEW, REBIND)
@rule("RFC 9915 §18.3.4", "a client that has a prefix of ours and claims another one keeps ours, and is told that the other is none")
def test_a_claim_beside_a_binding(access, client, kind):
    had, others = client.obtain().prefix(), access.client().obtain().prefix()
    lifetimes = client.ask(kind, ia_pd(1, iaprefix(OLD), iaprefix(had), iaprefix(others))).ia().lifetimes()
    assert lifetimes == {had: FULL, OLD: GONE, others: GONE}


@each(RENEW, REBIND)
@rule("RFC 9915 §21.22", "bits behind its length make a client's own prefix no other one that would be taken back")
def test_host_bits_behind_what_is_bound(client, kind):
    had = client.obtain().prefix()
    answer = client.ask(kind, ia_pd(1, unmasked(had[:-3] + "5", 56)))
    assert answer.prefix() == had and len(answer.ia().resources) == 1


@each(RENEW, REBIND)
@rule("RFC 9915 §18.3.4", "what a client claims twice is taken back once")
def test_a_claim_that_stands_twice(client, kind):
    ia = client.ask(kind, ia_pd(1, iaprefix(OLD), unmasked(OLD[:-3] + "7", 56), iaprefix(OLD))).ia()
    assert [r.what for r in ia.resources if not r.valid] == [OLD]


@each(RENEW, REBIND)
@rule("RFC 9915 §18.3.4", "an address that does not belong to the link comes back with lifetimes 0, beside one that does")
@rule("RFC 9915 §18.3.5", "an address that does not belong to the link is taken back at REBIND, too")
def test_renumbered_address(client, kind):
    lifetimes = client.ask(kind, ia_na(1, iaaddr("2001:db8:dead::5"))).ia(IA_NA).lifetimes()
    new = client.bound()[("address", 1)]
    assert lifetimes == {"2001:db8:dead::5": GONE, new: FULL} and inside(new, TRANSFER)


@each(RENEW, REBIND)
@rule("RFC 9915 §18.3.4", "thirty-two stale prefixes of an IA are all taken back")
def test_many_stale_prefixes(client, kind):
    stale = [f"2001:db8:dead:{i:x}00::/56" for i in range(1, 33)]
    lifetimes = client.ask(kind, ia_pd(1, *map(iaprefix, stale))).ia().lifetimes()
    assert {p: lifetimes.get(p) for p in stale} == {p: GONE for p in stale}
    assert lifetimes[client.bound()[("prefix", 1)]] == FULL


@rule("RFC 9915 §18.3", "whoever claims as much as a frame holds is answered in one frame")
def test_claims_that_fill_a_frame(client):
    stale = [f"2001:db8:dead:{i:x}00::/56" for i in range(1, 45)]
    reply = client.renew(*(ia_pd(n, *map(iaprefix, stale[n::4])) for n in range(4)))
    assert len(reply.ip.payload) + 40 <= 1500
    assert len([r for ia in reply.ias() for r in ia.resources if (r.preferred, r.valid) == FULL]) == 4


# What has never been heard of.

@each(RENEW, REBIND)
@rule("RFC 9915 §18.3.4", "a binding that is not known, of a prefix that is free, is granted as it is claimed")
@rule("RFC 9915 §18.3.5", "a binding that is not known is granted at REBIND where rapid commit is on")
def test_a_binding_from_before_our_time(access, client, kind):
    claimed = "2001:db8:ffff:c300::/56" if kind == RENEW else "2001:db8:ffff:c400::/56"
    reply = client.ask(kind, ia_pd(1, iaprefix(claimed)), ia_na(1, iaaddr(f"2001:db8:ffff::{kind}:c3")))
    assert reply.ia().lifetimes() == {claimed: FULL} and reply.ia(IA_NA).lifetimes() == {f"2001:db8:ffff::{kind}:c3": FULL}
    assert client.bound() == {("prefix", 1): claimed, ("address", 1): f"2001:db8:ffff::{kind}:c3"}
    assert access.route(claimed) == HOME


@each(RENEW, REBIND)
@rule("RFC 9915 §18.3.4", "what somebody else has is not granted to a stranger who claims it: it comes back with lifetimes 0")
@rule("RFC 9915 §18.3.5", "what somebody else has is not granted at REBIND either")
def test_a_claim_of_what_is_taken(access, client, kind):
    owner = access.client()
    taken = owner.obtain().prefix()
    lifetimes = client.ask(kind, ia_pd(1, iaprefix(taken))).ia().lifetimes()
    mine = client.bound()[("prefix", 1)]
    assert lifetimes == {taken: GONE, mine: FULL} and mine != taken
    assert owner.bound() == {("prefix", 1): taken}


@each(RENEW, REBIND)
@rule("RFC 9915 §18.3.4", "an unknown IA that names nothing is given what is free")
@rule("RFC 9915 §18.3.5", "an unknown IA that names nothing is given what is free at REBIND, too")
def test_an_unknown_ia_that_names_nothing(client, kind):
    reply = client.ask(kind, ia_pd(1), ia_na(1))
    assert client.bound() == {("prefix", 1): reply.prefix(), ("address", 1): reply.address()}


@each(RENEW, REBIND)
@rule("RFC 8168 §3.5", "a length that is hinted at is no prefix: it is not taken back")
def test_a_length_hint(client, kind):
    lifetimes = client.ask(kind, ia_pd(1, iaprefix("::/60"))).ia().lifetimes()
    assert lifetimes == {client.bound()[("prefix", 1)]: FULL}


@rule("RFC 8168 §3.5", "a length that is hinted at beside what is bound leaves that as it is")
def test_a_length_hint_beside_a_binding(client):
    had = client.obtain().prefix()
    assert client.renew(ia_pd(1, iaprefix(had), iaprefix("::/48"))).ia().lifetimes() == {had: FULL}


@rule("RFC 9915 §18.3.4", "after a RELEASE a RENEW brings the same prefix again")
def test_renewed_after_release(access, client):
    had = client.obtain().prefix()
    client.release(ia_pd(1, iaprefix(had)))
    assert client.renew(ia_pd(1, iaprefix(had))).prefix() == had and access.route(had) == HOME


@each(RENEW, REBIND)
@rule("RFC 8987 §4.1", "the limit of leases counts here, too: what exceeds it is refused and taken back")
def test_limit(client, kind):
    client.obtain(*(ia_pd(i) for i in range(8)))
    ia = client.ask(kind, ia_pd(8, iaprefix("2001:db8:ffff:cc00::/56"))).ia()
    assert ia.status == NO_PREFIX and set(ia.lifetimes().values()) <= {GONE}


# Where it goes.

@each(RENEW, REBIND)
@rule("RFC 8987 §4.2", "the route follows a known client that renews from another link-local address")
def test_the_route_follows(access, client, kind):
    had = client.obtain().prefix()
    assert access.route(had) == HOME
    client.address = ELSEWHERE
    client.ask(kind, ia_pd(1, iaprefix(had)))
    assert access.route(had) == ELSEWHERE
    wait_for("a line that says so", lambda: f"follows its client to another address prefix={had} from={HOME} to={ELSEWHERE}" in access.vbng.text())
    client.address = HOME
    client.ask(kind, ia_pd(1, iaprefix(had)))
    assert access.route(had) == HOME


@rule("RFC 9915 §18.3.4", "a RENEW without IAs is answered")
def test_renew_nothing(client):
    assert not client.renew().has(STATUS)
