# SPDX-License-Identifier: GPL-2.0-or-later
"""REQUEST (RFC 9915 §18.3.2) and CONFIRM (§18.3.3)."""
import pytest

import packets
from access import HOME, PREFERRED_S, T1_S, T2_S, VALID_S, rule
from packets import (CONFIRM, IA_NA, IA_PD, NOT_ON_LINK, STATUS, SUCCESS, ia_na, ia_pd, ia_ta, iaaddr, iaprefix)

FOREIGN = "2001:db8:dead::5"


@rule("RFC 9915 §18.3.2", "a REQUEST for what was offered brings it, bound and routed")
def test_request_of_an_offer(access, client):
    offer = client.solicit(ia_pd(1), ia_na(2))
    reply = client.request(ia_pd(1, iaprefix(offer.prefix())), ia_na(2, iaaddr(offer.address())))
    assert (reply.prefix(), reply.address()) == (offer.prefix(), offer.address())
    assert client.bound() == {("prefix", 1): offer.prefix(), ("address", 2): offer.address()}
    assert access.route(offer.prefix()) == HOME


@rule("RFC 9915 §18.3.2", "a REQUEST without a SOLICIT before it is served as well")
def test_request_out_of_the_blue(client):
    reply = client.request(ia_pd(1), ia_na(1))
    assert client.bound() == {("prefix", 1): reply.prefix(), ("address", 1): reply.address()}


@rule("RFC 9915 §18.3.2", "a binding that is there is answered as it is, whatever is hinted at")
def test_request_of_a_binding(client):
    had = client.obtain(ia_pd(1), ia_na(1))
    reply = client.request(ia_pd(1, iaprefix("2001:db8:ffff:b100::/56")), ia_na(1, iaaddr("2001:db8:ffff::1:1:1")))
    assert (reply.prefix(), reply.address()) == (had.prefix(), had.address())


@rule("RFC 9915 §18.3.2", "a REQUEST that is sent again is answered again, with all of its lifetimes")
def test_request_again(client):
    for _ in range(3):
        reply = client.request(ia_pd(1), x=0x515151)
        assert reply.ia().lifetimes() == {reply.prefix(): (PREFERRED_S, VALID_S)}
    assert len(client.bound()) == 1


@rule("RFC 9915 §18.3.2", "nobody is given what is somebody else's")
def test_request_of_what_is_taken(access, client):
    other = access.client().obtain(ia_pd(1), ia_na(1))
    reply = client.request(ia_pd(1, iaprefix(other.prefix())), ia_na(1, iaaddr(other.address())))
    assert reply.prefix() != other.prefix() and reply.address() != other.address()
    assert len(reply.ia().resources) == len(reply.ia(IA_NA).resources) == 1


@rule("RFC 9915 §18.3.2", "an IA that names an address of another link comes back with NotOnLink, and the others are served")
def test_request_of_a_foreign_address(client):
    reply = client.request(ia_na(1, iaaddr(FOREIGN)), ia_na(2), ia_pd(1))
    first, second = reply.ias(IA_NA)
    assert (first.iaid, first.status, first.resources) == (1, NOT_ON_LINK, [])
    assert second.resources and reply.prefix() and not reply.has(STATUS)
    assert set(client.bound()) == {("address", 2), ("prefix", 1)}


@rule("RFC 9915 §18.3.2", "one foreign address among those of an IA is enough")
def test_request_of_a_foreign_address_among_others(client):
    reply = client.request(ia_na(1, iaaddr("2001:db8:ffff::5:5:1"), iaaddr(FOREIGN)))
    assert reply.ia(IA_NA).status == NOT_ON_LINK and not client.bound()


@rule("RFC 9915 §18.3.2", "NotOnLink is about addresses: a prefix from elsewhere in an IA_PD brings one of ours")
def test_request_of_a_foreign_prefix(client):
    assert client.request(ia_pd(1, iaprefix("2001:db8:dead::/56"))).ia().status == SUCCESS


@rule("RFC 9915 §18.3.2", "T1 and T2 are the same in all IAs of a REPLY, of addresses and prefixes, new and old")
def test_request_has_one_t1_and_t2(client):
    client.obtain(ia_pd(1))
    reply = client.request(ia_pd(1), ia_pd(2), ia_na(1), ia_na(2))
    assert {(ia.t1, ia.t2) for code in (IA_NA, IA_PD) for ia in reply.ias(code)} == {(T1_S, T2_S)}


@rule("RFC 9915 §18.3.2", "a REQUEST without IAs is answered")
def test_request_without_ia(client):
    reply = client.request()
    assert not reply.ias(IA_NA) and not reply.ias(IA_PD) and not client.bound()


# CONFIRM

@rule("RFC 9915 §18.3.3", "CONFIRM of addresses that belong to the link is Success, in the message's own Status Code")
def test_confirm(client):
    reply = client.confirm(ia_na(1, iaaddr(client.obtain(ia_na(1)).address())))
    assert len(reply.bodies(STATUS)) == 1 and reply.status() == SUCCESS
    assert not reply.ias(IA_NA)


@rule("RFC 9915 §18.3.3", "CONFIRM is about the link, not about bindings: none is needed, and none comes of it")
def test_confirm_without_binding(client):
    assert client.confirm(ia_na(1, iaaddr("2001:db8:ffff::8:8:8")), ia_na(2, iaaddr("2001:db8:ffff::8:8:9"))).status() == SUCCESS
    assert not client.bound()


@pytest.mark.parametrize("ias", [
    [ia_na(1, iaaddr(FOREIGN))], [ia_na(1, iaaddr("2001:db8:ffff::8:8:8"), iaaddr(FOREIGN))],
    [ia_na(1, iaaddr("2001:db8:ffff::8:8:8")), ia_na(2, iaaddr(FOREIGN))], [ia_na(1, iaaddr("2001:db8:ffff:1::1"))],
], ids=["alone", "in one IA", "in another IA", "next door"])
@rule("RFC 9915 §18.3.3", "CONFIRM with an address that does not belong to the link is NotOnLink")
def test_confirm_of_a_foreign_address(client, ias):
    reply = client.confirm(*ias)
    assert len(reply.bodies(STATUS)) == 1 and reply.status() == NOT_ON_LINK


@pytest.mark.parametrize("ias", [[], [ia_na(1)], [ia_pd(1, iaprefix("2001:db8:ffff:8000::/56"))]], ids=["no IA", "no address", "a prefix"])
@rule("RFC 9915 §18.3.3", "CONFIRM without addresses is not answered")
def test_confirm_of_nothing(access, client, ias):
    access.assert_dropped("nothing_to_confirm", client.message(CONFIRM, *ias))


@rule("RFC 9915 §21.5", "CONFIRM of an IA_TA alone has no addresses")
def test_confirm_of_temporary_addresses(access, client):
    access.assert_dropped("nothing_to_confirm", client.message(CONFIRM, ia_ta(1, iaaddr("2001:db8:ffff::8:8:8"))))


@rule("RFC 9915 §18.3.3", "the lifetimes, T1 and T2 of a CONFIRM are not looked at")
def test_confirm_ignores_times(client):
    assert client.confirm(ia_na(1, iaaddr("2001:db8:ffff::8:8:8", preferred=9, valid=1), t1=9, t2=1)).status() == packets.SUCCESS
