# SPDX-License-Identifier: GPL-2.0-or-later
"""A power cut ends: every house of the street solicits at the same instant, and there are more of them than the kernel keeps neighbours."""
import json
import os

import pytest

from lab import VBNG, crowd, wait_for

STREET = os.path.join(os.path.dirname(os.path.dirname(VBNG)), "tests", "bench", "street")


def neighbours():
    """That the kernel knows: those of all namespaces are in one table, with one limit."""
    with open("/proc/net/stat/ndisc_cache", encoding="ascii") as f:
        return int(f.read().splitlines()[1].split()[0], 16)


@crowd
@pytest.mark.parametrize("houses", [500, 3000])
def test_all_are_served_and_reachable(lab, houses):
    with open("/proc/sys/net/ipv6/neigh/default/gc_thresh3", encoding="ascii") as f:
        room = int(f.read()) - neighbours()
    vbng = lab.vbng(LOG_LEVEL="info", DHCPV6_PD_DELEGATION_LENGTH="64").wait_serving()
    lab.cpe.sysctl(net__ipv6__conf__cpe0__disable_ipv6=1)  # its kernel does not answer for the houses
    r = json.loads(lab.cpe.exec(STREET, "-i", "cpe0", "-n", houses, "-t", 60, "-S", vbng.own.name).stdout)
    assert r["up"] == r["bound"] == houses, r
    assert r["reachable"] == houses, r
    assert {key: n for key, n in r.items() if key.startswith("bad_") and n} == {}
    assert r["dup"] == r["own_drops"] == 0
    if houses < room / 2:
        assert r["retransmissions"] == 0, r
    assert len(wait_for("the leases", vbng.prefixes)) == houses
