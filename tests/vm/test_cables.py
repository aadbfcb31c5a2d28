# SPDX-License-Identifier: GPL-2.0-or-later
"""Cables that are pulled and cards that are unplugged, by QEMU's own monitor: what the kernel then says is what it says of real ones.

The guest's own namespace is the docker host. eth0 is vbng's, eth1 at the other end of its cable is the CPE's.
"""
import json
import os
import time

import pytest
from test_docker import Container, host_state, ip, run, wait_for

MONITOR = "/dev/virtio-ports/monitor"
pytestmark = pytest.mark.skipif(not os.path.exists(MONITOR), reason="runs inside scripts/vm-tests' virtual machine")
CPE = "cable-cpe"
MAC = "52:54:00:76:62:00"


class Monitor:
    """QEMU's machine protocol: one JSON object a line."""

    def __init__(self):
        self.port = open(MONITOR, "r+b", buffering=0)
        self.buffered = b""
        self.ask("qmp_capabilities")

    def ask(self, command, **arguments):
        self.port.write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while True:
            while b"\n" not in self.buffered:
                self.buffered += self.port.read(4096) or b""
            line, self.buffered = self.buffered.split(b"\n", 1)
            said = json.loads(line)
            assert "error" not in said, said
            if "return" in said:
                return

    def cable(self, plugged):
        self.ask("set_link", name="nic0", up=plugged)

    def unplug(self):
        self.ask("device_del", id="nic0")

    def plug(self, mac=MAC):
        self.ask("device_add", driver="virtio-net-pci", id="nic0", bus="slot0", netdev="wire0", mac=mac, romfile="")


ENV = {"WIREGUARD_INTERFACE_SUFFIX": "cabled", "WIREGUARD_BACKEND": "none", "ASSIGNED_PREFIX": "2001:db8:ffff::/48",
       "SUBSCRIBER_INTERFACE": "eth0", "LOG_LEVEL": "debug"}


@pytest.fixture
def wired():
    """The CPE at the other end of eth0's cable, and what serves it."""
    made = []
    ip("netns", "add", CPE)
    ip("link", "set", "eth1", "netns", CPE)
    ip("link", "set", "eth1", "up", ns=CPE)

    def serve(**more):
        made.append(Container("cabled", {**ENV, **more}).wait_serving())
        return made[-1]
    yield serve
    for container in made:
        container.remove()
    ip("netns", "del", CPE)
    wait_for("the cards home", lambda: {"eth0", "eth1"} <= {l["ifname"] for l in json.loads(ip("-j", "link"))})


@pytest.fixture
def vbng(wired):
    return wired()


def status(vbng):
    return json.loads(vbng.exec("vbng", "status", "--json"))


def routed():
    """The CPE's kernel has a default route from an advertisement."""
    return "default via fe80::1" in ip("-6", "route", ns=CPE)


def forget():
    """What the CPE's kernel learnt from advertisements."""
    ip("link", "set", "eth1", "down", ns=CPE)
    run("ip", "netns", "exec", CPE, "sysctl", "-qw", "net.ipv6.conf.eth1.router_solicitations=0")
    ip("link", "set", "eth1", "up", ns=CPE)


def host_links():
    return {l["ifname"] for l in json.loads(ip("-j", "link"))}


def test_a_cable_that_was_pulled_and_plugged_in_again_brings_a_burst_of_advertisements(vbng, monitor):
    wait_for("the default route", routed)
    monitor.cable(False)
    wait_for("the status", lambda: not status(vbng)["subscriber"]["link"])
    assert "link down: is the cable plugged in?" in vbng.log()
    assert vbng.exec("vbng", "healthcheck") == "serving\n", "a CPE that is off is no fault of ours"
    forget()
    sent = status(vbng)["counters"]["ra_sent"]
    time.sleep(1)
    assert not routed() and status(vbng)["counters"]["ra_sent"] == sent, "nothing is sent into nowhere"
    monitor.cable(True)
    begun = time.monotonic()
    wait_for("the default route, by an advertisement that nobody asked for", routed)
    assert time.monotonic() - begun < 60, "the next ordinary one is minutes away"
    wait_for("the burst", lambda: status(vbng)["counters"]["ra_sent"] >= sent + 2)


def test_a_card_that_is_unplugged_is_taken_again_when_it_is_back(vbng, monitor):
    wait_for("the default route", routed)
    server = status(vbng)["server_restarts"]
    monitor.unplug()
    wait_for("the status", lambda: status(vbng)["subscriber"]["missing"])
    assert "the NIC is gone" in vbng.log() and "gone" in vbng.exec("vbng", "healthcheck", check=False)
    assert vbng.running() and "eth0" not in host_links()
    forget()
    monitor.plug()
    wait_for("the card in the container", lambda: "the NIC is back and taken again" in vbng.log())
    vbng.wait_serving(2)
    assert "eth0" not in host_links() and MAC in vbng.exec("ip", "link", "show", "dev", "eth0")
    wait_for("the default route", routed)
    assert vbng.exec("vbng", "healthcheck") == "serving\n" and status(vbng)["server_restarts"] == server
    run("docker", "stop", "cabled")
    assert vbng.wait_exit() == 0 and "eth0" in host_links()


def test_a_card_that_comes_back_under_another_name_is_known_by_its_address(vbng, monitor):
    monitor.unplug()
    wait_for("the status", lambda: status(vbng)["subscriber"]["missing"])
    ip("link", "add", "eth0", "type", "dummy")  # somebody has its name meanwhile
    try:
        monitor.plug()
        wait_for("the card in the container", lambda: "the NIC is back and taken again" in vbng.log())
        vbng.wait_serving(2)
        assert "same_address=true" in vbng.log() and MAC in vbng.exec("ip", "link", "show", "dev", "eth0")
        assert MAC not in ip("link")
        assert "dummy" in ip("-d", "link", "show", "dev", "eth0"), "not somebody else's"
    finally:
        ip("link", "del", "eth0")
    run("docker", "stop", "cabled")
    assert vbng.wait_exit() == 0 and "eth0" in host_links()


def test_stopped_while_the_card_is_unplugged(vbng, monitor):
    monitor.unplug()
    wait_for("the status", lambda: status(vbng)["subscriber"]["missing"])
    run("docker", "stop", "cabled")
    assert vbng.wait_exit() == 0 and "eth0" not in host_links()
    monitor.plug()
    wait_for("the card at home", lambda: "eth0" in host_links())
    run("docker", "start", "cabled")
    vbng.wait_serving(2)
    assert "an earlier run left the NIC behind" not in vbng.log()


@pytest.mark.parametrize("mode, dev", [("vlan:7", "eth1.7"), ("macvlan", "eth1")])
def test_on_top_of_a_card_that_stays_the_hosts(wired, monitor, mode, dev):
    ip("addr", "add", "198.51.100.9/24", "dev", "eth0")
    ip("link", "set", "eth0", "up")
    ip("link", "add", "eth1.7", "link", "eth1", "type", "vlan", "id", "7", ns=CPE)
    ip("link", "set", "eth1.7", "up", ns=CPE)
    before = host_state()
    vbng = wired(SUBSCRIBER_MODE=mode)
    assert status(vbng)["subscriber"]["mode"] == mode and "eth0" in host_links()
    wait_for("the default route", lambda: f"default via fe80::1 dev {dev} " in ip("-6", "route", ns=CPE))
    assert ip("-6", "route", ns=CPE).count("default via") == 1, "there, and only there"
    monitor.unplug()
    wait_for("the status", lambda: status(vbng)["subscriber"]["missing"])
    monitor.plug()
    wait_for("the card", lambda: "eth0" in host_links())
    ip("addr", "add", "198.51.100.9/24", "dev", "eth0")
    ip("link", "set", "eth0", "up")
    vbng.wait_serving(2)
    run("docker", "stop", "cabled")
    assert vbng.wait_exit() == 0
    wait_for("the host as it was", lambda: host_state() == before)
    ip("addr", "flush", "dev", "eth0", "scope", "global")
