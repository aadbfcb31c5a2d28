# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets as large as Ethernet takes on one side, and a tunnel on the other that takes less: nobody's connection hangs."""
import errno
import socket
import threading

import pytest

import packets as p
from clients import WideDhcp6c
from lab import BEYOND, TRANSFER, wait_for
from packets import si6
from scapy.layers.inet import TCP

MTU, ETHERNET = 1420, 1500
IPV6_HEADER, TCP_HEADER, UDP_HEADER = 40, 20, 8
MSS = MTU - IPV6_HEADER - TCP_HEADER
OURS = TRANSFER.replace("/64", "1")
PORT = 7777
IPV6_DONTFRAG, IPV6_MTU_DISCOVER = 62, 23
AMOUNT = 3 << 20


class Syns:
    """The maximum segment sizes in the SYNs that pass an interface, whatever its link layer: (source, MSS)."""

    def __init__(self, ns, dev):
        with ns.inside():
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0003))
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            self.sock.bind((dev, 0x0003))
        self.sock.setblocking(False)

    def read(self):
        got = []
        while True:
            try:
                data = self.sock.recv(2048)
            except BlockingIOError:
                return got
            if data[0] >> 4 != 6 or data[6] != 6 or not data[53] & 2:
                continue
            packet = si6.IPv6(data)
            if packet.haslayer(TCP):
                got.append((packet.src, dict(o for o in packet[TCP].options if len(o) == 2)["MSS"]))

    def close(self):
        self.sock.close()


@pytest.fixture
def lab_up(lab):
    """The CPE keeps 1500, as one does that does not listen to the advertised MTU; nobody hears of packets that are too big."""
    net = lab.internet()
    lab.cpe.sysctl(net__ipv6__conf__cpe0__accept_ra_mtu=0)
    vbng = lab.vbng().wait_serving()
    source = lab.client(WideDhcp6c).wait()
    wait_for("the default route by RA", lambda: lab.cpe.routes("default"))
    wait_for("the tunnel up in status", lambda: vbng.status()["tunnel"]["state"] == "up")
    assert lab.cpe.json("link", "show", "dev", "cpe0")[0]["mtu"] == ETHERNET
    return lab, net, vbng, source


def deaf_to_too_big(ns):
    ns.exec("nft", "add table inet deaf; add chain inet deaf input { type filter hook input priority 0; };"
                   " add rule inet deaf input icmpv6 type packet-too-big counter drop")


def transfer(client_ns, server_ns, source, target):
    """AMOUNT bytes each way over one connection; how many came at the server and at the client."""
    with server_ns.inside():
        listener = socket.socket(socket.AF_INET6)
        listener.settimeout(20)
        listener.bind((target, PORT))
        listener.listen(1)
    came = {}

    def work(sock, name):
        with sock:
            sock.settimeout(20)
            sender = threading.Thread(target=lambda: (sock.sendall(b"x" * AMOUNT), sock.shutdown(socket.SHUT_WR)))
            sender.start()
            n = 0
            while data := sock.recv(1 << 16):
                n += len(data)
            sender.join(20)
            came[name] = n

    def serve():
        work(listener.accept()[0], "server")

    with client_ns.inside():
        client = socket.socket(socket.AF_INET6)
    client.settimeout(20)
    client.bind((source, 0))
    server = threading.Thread(target=serve)
    server.start()
    client.connect((target, PORT))
    work(client, "client")
    server.join(30)
    listener.close()
    return came


def test_the_advertised_mtu_is_the_tunnels(lab):
    net = lab.internet()
    net.ns.ip("link", "set", net.dev, "mtu", "1380")
    vbng = lab.vbng(WIREGUARD_MTU="1380").wait_serving()
    wire = lab.wire()
    mine = wait_for("a usable link-local address", lambda: lab.cpe.addresses("cpe0", "link"))[0]["local"]
    cpe = p.Subscriber(wire, lab.cpe, vbng.own.mac("sub0"), mine)
    wire.send(cpe.frame(si6.ICMPv6ND_RS(), p.ALL_ROUTERS))
    ra = cpe.wait("an advertisement", lambda a: isinstance(a, p.Advertisement))
    assert ra.one(si6.ICMPv6NDOptMTU).mtu == 1380
    assert vbng.own.json("link", "show", "dev", "wg-provider1")[0]["mtu"] == 1380
    assert vbng.status()["tunnel"]["mtu"] == 1380


def test_a_large_transfer_passes_both_ways_though_nobody_hears_of_packets_too_big(lab_up):
    lab, net, _, source = lab_up
    deaf_to_too_big(lab.cpe)
    deaf_to_too_big(net.ns)
    at_net, at_cpe = lab.add(Syns(net.ns, net.dev), Syns.close), lab.add(Syns(lab.cpe, "cpe0"), Syns.close)
    assert transfer(lab.cpe, net.ns, source, BEYOND) == {"server": AMOUNT, "client": AMOUNT}
    sent, came = dict(at_cpe.read()), dict(at_net.read())
    assert sent[source] == ETHERNET - IPV6_HEADER - TCP_HEADER, "what the CPE asked for"
    assert came[source] == MSS, "what the internet was told"


def test_who_connects_from_the_internet_is_told_what_fits(lab_up):
    lab, net, _, source = lab_up
    deaf_to_too_big(lab.cpe)
    # As a server behind links of 1500 bytes would say it; the tunnel's other end knows better here.
    net.ns.ip("-6", "route", "replace", "2001:db8:ffff::/48", "dev", net.dev, "advmss", "1440")
    at_net, at_cpe = lab.add(Syns(net.ns, net.dev), Syns.close), lab.add(Syns(lab.cpe, "cpe0"), Syns.close)
    assert transfer(net.ns, lab.cpe, BEYOND, source) == {"server": AMOUNT, "client": AMOUNT}
    sent, came = dict(at_net.read()), dict(at_cpe.read())
    assert sent[BEYOND] == 1440 and came[BEYOND] == MSS, "the SYN"
    assert came[source] == 1440 and sent[source] == MSS, "and its answer"


def test_a_smaller_wish_is_left_alone(lab_up):
    lab, net, _, source = lab_up
    at_net = lab.add(Syns(net.ns, net.dev), Syns.close)
    lab.cpe.ip("-6", "route", "add", f"{BEYOND}/128", "via", "fe80::1", "dev", "cpe0", "advmss", "1300")
    assert transfer(lab.cpe, net.ns, source, BEYOND) == {"server": AMOUNT, "client": AMOUNT}
    assert dict(at_net.read())[source] == 1300


def test_a_datagram_that_does_not_fit_is_answered_and_the_senders_retry_passes(lab_up):
    lab, net, _, source = lab_up
    wire = lab.wire()
    with net.ns.inside():
        receiver = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        receiver.bind((BEYOND, PORT))
    with lab.cpe.inside():
        sender = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    receiver.settimeout(5)
    with receiver, sender:
        sender.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, 2)  # always: nothing is fragmented on the way out
        sender.setsockopt(socket.IPPROTO_IPV6, IPV6_DONTFRAG, 1)
        sender.bind((source, 0))
        sender.sendto(b"y" * (ETHERNET - IPV6_HEADER - UDP_HEADER), (BEYOND, PORT))

        def answer():
            return next((f for _, mine, data in wire.read() if not mine and (f := p.icmp6_in(data, 2))), None)
        error = wait_for("Packet Too Big on the wire", answer)
        assert error[si6.ICMPv6PacketTooBig].mtu == MTU and error[si6.IPv6].dst == source
        assert error[si6.IPv6].src == OURS and p.checksum_right(error)
        assert error[si6.ICMPv6PacketTooBig].payload.plen == ETHERNET - IPV6_HEADER, "it quotes the one that was meant"

        def too_long():
            try:
                sender.sendto(b"z" * (ETHERNET - IPV6_HEADER - UDP_HEADER), (BEYOND, PORT))
            except OSError as e:
                return e.errno == errno.EMSGSIZE
            return False
        wait_for("the sender's own kernel to know the path's MTU", too_long)
        sender.sendto(b"w" * (MTU - IPV6_HEADER - UDP_HEADER), (BEYOND, PORT))
        assert receiver.recv(2048) == b"w" * (MTU - IPV6_HEADER - UDP_HEADER)
        sender.setsockopt(socket.IPPROTO_IPV6, IPV6_DONTFRAG, 0)
        sender.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, 1)
        sender.sendto(b"v" * (ETHERNET - IPV6_HEADER - UDP_HEADER), (BEYOND, PORT))
        assert receiver.recv(2048) == b"v" * (ETHERNET - IPV6_HEADER - UDP_HEADER), "in fragments"
