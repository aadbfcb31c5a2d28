# SPDX-License-Identifier: GPL-2.0-or-later
"""SUBSCRIBER_MODE=macvlan: instances on top of a NIC that stays the host's."""
import os
import signal

import pytest
from clients import WideDhcp6c
from lab import EX_OK, EX_UNAVAILABLE, PATIENCE_S, assert_same, wait_for


@pytest.fixture
def nic(lab):
    lab.host.ip("addr", "add", "198.51.100.7/24", "dev", "sub0")
    lab.host.ip("link", "set", "sub0", "up")
    probe = lab.host.exec("ip", "link", "add", "probe0", "link", "sub0", "type", "macvlan", "mode", "bridge", check=False)
    if probe.returncode:
        pytest.skip(f"this kernel has no macvlan: {probe.stderr.strip()}")
    lab.host.ip("link", "del", "probe0")
    return lab.host


def second(lab, tmp_path):
    return lab.vbng(state=str(tmp_path), SUBSCRIBER_MODE="macvlan", WIREGUARD_INTERFACE_SUFFIX="provider2", ASSIGNED_PREFIX="2001:db8:eeee::/48")


def test_two_instances_share_a_nic_that_stays_the_hosts(lab, nic, tmp_path):
    before = nic.snapshot()
    first = lab.vbng(SUBSCRIBER_MODE="macvlan").wait_serving()
    other = second(lab, tmp_path).wait_serving()
    assert "sub0" in nic.links() and "198.51.100.7" in nic.ip("addr", "show", "dev", "sub0")
    assert first.status()["subscriber"]["mode"] == "macvlan"
    macs = {first.own.mac("sub0"), other.own.mac("sub0"), nic.mac("sub0")}
    assert len(macs) == 3
    wait_for("addresses of both", lambda: {a["local"][:13] for a in lab.cpe.addresses("cpe0")} >= {"2001:db8:ffff", "2001:db8:eeee"})
    wait_for("each other's advertisements", lambda: first.status()["subscriber"]["routers"] and other.status()["subscriber"]["routers"])
    client = lab.client(WideDhcp6c)
    client.wait()
    client.kill()
    mac = first.own.mac("sub0")
    assert other.stop()[0] == EX_OK and first.stop()[0] == EX_OK
    assert "sub0" not in first.own.links() and not os.path.exists(os.path.join(lab.state, "nic"))
    assert_same(before, nic.snapshot)
    again = lab.vbng(SUBSCRIBER_MODE="macvlan").wait_serving()
    assert again.own.mac("sub0") == mac, "subscribers know it"


def test_what_a_killed_run_left_is_no_obstacle(lab, nic):
    killed = lab.vbng(SUBSCRIBER_MODE="macvlan").wait_serving()
    os.kill(killed.pids()[0], signal.SIGKILL)
    killed.process.wait(PATIENCE_S)
    again = lab.vbng(own=killed.own, SUBSCRIBER_MODE="macvlan").wait_serving()
    assert again.stop()[0] == EX_OK and "sub0" not in killed.own.links()


def test_somebody_elses_interface_of_that_name_is(lab, nic):
    own = lab.add(type(lab.host)("box"), type(lab.host).delete)
    own.ip("link", "add", "sub0", "type", "veth", "peer", "name", "sub1")
    vbng = lab.vbng(own=own, SUBSCRIBER_MODE="macvlan")
    code, said = vbng.wait_end()
    assert code == EX_UNAVAILABLE and "the container has an interface of that name already" in said
    assert "sub0" in own.links()


def test_the_hosts_nic_goes_and_comes_back_under_it(lab, nic):
    vbng = lab.vbng(SUBSCRIBER_MODE="macvlan").wait_serving()
    client = lab.client(WideDhcp6c)
    client.wait()
    held = vbng.prefixes()
    client.kill()
    nic.ip("link", "del", "sub0")
    vbng.wait_log("the NIC is gone")
    lab.wire_nic()
    nic.ip("link", "set", "sub0", "up")
    vbng.wait_log("the NIC is back and taken again")
    vbng.wait_log("init serving", count=2)
    client.start()
    client.wait()
    assert vbng.prefixes() == held
    assert vbng.stop()[0] == EX_OK and "sub0" in nic.links() and "sub0" not in vbng.own.links()


def test_the_host_sets_the_nic_down_and_up_under_it(lab, nic):
    vbng = lab.vbng(SUBSCRIBER_MODE="macvlan").wait_serving()
    nic.ip("link", "set", "sub0", "down")
    wait_for("the status", lambda: not vbng.status()["subscriber"]["link"])
    sent = vbng.status()["counters"]["ra_sent"]
    nic.ip("link", "set", "sub0", "up")
    wait_for("advertisements", lambda: vbng.status()["counters"]["ra_sent"] > sent)
    assert len([a for scope in ("link", "global") for a in vbng.own.addresses("sub0", scope)]) == 2


@pytest.mark.parametrize("mode", ["macvlan", "vlan:7"])
@pytest.mark.parametrize("verb", ["run", "check --runtime"])
def test_a_nic_that_is_down_is_told(lab, verb, mode):
    code, said = lab.vbng(SUBSCRIBER_MODE=mode, verb=verb).wait_end()
    assert code == EX_UNAVAILABLE and "SUBSCRIBER_INTERFACE=sub0: it is down, and it is the host's to set it up" in said
    assert "sub0" in lab.host.links()
