# SPDX-License-Identifier: GPL-2.0-or-later
"""Two providers on one link (host multihoming, RFC 8028), and others who advertise there: who gives way, what is told, what is no matter."""
import ipaddress
import os
import re
import signal
import struct
import time

import packets
import pytest
from clients import WideDhcp6c
from lab import EX_OK, EX_UNAVAILABLE, OUR_PROTOCOL, PATIENCE_S, Netns, assert_same, crowd, wait_for

OTHER = "2001:db8:eeee::/48"
DAD_S = 0.9  # RETRANS_TIMER (RFC 4861 §10), less what a packet takes


class Street:
    """A switch, or several that can be joined, with the hosts' NICs and the CPE plugged in."""

    def __init__(self, lab):
        self.lab = lab
        lab.host.ip("link", "del", "sub0")
        self.ns = lab.add(Netns("switch"), Netns.delete)

    def switch(self, name):
        self.ns.ip("link", "add", name, "type", "bridge", "mcast_snooping", "0", "forward_delay", "0")
        self.ns.exec("sysctl", "-qw", f"net.ipv6.conf.{name}.disable_ipv6=1")
        self.ns.ip("link", "set", name, "up")

    def plug(self, ns, dev, switch):
        port = f"to-{ns.name.split('-')[-1]}-{dev}"[:15]
        ns.ip("link", "add", dev, "type", "veth", "peer", "name", port, "netns", self.ns.name)
        self.ns.ip("link", "set", port, "master", switch, "up")

    def join(self, a, b):
        self.ns.ip("link", "add", "trunk0", "type", "veth", "peer", "name", "trunk1")
        self.ns.ip("link", "set", "trunk0", "master", a, "up")
        self.ns.ip("link", "set", "trunk1", "master", b, "up")


@pytest.fixture
def street(lab):
    return Street(lab)


def second(lab, tmp_path, **more):
    return lab.vbng(state=str(tmp_path), **{"WIREGUARD_INTERFACE_SUFFIX": "provider2", "ASSIGNED_PREFIX": OTHER,
                                            "SUBSCRIBER_INTERFACE": "sub1", **more})


def routers(vbng):
    return {r["address"]: r for r in vbng.status()["subscriber"]["routers"]}


def link_local(vbng):
    return vbng.status()["subscriber"]["link_local"]


def default_routers(ns):
    """The addresses of a host's default routers, by what its kernel has learnt."""
    found = set()
    for r in ns.routes("default"):
        found |= {hop["gateway"] for hop in r.get("nexthops", [r]) if hop.get("gateway")}
    return found


def prefixes_of(ns, dev="cpe0"):
    """Those of a host's global addresses."""
    return {str(ipaddress.ip_network(f"{a['local']}/64", strict=False)) for a in ns.addresses(dev)}


def test_two_providers_boot_on_one_link_and_a_host_has_both(lab, street, tmp_path):
    street.switch("br0")
    for ns, dev in (lab.host, "sub0"), (lab.host, "sub1"), (lab.cpe, "cpe0"):
        street.plug(ns, dev, "br0")
    lab.cpe.ip("link", "set", "cpe0", "up")
    mac = lab.host.mac("sub1")
    first = lab.vbng(METRICS_LISTEN="[::1]:9100").wait_serving()
    other = second(lab, tmp_path).wait_serving()
    other.wait_log("somebody on the link has our link-local address, taking another")
    assert link_local(first) == "fe80::1"
    # The one instead is the card's own, which it has after the next start, too.
    eui64 = bytes([int(mac[:2], 16) ^ 2]) + bytes.fromhex(mac[3:8].replace(":", "")) + b"\xff\xfe" + bytes.fromhex(mac[9:].replace(":", ""))
    assert ipaddress.ip_address(link_local(other)).packed[8:] == eui64
    assert "fe80::1 is somebody else's on this link" in other.verb("status").stdout
    wait_for("both default routers", lambda: default_routers(lab.cpe) == {"fe80::1", link_local(other)})
    wait_for("addresses of both", lambda: prefixes_of(lab.cpe) >= {"2001:db8:ffff::/64", "2001:db8:eeee::/64"})
    wait_for("each sees the other", lambda: set(routers(first)) == {link_local(other)} and set(routers(other)) == {"fe80::1"})
    seen = routers(first)[link_local(other)]
    assert seen["prefix"] == "2001:db8:eeee::/64" and seen["lifetime_s"] == 1800 and seen["differs"] is None and not seen["conflicts"]
    assert f"another router: {link_local(other)}, 2001:db8:eeee::/64" in first.verb("status").stdout
    assert not any(v.status()["subscriber"]["transfer_duplicate"] for v in (first, other)), "::1 of two prefixes is no clash"
    assert "info ra another router advertises on the subscriber link" in first.text()
    # Both answer DHCPv6, each from its own address.
    cpe = packets.Subscriber(lab.wire(), lab.cpe, None, lab.cpe.addresses("cpe0", "link")[0]["local"])
    cpe.send(packets.message(packets.SOLICIT, packets.client_id(7), packets.ELAPSED_0, packets.ia_pd(1)))
    wait_for("both servers' ADVERTISE", lambda: {a.ip.src for a in cpe.collect() if isinstance(a, packets.Answer)} == {"fe80::1", link_local(other)})
    page = first.ns().exec("wget", "-qO-", "http://[::1]:9100/metrics").stdout
    assert re.search(r'^vbng_foreign_routers\{instance="provider1"\} 1$', page, re.M), page
    assert re.search(r'^vbng_foreign_routers_conflicting\{instance="provider1"\} 0$', page, re.M)
    # The farewell is heard, too.
    assert other.stop()[0] == EX_OK
    wait_for("that it is gone", lambda: not routers(first))
    assert default_routers(lab.cpe) == {"fe80::1"}


def test_two_segments_are_joined_and_one_of_two_gives_way(lab, street, tmp_path):
    for switch in "br0", "br1":
        street.switch(switch)
    for ns, dev, switch in (lab.host, "sub0", "br0"), (lab.host, "sub1", "br1"), (lab.cpe, "cpe0", "br0"):
        street.plug(ns, dev, switch)
    lab.cpe.ip("link", "set", "cpe0", "up")
    low, high = ("sub0", "sub1") if lab.host.mac("sub0") < lab.host.mac("sub1") else ("sub1", "sub0")
    stays = lab.vbng(SUBSCRIBER_INTERFACE=low).wait_serving()
    goes = second(lab, tmp_path, SUBSCRIBER_INTERFACE=high).wait_serving()
    assert link_local(stays) == link_local(goes) == "fe80::1"
    street.join("br0", "br1")
    time.sleep(3.2)  # no two advertisements come closer together (RFC 4861 §6.2.6)
    stays.send(signal.SIGHUP)
    goes.wait_log("another router advertises from our link-local address, asking")
    goes.wait_log("somebody on the link has our link-local address, taking another")
    wait_for("another address", lambda: link_local(goes) != "fe80::1")
    wait_for("its advertisements from there", lambda: set(routers(stays)) >= {link_local(goes)})
    assert link_local(stays) == "fe80::1" and "taking another" not in stays.text()
    wait_for("both default routers", lambda: default_routers(lab.cpe) == {"fe80::1", link_local(goes)})
    server = goes.pids()[1]
    assert goes.verb("healthcheck").stdout == "serving\n" and goes.pids()[1] == server and goes.status()["server_restarts"] == 0
    for vbng in stays, goes:
        assert vbng.stop()[0] == EX_OK
    assert {"sub0", "sub1"} <= set(lab.host.links())


def test_the_same_prefix_twice_is_told_clearly_and_heals_when_one_leaves(lab, street, tmp_path):
    """Two docker hosts, each with an instance of the same provider's configuration."""
    street.switch("br0")
    host2 = lab.add(Netns("host2"), Netns.delete)
    street.plug(lab.host, "sub0", "br0")
    street.plug(host2, "sub1", "br0")
    first = lab.vbng().wait_serving()
    other = lab.vbng(state=str(tmp_path), HOST_NETNS=host2.path, SUBSCRIBER_INTERFACE="sub1").wait_serving()
    other.wait_log("error subscriber somebody on the link has our transfer address: a second instance with the same TRANSFER_PREFIX")
    assert other.status()["subscriber"]["transfer_duplicate"] and not first.status()["subscriber"]["transfer_duplicate"]
    assert "CLASH" in other.verb("status").stdout
    wait_for("the conflict at the first", lambda: any(r["conflicts"] for r in routers(first).values()))
    assert "our prefix" in routers(first)[link_local(other)]["differs"]
    first.wait_log("warning ra another router advertises on the subscriber link.*conflicts=\"our prefix")
    assert first.stop()[0] == EX_OK
    other.wait_log("our transfer address is ours alone now")
    assert not other.status()["subscriber"]["transfer_duplicate"]
    assert other.stop()[0] == EX_OK


def advertisement(src, mac, prefix="2001:db8:1::/64", lifetime=1800, mtu=1420):
    """A router advertisement, put together by scapy."""
    from scapy.layers import inet6 as si6
    from scapy.layers.l2 import Ether
    net = ipaddress.ip_network(prefix)
    return bytes(Ether(src=mac, dst="33:33:00:00:00:01") / si6.IPv6(src=src, dst="ff02::1", hlim=255)
                 / si6.ICMPv6ND_RA(chlim=64, O=1, routerlifetime=lifetime) / si6.ICMPv6NDOptSrcLLAddr(lladdr=mac)
                 / si6.ICMPv6NDOptMTU(mtu=mtu) / si6.ICMPv6NDOptPrefixInfo(prefix=str(net.network_address), prefixlen=net.prefixlen))


@crowd
def test_a_flood_of_forged_routers_fills_neither_memory_nor_log(lab):
    vbng = lab.vbng().wait_serving()
    wire = lab.wire()
    wire.send(advertisement("fe80::77", "02:00:00:00:00:77", mtu=1280))
    wait_for("the router", lambda: "fe80::77" in routers(vbng))
    assert routers(vbng)["fe80::77"]["differs"] == "MTU"
    for n in range(2000):
        mac = b"\x02\x01" + struct.pack("!I", n)
        wire.send(advertisement(f"fe80::1:{n:x}", mac.hex(":"), prefix=f"2001:db8:1:{n:x}::/64"))
    # One that says that it has our address, and does not have it.
    for _ in range(20):
        wire.send(advertisement("fe80::1", "02:00:00:00:00:00"))
        time.sleep(0.05)
    vbng.wait_log("another router advertises from our link-local address, asking whether it has it")
    wait_for("our address", lambda: [a for a in vbng.ns().addresses("sub0", "link") if a["local"] == "fe80::1"])
    wait_for("service", lambda: vbng.verb("healthcheck", check=False).stdout == "serving\n")
    assert link_local(vbng) == "fe80::1" and "taking another" not in vbng.text()
    assert len(routers(vbng)) == 16 and "fe80::77" in routers(vbng)
    said = len(re.findall(r"^\w+ (?:ra|subscriber) .*router", vbng.text(), re.M))
    assert said <= 25, f"{said} lines"
    lab.client(WideDhcp6c).wait()
    assert vbng.stop()[0] == EX_OK


def test_our_own_advertisement_is_not_taken_for_anothers(lab):
    vbng = lab.vbng().wait_serving()
    wire = lab.wire()
    time.sleep(3.2)
    wire.read()
    vbng.send(signal.SIGHUP)

    def ours():
        return [data for _, mine, data in wire.read() if not mine and packets.icmp6_in(data, 134)]
    [own, *_] = wait_for("an advertisement", ours)
    for _ in range(3):
        wire.send(own)
    vbng.wait_log("our own advertisement came back")
    assert not routers(vbng) and "asking whether it has it" not in vbng.text()
    assert len(re.findall("our own advertisement came back", vbng.text())) == 1
    assert vbng.stop()[0] == EX_OK


def claim_all(wire, vbng):
    """While it boots: the addresses that it asked for, and whether each was claimed before the kernel took it for its own."""
    from scapy.layers import inet6 as si6
    from scapy.layers.l2 import Ether
    claimed, in_time = set(), True
    end = time.monotonic() + PATIENCE_S
    while "init serving" not in vbng.text() and time.monotonic() < end:
        for at, mine, data in wire.read():
            asked = None if mine else packets.icmp6_in(data, 135)
            if asked is None or asked[si6.IPv6].src != "::":
                continue
            target = asked[si6.ICMPv6ND_NS].tgt
            claimed.add(target)
            wire.send(bytes(Ether(src=wire.mac, dst="33:33:00:00:00:01") / si6.IPv6(src=target, dst="ff02::1", hlim=255)
                            / si6.ICMPv6ND_NA(tgt=target, R=0, S=0, O=1) / si6.ICMPv6NDOptDstLLAddr(lladdr=wire.mac)))
            in_time &= time.monotonic() < at + DAD_S
        time.sleep(0.01)
    return claimed, in_time


def test_one_who_claims_every_address_does_not_keep_us_from_serving(lab):
    """Answers all duplicate address detection (RFC 4862 §5.4): by accident nobody does that."""
    wire = lab.wire()
    while True:
        vbng = lab.vbng()
        claimed, in_time = claim_all(wire, vbng)
        vbng.wait_serving()
        if in_time:
            break
        assert vbng.stop()[0] == EX_OK  # this machine was too busy for somebody who answers all of it
    assert "somebody claims every link-local address that we ask for, taking one without asking" in vbng.text()
    assert len([a for a in claimed if a.startswith("fe80")]) == 4 and "2001:db8:ffff::1" in claimed
    assert link_local(vbng) not in claimed and vbng.status()["subscriber"]["transfer_duplicate"]
    assert vbng.verb("healthcheck").stdout == "serving\n" and vbng.stop()[0] == EX_OK


FORWARDING = "net.ipv6.conf.all.forwarding", "net.ipv6.conf.default.forwarding"


def forwarding(ns):
    return [ns.exec("sysctl", "-n", key).stdout.strip() for key in FORWARDING]


@pytest.mark.parametrize("end", ["first", "second", "kill", "both"])
def test_of_two_in_one_namespace_the_last_one_puts_its_settings_back(lab, tmp_path, end):
    own = lab.add(Netns("own"), Netns.delete)
    own.sysctl(net__ipv6__conf__default__dad_transmits=0)
    lab.wire_nic("sub1", "cpe1")
    for dev in "sub0", "sub1":
        lab.host.ip("link", "set", dev, "netns", own.name)
        own.ip("link", "set", dev, "up")
    assert forwarding(own) == ["0", "0"]
    before = [line for line in own.snapshot() if line.startswith("sysctl net.ipv6")]
    first = lab.vbng(own=own, SUBSCRIBER_MODE="local").wait_serving()
    other = second(lab, tmp_path, own=own, SUBSCRIBER_MODE="local").wait_serving()
    goes, stays = (other, first) if end == "second" else (first, other)
    if end == "kill":
        goes.kill()
    elif end == "both":
        goes.send(signal.SIGTERM)
    else:
        assert goes.stop()[0] == EX_OK
    if end != "both":
        assert forwarding(own) == ["1", "1"] and stays.verb("healthcheck").stdout == "serving\n"
        # Who comes later learns from who is there what it was before.
        again = lab.vbng(own=own, state=str(tmp_path / "again"), SUBSCRIBER_MODE="local", WIREGUARD_INTERFACE_SUFFIX="again",
                         ASSIGNED_PREFIX="2001:db8:dddd::/48", SUBSCRIBER_INTERFACE="sub1" if stays is first else "sub0").wait_serving()
        assert stays.stop()[0] == EX_OK and forwarding(own) == ["1", "1"]
        stays = again
    assert stays.stop()[0] == EX_OK
    goes.process.wait(10)
    assert forwarding(own) == ["0", "0"]
    assert [line for line in own.snapshot() if line.startswith("sysctl net.ipv6")] == before


class House:
    """One namespace with a NIC for each of two instances."""

    def __init__(self, lab):
        self.own = lab.add(Netns("own"), Netns.delete)
        self.own.sysctl(net__ipv6__conf__default__dad_transmits=0)
        lab.wire_nic("sub1", "cpe1")
        for dev in "sub0", "sub1":
            lab.host.ip("link", "set", dev, "netns", self.own.name)
            self.own.ip("link", "set", dev, "up")
        self.default = {"own": self.own, "SUBSCRIBER_MODE": "local"}

    def delegated(self, dev):
        """Prefixes that are routed to there."""
        return {r["dst"] for r in self.own.routes("proto", OUR_PROTOCOL) if r.get("gateway") and r["dev"] == dev}

    def ways_out(self):
        return [r["dev"] for r in self.own.routes("default") if r.get("dev", "").startswith("wg-")], self.own.exec("ip", "-6", "rule").stdout


@pytest.fixture
def house(lab):
    return House(lab)


def take_prefix(lab, vbng, dev):
    """By hand, as a CPE on that link would."""
    [mine, *_] = wait_for("a link-local address", lambda: lab.cpe.addresses(dev, "link"))
    cpe = packets.Subscriber(lab.wire(dev=dev), lab.cpe, None, mine["local"])
    prefix = cpe.obtain(7).prefix()
    wait_for("its route", lambda: prefix in vbng.delegated())
    return prefix


def test_of_two_in_one_namespace_each_leaves_the_others_routes_alone(lab, tmp_path, house):
    first = lab.vbng(**house.default).wait_serving()
    prefix = take_prefix(lab, first, "cpe0")
    other = second(lab, tmp_path, **house.default).wait_serving()
    others_prefix = take_prefix(lab, other, "cpe1")
    assert (house.delegated("sub0"), house.delegated("sub1")) == ({prefix}, {others_prefix})
    # A server that starts again puts right what is its own.
    house.own.ip("-6", "route", "del", others_prefix)
    os.kill(other.pids()[1], signal.SIGKILL)
    other.wait_log("route reconciled kept=0 added=1 removed=0")
    assert (house.delegated("sub0"), house.delegated("sub1")) == ({prefix}, {others_prefix})
    assert other.stop()[0] == EX_OK
    assert (house.delegated("sub0"), house.delegated("sub1")) == ({prefix}, set())
    assert first.stop()[0] == EX_OK
    assert house.own.routes("proto", OUR_PROTOCOL) == []


def test_a_namespace_has_one_tunnel_and_the_second_instance_is_refused_by_the_first_ones_name(lab, tmp_path, house):
    lab.internet()
    first = lab.vbng(**house.default).wait_serving()
    wait_for("the resolver's rule", lambda: "lookup 118" in house.ways_out()[1])
    before, host = house.own.snapshot(), lab.host.snapshot()
    for verb in "check --runtime", "run":
        code, said = second(lab, tmp_path, verb=verb, **house.default).wait_end()
        assert code == EX_UNAVAILABLE, said
        assert "this network namespace: the instance provider1 has its tunnel wg-provider1 in it" in said
        assert_same(before, house.own.snapshot, "our own namespace")
        assert_same(host, lab.host.snapshot)
    # One without a tunnel has no part in that.
    ways_out = house.ways_out()
    other = second(lab, tmp_path, WIREGUARD_BACKEND="none", **house.default).wait_serving()
    prefix, others_prefix = take_prefix(lab, first, "cpe0"), take_prefix(lab, other, "cpe1")
    assert other.stop()[0] == EX_OK
    assert house.ways_out() == ways_out and ways_out[0] == ["wg-provider1"]
    assert house.delegated("sub0") == {prefix} and not house.delegated("sub1") and others_prefix != prefix
    assert "put right" not in first.text()
    # With the first one gone, however it went, the place is free.
    first.kill()
    again = second(lab, tmp_path, **house.default).wait_serving()
    assert house.ways_out()[0] == ["wg-provider2"]
    assert again.stop()[0] == EX_OK


def test_a_tunnel_is_no_matter_to_an_instance_without_one_that_was_there_before(lab, tmp_path, house):
    other = second(lab, tmp_path, WIREGUARD_BACKEND="none", **house.default).wait_serving()
    others_prefix = take_prefix(lab, other, "cpe1")
    lab.internet()
    first = lab.vbng(**house.default).wait_serving()
    assert house.ways_out()[0] == ["wg-provider1"] and house.delegated("sub1") == {others_prefix}
    assert first.stop()[0] == EX_OK
    assert house.ways_out()[0] == [] and house.delegated("sub1") == {others_prefix}
    assert other.verb("healthcheck").stdout == "serving\n" and other.stop()[0] == EX_OK
