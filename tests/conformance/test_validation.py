# SPDX-License-Identifier: GPL-2.0-or-later
"""Which messages are worth an answer (RFC 9915 §16): who must and who must not name whom, and by what way it came."""
import pytest

import packets
from access import HOME, ROUTER, ROUTER_LINK_LOCAL, each, rule
from packets import (ADVERTISE, CONFIRM, DECLINE, ELAPSED_0, INFORMATION_REQUEST, REBIND, RECONFIGURE, RELAY_REPL, RELEASE, RENEW, REPLY, REQUEST,
                     SERVERID, SOLICIT, ia_na, ia_pd, iaaddr, message, opt, relay)

TO_ALL = (SOLICIT, CONFIRM, REBIND)
TO_ONE = (REQUEST, RENEW, RELEASE, DECLINE)
WHAT = {CONFIRM: ia_na(1, iaaddr("2001:db8:ffff::5:6:7")), DECLINE: ia_na(1), INFORMATION_REQUEST: b""}


def what(kind):
    """Options that make a message of that kind worth an answer."""
    return WHAT.get(kind, ia_pd(1))


@each(*TO_ALL, *TO_ONE, INFORMATION_REQUEST)
@rule("RFC 9915 §18.3", "a valid message of each kind that clients send is answered; the answer names the server and the client")
def test_valid_messages_are_answered(client, kind):
    client.ask(kind, what(kind))


@each(*TO_ALL, *TO_ONE)
@rule("RFC 9915 §16.2", "a SOLICIT without Client Identifier is discarded")
@rule("RFC 9915 §16.4", "a REQUEST without Client Identifier is discarded")
@rule("RFC 9915 §16.5", "a CONFIRM without Client Identifier is discarded")
@rule("RFC 9915 §16.6", "a RENEW without Client Identifier is discarded")
@rule("RFC 9915 §16.7", "a REBIND without Client Identifier is discarded")
@rule("RFC 9915 §16.8", "a DECLINE without Client Identifier is discarded")
@rule("RFC 9915 §16.9", "a RELEASE without Client Identifier is discarded")
def test_without_client_identifier(access, client, kind):
    named = [client.server] if kind in TO_ONE else []
    access.assert_dropped("no_client_id", message(kind, *named, ELAPSED_0, what(kind)))


@each(*TO_ALL)
@pytest.mark.parametrize("whose", ["ours", "another's"])
@rule("RFC 9915 §16.2", "a SOLICIT that names a server is discarded")
@rule("RFC 9915 §16.5", "a CONFIRM that names a server is discarded")
@rule("RFC 9915 §16.7", "a REBIND that names a server is discarded")
def test_with_a_server_identifier_where_none_belongs(access, client, kind, whose):
    server = client.server if whose == "ours" else opt(SERVERID, packets.duid(0x777777))
    access.assert_dropped("has_server_id", client.message(kind, server, what(kind)))


@each(*TO_ONE)
@rule("RFC 9915 §16.4", "a REQUEST that names no server is discarded")
@rule("RFC 9915 §16.6", "a RENEW that names no server is discarded")
@rule("RFC 9915 §16.8", "a DECLINE that names no server is discarded")
@rule("RFC 9915 §16.9", "a RELEASE that names no server is discarded")
def test_without_server_identifier(access, client, kind):
    access.assert_dropped("no_server_id", message(kind, client.id, ELAPSED_0, what(kind)))


@each(*TO_ONE, INFORMATION_REQUEST)
@pytest.mark.parametrize("how", ["another one", "longer", "shorter", "last bit"])
@rule("RFC 9915 §16.4", "a REQUEST to another server is discarded")
@rule("RFC 9915 §16.6", "a RENEW to another server is discarded")
@rule("RFC 9915 §16.8", "a DECLINE to another server is discarded")
@rule("RFC 9915 §16.9", "a RELEASE to another server is discarded")
@rule("RFC 9915 §16.12", "an INFORMATION-REQUEST to another server is discarded")
def test_to_another_server(access, client, kind, how):
    own = access.duid
    other = {"another one": packets.duid(5), "longer": own + b"\0", "shorter": own[:-1], "last bit": own[:-1] + bytes([own[-1] ^ 1])}[how]
    access.assert_dropped("other_server", message(kind, client.id, opt(SERVERID, other), ELAPSED_0, what(kind)))


@rule("RFC 9915 §16.12", "an INFORMATION-REQUEST that names us is answered")
def test_information_request_to_us(client):
    client.information(client.server)


@pytest.mark.parametrize("ia", [ia_na(1), ia_pd(1)], ids=["IA_NA", "IA_PD"])
@rule("RFC 9915 §16.12", "an INFORMATION-REQUEST with an IA is discarded")
def test_information_request_with_an_ia(access, client, ia):
    access.assert_dropped("has_ia", client.message(INFORMATION_REQUEST, ia))


@pytest.mark.parametrize("body", [b"", b"\0\0\0", b"\0\0\0\1"], ids=len)
@rule("RFC 9915 §21.5", "IA_TA is as good as unknown, whatever is in it: an INFORMATION-REQUEST with one is answered")
def test_information_request_with_temporary_addresses(client, body):
    client.information(opt(packets.IA_TA, body))


@each(ADVERTISE, REPLY, RECONFIGURE)
@rule("RFC 9915 §16.3", "an ADVERTISE to a server is discarded")
@rule("RFC 9915 §16.10", "a REPLY to a server is discarded")
@rule("RFC 9915 §16.11", "a RECONFIGURE to a server is discarded")
def test_messages_of_servers(access, client, kind):
    access.assert_dropped("not_for_servers", message(kind, client.id, client.server, ia_pd(1)))
    relayed = relay(message(kind, client.id, client.server, ia_pd(1)), peer=HOME)
    access.assert_dropped("not_for_servers", relayed, dst=ROUTER)


@rule("RFC 9915 §16.14", "a RELAY-REPL is discarded, from whom and in whatever it comes")
def test_relay_reply(access, client):
    inner = client.message(SOLICIT, ia_pd(1))
    access.assert_dropped("not_for_servers", relay(inner, peer=HOME, kind=RELAY_REPL))
    access.assert_dropped("not_for_servers", relay(relay(inner, peer=HOME, kind=RELAY_REPL), hops=1, peer=HOME))


@pytest.mark.parametrize("number", [0, 14, 36, 200, 255])
@rule("RFC 9915 §16", "a message of a type that is not known is discarded")
def test_unknown_message_types(access, client, number):
    access.assert_dropped("unknown_type", message(number, client.id, ia_pd(1)))


@pytest.mark.parametrize("length", range(4))
@rule("RFC 9915 §8", "what is shorter than a message's header is no message")
def test_less_than_a_header(access, client, length):
    access.assert_dropped("malformed", client.message(SOLICIT)[:length])


@each(*TO_ALL, *TO_ONE, INFORMATION_REQUEST)
@pytest.mark.parametrize("dst", [ROUTER_LINK_LOCAL, ROUTER], ids=["link-local", "global"])
@rule("RFC 9915 §16", "clients are not served by unicast")
def test_unicast(access, client, kind, dst):
    access.assert_dropped("unicast", client.message(kind, what(kind)), dst=dst)


@rule("RFC 9915 §14", "the link-layer destination is not looked at where the address is right")
def test_multicast_in_a_unicast_frame(access, client):
    answer = client.solicit(ia_pd(1), to_mac=access.line.router_mac)
    assert answer.prefix()


@rule("RFC 9915 §13.1", "who speaks for itself does so from a link-local address, which tells its link")
def test_a_client_with_a_global_source(access, client):
    access.assert_dropped("source", client.message(SOLICIT, ia_pd(1)), src="2001:db8:ffff::c:4")


@rule("RFC 9915 §13.1", "who speaks in our own name is nobody to route to: by itself, or as a relay, from any of our addresses")
def test_our_own_addresses_as_sources(access, client):
    asked = client.message(REQUEST, ia_pd(1))
    access.assert_dropped("source", asked, src=ROUTER_LINK_LOCAL)
    relayed = relay(asked, link="2001:db8:ffff::9", peer=HOME)
    access.assert_dropped("source", relayed, src=ROUTER_LINK_LOCAL, dst=ROUTER)
    access.line.assert_ignored(relayed, src=ROUTER, dst=ROUTER)  # the packet filter has it already, where there is one
    assert not client.bound()


@pytest.mark.parametrize("x", [0, 1, 0x800000, 0xffffff])
@rule("RFC 9915 §16.1", "the transaction id is the client's, whatever it is")
def test_transaction_id(client, x):
    assert client.solicit(ia_pd(1), x=x).xid == x
    assert client.request(ia_pd(1), x=x).xid == x


@rule("RFC 9915 §16.10", "the answer to a message without Client Identifier has none")
def test_no_client_identifier_in_return(access):
    answer = access.line.ask(message(INFORMATION_REQUEST, ELAPSED_0))
    assert answer.type == REPLY and not answer.has(packets.CLIENTID)


@rule("RFC 9915 §16", "what is dropped leaves no trace: neither binding nor route")
def test_dropped_messages_change_nothing(access, client):
    before = access.bound(), access.vbng.delegated()
    access.assert_dropped("unicast", client.message(REQUEST, ia_pd(1)), dst=ROUTER)
    access.assert_dropped("no_server_id", message(REQUEST, client.id, ia_pd(1)))
    access.assert_dropped("no_client_id", message(REQUEST, client.server, ia_pd(1)))
    assert (access.bound(), access.vbng.delegated()) == before
