# SPDX-License-Identifier: GPL-2.0-or-later
"""Who is who: DUIDs (RFC 9915 §11) and IAIDs (§12)."""
import os

import pytest

import packets
from access import rule
from packets import CLIENTID, ELAPSED_0, SERVERID, SOLICIT, ia_na, ia_pd, iaprefix, message, opt


def fixed(length):
    """The same bytes for the same length, of no type that is known."""
    return bytes((0xa5 + 7 * i) & 0xff for i in range(length))


@pytest.mark.parametrize("length", [1, 2, 3, 24, 25, 127, 128, 130])
@rule("RFC 9915 §11", "DUIDs are opaque: any that fits is served, echoed and remembered")
@rule("RFC 9915 §11.1", "a DUID has up to 128 octets behind its type code")
def test_duid_lengths(access, length):
    client = access.client(fixed(length))
    answer = client.obtain()
    assert answer.duid(CLIENTID) == fixed(length)
    assert client.bound() == {("prefix", 1): answer.prefix()}
    assert client.solicit(ia_pd(1)).prefix() == answer.prefix()


@pytest.mark.parametrize("length", [131, 255])
@rule("RFC 9915 §11", "clients that know no bounds are served as far as 255 octets")
def test_duids_beyond_the_bounds(access, length):
    client = access.client(fixed(length))
    assert client.obtain().prefix() == client.bound()[("prefix", 1)]


@pytest.mark.parametrize("length", [256, 1000])
@rule("RFC 9915 §11.1", "a DUID far beyond what there can be is discarded")
def test_duid_too_long(access, length):
    access.assert_dropped("long_duid", message(SOLICIT, opt(CLIENTID, fixed(length)), ELAPSED_0, ia_pd(1)))


@rule("RFC 9915 §21.2", "a Client Identifier without a DUID is none")
def test_empty_duid(access):
    access.assert_dropped("malformed", message(SOLICIT, opt(CLIENTID), ELAPSED_0, ia_pd(1)))


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4, 5, 0xffff])
@rule("RFC 9915 §11", "DUIDs are not restricted to the types that are known, nor parsed")
def test_duid_types(access, kind):
    client = access.client(kind.to_bytes(2, "big") + os.urandom(9))
    assert client.obtain().prefix() == client.bound()[("prefix", 1)]


@rule("RFC 9915 §11", "DUIDs are compared for equality, all of them and nothing else")
def test_similar_duids_are_others(access):
    whole = packets.duid(0xabcdef)
    duids = [whole, whole + b"\0", whole[:-1], b"\0" + whole, whole[:-1] + bytes([whole[-1] ^ 1])]
    prefixes = [access.client(d).obtain().prefix() for d in duids]
    assert len(set(prefixes)) == len(duids)
    assert [access.client(d).solicit(ia_pd(1)).prefix() for d in duids] == prefixes


@rule("RFC 9915 §12", "IAIDs of addresses and of prefixes are separate spaces")
def test_iaid_spaces(client):
    answer = client.obtain(ia_pd(7), ia_na(7))
    assert client.bound() == {("prefix", 7): answer.prefix(), ("address", 7): answer.address()}
    client.release(ia_na(7, packets.iaaddr(answer.address())))
    assert client.bound() == {("prefix", 7): answer.prefix()}


@pytest.mark.parametrize("iaid", [0, 1, 0x80000000, 0xffffffff])
@rule("RFC 9915 §12", "an IAID is the client's choice")
def test_iaids(client, iaid):
    answer = client.obtain(ia_pd(iaid))
    assert answer.ia().iaid == iaid
    assert client.renew(ia_pd(iaid, iaprefix(answer.prefix()))).prefix() == answer.prefix()


@rule("RFC 9915 §12", "two clients may use the same IAID")
def test_iaids_are_a_clients_own(access):
    prefixes = {access.client().obtain(ia_pd(9)).prefix() for _ in range(3)}
    assert len(prefixes) == 3


@rule("RFC 9915 §11", "the server's DUID is the same for everybody, and after a restart")
def test_server_duid_is_stable(access, client):
    heard = {client.solicit(ia_pd(1)).duid(SERVERID), access.client().obtain().duid(SERVERID), client.information().duid(SERVERID)}
    assert heard == {access.duid}
    access.restart()
    assert client.solicit(ia_pd(1)).duid(SERVERID) == access.duid
