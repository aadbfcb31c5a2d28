# SPDX-License-Identifier: GPL-2.0-or-later
"""The wall clock is set while the appliance runs: lifetimes count on, and a server that starts then finds all as it was.

The machine's clock is everybody's: another one is put into the process by skew.c. The kernel's note that a clock was set does not come then,
so that it is the next commit that finds it out; tests/vm sets a clock for real.
"""
import os
import struct

import pytest

from lab import VBNG, wait_for
from test_store import Street, held, kill_server, known

SKEW = os.path.join(os.path.dirname(os.path.dirname(VBNG)), "tests", "lab", "libskew.so")
TEN_YEARS_S = 10 * 365 * 86400
VALID_S = 14400


class Clock:
    def __init__(self, directory):
        self.path = os.path.join(directory, "skew")
        self.set(0)

    def set(self, ahead_s):
        with open(self.path, "r+b" if os.path.exists(self.path) else "wb") as f:
            f.write(struct.pack("q", ahead_s))

    def env(self):
        return {"LD_PRELOAD": SKEW, "SKEW_FILE": self.path}


@pytest.fixture
def clock(tmp_path):
    if not os.access(SKEW, os.R_OK):
        pytest.skip(f"{SKEW} is not there")
    with open(VBNG, "rb") as f:
        if b"__asan_init" in f.read():
            pytest.skip("a sanitizer wants to be loaded first")
    return Clock(tmp_path)


def times_it_was_seen(vbng):
    return vbng.text().count("the wall clock was set")


def test_what_is_bound_lasts_as_long_as_it_was_granted_for(lab, clock):
    vbng = lab.vbng(**clock.env()).wait_serving()
    street = Street(lab).join(1, 2)
    for n, ahead_s in enumerate((TEN_YEARS_S, -TEN_YEARS_S, 0), 1):
        clock.set(ahead_s)
        street.join(100 + n)
        wait_for("the clock to be found out", lambda n=n: times_it_was_seen(vbng) == n)
        kill_server(vbng)
        assert known(vbng) == held(street)
        assert all(VALID_S - 600 < lease["valid_left_s"] <= VALID_S for lease in vbng.leases())
        wait_for("their routes", lambda: set(vbng.delegated()) == set(street.held.values()))
    street.renew()
    assert vbng.stop()[0] == 0


def test_what_is_bound_ends_though_the_clock_went_back(lab, clock):
    vbng = lab.vbng(DHCPV6_VALID_LIFETIME="5", DHCPV6_PREFERRED_LIFETIME="4", **clock.env()).wait_serving()
    street = Street(lab).join(1)
    clock.set(-TEN_YEARS_S)
    street.join(2)
    kill_server(vbng)
    wait_for("the end of what was granted before, and after", lambda: not known(vbng) and not vbng.delegated())
