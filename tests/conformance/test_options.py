# SPDX-License-Identifier: GPL-2.0-or-later
"""Options as such (RFC 9915 §21): their form, what is not known, what is asked for, and what may not be there."""
import struct

import pytest

import packets
from access import T1_S, T2_S, PREFERRED_S, VALID_S, each, rule
from packets import (AUTH, CLIENTID, DNS_SERVERS, DOMAIN_LIST, ELAPSED, ELAPSED_0, FQDN, IA_NA, IA_PD, IAADDR, IAPREFIX, INFORMATION_REQUEST, INTERFACE_ID,
                     NO_PREFIX, ORO, PREFERENCE, RAPID_COMMIT, REBIND, RECONF_ACCEPT, RECONF_MSG, REFRESH_TIME, RELAY_MSG, RENEW, REQUEST, SERVERID, SOLICIT,
                     STATUS, UNICAST, USER_CLASS, VENDOR_CLASS, VENDOR_OPTS, ia_na, ia_pd, iaaddr, iaprefix, in6, message, opt, oro)

NAMESERVERS = ["2001:db8:53::1", "2001:db8:53::2"]
ENV = {"DHCPV6_NAMESERVER": ",".join(NAMESERVERS), "DNS_SEARCH": "isp.example,customers.isp.example"}
SEARCH = b"\3isp\7example\0\11customers\3isp\7example\0"
HINT = "2001:db8:ffff:9900::/56"


def cut(code, length, body):
    """An option that claims to be longer than what is there."""
    return struct.pack("!HH", code, length) + body


# What cannot be read.

@pytest.mark.parametrize("rest", [
    b"\0", b"\0\1", b"\0\1\0", cut(ELAPSED, 3, b"\0\0"), cut(65001, 1, b""), cut(65001, 0xffff, b"x" * 100), cut(IA_PD, 13, b"\0" * 12),
], ids=["one octet", "a code alone", "half a length", "an octet too long", "unknown", "as long as can be", "IA"])
@rule("RFC 9915 §21.1", "an option that runs over the end of the message makes it unreadable")
def test_overlong_options(access, client, rest):
    access.assert_dropped("malformed", client.message(SOLICIT, ia_pd(1)) + rest)


@pytest.mark.parametrize("ia", [
    opt(IA_PD, struct.pack("!III", 1, 0, 0) + cut(IAPREFIX, 26, b"\0" * 25)),
    opt(IA_NA, struct.pack("!III", 1, 0, 0) + cut(IAADDR, 25, b"\0" * 24)),
    opt(IA_PD, struct.pack("!III", 1, 0, 0) + iaprefix(HINT, more=cut(65001, 9, b"x"))),
    opt(IA_NA, struct.pack("!III", 1, 0, 0) + iaaddr("2001:db8:ffff::7", more=b"\0")),
    opt(IA_PD, struct.pack("!III", 1, 0, 0) + b"\0\1\0"),
], ids=["prefix", "address", "within a prefix", "within an address", "cut in an IA"])
@rule("RFC 9915 §21.1", "an option that runs over the end of the one that holds it makes the message unreadable, though that has room")
def test_overlong_nested_options(access, client, ia):
    access.assert_dropped("malformed", client.message(SOLICIT, ia, opt(65001, b"x" * 200)))


@pytest.mark.parametrize("option", [
    opt(IA_PD, b"\0" * 11), opt(IA_NA, b"\0" * 11), opt(IA_PD), ia_pd(1, opt(IAPREFIX, b"\0" * 24)),
    ia_na(1, opt(IAADDR, b"\0" * 23)), opt(RAPID_COMMIT, b"\0"), opt(ORO, b"\0\x17\0"), opt(PREFERENCE), opt(PREFERENCE, b"\0\0"), opt(AUTH, b"\0" * 10),
    opt(STATUS, b"\0"), opt(VENDOR_CLASS, b"\0" * 3), opt(RECONF_ACCEPT, b"\0"), opt(RECONF_MSG), opt(RECONF_MSG, b"\5\5"), opt(FQDN),
    opt(REFRESH_TIME, b"\0" * 3), opt(packets.SOL_MAX_RT, b"\0" * 5), opt(packets.INF_MAX_RT, b"\0" * 3),
], ids=["IA_PD", "IA_NA", "empty IA", "IAPREFIX", "IAADDR", "Rapid Commit", "odd ORO", "no Preference", "Preference", "Authentication", "Status Code",
        "Vendor Class", "Reconfigure Accept", "no Reconfigure Message", "Reconfigure Message", "FQDN", "refresh time", "SOL_MAX_RT", "INF_MAX_RT"])
@rule("RFC 9915 §21", "an option of a length that it cannot have makes the message unreadable")
def test_impossible_lengths(access, client, option):
    access.assert_dropped("malformed", client.message(SOLICIT, option))


@pytest.mark.parametrize("body", [b"", b"\0", b"\0\0\0"], ids=len)
@rule("RFC 9915 §21.9", "Elapsed Time has two octets")
def test_elapsed_time_length(access, client, body):
    access.assert_dropped("malformed", message(SOLICIT, client.id, opt(ELAPSED, body), ia_pd(1)))


@pytest.mark.parametrize("length", [129, 200, 255])
@rule("RFC 9915 §21.22", "a prefix is no longer than an address")
def test_prefix_length(access, client, length):
    body = struct.pack("!IIB", 0, 0, length) + in6("2001:db8:ffff:9900::")
    access.assert_dropped("malformed", client.message(SOLICIT, ia_pd(1, opt(IAPREFIX, body))))


@pytest.mark.parametrize("option", [
    opt(CLIENTID, packets.duid(1)), ELAPSED_0, oro(23), opt(RAPID_COMMIT), opt(USER_CLASS, b"\0\1x"), opt(RECONF_ACCEPT), opt(AUTH, b"\3\1\0" + b"\0" * 8),
    opt(FQDN, b"\0\4home"), opt(PREFERENCE, b"\0"),
], ids=["Client Identifier", "Elapsed Time", "ORO", "Rapid Commit", "User Class", "Reconfigure Accept", "Authentication", "FQDN", "Preference"])
@rule("RFC 9915 §21", "singleton options stand once; a message that has one twice is not understood")
def test_singletons_stand_once(access, client, option):
    data = client.message(SOLICIT, option, ia_pd(1), option)
    access.assert_dropped("malformed", data)


@rule("RFC 9915 §21.3", "a message that names two servers is for none")
def test_two_server_identifiers(access, client):
    access.assert_dropped("malformed", client.message(REQUEST, client.server, ia_pd(1)))


@rule("RFC 9915 §20.2", "no message has more than one Authentication option, in whatever order they stand")
def test_two_authentications(access, client):
    one, other = opt(AUTH, b"\3\1\0" + b"\0" * 8), opt(AUTH, b"\2\1\0" + b"\1" * 24)
    access.assert_dropped("malformed", client.message(SOLICIT, one, ia_pd(1), other))


# What need not be read.

@pytest.mark.parametrize("code", [0, 10, 34, 142, 143, 144, 145, 255, 256, 65535])
@rule("RFC 9915 §16", "a message with options that are not known is served as if they were not there")
def test_unknown_options(client, code):
    answer = client.solicit(opt(code), ia_pd(1), opt(code, b"\xff" * 33))
    assert answer.prefix() == client.solicit(ia_pd(1)).prefix() and not answer.has(code)


@rule("RFC 9915 §16", "options that are not known are passed over in an IA, a prefix or an address, too")
def test_unknown_options_within(client):
    strange = opt(65001, b"x" * 9) + opt(65001)
    answer = client.solicit(ia_pd(1, strange, iaprefix("::/56", more=strange)), ia_na(2, strange, iaaddr("2001:db8:ffff::1:2:3", more=strange)))
    assert answer.prefix() and answer.address() == "2001:db8:ffff::1:2:3"


@rule("RFC 9915 §16", "a hundred options that are not known are no reason to discard a message")
def test_a_hundred_unknown_options(client):
    assert client.solicit(opt(65001) * 100, ia_pd(1)).prefix()


@rule("RFC 9915 §16", "as many options that are not known as a frame holds are no reason to discard a message")
def test_a_frame_full_of_unknown_options(client):
    room = packets.FRAME_MAX - 14 - 40 - 8 - len(client.message(SOLICIT, ia_pd(1)))
    assert client.solicit(opt(65001) * (room // 4), ia_pd(1)).prefix()


@rule("RFC 9915 §16", "options that are not known are no reason to discard a message that comes in fragments either")
def test_fragments_full_of_unknown_options(client):
    assert client.solicit(opt(65001) * 480, ia_pd(1)).prefix()


@pytest.mark.parametrize("option", [
    opt(VENDOR_CLASS, struct.pack("!I", 3561) + b"\0\4dsl1") + opt(VENDOR_CLASS, struct.pack("!I", 32473) + b"\0\1x"),
    opt(VENDOR_OPTS, struct.pack("!I", 3561) + opt(1, b"a")) + opt(VENDOR_OPTS, struct.pack("!I", 32473) + opt(1, b"b")),
], ids=["Vendor Class", "Vendor-specific Information"])
@rule("RFC 9915 §21.16", "Vendor Class may stand once for each enterprise")
@rule("RFC 9915 §21.17", "Vendor-specific Information may stand once for each enterprise")
def test_what_may_stand_twice(client, option):
    assert client.solicit(option, ia_pd(1)).prefix()


@pytest.mark.parametrize("option", [
    opt(USER_CLASS, b"\0\4home"), opt(AUTH, b"\3\1\0" + b"\0" * 8 + b"\1" + b"\0" * 16), opt(FQDN, b"\0\4home"), opt(STATUS, b"\0\1no"),
    opt(RELAY_MSG, b"\1\0\0\0"), iaprefix(HINT), iaaddr("2001:db8:ffff::7:7:7"), opt(INTERFACE_ID, b"x"),
], ids=["User Class", "Authentication", "FQDN", "Status Code", "Relay Message", "a prefix by itself", "an address by itself", "Interface-Id"])
@rule("RFC 9915 §16", "options that mean nothing where they stand do no harm, and do not come back")
def test_options_out_of_place(client, option):
    answer = client.solicit(option, ia_pd(1))
    assert answer.prefix() and set(answer.codes()) == {SERVERID, CLIENTID, IA_PD}


@rule("RFC 9915 §21.12", "Server Unicast is passed over where it comes, and never sent")
def test_server_unicast(client):
    answer = client.solicit(opt(UNICAST, in6("2001:db8::1")), oro(UNICAST), ia_pd(1))
    assert answer.prefix() and not answer.has(UNICAST)


@rule("RFC 9915 §21.22", "a prefix belongs into an IA_PD and an address into an IA_NA: elsewhere it hints at nothing")
def test_leases_in_the_wrong_ia(client):
    answer = client.solicit(ia_na(1, iaprefix(HINT)), ia_pd(2, iaaddr("2001:db8:ffff::7:7:7")))
    assert answer.address() and answer.prefix() and HINT not in answer.ia().lifetimes()


@pytest.mark.parametrize("elapsed", [0, 1, 100, 0x7fff, 0xffff])
@rule("RFC 9915 §21.9", "however long a client has tried, it is served")
def test_elapsed_time(access, client, elapsed):
    answer = access.line.ask(message(SOLICIT, client.id, opt(ELAPSED, elapsed.to_bytes(2, "big")), ia_pd(1)))
    assert answer.prefix()


@rule("RFC 9915 §21.9", "a client that does not say for how long it has tried is served")
def test_no_elapsed_time(access, client):
    assert access.line.ask(message(SOLICIT, client.id, ia_pd(1))).prefix()


@each(SOLICIT, REQUEST, RENEW, REBIND)
@rule("RFC 9915 §21.4", "T1 and T2 of a client's IA_NA are not looked at")
@rule("RFC 9915 §21.6", "the lifetimes of addresses in a client's message are not looked at")
@rule("RFC 9915 §21.21", "T1 and T2 of a client's IA_PD are not looked at")
@rule("RFC 9915 §21.22", "the lifetimes of prefixes in a client's message are not looked at")
def test_times_of_clients(client, kind):
    first = client.obtain(ia_na(1), ia_pd(1))
    answer = client.ask(kind, ia_na(1, iaaddr(first.address(), preferred=9, valid=1), t1=7, t2=5),
                        ia_pd(1, iaprefix(first.prefix(), preferred=0xffffffff, valid=3), t1=0xffffffff, t2=1))
    for code, what in ((IA_NA, first.address()), (IA_PD, first.prefix())):
        assert (answer.ia(code).t1, answer.ia(code).t2) == (T1_S, T2_S)
        assert answer.ia(code).lifetimes() == {what: (PREFERRED_S, VALID_S)}


@rule("RFC 9915 §21.13", "a client's Status Code, wherever it stands, changes nothing")
def test_status_codes_of_clients(client):
    bad = opt(STATUS, b"\0\6nothing")
    assert client.obtain(bad, ia_pd(1, bad, iaprefix(HINT, more=bad))).prefix() == HINT


# What is asked for.

@each(SOLICIT, REQUEST, RENEW, REBIND, INFORMATION_REQUEST)
@rule("RFC 9915 §21.7", "options that are configured come with every kind of answer, to those who ask")
@rule("RFC 9915 §18.3", "the server returns every option that is asked for and configured")
def test_options_that_are_asked_for(client, kind):
    answer = client.ask(kind, oro(DOMAIN_LIST, DNS_SERVERS), b"" if kind == INFORMATION_REQUEST else ia_pd(1))
    assert answer.bodies(DNS_SERVERS) == [b"".join(map(in6, NAMESERVERS))]
    assert answer.bodies(DOMAIN_LIST) == [SEARCH]


@each(SOLICIT, REQUEST, RENEW, REBIND, INFORMATION_REQUEST)
@pytest.mark.parametrize("asked", [None, (), (DNS_SERVERS,)], ids=["no ORO", "empty ORO", "one of two"])
@rule("RFC 9915 §21.7", "options that are not asked for are not sent")
def test_options_that_are_not_asked_for(client, kind, asked):
    answer = client.ask(kind, b"" if asked is None else oro(*asked), b"" if kind == INFORMATION_REQUEST else ia_pd(1))
    assert {DNS_SERVERS, DOMAIN_LIST} & set(answer.codes()) == set(asked or ())


@each(packets.RELEASE, packets.DECLINE, packets.CONFIRM)
@rule("RFC 9915 §18.3.7", "what ends or confirms a lease is answered without configuration")
def test_no_options_where_a_lease_ends(client, kind):
    answer = client.ask(kind, oro(DNS_SERVERS, DOMAIN_LIST), ia_na(1, iaaddr("2001:db8:ffff::5:6:7")))
    assert not {DNS_SERVERS, DOMAIN_LIST} & set(answer.codes())


@rule("RFC 9915 §21.7", "an option that is asked for twice comes once; what is not known is passed over")
def test_odd_option_requests(client):
    answer = client.solicit(oro(65001, DNS_SERVERS, 0, DNS_SERVERS, 65535), ia_pd(1))
    assert set(answer.codes()) == {SERVERID, CLIENTID, IA_PD, DNS_SERVERS}


@rule("RFC 9915 §21.7", "codes that may not be asked for bring nothing, and nothing twice")
def test_forbidden_option_requests(client):
    answer = client.solicit(oro(CLIENTID, SERVERID, IA_NA, packets.IA_TA, IA_PD, IAADDR, IAPREFIX, ORO, ELAPSED, PREFERENCE, RELAY_MSG, AUTH, UNICAST, STATUS,
                                RAPID_COMMIT, USER_CLASS, VENDOR_CLASS, INTERFACE_ID, RECONF_MSG, RECONF_ACCEPT), ia_pd(1))
    assert sorted(answer.codes()) == [CLIENTID, SERVERID, IA_PD]


@rule("RFC 9915 §21.7", "an Option Request of six hundred codes is honoured")
def test_a_long_option_request(client):
    answer = client.information(oro(DNS_SERVERS, *range(1000, 1600)))
    assert answer.has(DNS_SERVERS)


@rule("RFC 9915 §21.7", "what is asked for last in an Option Request of six hundred codes comes, too")
def test_a_long_option_request_to_its_end(client):
    assert client.information(oro(*range(1000, 1600), DNS_SERVERS)).has(DNS_SERVERS)


@rule("RFC 9915 §18.3.9", "an offer has the options that the REPLY will have")
def test_offer_and_reply_agree(client):
    asked = oro(DNS_SERVERS, DOMAIN_LIST), ia_pd(1)
    offer, reply = client.solicit(*asked), client.request(*asked)
    assert offer.message[4:] == reply.message[4:]


@rule("RFC 9915 §21.20", "who does not accept Reconfigure is sent neither key nor Reconfigure Accept")
def test_no_reconfigure_unasked(client):
    answer = client.obtain()
    assert not answer.has(AUTH) and not answer.has(RECONF_ACCEPT)


# Status codes.

@rule("RFC 9915 §21.13", "a status stands in the IA that it is about; its text is UTF-8 and has no NUL at its end")
def test_status_in_the_ia(client):
    answer = client.obtain(*(ia_pd(i) for i in range(9)))
    refused = [ia for ia in answer.ias() if ia.status == NO_PREFIX]
    assert len(refused) == 1 and not refused[0].resources and not answer.has(STATUS)
    bodies = [body for ia in answer.bodies(IA_PD) for code, body in packets.walk(ia[12:]) if code == STATUS]
    assert len(bodies) == 1 and bodies[0][2:].decode("utf-8") and not bodies[0].endswith(b"\0")


# A client's name.

@rule("RFC 4704 §6", "the client's name comes back to those who ask for it, and nobody is said to put it into the DNS")
def test_fqdn(access, client):
    name = b"\4home\7example\0"
    answer = client.obtain(opt(FQDN, b"\1" + name), oro(FQDN), ia_pd(1))
    flags_s, flags_o, flags_n = 1, 2, 4
    assert answer.bodies(FQDN) == [bytes([flags_n | flags_o]) + name]
    assert not answer.bodies(FQDN)[0][0] & flags_s
    assert [x["fqdn"] for x in access.vbng.leases() if x["duid"] == client.name] == ["home.example"]


@rule("RFC 4704 §6", "the client's name does not come back to those who do not ask for it")
def test_fqdn_unasked(client):
    assert not client.obtain(opt(FQDN, b"\0\4home\0"), ia_pd(1)).has(FQDN)


@rule("RFC 4704 §6", "who asks for a name without telling its own is told none")
def test_fqdn_of_nobody(client):
    assert not client.obtain(oro(FQDN), ia_pd(1)).has(FQDN)


@pytest.mark.parametrize("name", [b"\77short", b"\300\14", b"\4home\0\4more\0", b"\0\0", b"\100" + b"x" * 64, b"\1a" * 128, b"x" * 1200],
                         ids=["cut", "compressed", "two", "two ends", "long label", "long", "a thousand octets"])
@rule("RFC 4704 §4", "a name that cannot be read costs nobody the prefix, and does not come back")
def test_fqdn_that_cannot_be_read(client, name):
    answer = client.obtain(opt(FQDN, b"\0" + name), oro(FQDN), ia_pd(1))
    assert answer.prefix() and not answer.has(FQDN)


@pytest.mark.parametrize("name", [b"", b"\0", b"\4home", b"\4ho.e\0", b"\77" + b"x" * 63, b"\1a" * 127 + b"\0"], ids=["none", "the root", "partial", "a dot", "long label", "long"])
@rule("RFC 4704 §4.2", "a name may be partial, may be left out, and may have any bytes in its labels")
def test_odd_fqdns(access, client, name):
    data = client.message(SOLICIT, opt(FQDN, b"\1" + name), oro(FQDN), ia_pd(1))
    assert access.line.ask(data).bodies(FQDN) == [b"\6" + name]
