# SPDX-License-Identifier: GPL-2.0-or-later
"""SOLICIT (RFC 9915 §18.3.1) and what is offered (§18.3.9), rapid commit, and hints (RFC 8168)."""
import ipaddress

import pytest

import packets
from access import MAX_BINDINGS, PREFERRED_S, T1_S, T2_S, VALID_S, inside, rule
from lab import POOL, TRANSFER
from packets import (ADVERTISE, IA_NA, IA_PD, IA_TA, NO_PREFIX, PREFERENCE, RAPID_COMMIT, STATUS, SUCCESS, ia_na, ia_pd, ia_ta, iaaddr, iaprefix, opt,
                     unmasked)


@rule("RFC 9915 §18.3.9", "an offer has the prefix that would be assigned, with its lifetimes")
@rule("RFC 9915 §21.21", "T1 and T2 are 0.5 and 0.8 of the preferred lifetime")
def test_offer_of_a_prefix(client):
    ia = client.solicit(ia_pd(0x12345678)).ia()
    assert (ia.iaid, ia.t1, ia.t2, ia.status) == (0x12345678, T1_S, T2_S, SUCCESS)
    assert [(r.preferred, r.valid) for r in ia.resources] == [(PREFERRED_S, VALID_S)]
    prefix = ia.resources[0].what
    assert inside(prefix, POOL) and ipaddress.ip_network(prefix).prefixlen == 56


@rule("RFC 9915 §18.3.9", "an offer has the address that would be assigned, with its lifetimes")
@rule("RFC 9915 §21.4", "T1 and T2 are 0.5 and 0.8 of the preferred lifetime of addresses, too")
def test_offer_of_an_address(client):
    ia = client.solicit(ia_na(5)).ia(IA_NA)
    assert (ia.iaid, ia.t1, ia.t2, ia.status) == (5, T1_S, T2_S, SUCCESS)
    assert [(r.preferred, r.valid) for r in ia.resources] == [(PREFERRED_S, VALID_S)]
    assert inside(ia.resources[0].what, TRANSFER)


@rule("RFC 9915 §18.3.1", "an offer binds nothing and routes nothing")
def test_an_offer_holds_nothing(access, client):
    before = access.vbng.leases(), access.vbng.delegated()
    client.solicit(ia_pd(1), ia_na(1))
    assert (access.vbng.leases(), access.vbng.delegated()) == before


@rule("RFC 9915 §18.3.9", "the same client is offered the same at every SOLICIT, whoever asks in between")
def test_the_same_offer_again(access, client):
    first = client.solicit(ia_pd(1), ia_na(1))
    for _ in range(20):
        access.client().solicit(ia_pd(1), ia_na(1))
    again = client.solicit(ia_pd(1), ia_na(1))
    assert (again.prefix(), again.address()) == (first.prefix(), first.address())


@rule("RFC 9915 §18.3.9", "a SOLICIT without IAs is answered")
def test_no_ia(client):
    answer = client.solicit()
    assert not answer.ias(IA_PD) and not answer.ias(IA_NA)


@rule("RFC 9915 §18.3.9", "the server's preference is 0 unless it is configured")
def test_preference(client):
    assert client.solicit(ia_pd(1)).bodies(PREFERENCE) in ([], [b"\0"])


# Rapid commit.

@rule("RFC 9915 §18.3.1", "with Rapid Commit the REPLY comes at once, and what it says is committed and routed by then")
@rule("RFC 9915 §21.14", "Rapid Commit stands in the REPLY to a SOLICIT that has it")
def test_rapid_commit(access, client):
    answer = client.obtain(ia_pd(1), ia_na(2))
    assert client.bound() == {("prefix", 1): answer.prefix(), ("address", 2): answer.address()}
    assert access.route(answer.prefix()) == client.address


@rule("RFC 9915 §21.14", "without Rapid Commit a SOLICIT is answered by an ADVERTISE that has none")
def test_no_rapid_commit(client):
    answer = client.solicit(ia_pd(1))
    assert answer.type == ADVERTISE and not answer.has(RAPID_COMMIT)


@rule("RFC 9915 §18.3.1", "rapid commit gives what was offered before")
def test_rapid_commit_keeps_to_the_offer(client):
    offered = client.solicit(ia_pd(1), ia_na(1))
    answer = client.obtain(ia_pd(1), ia_na(1))
    assert (answer.prefix(), answer.address()) == (offered.prefix(), offered.address())


@rule("RFC 9915 §18.3.1", "a client that lost its lease and solicits again has it again")
@rule("RFC 9096 §3.1", "a CE router that starts anew without a RELEASE has the prefix that it had")
def test_a_bound_client_solicits(client):
    had = client.obtain().prefix()
    assert client.solicit(ia_pd(1)).prefix() == had
    assert client.obtain().prefix() == had
    assert client.bound() == {("prefix", 1): had}


@rule("RFC 9096 §3.1", "a CE router has its prefix again after a restart of the server, too, and its route before that")
def test_a_bound_client_solicits_after_a_restart(access, client):
    had = client.obtain().prefix()
    access.restart()
    assert access.route(had) == client.address
    assert client.solicit(ia_pd(1)).prefix() == had


# Several IAs.

@rule("RFC 9915 §18.1", "several IAs of one message are answered each, with the same T1 and T2")
def test_several_ias(client):
    answer = client.obtain(ia_pd(3), ia_na(1), ia_pd(1), ia_na(0xffffffff), ia_pd(2))
    assert [ia.iaid for ia in answer.ias(IA_PD)] == [3, 1, 2] and [ia.iaid for ia in answer.ias(IA_NA)] == [1, 0xffffffff]
    leases = [r.what for code in (IA_PD, IA_NA) for ia in answer.ias(code) for r in ia.resources]
    assert len(leases) == len(set(leases)) == 5
    assert {(ia.t1, ia.t2) for code in (IA_PD, IA_NA) for ia in answer.ias(code)} == {(T1_S, T2_S)}


@rule("RFC 9915 §21.21", "IAIDs of a message are unique: an IA that stands twice is answered once")
def test_an_ia_twice(client):
    answer = client.obtain(ia_pd(1), ia_pd(1, iaprefix("2001:db8:ffff:9a00::/56")), ia_na(1), ia_na(1))
    assert answer.prefix() and answer.address() and len(client.bound()) == 2


@pytest.mark.parametrize("n", [16, 50])
@rule("RFC 9915 §18.3.9", "however many IAs a message has, each is answered, with a lease or a status")
def test_many_ias(client, n):
    answer = client.solicit(*(ia_pd(i) for i in range(n)))
    ias = answer.ias()
    assert [ia.iaid for ia in ias] == list(range(n))
    assert all(bool(ia.resources) != (ia.status == NO_PREFIX) for ia in ias)
    assert sum(bool(ia.resources) for ia in ias) == MAX_BINDINGS
    assert len(answer.raw) <= packets.FRAME_MAX - 14 - 40 - 8


@pytest.mark.parametrize("ia", [opt(IA_PD, b"\0" * 11), ia_pd(50, opt(packets.IAPREFIX, b"\0" * 24)), ia_na(50, opt(packets.IAADDR, b"\0" * 23))],
                         ids=["IA", "prefix", "address"])
@rule("RFC 9915 §21", "one IA of many that cannot be read makes the message unreadable")
def test_many_ias_with_a_broken_one(access, client, ia):
    access.assert_dropped("malformed", client.message(packets.SOLICIT, *(ia_pd(i) for i in range(50)), ia))


@rule("RFC 9915 §21.5", "an IA_TA keeps nobody from what stands beside it")
def test_ia_ta_beside_others(client):
    answer = client.obtain(ia_ta(1), ia_pd(1), ia_na(1))
    assert answer.prefix() and answer.address() and len(client.bound()) == 2


@rule("RFC 9915 §21.5", "IA_TA is obsolete: it is passed over, and not sent")
def test_ia_ta_is_passed_over(client):
    assert not client.solicit(ia_ta(1), ia_pd(1)).has(IA_TA)


# Addresses that mean something else.

@pytest.mark.parametrize("address", ["2001:db8:ffff::", "2001:db8:ffff::1", "2001:db8:ffff:0:fdff:ffff:ffff:ff80", "2001:db8:ffff:0:fdff:ffff:ffff:ffff",
                                     "2001:db8:ffff:0:200:5eff:fe00:0", "2001:db8:ffff:0:200:5eff:fe00:5212"])
@rule("RFC 9915 §13.1", "no address is assigned that is ours or has a reserved interface identifier")
def test_reserved_addresses(client, address):
    assert client.obtain(ia_na(1, iaaddr(address))).address() != address


@rule("RFC 9915 §13.1", "addresses are not predictable: neighbours in number are none in address")
def test_addresses_are_scattered(access):
    given = [int(ipaddress.ip_address(access.client().solicit(ia_na(1)).address())) for _ in range(20)]
    assert len(set(given)) == 20
    assert min(b - a for a, b in zip(sorted(given), sorted(given)[1:])) > 1 << 32


# Hints.

@rule("RFC 9915 §18.3.9", "a free prefix that is hinted at is given")
def test_hint_of_a_free_prefix(client):
    hint = "2001:db8:ffff:b700::/56"
    assert client.solicit(ia_pd(1, iaprefix(hint))).prefix() == hint
    assert client.obtain(ia_pd(1, iaprefix(hint))).prefix() == hint


@rule("RFC 9915 §18.3.9", "a free address that is hinted at is given")
def test_hint_of_a_free_address(client):
    assert client.obtain(ia_na(1, iaaddr("2001:db8:ffff::aa:bb:cc"))).address() == "2001:db8:ffff::aa:bb:cc"


@rule("RFC 9915 §18.3.9", "a hint that is taken brings another one, and does not come back")
def test_hint_of_a_taken_lease(access, client):
    other = access.client().obtain(ia_pd(1), ia_na(1))
    answer = client.solicit(ia_pd(1, iaprefix(other.prefix())), ia_na(1, iaaddr(other.address())))
    assert answer.prefix() != other.prefix() and answer.address() != other.address()
    assert len(answer.ia().resources) == len(answer.ia(IA_NA).resources) == 1


@pytest.mark.parametrize("hint", ["2001:db8:ffff:100::/56", "2001:db8:dead::/56", "2001:db8:ffff:8000::/49", "2001:db8:ffff:8000::/57", "2001:db8::/32", "fe80::/56"])
@rule("RFC 9915 §18.3.9", "a hint that is not of the pool, or not of its length, brings another one")
def test_hint_beyond_the_pool(client, hint):
    ia = client.solicit(ia_pd(1, iaprefix(hint))).ia()
    assert len(ia.resources) == 1 and inside(ia.resources[0].what, POOL) and ia.resources[0].what.endswith("/56") and ia.resources[0].what != hint


@rule("RFC 9915 §18.3.9", "an address of another link that is hinted at in a SOLICIT brings one of ours")
def test_hint_of_a_foreign_address(client):
    assert inside(client.solicit(ia_na(1, iaaddr("2001:db8:dead::5"))).address(), TRANSFER)


@rule("RFC 9915 §21.22", "bits behind a hint's length make it no other prefix")
def test_hint_with_host_bits(client):
    assert client.solicit(ia_pd(1, unmasked("2001:db8:ffff:b8ff::1", 56))).prefix() == "2001:db8:ffff:b800::/56"


@rule("RFC 9915 §18.3.9", "of several hints the first that can be met is")
def test_several_hints(access, client):
    taken = access.client().obtain().prefix()
    hints = "2001:db8:dead::/56", taken, "2001:db8:ffff:b900::/56", "2001:db8:ffff:ba00::/56"
    assert client.obtain(ia_pd(1, *map(iaprefix, hints))).prefix() == "2001:db8:ffff:b900::/56"


@rule("RFC 9915 §18.3.9", "one hint in two IAs is met once")
def test_one_hint_in_two_ias(client):
    hint = "2001:db8:ffff:bb00::/56"
    got = [ia.resources[0].what for ia in client.solicit(ia_pd(1, iaprefix(hint)), ia_pd(2, iaprefix(hint))).ias()]
    assert got.count(hint) == 1 and len(set(got)) == 2


@pytest.mark.parametrize("length", [0, 1, 48, 55, 56, 57, 60, 64, 128])
@rule("RFC 8168 §3.2", "a length that the pool does not have brings the one that it has, not a refusal")
def test_length_hints(client, length):
    assert client.solicit(ia_pd(1, iaprefix(f"::/{length}"))).prefix().endswith("/56")


@rule("RFC 8168 §3.2", "a prefix and a length hinted at together: the prefix where it can be given")
def test_prefix_and_length_hint(client):
    assert client.solicit(ia_pd(1, iaprefix("::/60"), iaprefix("2001:db8:ffff:bc00::/56"))).prefix() == "2001:db8:ffff:bc00::/56"


@rule("RFC 8987 §4.1", "eight leases a client are given by default, and more are refused with a status in their IAs")
def test_limit_of_a_client(client):
    answer = client.obtain(*(ia_pd(i) for i in range(10)))
    assert [ia.status for ia in answer.ias()] == [SUCCESS] * MAX_BINDINGS + [NO_PREFIX] * 2
    assert not answer.has(STATUS) and len(client.bound()) == MAX_BINDINGS
    assert client.request(ia_pd(99)).ia().status == NO_PREFIX
    assert client.obtain(ia_na(1)).ia(IA_NA).status == packets.NO_ADDRS
    mine = answer.ias()[0].resources[0].what
    client.release(ia_pd(0, iaprefix(mine)))
    assert client.request(ia_pd(99)).prefix() and len(client.bound()) == MAX_BINDINGS


@rule("RFC 8987 §4.1", "what one client holds in full keeps nobody else from anything")
def test_limit_is_a_clients_own(access, client):
    client.obtain(*(ia_pd(i) for i in range(MAX_BINDINGS)))
    assert access.client().obtain().prefix()
