# SPDX-License-Identifier: GPL-2.0-or-later
"""Leases that end (RFC 9915 §18.3.7, RFC 8987 §4.2): lifetimes of two and four seconds."""
import time

import pytest

from access import HOME, rule
from lab import Stopwatch, wait_for
from packets import ia_na, ia_pd, iaprefix

PREFERRED_S, VALID_S = 2, 4
ENV = {"DHCPV6_PREFERRED_LIFETIME": str(PREFERRED_S), "DHCPV6_VALID_LIFETIME": str(VALID_S)}


@pytest.fixture(scope="module")
def expired(access):
    """(client, what it had, seconds from the answer to the end of its route, how many of them the machine may have added)."""
    watch = Stopwatch()
    client = access.client()
    had = client.obtain(ia_pd(1), ia_na(1))
    assert access.route(had.prefix()) == HOME
    wait_for("the end of the route", lambda: access.route(had.prefix()) is None, every=0.02)
    return client, had, time.monotonic() - had.at, watch.excuse()


@rule("RFC 8987 §4.2", "the route of a prefix is removed when its valid lifetime is over, not before and not much later")
def test_the_route_expires(expired):
    assert VALID_S - 0.1 <= expired[2] < VALID_S + 1 + expired[3]


@rule("RFC 9915 §18.3.7", "what is over is bound no longer")
def test_the_binding_expires(access, expired):
    client, had, *_ = expired
    wait_for("the end of the binding", lambda: not client.bound())
    assert {x["state"] for x in access.vbng.leases() if x["prefix"] in (had.prefix(), had.address())} == {"freed"}


@rule("RFC 9915 §18.3.7", "it is remembered: its client is offered and given the same again")
def test_the_same_after_expiry(expired):
    client, had, *_ = expired
    again = client.obtain(ia_pd(1), ia_na(1))
    assert (again.prefix(), again.address()) == (had.prefix(), had.address())


@rule("RFC 8987 §4.2", "a lease that is renewed in time does not end")
def test_renewal_in_time(access, client):
    prefix = client.obtain().prefix()
    for _ in range(3):
        time.sleep(VALID_S * 0.45)
        assert client.renew(ia_pd(1, iaprefix(prefix))).ia().lifetimes() == {prefix: (PREFERRED_S, VALID_S)}
    assert access.route(prefix) == HOME


@rule("RFC 8987 §4.2", "a lease that ends while the delegating router is away has no route when it is back")
def test_expiry_over_a_restart(access, client):
    prefix = client.obtain().prefix()
    access.restart(lambda: time.sleep(VALID_S + 0.1))
    assert access.route(prefix) is None and not client.bound()
