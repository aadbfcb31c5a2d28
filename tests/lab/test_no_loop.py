# SPDX-License-Identifier: GPL-2.0-or-later
"""What a subscriber sends into its own delegated prefix is not sent back to it (RFC 8987 §4.2 R-3); what it sends to another's passes."""
import ipaddress
import json
import os
import signal

import pytest

import packets as p
from lab import POOL, TRANSFER, Netns, run, wait_for
from packets import si6

OUR_ADDRESS = TRANSFER.replace("/64", "1")
UNREACHABLE, REJECT_ROUTE = 1, 6
TABLE = "vbng-provider1"


def in_prefix(prefix, n):
    """Its nth /64, host 1."""
    net = ipaddress.ip_network(prefix)
    return str(net.network_address + (n << 64) + 1)


class Cpe(p.Subscriber):
    """A station on the street, with a link-layer address of its own, that speaks by hand: nothing answers for it."""

    def __init__(self, street, n):
        super().__init__(street.wire, street.lab.cpe, street.vbng.own.mac("sub0"), address=f"fe80::c:{n:x}")
        self.street = street
        self.n = n
        self.wan = None
        self.mac = f"02:00:00:00:0c:{n:02x}"

    def frame(self, *what, mac=None, **how):
        return super().frame(*what, mac=mac or self.mac, **how)

    def lease(self, *ias):
        """Its prefix, once the packet filter knows whose it is."""
        reply = self.obtain(self.n, *(ias or (p.ia_pd(1),)))
        self.reply = reply
        self.prefix = reply.prefix()
        wait_for("the station in the packet filter", lambda: (self.mac, self.address) in self.street.stations())
        return self

    def release(self):
        server = self.server_id()
        self.ask(p.message(p.RELEASE, p.client_id(self.n), server, p.ELAPSED_0, p.ia_pd(1, p.iaprefix(self.prefix))))

    def echo(self, src, dst):
        """Sends a request; its identifier."""
        ident = p.xid() & 0xffff
        self.wire.send(self.frame(si6.ICMPv6EchoRequest(id=ident, seq=1, data=b"x" * 56), dst, src, 64))
        return ident

    def came(self):
        """Every ICMPv6 packet for this station's card since the last look, neighbour solicitations answered."""
        got = []
        for _, mine, data in self.wire.read():
            if mine or data[12:14] != b"\x86\xdd" or data[20] != 58:
                continue
            frame = p.Ether(data)
            if frame.haslayer(si6.ICMPv6ND_NS):
                self.answer_for(frame)
            elif frame.dst == self.mac:
                got.append(frame)
        return got

    def answer_for(self, frame):
        """Its WAN address is looked for by neighbour discovery."""
        target = frame[si6.ICMPv6ND_NS].tgt
        if target != self.wan or frame[si6.IPv6].src == "::":
            return
        self.wire.send(self.frame(si6.ICMPv6ND_NA(tgt=target, R=1, S=1, O=1) / si6.ICMPv6NDOptDstLLAddr(lladdr=self.mac),
                                  frame[si6.IPv6].src, target))

    def wait_for(self, what, match, timeout=5):
        """All that came until something matches, and that one last."""
        heard = []

        def look():
            heard.extend(self.came())
            return next((f for f in heard if match(f)), None)
        try:
            found = wait_for(what, look, timeout, 0.005)
        except AssertionError as e:
            raise AssertionError(f"{e}; heard {[f.summary() for f in heard]}") from None
        return heard, found

    def all_of_it(self):
        """What was sent so far has brought about no more than this: the router has answered an echo request that was sent after it."""
        asked = self.echo(self.address, "fe80::1")
        heard, reply = self.wait_for("the router's echo reply", lambda f: f.haslayer(si6.ICMPv6EchoReply) and f[si6.ICMPv6EchoReply].id == asked)
        return [f for f in heard if f is not reply]


class Street:
    def __init__(self, lab):
        self.lab = lab
        self.vbng = lab.vbng(WIREGUARD_BACKEND="none").wait_serving()
        self.wire = lab.wire()
        self.vbng.wait_log("packet filter's rules are in force")

    def stations(self):
        """(link-layer address, next hop) of each, as nft shows them."""
        listed = self.vbng.own.exec("nft", "-j", "list", "set", "inet", TABLE, "stations", check=False)
        sets = [x["set"] for x in json.loads(listed.stdout or '{"nftables": []}')["nftables"] if "set" in x]
        return {tuple(e["concat"]) for s in sets for e in s.get("elem", [])}

    def cpe(self, n, *ias):
        return Cpe(self, n).lease(*ias)


@pytest.fixture(scope="module", autouse=True)
def kernel_with_nf_tables():
    """Without it vbng warns and serves, and this module has nothing to see."""
    ns = Netns("probe")
    try:
        said = run(*ns.cmd("nft", "add", "table", "inet", "probe"), check=False)
    finally:
        ns.delete()
    if said.returncode:
        pytest.skip(f"this kernel has no nf_tables: {said.stderr.strip()}")


@pytest.fixture
def street(lab):
    return Street(lab)


def assert_rejected(cpe, src, dst, why="its own prefix"):
    ident = cpe.echo(src, dst)
    heard = cpe.all_of_it()
    assert len(heard) == 1, f"{why}: one answer and nothing else, but {[f.summary() for f in heard]}"
    answer = heard[0]
    assert answer.haslayer(si6.ICMPv6DestUnreach), answer.summary()
    error = answer[si6.ICMPv6DestUnreach]
    assert (error.type, error.code) == (UNREACHABLE, REJECT_ROUTE), f"{why}: code {error.code}"
    assert answer[si6.IPv6].dst == src and p.checksum_right(answer)
    assert answer[si6.IPv6].src == OUR_ADDRESS, "from an address of ours that can be answered"
    packet = si6.IPv6(bytes(error.payload))
    assert (packet.src, packet.dst) == (src, dst), "it says which packet"
    assert si6.ICMPv6EchoRequest(bytes(packet.payload)).id == ident


def test_into_an_unused_part_of_its_own_prefix_is_rejected_and_not_sent_back(street):
    cpe = street.cpe(1)
    assert_rejected(cpe, in_prefix(cpe.prefix, 0), in_prefix(cpe.prefix, 0xff))


def test_from_its_wan_address_it_is_rejected_and_no_redirect_is_sent(street):
    """The kernel would tell it that the better way to its own prefix is itself."""
    cpe = street.cpe(1, p.ia_pd(1), p.ia_na(1))
    cpe.wan = cpe.reply.address()
    assert_rejected(cpe, cpe.wan, in_prefix(cpe.prefix, 0xff))


def test_each_of_several_prefixes_is_its_own(street):
    """From one into the other: both lead to the same station."""
    cpe = Cpe(street, 1)
    reply = cpe.obtain(1, p.ia_pd(1), p.ia_pd(2))
    first, second = [ia.resources[0].what for ia in reply.ias()]
    wait_for("the station in the packet filter", lambda: (cpe.mac, cpe.address) in street.stations())
    assert len(street.stations()) == 1
    assert_rejected(cpe, in_prefix(first, 1), in_prefix(second, 0xff), "its other prefix")


def test_two_subscribers_reach_each_other_both_ways(street):
    a, b = street.cpe(1), street.cpe(2)
    for one, other in (a, b), (b, a):
        ident = one.echo(in_prefix(one.prefix, 1), in_prefix(other.prefix, 2))
        _, request = other.wait_for("the request at the other's", lambda f, i=ident: f.haslayer(si6.ICMPv6EchoRequest) and f[si6.ICMPv6EchoRequest].id == i)
        assert request[si6.IPv6].hlim == 63 and request[si6.IPv6].src == in_prefix(one.prefix, 1)
        other.wire.send(other.frame(si6.ICMPv6EchoReply(id=ident, seq=1, data=request[si6.ICMPv6EchoRequest].data),
                                    in_prefix(one.prefix, 1), in_prefix(other.prefix, 2), 64))
        heard, reply = one.wait_for("the other's reply", lambda f, i=ident: f.haslayer(si6.ICMPv6EchoReply) and f[si6.ICMPv6EchoReply].id == i)
        assert reply[si6.IPv6].hlim == 63
        assert heard == [reply], "no error, and no redirect"


def test_new_hardware_is_the_station_then(street):
    cpe = street.cpe(1)
    cpe.mac = "02:00:00:00:0c:99"
    cpe.ask(p.message(p.RENEW, p.client_id(1), cpe.server_id(), p.ELAPSED_0, p.ia_pd(1, p.iaprefix(cpe.prefix))))
    wait_for("the new station alone", lambda: street.stations() == {(cpe.mac, cpe.address)})
    assert_rejected(cpe, in_prefix(cpe.prefix, 0), in_prefix(cpe.prefix, 0xff))


def test_who_has_no_prefix_any_more_is_no_station(street):
    a, b = street.cpe(1), street.cpe(2)
    b.release()
    wait_for("the other's station alone", lambda: street.stations() == {(a.mac, a.address)})
    assert_rejected(a, in_prefix(a.prefix, 0), in_prefix(a.prefix, 0xff))


def test_a_server_that_starts_again_knows_the_stations(street):
    cpe = street.cpe(1)
    street.vbng.own.exec("nft", "add", "element", "inet", TABLE, "stations", "{ 02:00:00:00:00:77 . fe80::77 }")
    os.kill(street.vbng.pids()[1], signal.SIGKILL)
    wait_for("exactly the stations that there are", lambda: street.stations() == {(cpe.mac, cpe.address)})
    assert_rejected(cpe, in_prefix(cpe.prefix, 0), in_prefix(cpe.prefix, 0xff))


def test_the_table_goes_with_the_appliance_and_a_killed_ones_is_replaced(lab):
    own = lab.add(Netns("own"), Netns.delete)
    first = lab.vbng(own=own, WIREGUARD_BACKEND="none").wait_serving()
    own.exec("nft", "add", "element", "inet", TABLE, "stations", "{ 02:00:00:00:00:77 . fe80::77 }")
    own.exec("nft", "add", "table", "inet", "another")
    first.kill()
    assert TABLE in own.exec("nft", "list", "tables").stdout
    # Its NIC, a veth, stayed where it was.
    second = lab.vbng(own=own, WIREGUARD_BACKEND="none", SUBSCRIBER_MODE="local").wait_serving()
    second.wait_log("packet filter's rules are in force")
    listed = own.exec("nft", "list", "table", "inet", TABLE).stdout
    assert "fe80::77" not in listed and listed.count("reject with icmpv6 reject-route") == 1
    assert second.stop()[0] == 0
    assert own.exec("nft", "list", "tables").stdout.strip() == "table inet another"


def test_without_the_library_it_warns_and_serves(lab):
    library = next(line.split()[-1] for line in run("ldconfig", "-p").stdout.splitlines() if "libnftables.so.1 " in line)
    vbng = lab.vbng(WIREGUARD_BACKEND="none", setup=f"mount --bind /dev/null {os.path.realpath(library)}").wait_serving()
    vbng.wait_log(r"warning init the kernel's packet filter cannot be used, going on without.*libnftables")
    cpe = p.Subscriber(lab.wire(), lab.cpe, vbng.own.mac("sub0"), address="fe80::c:1")
    assert ipaddress.ip_network(cpe.obtain(1).prefix()).subnet_of(ipaddress.ip_network(POOL))
    assert vbng.stop()[0] == 0
