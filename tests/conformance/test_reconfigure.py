# SPDX-License-Identifier: GPL-2.0-or-later
"""RECONFIGURE (RFC 9915 §18.3.11) and how a client knows that it may believe it (§20.4)."""
import contextlib
import hmac
import os
import sqlite3

import pytest

from access import HOME, RELAY, each, rule
from lab import Stopwatch
from packets import (ADVERTISE, AUTH, CLIENTID, INTERFACE_ID, REBIND, RECONF_ACCEPT, RECONF_MSG, RECONFIGURE, RENEW, REQUEST, SERVERID, Answer, ia_pd, iaprefix,
                     opt, relay)

ACCEPT = opt(RECONF_ACCEPT)
RKAP = b"\3\1\0"  # protocol, algorithm, RDM
TYPE_KEY, TYPE_DIGEST = 1, 2
REC_TIMEOUT_S = 2  # RFC 9915 §7.6


class Auth:
    def __init__(self, answer):
        body = answer.bodies(AUTH)[0]
        assert len(body) == 28 and body[:3] == RKAP
        self.replay, self.type, self.value = int.from_bytes(body[3:11], "big"), body[11], body[12:]


def told(access, client):
    """The next RECONFIGURE for a client."""
    return access.line.wait("a RECONFIGURE", lambda a: isinstance(a, Answer) and a.type == RECONFIGURE and a.duid(CLIENTID) == client.duid)


def clear(access, prefix):
    """What an operator does who wants it back."""
    access.vbng.verb("leases", "clear", prefix)


@pytest.fixture
def bound(client):
    """(client, its prefix, its key)"""
    reply = client.obtain(ACCEPT, ia_pd(1))
    return client, reply.prefix(), Auth(reply).value


@rule("RFC 9915 §20.4.2", "the REPLY to who accepts RECONFIGURE brings a key of 128 bits")
@rule("RFC 9915 §18.3.2", "the REPLY to who accepts RECONFIGURE says that it is supported")
def test_the_key(client):
    for reply in client.obtain(ACCEPT, ia_pd(1)), client.request(ACCEPT, ia_pd(1)), client.information(ACCEPT):
        assert reply.has(RECONF_ACCEPT) and Auth(reply).type == TYPE_KEY and any(Auth(reply).value)


@rule("RFC 9915 §18.3.9", "an offer tells that RECONFIGURE is supported, and has no key")
def test_the_offer(client):
    offer = client.solicit(ACCEPT, ia_pd(1))
    assert offer.type == ADVERTISE and offer.has(RECONF_ACCEPT) and not offer.has(AUTH)


@rule("RFC 9915 §20.4.2", "keys are not to be guessed: each client has another")
def test_keys_differ(access):
    keys = {Auth(access.client().obtain(ACCEPT, ia_pd(1))).value for _ in range(4)}
    assert len(keys) == 4


@rule("RFC 9915 §20.3", "the replay detection value grows from message to message, and over a restart")
def test_replay_detection(access, bound):
    client, prefix, key = bound
    asked = [client.message(REQUEST, ACCEPT, ia_pd(1)) for _ in range(20)]
    for data in asked:  # at once, so that several of them are answered within a tick of the clock
        access.line.send(data)
    values = [Auth(access.line.wait("a REPLY", lambda a, x=data[1:4]: isinstance(a, Answer) and a.message[1:4] == x)).replay for data in asked]
    access.restart()
    again = Auth(client.request(ACCEPT, ia_pd(1)))
    assert values == sorted(set(values)) and again.replay > values[-1]
    assert again.value == key, "the client's key is as good as before"


@rule("RFC 9915 §20.3", "the replay detection value grows over a restart, even where the wall clock went back meanwhile")
def test_replay_detection_and_a_clock_that_goes_back(access, bound):
    """A clock that stood in the year 2096 in the run before is the same as one that went back since."""
    client, prefix, key = bound
    beyond = 4_000_000_000_000

    def was_later():
        with contextlib.closing(sqlite3.connect(os.path.join(access.vbng.state, "leases.db"))) as db, db:
            assert db.execute("UPDATE meta SET value=? WHERE key='replay'", (beyond.to_bytes(8, "big") + bytes(24),)).rowcount == 1
    access.restart(was_later)
    assert Auth(client.request(ACCEPT, ia_pd(1))).replay >= beyond


@rule("RFC 9915 §18.3.11", "a client whose binding is cleared is told to renew: transaction id 0, our identifier and its own, and nothing else")
@rule("RFC 9915 §20.4.2", "a RECONFIGURE has the HMAC-MD5 of all of it, by the client's key")
def test_reconfigure(access, bound):
    client, prefix, key = bound
    clear(access, prefix)
    message = told(access, client)
    assert message.xid == 0 and message.bodies(SERVERID) == [access.duid]
    assert message.bodies(RECONF_MSG) == [bytes([RENEW])]
    assert sorted(message.codes()) == [CLIENTID, SERVERID, AUTH, RECONF_MSG]
    assert (message.ip.dst, message.udp.dport) == (HOME, 546)
    digest = Auth(message)
    assert digest.type == TYPE_DIGEST and message.message.count(digest.value) == 1
    blank = message.message.replace(digest.value, bytes(16))
    assert hmac.digest(key, blank, "md5") == digest.value
    assert client.renew(ACCEPT, ia_pd(1, iaprefix(prefix))).prefix()


@rule("RFC 9915 §18.3.11", "who does not come is told again after REC_TIMEOUT, who came is not")
@rule("RFC 9915 §20.3", "a RECONFIGURE that is sent again has another replay detection value")
def test_retransmission(access, bound):
    client, prefix, _ = bound
    other = access.client()
    others = other.obtain(ACCEPT, ia_pd(1)).prefix()
    clear(access, prefix)
    clear(access, others)
    watch = Stopwatch()
    first = told(access, client)
    told(access, other)
    came = other.renew(ACCEPT, ia_pd(1, iaprefix(others))).at
    second = told(access, client)
    assert REC_TIMEOUT_S * 0.9 - watch.excuse() < second.at - first.at < REC_TIMEOUT_S + 1 + watch.excuse()
    assert Auth(second).replay > Auth(first).replay
    assert not [a for a in access.line.collect() if isinstance(a, Answer) and a.type == RECONFIGURE and a.duid(CLIENTID) == other.duid and a.at > came]
    client.renew(ACCEPT, ia_pd(1, iaprefix(prefix)))


@each(RENEW, REBIND, REQUEST)
@rule("RFC 9915 §18.3.11", "whichever message brings the client back, it is served, and its key is still its own")
def test_coming_back(access, bound, kind):
    client, prefix, key = bound
    clear(access, prefix)
    told(access, client)
    reply = client.ask(kind, ACCEPT, ia_pd(1, iaprefix(prefix)))
    assert reply.prefix() == prefix and Auth(reply).value == key


@rule("RFC 9915 §21.20", "who did not say that it accepts RECONFIGURE is sent none")
def test_unwilling(access, bound):
    client, prefix, _ = bound
    unwilling = access.client()
    theirs = unwilling.obtain().prefix()
    clear(access, theirs)
    clear(access, prefix)
    told(access, client)  # which is told after the other would have been
    heard = [a for a in access.line.collect() if isinstance(a, Answer) and a.type == RECONFIGURE]
    assert not [a for a in heard if a.duid(CLIENTID) == unwilling.duid]
    client.renew(ACCEPT, ia_pd(1, iaprefix(prefix)))


@rule("RFC 9915 §19.3", "behind relays a RECONFIGURE goes the way that the answers went, in a RELAY-REPL")
def test_behind_a_relay(access, client):
    client.address = RELAY
    client.through = lambda data: relay(data, opt(INTERFACE_ID, b"port 9"), link="2001:db8:ffff::9", peer=HOME)
    reply = client.obtain(ACCEPT, ia_pd(1))
    clear(access, reply.prefix())
    message = told(access, client)
    assert (message.ip.dst, message.udp.dport) == (RELAY, 547)
    assert [(r.linkaddr, r.peeraddr) for r in message.relays] == [("2001:db8:ffff::9", HOME)]
    assert dict(message.relay_options[0])[INTERFACE_ID] == b"port 9"
    digest = Auth(message).value
    assert hmac.digest(Auth(reply).value, message.message.replace(digest, bytes(16)), "md5") == digest
    client.renew(ACCEPT, ia_pd(1, iaprefix(reply.prefix())))
