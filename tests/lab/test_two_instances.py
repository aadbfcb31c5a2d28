# SPDX-License-Identifier: GPL-2.0-or-later
"""What two instances on one host cannot share: the second is refused, by the other's name, before anything is touched."""
import os
import re
import shutil
import socket
import tempfile

import pytest

from lab import EX_OK, EX_UNAVAILABLE, Netns, assert_same

# All that a second instance wants of its own.
SECOND = {
    "WIREGUARD_INTERFACE_SUFFIX": "provider2",
    "ASSIGNED_PREFIX": "2001:db8:eeee::/48",
    "SUBSCRIBER_INTERFACE": "sub1",
}


@pytest.fixture
def state2():
    path = tempfile.mkdtemp(prefix="vbng-state2-")
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def two(lab, state2):
    """The first instance serves; what it returns starts a second one, which differs but for what is said."""
    lab.wire_nic("sub1", "cpe1")
    first = lab.vbng().wait_serving()

    def start(**how):
        return lab.vbng(**{**SECOND, "state": state2, **how})
    start.first = first
    return start


def refused(lab, first, second, *patterns):
    """Exit code 69, one line for each pattern, each names the other; the host and the first are what they were."""
    code, said = second.wait_end()
    errors = [line for line in said.splitlines() if line.startswith("error ")]
    assert code == EX_UNAVAILABLE and len(errors) == len(patterns), said
    for pattern in patterns:
        assert any(re.search(pattern, e) for e in errors), f"/{pattern}/ is not in\n{said}"
    assert not re.search(r"tunnel created|NIC taken", said), said
    assert first.status()["state"] == "serving" and first.status()["server_restarts"] == 0


@pytest.mark.parametrize("what, patterns", [
    ("name", [r"WIREGUARD_INTERFACE_SUFFIX=provider1: the instance provider1 is running on this host already"]),
    ("NIC", [r"SUBSCRIBER_INTERFACE=sub0: the instance provider1 has this NIC"]),
    ("STATE_DIR", [r"STATE_DIR=\S+: the instance provider1 keeps its leases there"]),
    ("prefix", [r"DHCPV6_PD_PREFIX=2001:db8:ffff:8000::/49 overlaps 2001:db8:ffff:8000::/49, which the instance provider1",
                r"TRANSFER_PREFIX=2001:db8:ffff::/64 overlaps 2001:db8:ffff::/64, which the instance provider1"]),
    ("part of the pool", [r"DHCPV6_PD_PREFIX=2001:db8:ffff:c000::/51 overlaps 2001:db8:ffff:8000::/49, which the instance provider1"]),
    ("pool in the other's transfer network's place", [r"TRANSFER_PREFIX=2001:db8:ffff:8000::/64 overlaps 2001:db8:ffff:8000::/49, which the instance provider1"]),
    ("everything but the name", [r"SUBSCRIBER_INTERFACE=sub0", r"DHCPV6_PD_PREFIX=", r"TRANSFER_PREFIX=", r"STATE_DIR="]),
])
def test_what_the_other_has_is_refused_by_its_name(lab, two, what, patterns):
    prefix = {"ASSIGNED_PREFIX": "2001:db8:ffff::/48"}
    same = {
        "name": {"WIREGUARD_INTERFACE_SUFFIX": "provider1"},
        "NIC": {"SUBSCRIBER_INTERFACE": "sub0"},
        "STATE_DIR": {"state": lab.state},
        "prefix": prefix,
        "part of the pool": {**prefix, "TRANSFER_PREFIX": "2001:db8:ffff:1::/64", "DHCPV6_PD_PREFIX": "2001:db8:ffff:c000::/51"},
        "pool in the other's transfer network's place": {**prefix, "TRANSFER_PREFIX": "2001:db8:ffff:8000::/64", "DHCPV6_PD_PREFIX": "2001:db8:ffff:4000::/50"},
        "everything but the name": {"SUBSCRIBER_INTERFACE": "sub0", "state": lab.state, **prefix},
    }[what]
    before = lab.host.snapshot()
    refused(lab, two.first, two(**same), *patterns)
    assert_same(before, lab.host.snapshot)


def test_two_that_share_nothing_serve_side_by_side(two):
    second = two().wait_serving()
    assert two.first.status()["state"] == "serving"
    assert second.stop()[0] == EX_OK


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_what_it_had_is_free_as_soon_as_it_is_gone(lab, two, how):
    """Even after a kill -9: nothing on the host or in the volume says otherwise."""
    if how == "killed":
        two.first.kill()
    else:
        two.first.stop()
    everything = {"state": lab.state, "ASSIGNED_PREFIX": "2001:db8:ffff::/48", "WIREGUARD_INTERFACE_SUFFIX": "provider1"}
    second = two(**everything).wait_serving()
    assert second.stop()[0] == EX_OK


def test_a_second_instance_in_a_namespace_of_its_own_nic(lab, state2):
    """SUBSCRIBER_MODE=local without a host: the claims are held where the NIC is."""
    own = lab.add(Netns("own"), Netns.delete)
    lab.host.ip("link", "set", "sub0", "netns", own.name)
    local = {"SUBSCRIBER_MODE": "local", "HOST_NETNS": "/nowhere/host", "own": own}
    first = lab.vbng(**local).wait_serving()
    before = own.snapshot()
    second = lab.vbng(**local, state=state2, WIREGUARD_INTERFACE_SUFFIX="provider2", ASSIGNED_PREFIX="2001:db8:eeee::/48")
    refused(lab, first, second, r"SUBSCRIBER_INTERFACE=sub0: the instance provider1 has this NIC")
    assert_same(before, own.snapshot, "our own namespace")


def test_local_nics_of_the_same_name_in_two_containers_are_two(lab, state2):
    """Containers' eth0, say: nobody has the other's."""
    nets = [lab.add(Netns("own"), Netns.delete) for _ in range(2)]
    lab.host.ip("link", "set", "sub0", "netns", nets[0].name)
    lab.wire_nic("sub0", "cpe1")
    lab.host.ip("link", "set", "sub0", "netns", nets[1].name)
    local = {"SUBSCRIBER_MODE": "local"}
    lab.vbng(own=nets[0], **local).wait_serving()
    lab.vbng(own=nets[1], **{**SECOND, **local, "state": state2, "SUBSCRIBER_INTERFACE": "sub0"}).wait_serving()


def test_of_two_that_start_in_the_same_moment_one_serves_at_most(lab, state2):
    """Neither has looked before the other was there. (A container engine starts the other again, by its restart policy.)"""
    for _ in range(3):
        both = [lab.vbng(state=s, WIREGUARD_INTERFACE_SUFFIX=name, ASSIGNED_PREFIX=assigned)
                for s, name, assigned in ((lab.state, "provider1", "2001:db8:ffff::/48"), (state2, "provider2", "2001:db8:eeee::/48"))]
        refusals = [v for v in both if not is_serving(v)]
        assert refusals, "both serve"
        for v in refusals:
            code, said = v.wait_end()
            assert code == EX_UNAVAILABLE and re.search(r"SUBSCRIBER_INTERFACE=sub0: the instance provider[12] has this NIC", said), said
        for v in both:
            v.stop()


def is_serving(v):
    try:
        v.wait_log(r"init serving", 10)
        return True
    except AssertionError:
        return False


def test_a_claim_of_somebody_who_is_not_root_counts_for_nothing(lab):
    """Anybody on the host can make a socket of any name: that must not keep an instance from starting."""
    with lab.host.inside():
        fake = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        os.setresuid(65534, 65534, 0)
        try:
            other = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        finally:
            os.setresuid(0, 0, 0)
    with fake, other:
        other.bind("\0vbng/fake/00000000/nic/sub0")
        vbng = lab.vbng().wait_serving()
        vbng.stop()
        fake.bind("\0vbng/fake/00000001/nic/sub0")
        code, said = lab.vbng().wait_end()
        assert code == EX_UNAVAILABLE and "the instance fake has this NIC" in said
