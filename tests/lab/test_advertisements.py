# SPDX-License-Identifier: GPL-2.0-or-later
"""Advertisements as others read them: the kernel, rdisc6, dhcpcd and Wireshark's dissectors; and a street that solicits at once."""
import os
import re
import shutil
import socket
import struct
import time

import pytest
from scapy.utils import wrpcap

from clients import Dhcpcd, inside
from lab import EX_OK, PATIENCE_S, SO_RCVBUFFORCE, Netns, Stopwatch, assert_same, crowd, ping, wait_for
from packets import ALL_ROUTERS, Ether, icmp6_in, in6, multicast_mac, si6

SOL_PACKET, PACKET_IGNORE_OUTGOING = 263, 23
FIRST, SECOND = "2001:db8:ffff::/64", "2001:db8:ffff:1::/64"
RICH = {
    "TRANSFER_PREFIX": f"{FIRST},{SECOND}",
    "ROUTER_ADVERTISEMENT_PREFIXES": f"{SECOND},on-link=off,valid=7000,preferred=3500 2001:db8:ffff:8000::/49,pd-preferred=on",
    "ROUTER_ADVERTISEMENT_PREFERENCE": "high",
    "ROUTER_ADVERTISEMENT_HOP_LIMIT": "63",
    "ROUTER_ADVERTISEMENT_REACHABLE_TIME": "20000",
    "ROUTER_ADVERTISEMENT_RETRANS_TIMER": "1500",
    "ROUTER_ADVERTISEMENT_MTU": "1400",
    "ROUTER_ADVERTISEMENT_ROUTES": "2001:db8:1::/48@low@5000,2001:db8:2::/80@high",
    "ROUTER_ADVERTISEMENT_PREF64": "64:ff9b::/96",
    "ROUTER_ADVERTISEMENT_PVD": "provider1.example",
    "ROUTER_ADVERTISEMENT_PVD_HTTP": "on",
    "ROUTER_ADVERTISEMENT_PVD_DELAY": "5",
    "DHCPV6_NAMESERVER": "2001:db8:53::1,2001:db8:53::2",
    "DHCPV6_CAPTIVE_PORTAL": "https://portal.provider1.example/api",
    "DNS_SEARCH": "provider1.example,lab.example",
}


def in_each(ns, dev="cpe0"):
    """{prefix: its address that was formed from an advertisement}"""
    found = {p: a for a in ns.addresses(dev) for p in (FIRST, SECOND) if a["prefixlen"] == 64 and inside(a["local"], p)}
    return found if len(found) == 2 else None


def setting(ns, key):
    return ns.exec("sysctl", "-n", key).stdout.strip()


def test_the_kernel_takes_all_that_it_can(lab):
    lab.cpe.sysctl(net__ipv6__conf__cpe0__accept_ra_rt_info_max_plen=128)
    vbng = lab.vbng(**RICH).wait_serving()
    formed = wait_for("addresses in both transfer networks", lambda: in_each(lab.cpe))
    assert all(a["valid_life_time"] <= v for a, v in ((formed[FIRST], 14400), (formed[SECOND], 7000)))
    routes = wait_for("the default route", lambda: lab.cpe.routes() if lab.cpe.routes("default") else None)
    on_link = {r["dst"] for r in routes if not r.get("gateway") and r["dev"] == "cpe0"}
    assert FIRST in on_link and SECOND not in on_link, "what has no L flag is off-link (RFC 5942)"
    by = {r["dst"]: r for r in routes if r.get("gateway") == "fe80::1"}
    assert by["default"]["pref"] == "high" and by["2001:db8:1::/48"]["pref"] == "low" and by["2001:db8:2::/80"]["pref"] == "high"
    assert 4900 < by["2001:db8:1::/48"]["expires"] <= 5000
    assert setting(lab.cpe, "net.ipv6.conf.cpe0.mtu") == "1400" and setting(lab.cpe, "net.ipv6.conf.cpe0.hop_limit") == "63"
    assert setting(lab.cpe, "net.ipv6.neigh.cpe0.retrans_time_ms") == "1500"
    assert setting(lab.cpe, "net.ipv6.neigh.cpe0.base_reachable_time_ms") == "20000"
    for prefix, a in formed.items():
        assert ping(lab.cpe, a["local"], prefix.replace("::/64", "::1")), f"we are ::1 in {prefix}"
    code, seconds = vbng.stop()
    assert code == EX_OK and seconds < 2
    wait_for("the routes gone", lambda: not [r for r in lab.cpe.routes() if r.get("gateway") == "fe80::1"])
    assert all(a.get("deprecated") for a in in_each(lab.cpe).values())


def test_the_addresses_go_with_us_where_the_nic_stays(lab):
    """SUBSCRIBER_MODE=local: whoever prepared the interface has it back without any of our transfer addresses."""
    own = lab.add(Netns("own"), Netns.delete)
    lab.host.ip("link", "set", "sub0", "netns", own.name)
    own.ip("link", "set", "sub0", "up")
    wait_for("its own link-local address", lambda: own.addresses("sub0", "link"))
    before = own.snapshot()
    vbng = lab.vbng(own=own, HOST_NETNS=None, TRANSFER_PREFIX=f"{FIRST},{SECOND}").wait_serving()
    ours = {a["local"] for a in own.addresses("sub0")}
    assert {"2001:db8:ffff::1", "2001:db8:ffff:1::1"} <= ours
    assert vbng.stop()[0] == EX_OK
    assert_same(before, own.snapshot, "our own namespace")


def rdisc6(lab):
    wait_for("a usable link-local address to solicit from", lambda: lab.cpe.addresses("cpe0", "link"))
    return lab.cpe.exec("rdisc6", "-1", "-n", "-w", "3000", "cpe0").stdout


def test_rdisc6_reads_it(lab):
    lab.vbng(**RICH).wait_serving()
    told = rdisc6(lab)
    seen = {}
    for line in told.splitlines():
        key, colon, text = line.partition(":")
        if colon:
            seen.setdefault(key.strip(), []).append(text.strip())
    assert seen["Prefix"] == [FIRST, SECOND, "2001:db8:ffff:8000::/49"], told
    assert [x.split()[0] for x in seen["On-link"]] == ["Yes", "No", "No"], told
    assert [x.split()[0] for x in seen["Autonomous address conf."]] == ["Yes", "Yes", "No"], told
    assert seen["Hop limit"][0].startswith("63") and seen["MTU"][0].startswith("1400"), told
    assert seen["Reachable time"][0].startswith("20000") and seen["Retransmit time"][0].startswith("1500"), told
    assert seen["Route"] == ["2001:db8:1::/48", "2001:db8:2::/80"], told
    assert seen["Recursive DNS server"] == ["2001:db8:53::1", "2001:db8:53::2"], told


class Dhcpcd6rs(Dhcpcd):
    """It listens to advertisements itself, instead of the kernel."""

    def start(self):
        self.ns.sysctl(**{f"net__ipv6__conf__{self.dev}__accept_ra": 0})
        conf = self.write("conf", f"ipv6only\nduid ll\nslaac hwaddr\nnohook resolv.conf, hostname, ntp\nallowinterfaces {self.dev}\n"
                                  f"interface {self.dev}\n    ipv6rs\n    nodhcp6\n")
        return self.launch(self.hide("/var/lib/dhcpcd") +
                           f"mkdir -p /run/dhcpcd\nmount -t tmpfs tmpfs /run/dhcpcd\nexec dhcpcd -B -d -f {conf} -c /bin/true {self.dev}\n")


@pytest.mark.skipif(Dhcpcd.missing() is not None, reason=Dhcpcd.missing() or "")
def test_dhcpcd_takes_it_in_several_packets(lab):
    """Where it has to come in several, the addresses and the route are there all the same."""
    names = ",".join(f"a-name-that-takes-some-room-{n}.{'x' * 60}.example" for n in range(8))
    routes = ",".join(f"2001:db8:{n:x}:1:2:3::/96" for n in range(1, 17))
    lab.vbng(**{**RICH, "DNS_SEARCH": names, "ROUTER_ADVERTISEMENT_ROUTES": routes}).wait_serving()
    client = lab.client(Dhcpcd6rs)
    try:
        wait_for("addresses in both transfer networks", lambda: in_each(lab.cpe))
    except AssertionError as e:
        raise AssertionError(f"{e}\n{client.text()[-4000:]}") from None
    assert wait_for("the default route", lambda: lab.cpe.routes("default"))[0]["gateway"] == "fe80::1"


def capture(lab, seconds=0.5):
    """The frames with our advertisements."""
    wire = lab.wire()
    solicit(wire, [("fe80::c:1", "02:00:5e:00:00:01")])
    seen = []

    def heard():
        seen.extend(data for _, mine, data in wire.read() if not mine and icmp6_in(data, 134))
        return seen
    wait_for("an advertisement", heard)
    time.sleep(seconds)  # for what belongs to it
    return heard()


def solicit(wire, hosts):
    """All of them at once: (address, link-layer address)."""
    to = multicast_mac(ALL_ROUTERS)
    for address, mac in hosts:
        slla = bytes([1, 1]) + bytes.fromhex(mac.replace(":", ""))
        ip = si6.IPv6(src=address, dst=ALL_ROUTERS, hlim=255, nh=58, plen=16)
        body = struct.pack("!BBHI", 133, 0, 0, 0) + slla
        body = body[:2] + struct.pack("!H", si6.in6_chksum(58, ip, body)) + body[4:]
        wire.send(bytes(Ether(src=mac, dst=to, type=0x86dd) / ip) + body)


@pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")
@pytest.mark.parametrize("more", [{},
                                  {"DNS_SEARCH": ",".join(f"{'n' * 60}{n}.{'x' * 60}.example" for n in range(8)), "ROUTER_ADVERTISEMENT_MTU": "1280"}],
                         ids=["one packet", "several packets"])
def test_wireshark_finds_nothing_wrong(lab, tmp_path, more):
    lab.vbng(**{**RICH, **more}).wait_serving()
    frames = capture(lab)
    assert frames
    path = os.path.join(tmp_path, "ra.pcap")
    wrpcap(path, [Ether(f) for f in frames])
    env = dict(os.environ, HOME=str(tmp_path), WIRESHARK_CONFIG_DIR=str(tmp_path))
    told = lab.cpe.exec("tshark", "-n", "-r", path, "-V", env=env).stdout
    assert "Malformed" not in told and "Expert Info (Error" not in told and "Expert Info (Warn" not in told, told
    assert told.count("Type: Router Advertisement (134)") >= len(frames)
    for option in "Prefix information", "Route Information", "Recursive DNS Server", "DNS Search List", "PREF64", "MTU", "Source link-layer", "Captive-Portal":
        assert option in told, f"{option} is missing in\n{told}"
    # Its own dissector came with a later version than some have.
    assert re.search(r"Unknown 21|PvD|Provisioning Domain", told), told


WAIT_S = 1  # for one that answers many


@crowd
def test_five_thousand_that_solicit_at_once_are_each_answered(lab):
    """None of them waits for a multicast one, which would be seconds away."""
    n = 5000
    vbng = lab.vbng().wait_serving()
    wire = lab.wire()
    # Room for all of them, whatever the host's limit is; what leaves here is not read back.
    wire.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
    wire.sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    time.sleep(0.5)
    wire.read()
    hosts = [(f"fe80::5000:{i:x}", f"02:00:5e:00:{i >> 8:02x}:{i & 255:02x}") for i in range(n)]
    answered, sent, watch = {}, {}, Stopwatch()
    for at in range(0, n, 500):
        sent |= dict.fromkeys((in6(a) for a, _ in hosts[at:at + 500]), time.monotonic())
        solicit(wire, hosts[at:at + 500])
        collect(wire, answered, sent, watch)
    # Of those beyond the queue, or without a neighbour entry, none would ever have one of its own.
    end = time.monotonic() + PATIENCE_S
    while len(answered) < n and time.monotonic() < end:
        collect(wire, answered, sent, watch)
        time.sleep(0.005)
    missing = [a for a, _ in hosts if in6(a) not in answered]
    assert not missing, f"{len(missing)} have no answer, as {missing[0]}; {vbng.status()['counters']}"
    wrong = [a for a, mac in hosts if answered[in6(a)] and answered[in6(a)] != bytes.fromhex(mac.replace(":", ""))]
    assert not wrong, f"{len(wrong)} went elsewhere, as {wrong[0]}"
    assert vbng.status()["counters"]["rs_received"] >= n


def collect(wire, answered, sent, watch):
    """Into answered: the address and where the frame went. A multicast one that just then is due answers who waits (None)."""
    for at, mine, data in wire.read():
        if not mine and data[12:14] == b"\x86\xdd" and data[20] == 58 and data[54] == 134:
            if data[38:54] == in6("ff02::1"):
                answered |= {a: None for a, since in sent.items() if a not in answered and since <= at < since + WAIT_S + watch.excuse()}
            else:
                answered[data[38:54]] = data[:6]
