# SPDX-License-Identifier: GPL-2.0-or-later
"""The life of the subscriber's NIC: the cable, somebody who sets it down, a card that is pulled and plugged in again."""
import json
import os
import time

from clients import WideDhcp6c
from lab import EX_OK, assert_same, wait_for


def ours(vbng):
    """Our usable addresses on the NIC."""
    return sorted(a["local"] for scope in ("link", "global") for a in vbng.ns().addresses("sub0", scope))


def health(vbng):
    return vbng.verb("healthcheck", check=False)


def busy(pid):
    """Seconds of processor time that a process has used."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pulled(lab, vbng):
    """The NIC ceases to exist, and that is told everywhere."""
    vbng.ns().ip("link", "del", "sub0")
    vbng.wait_log("subscriber the NIC is gone|\"the NIC is gone")
    wait_for("the status", lambda: vbng.status()["subscriber"]["missing"])
    assert "gone" in health(vbng).stdout and health(vbng).returncode != 0
    assert "waiting for the subscriber's NIC" in vbng.verb("status").stdout
    begun = {p: busy(p) for p in vbng.pids()}
    time.sleep(1)
    assert all(busy(p) <= b + 0.2 for p, b in begun.items()), "nobody spins on what is not there"


def test_addresses_routes_and_advertisements_are_back_after_somebody_set_the_nic_down(lab):
    vbng = lab.vbng().wait_serving()
    client = lab.client(WideDhcp6c)
    client.wait()
    before = ours(vbng), vbng.delegated(), sorted(n["dst"] for n in vbng.ns().json("-6", "neigh", "show", "dev", "sub0", "nud", "permanent"))
    assert len(before[0]) == 2 and before[1]
    server = vbng.pids()[1]
    for count in 1, 2:
        vbng.ns().ip("link", "set", "sub0", "down")
        vbng.wait_log("somebody has set the NIC down", count=count)
        assert not vbng.status()["subscriber"]["link"]
        sent = vbng.status()["counters"]["ra_sent"]
        vbng.ns().ip("link", "set", "sub0", "up")
        wait_for("our addresses", lambda: ours(vbng) == before[0])
        wait_for("the routes", lambda: vbng.delegated() == before[1])
        wait_for("an advertisement", lambda: vbng.status()["counters"]["ra_sent"] > sent)
    assert before[2] == sorted(n["dst"] for n in vbng.ns().json("-6", "neigh", "show", "dev", "sub0", "nud", "permanent"))
    # So fast that nobody sees it down, and a flush.
    sent = vbng.status()["counters"]["ra_sent"]
    vbng.ns().exec("sh", "-c", "ip link set sub0 down; ip link set sub0 up")
    wait_for("our addresses", lambda: ours(vbng) == before[0] and vbng.delegated() == before[1])
    vbng.ns().ip("-6", "addr", "flush", "dev", "sub0")
    wait_for("our addresses", lambda: ours(vbng) == before[0] and vbng.delegated() == before[1])
    wait_for("an advertisement", lambda: vbng.status()["counters"]["ra_sent"] > sent)
    assert vbng.pids()[1] == server and health(vbng).stdout == "serving\n"
    assert vbng.stop()[0] == EX_OK


def test_a_pulled_cable_is_told_and_a_plugged_one_brings_a_burst(lab):
    vbng = lab.vbng().wait_serving()
    lab.cpe.ip("link", "set", "cpe0", "down")
    vbng.wait_log("link down: is the cable plugged in")
    assert not vbng.status()["subscriber"]["link"] and health(vbng).stdout == "serving\n"
    lab.cpe.exec("sysctl", "-qw", "net.ipv6.conf.cpe0.router_solicitations=0")
    sent = vbng.status()["counters"]["ra_sent"]
    lab.cpe.ip("link", "set", "cpe0", "up")
    wait_for("a route by an advertisement that nobody asked for", lambda: "default" in lab.cpe.ip("-6", "route"))
    wait_for("the burst", lambda: vbng.status()["counters"]["ra_sent"] >= sent + 2)
    assert vbng.stop()[0] == EX_OK


def test_the_nic_of_the_host_is_taken_again_when_it_is_back(lab):
    vbng = lab.vbng().wait_serving()
    client = lab.client(WideDhcp6c)
    client.wait()
    held = vbng.prefixes()
    client.kill()
    for count in 1, 2:
        pulled(lab, vbng)
        lab.host.ip("link", "add", "other0", "type", "veth", "peer", "name", "other1")  # is none of ours
        lab.host.ip("link", "del", "other0")
        lab.wire_nic()
        vbng.wait_log("the NIC is back and taken again", count=count)
        vbng.wait_log("init serving", count=count + 1)
        assert "sub0" not in lab.host.links()
        wait_for("its health", lambda: health(vbng).stdout == "serving\n")
        assert vbng.prefixes() == held and len(ours(vbng)) == 2
        wait_for("the routes", vbng.delegated)
        wait_for("the default route", lambda: "default" in lab.cpe.ip("-6", "route"))
        client.start()
        client.wait()
        assert vbng.prefixes() == held, "the same prefix, asked for over the new link"
        client.kill()
    assert vbng.status()["server_restarts"] == 0
    assert vbng.stop()[0] == EX_OK
    assert "sub0" in lab.host.links() and not os.path.exists(os.path.join(lab.state, "nic"))


def test_a_nic_of_our_own_namespace_is_taken_again_when_it_is_back(lab):
    """A container's network that is disconnected and connected again."""
    def wire():
        vbng_ns.ip("link", "add", "sub0", "type", "veth", "peer", "name", "cpe0", "netns", lab.cpe.name)
        vbng_ns.ip("link", "set", "sub0", "up")
        lab.cpe.ip("link", "set", "cpe0", "up")

    lab.host.ip("link", "del", "sub0")
    vbng_ns = lab.add(type(lab.host)("box"), type(lab.host).delete)
    wire()
    vbng = lab.vbng(own=vbng_ns, SUBSCRIBER_MODE="local", HOST_NETNS=None).wait_serving()
    client = lab.client(WideDhcp6c)
    client.wait()
    held = vbng.prefixes()
    client.kill()
    pulled(lab, vbng)
    wire()
    vbng.wait_log("the NIC is back and taken again")
    wait_for("its health", lambda: health(vbng).stdout == "serving\n")
    client.start()
    client.wait()
    assert vbng.prefixes() == held
    assert vbng.stop()[0] == EX_OK
    assert "sub0" in vbng_ns.links() and not [a for a in vbng_ns.addresses("sub0") if a["local"].startswith("2001")]
    assert not vbng_ns.routes("proto", "118")


def test_a_stop_while_the_nic_is_away_gives_back_nothing_and_touches_no_other(lab):
    vbng = lab.vbng().wait_serving()
    pulled(lab, vbng)
    os.kill(vbng.pids()[1], 9)
    wait_for("another server", lambda: len(vbng.pids()) == 2 and vbng.status()["server_restarts"] == 1)
    assert "gone" in health(vbng).stdout
    code, seconds = vbng.stop()
    assert code == EX_OK and seconds < 2, vbng.text()
    assert "sub0" not in lab.host.links() and not os.path.exists(os.path.join(lab.state, "nic"))
    assert "cannot undo" not in vbng.text()


def test_what_the_host_made_of_the_new_nic_is_what_it_gets_back(lab):
    vbng = lab.vbng().wait_serving()
    pulled(lab, vbng)
    lab.host.ip("link", "add", "fresh0", "type", "veth", "peer", "name", "cpe0", "netns", lab.cpe.name)
    lab.cpe.ip("link", "set", "cpe0", "up")
    lab.host.ip("addr", "add", "198.51.100.9/24", "dev", "fresh0")
    time.sleep(0.5)
    assert "fresh0" in lab.host.links(), "not under another name"
    lab.host.ip("link", "set", "fresh0", "name", "sub0")
    vbng.wait_log("the NIC is back and taken again")
    vbng.wait_log("init serving", count=2)
    assert vbng.stop()[0] == EX_OK
    assert "198.51.100.9/24" in lab.host.ip("addr", "show", "dev", "sub0")


def leave_note(lab, boot, seen_ms_ago, **more):
    """What a killed run has left in STATE_DIR: the NIC was up and had an address for an hour."""
    began_ms = 1 << 43  # at which the monotonic clock of vbng stands when CLOCK_BOOTTIME is 0
    seen = began_ms + int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000) - seen_ms_ago
    address = {"family": 2, "addr": "c6336407" + "0" * 24, "peer": "0" * 32, "plen": 24, "scope": 0, "flags": 0, "preferred": 3600,
               "valid": 3600, "label": "sub0", "broadcast": "0" * 8, "metric": 0, "seen": seen}
    note = {"name": "sub0", "boot": boot, "lladdr": lab.host.mac("sub0").replace(":", ""), "up": True, "addr_gen_mode": 0, "addrs": [address]}
    with open(os.path.join(lab.state, "nic"), "w", encoding="ascii") as f:
        json.dump({**note, **more}, f)


def test_a_killed_runs_note_gives_an_address_back_for_no_longer_than_it_had(lab):
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as f:
        leave_note(lab, f.read().strip(), seen_ms_ago=1000_000)
    vbng = lab.vbng().wait_serving()
    assert vbng.stop()[0] == EX_OK
    [address] = [a for a in lab.host.json("-4", "addr", "show", "dev", "sub0")[0]["addr_info"] if a["local"] == "198.51.100.7"]
    assert 2500 < address["valid_life_time"] <= 2600 and "UP" in lab.host.json("link", "show", "dev", "sub0")[0]["flags"]


def test_a_note_of_an_earlier_boot_of_the_host_is_none(lab):
    before = lab.host.snapshot()
    leave_note(lab, "d6bd0a1c-5d7a-4d52-a3c5-0e2c2f2a0f4e", seen_ms_ago=1000_000)
    vbng = lab.vbng().wait_serving()
    assert vbng.stop()[0] == EX_OK
    assert_same(before, lab.host.snapshot)
    assert not os.path.exists(os.path.join(lab.state, "nic"))
