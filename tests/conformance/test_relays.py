# SPDX-License-Identifier: GPL-2.0-or-later
"""Behind relays: RELAY-FORW and RELAY-REPL (RFC 9915 §9, §19), the options of relays, lightweight relays (RFC 6221)."""
import struct

import pytest

import packets
from access import ELSEWHERE, HOME, RELAY, RELAY_LINK_LOCAL, ROUTER, ROUTER_LINK_LOCAL, inside, rule
from lab import TRANSFER
from packets import (ALL_SERVERS, CLIENT_LINKLAYER, CLIENTID, ELAPSED_0, INTERFACE_ID, NO_ADDRS, NOT_ON_LINK, RELAY_FORW, RELAY_MSG, RELAY_PORT,
                     REMOTE_ID, RENEW, SITE_SERVERS, SOLICIT, SUBSCRIBER_ID, ia_na, ia_pd, iaaddr, iaprefix, in6, message, opt, relay)

OUR_LINK, ANOTHER_LINK = "2001:db8:ffff::9", "2001:db8:aaaa::9"
HOP_COUNT_LIMIT = 8  # RFC 9915 §7.6


def by(*options, link=OUR_LINK, peer=HOME, hops=0):
    """What one relay makes of a message."""
    return lambda data: relay(data, *options, hops=hops, link=link, peer=peer)


def chain(n, *options):
    """n relays behind one another; each names the one before it."""
    def wrap(data):
        for i in range(n):
            data = relay(data, *options, hops=i, link=OUR_LINK if i == 0 else "::", peer=HOME if i == 0 else f"2001:db8:ffff::a:{i}")
        return data
    return wrap


def layer(answer, i=0):
    return answer.relays[i].hopcount, answer.relays[i].linkaddr, answer.relays[i].peeraddr


@pytest.fixture
def relayed(client):
    client.address = RELAY
    client.through = by()
    return client


@pytest.mark.parametrize("dst", [ROUTER, ROUTER_LINK_LOCAL, SITE_SERVERS, ALL_SERVERS])
@rule("RFC 9915 §19", "relays reach the server by unicast or by multicast")
def test_where_relays_send(relayed, dst):
    assert relayed.obtain(dst=dst).prefix()


@rule("RFC 9915 §18.3.10", "the RELAY-REPL goes to the address that the RELAY-FORW came from, to port 547")
@rule("RFC 9915 §19.3", "hop-count, link-address and peer-address come back as they were")
def test_relay_reply(relayed):
    answer = relayed.solicit(ia_pd(1))
    assert (answer.ip.dst, answer.udp.dport) == (RELAY, 547)
    assert len(answer.relays) == 1 and layer(answer) == (0, OUR_LINK, HOME)
    assert [code for code, _ in answer.relay_options[0]] == [RELAY_MSG], "nothing that the relay did not ask for"


@rule("RFC 9915 §7.2", "a relay without a relay port is answered on 547, whatever port it sent from")
def test_source_port_of_a_relay(relayed):
    assert relayed.solicit(ia_pd(1), sport=12345).udp.dport == 547


@pytest.mark.parametrize("interface_id", [b"", b"\0", b"olt-3 port 17", bytes(range(256)), b"x" * 900], ids=len)
@rule("RFC 9915 §21.18", "Interface-Id comes back as it was, whatever is in it, and not to the client")
def test_interface_id(relayed, interface_id):
    relayed.through = by(opt(INTERFACE_ID, interface_id))
    answer = relayed.solicit(ia_pd(1))
    assert dict(answer.relay_options[0])[INTERFACE_ID] == interface_id
    assert not answer.has(INTERFACE_ID)


@pytest.mark.parametrize("n", [2, 5, HOP_COUNT_LIMIT + 1])
@rule("RFC 9915 §19.3", "the answer is wrapped as the message was, to the hop limit")
def test_nested(relayed, n):
    def wrap(data):
        for i in range(n):
            data = relay(data, opt(INTERFACE_ID, b"port %d" % i), hops=i, link="::", peer=HOME if i == 0 else f"2001:db8:ffff::a:{i}")
        return data
    relayed.through = wrap
    answer = relayed.obtain()
    assert len(answer.relays) == n
    for i in range(n):
        depth = n - 1 - i
        assert layer(answer, i) == (depth, "::", HOME if depth == 0 else f"2001:db8:ffff::a:{depth}")
        assert dict(answer.relay_options[i])[INTERFACE_ID] == b"port %d" % depth


@rule("RFC 9915 §7.6", "what was relayed more often than HOP_COUNT_LIMIT allows is discarded")
def test_nested_too_deep(access, relayed):
    data = chain(HOP_COUNT_LIMIT + 2)(relayed.message(SOLICIT, ia_pd(1)))
    # Each layer's own count stays within bounds: the nesting itself is what is refused.
    data = bytes([data[0], HOP_COUNT_LIMIT]) + data[2:]
    access.assert_dropped("hop_count", data, src=RELAY, dst=ROUTER)


@pytest.mark.parametrize("hops", [HOP_COUNT_LIMIT + 1, 255])
@rule("RFC 9915 §19.1.2", "a hop-count beyond HOP_COUNT_LIMIT is discarded")
def test_hop_count_too_large(access, relayed, hops):
    access.assert_dropped("too_many", by(hops=hops)(relayed.message(SOLICIT, ia_pd(1))), src=RELAY, dst=ROUTER)


@rule("RFC 9915 §16.13", "what is in a RELAY-FORW must be valid by itself")
def test_invalid_message_in_a_relay(access, relayed):
    access.assert_dropped("no_client_id", by()(message(SOLICIT, ELAPSED_0, ia_pd(1))), src=RELAY, dst=ROUTER)
    access.assert_dropped("no_server_id", by()(message(RENEW, relayed.id, ia_pd(1))), src=RELAY, dst=ROUTER)
    access.assert_dropped("unknown_type", by()(message(77, relayed.id)), src=RELAY, dst=ROUTER)


HEADER = bytes([RELAY_FORW, 0]) + in6(OUR_LINK) + in6(HOME)


@pytest.mark.parametrize("data", [
    HEADER[:1], HEADER[:2], HEADER[:33], HEADER, HEADER + opt(INTERFACE_ID, b"x"), HEADER + opt(RELAY_MSG), HEADER + struct.pack("!HH", RELAY_MSG, 9) + b"12345678",
    HEADER + opt(RELAY_MSG, b"\x01\0\0") + b"\0", HEADER + 2 * opt(RELAY_MSG, message(SOLICIT, packets.client_id(1))),
    HEADER + 2 * opt(INTERFACE_ID, b"a") + opt(RELAY_MSG, message(SOLICIT, packets.client_id(1))), HEADER + opt(RELAY_MSG, HEADER[:20]),
    HEADER + opt(RELAY_MSG, b"\x01\0"),
], ids=["type alone", "no addresses", "an octet short", "no options", "no message", "empty message", "message runs over the end", "cut option behind",
        "two messages", "two interface ids", "relay within cut", "message within cut"])
@rule("RFC 9915 §9", "a relay's layer that cannot be read, or holds no message, is discarded")
def test_malformed_relays(access, data):
    access.assert_dropped("malformed", data, src=RELAY, dst=ROUTER)


@rule("RFC 9915 §16", "options of relays that are not known are passed over")
def test_unknown_relay_options(relayed):
    relayed.through = by(opt(65001, b"x" * 40), opt(53, b"\0\1"), opt(200))
    assert relayed.solicit(ia_pd(1)).prefix()


# Which link is it?

@rule("RFC 9915 §13.1", "the link-address tells the client's link: on ours addresses are ours to give")
def test_link_address_of_our_link(relayed):
    answer = relayed.obtain(ia_na(1), ia_pd(2))
    assert inside(answer.address(), TRANSFER) and answer.prefix()


@rule("RFC 9915 §13.1", "on another link no address of ours is given, prefixes are")
def test_link_address_of_another_link(relayed):
    relayed.through = by(link=ANOTHER_LINK)
    answer = relayed.obtain(ia_na(1), ia_pd(2))
    assert answer.ia(packets.IA_NA).status == NO_ADDRS and not answer.ia(packets.IA_NA).resources
    assert answer.prefix()


@pytest.mark.parametrize("inner,outer,ours", [
    (OUR_LINK, ANOTHER_LINK, True), (ANOTHER_LINK, OUR_LINK, False), ("::", ANOTHER_LINK, False), ("::", OUR_LINK, True), ("::", "::", True),
    ("fe80::77", ANOTHER_LINK, False),
])
@rule("RFC 9915 §13.1", "the relay nearest to the client that has something to say tells its link")
@rule("RFC 6221 §4", "a link-address of zero is not looked at")
def test_which_relay_names_the_link(relayed, inner, outer, ours):
    relayed.through = lambda data: relay(relay(data, link=inner, peer=HOME), hops=1, link=outer, peer="2001:db8:ffff::a:1")
    got = relayed.obtain(ia_na(1), ia_pd(2)).ia(packets.IA_NA)
    assert (got.status == packets.SUCCESS) == ours and bool(got.resources) == ours


@rule("RFC 9915 §18.3.2", "an address of ours that is asked for on another link is NotOnLink")
def test_request_for_an_address_on_another_link(relayed):
    relayed.through = by(link=ANOTHER_LINK)
    answer = relayed.request(ia_na(1, iaaddr("2001:db8:ffff::5:5:5")), ia_pd(2))
    assert answer.ia(packets.IA_NA).status == NOT_ON_LINK and answer.prefix()


@rule("RFC 9915 §18.3.3", "CONFIRM on another link: ours are not on it, of others nothing is known")
def test_confirm_on_another_link(access, relayed):
    relayed.through = by(link=ANOTHER_LINK)
    assert relayed.confirm(ia_na(1, iaaddr("2001:db8:ffff::5:5:5"))).status() == NOT_ON_LINK
    unknown = relayed.through(relayed.message(packets.CONFIRM, ia_na(1, iaaddr("2001:db8:aaaa::5:5:5"))))
    access.assert_dropped("nothing_to_confirm", unknown, src=RELAY, dst=ROUTER)


# Where does the prefix go?

@pytest.mark.parametrize("address", [RELAY, RELAY_LINK_LOCAL])
@rule("RFC 8987 §4.2", "behind a relay with a link of its own the prefix goes to that relay")
@rule("RFC 9915 §19.1.3", "delegated prefixes are routed to where the client is")
def test_route_by_the_relay(access, relayed, address):
    relayed.address = address
    assert access.route(relayed.obtain().prefix()) == address


@pytest.mark.parametrize("source", [ELSEWHERE, RELAY_LINK_LOCAL], ids=["with the client's address", "with its own"])
@rule("RFC 6221 §4", "behind a lightweight relay the prefix goes to the client itself, which is on our link")
def test_route_behind_a_lightweight_relay(access, client, source):
    client.address = source
    client.through = by(opt(INTERFACE_ID, b"dslam 4/7"), link="::", peer=ELSEWHERE)
    answer = client.obtain()
    assert access.route(answer.prefix()) == ELSEWHERE
    assert (answer.ip.dst, answer.udp.dport) == (source, 547)
    assert layer(answer) == (0, "::", ELSEWHERE)
    assert dict(answer.relay_options[0])[INTERFACE_ID] == b"dslam 4/7"


@pytest.mark.parametrize("peer", ["::", "2001:db8:ffff::77", "ff02::1"])
@rule("RFC 6221 §4", "a lightweight relay's client that has no link-local address is none on our link")
def test_a_lightweight_relay_without_a_client(access, client, peer):
    access.assert_dropped("source", by(link="::", peer=peer)(client.message(SOLICIT, ia_pd(1))), src=RELAY_LINK_LOCAL)


@rule("RFC 9915 §19.1.1", "a relay that names its link by a link-local address gets the route, and its link is taken for ours")
def test_a_link_local_link_address(access, relayed):
    relayed.through = by(link="fe80::77")
    answer = relayed.obtain(ia_pd(1), ia_na(1))
    assert access.route(answer.prefix()) == RELAY and inside(answer.address(), TRANSFER)


@rule("RFC 6221 §4", "a lightweight relay behind one with a link leaves the route to that")
def test_route_behind_both_kinds(access, client):
    client.address = RELAY
    client.through = lambda data: relay(relay(data, opt(INTERFACE_ID, b"p"), link="::", peer=ELSEWHERE), hops=1, link=OUR_LINK, peer=ELSEWHERE)
    assert access.route(client.obtain().prefix()) == RELAY


@rule("RFC 6221 §4", "two lightweight relays: the client is the one that the nearest of them names")
def test_route_behind_two_lightweight_relays(access, client):
    client.address = RELAY_LINK_LOCAL
    client.through = lambda data: relay(relay(data, opt(INTERFACE_ID, b"p"), link="::", peer=HOME), opt(INTERFACE_ID, b"q"), hops=1, link="::", peer=ELSEWHERE)
    assert access.route(client.obtain().prefix()) == HOME


@rule("RFC 8987 §4.2", "the route follows a client that comes behind a relay, and back")
def test_route_follows_into_a_relay(access, client):
    prefix = client.obtain().prefix()
    assert access.route(prefix) == HOME
    client.address, client.through = RELAY, by()
    assert client.renew(ia_pd(1, iaprefix(prefix))).prefix() == prefix and access.route(prefix) == RELAY
    client.address, client.through = ELSEWHERE, lambda data: data
    assert client.renew(ia_pd(1, iaprefix(prefix))).prefix() == prefix and access.route(prefix) == ELSEWHERE


# Options of relays.

def lease_of(access, client):
    return [x for x in access.vbng.leases() if x["duid"] == client.name and x["state"] == "bound"][0]


@rule("RFC 4649 §5", "Remote-Id is kept with the binding")
def test_remote_id(access, relayed):
    relayed.through = by(opt(REMOTE_ID, struct.pack("!I", 3561) + b"line-4711"))
    relayed.obtain()
    lease = lease_of(access, relayed)
    assert (lease["remote_id_enterprise"], lease["remote_id"]) == (3561, "line-4711")


@rule("RFC 4580 §5", "Subscriber-Id is kept with the binding")
def test_subscriber_id(access, relayed):
    relayed.through = by(opt(SUBSCRIBER_ID, b"customer 12"))
    relayed.obtain()
    assert lease_of(access, relayed)["subscriber_id"] == "customer 12"


@pytest.mark.parametrize("code", [REMOTE_ID, SUBSCRIBER_ID, INTERFACE_ID, CLIENT_LINKLAYER])
@rule("RFC 9915 §21.18", "what identifies a port counts from a relay alone: a client cannot claim it")
def test_a_client_cannot_name_its_port(access, client, code):
    client.obtain(opt(code, b"\0\0\0\1claimed"), ia_pd(1))
    assert not {"remote_id", "subscriber_id", "interface_id"} & set(lease_of(access, client))


@rule("RFC 6939 §6", "a relay may tell the client's link-layer address; it is not part of the answer")
def test_client_link_layer_address(access, client):
    client.address = RELAY_LINK_LOCAL
    hardware = bytes.fromhex("0001") + bytes.fromhex(access.line.wire.mac.replace(":", ""))
    client.through = by(opt(CLIENT_LINKLAYER, hardware), opt(INTERFACE_ID, b"p"), link="::", peer=ELSEWHERE)
    answer = client.obtain()
    assert not answer.has(CLIENT_LINKLAYER) and CLIENT_LINKLAYER not in dict(answer.relay_options[0])
    assert lease_of(access, client)["lladdr"] == access.line.wire.mac


@pytest.mark.parametrize("downstream", [0, 547, 40000])
@rule("RFC 8357 §5.2", "a relay that says so is answered on the port that it sent from, its option echoed")
def test_relay_port(relayed, downstream):
    relayed.through = by(opt(RELAY_PORT, struct.pack("!H", downstream)))
    answer = relayed.solicit(ia_pd(1), sport=23456)
    assert (answer.ip.dst, answer.udp.dport) == (RELAY, 23456)
    assert dict(answer.relay_options[0])[RELAY_PORT] == struct.pack("!H", downstream)


@rule("RFC 8357 §5.2", "the option of a relay further down is echoed to it, and changes nothing for ours")
def test_relay_port_further_down(relayed):
    relayed.through = lambda data: relay(relay(data, opt(RELAY_PORT, b"\0\0"), link=OUR_LINK, peer=HOME), hops=1, link="::", peer="2001:db8:ffff::a:1")
    answer = relayed.solicit(ia_pd(1), sport=23456)
    assert answer.udp.dport == 547
    assert RELAY_PORT not in dict(answer.relay_options[0]) and dict(answer.relay_options[1])[RELAY_PORT] == b"\0\0"


@rule("RFC 9915 §19.3", "the client's own message comes back in the innermost layer, with its Client Identifier")
def test_innermost_message(relayed):
    relayed.through = chain(3, opt(INTERFACE_ID, b"i"))
    answer = relayed.obtain()
    assert answer.bodies(CLIENTID) == [relayed.duid] and relayed.bound() == {("prefix", 1): answer.prefix()}
