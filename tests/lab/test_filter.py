# SPDX-License-Identifier: GPL-2.0-or-later
"""The packet filter: who may send from where (BCP 38), who may reach whom, and what is told of those who may not. Each rule with a packet
that passes and one that does not."""
import ipaddress
import os
import signal
import socket
import time

import pytest

import packets as p
from cpes import OUR_ADDRESS, TABLE, Cpe, Street, in_prefix, needs_nf_tables
from lab import BEYOND, OUR_WG, SERVER_WG, Netns, run, wait_for
from packets import UDP, si6
from scapy.layers.inet import TCP
from scapy.packet import Raw

FOREIGN = "2001:db8:bad::1"
UNASSIGNED = "2001:db8:ffff:4000::1"  # ours, and nobody's
UNREACHABLE, PROHIBITED, PORT, POLICY = 1, 1, 4, 5
OUR_WG_ADDRESS = OUR_WG.split("/", maxsplit=1)[0]


@pytest.fixture(scope="module", autouse=True)
def kernel_with_nf_tables():
    needs_nf_tables()


class Roads(Street):
    """A street with a way out: a veth pair in place of the tunnel, at whose other end everything is seen."""

    def __init__(self, lab, **how):
        self.own = lab.add(Netns("own"), Netns.delete)
        self.far = lab.add(Netns("far"), Netns.delete)
        self.own.ip("link", "add", "far0", "type", "veth", "peer", "name", "far1", "netns", self.far.name)
        for ns, dev in (self.own, "far0"), (self.far, "far1"):
            ns.ip("link", "set", dev, "up")
        self.own.ip("-6", "neigh", "add", "fe80::b", "lladdr", self.far.mac("far1"), "dev", "far0", "nud", "permanent")
        self.own.ip("-6", "route", "add", "default", "via", "fe80::b", "dev", "far0")
        super().__init__(lab, own=self.own, **how)
        self.out = lab.wire(self.far, "far1")
        self.seen = set()

    def came_out(self, ident):
        for _, mine, data in self.out.read():
            frame = None if mine else p.icmp6_in(data, 128)
            if frame is not None:
                self.seen.add(frame[si6.ICMPv6EchoRequest].id)
        return ident in self.seen

    def passes(self, cpe, src, dst=BEYOND):
        ident = cpe.echo(src, dst)
        wait_for(f"what {cpe.mac} sends from {src}", lambda: self.came_out(ident), every=0.005)

    def stays(self, cpe, src, honest, dst=BEYOND):
        """honest: who sends something after it that passes, and from where."""
        ident = cpe.echo(src, dst)
        self.passes(*honest)
        assert ident not in self.seen, f"what {cpe.mac} sent from {src} came out"

    def filter(self):
        return self.vbng.status()["filter"]

    def turned_away(self, reason):
        return self.filter()["turned_away"].get(reason, 0)

    def wrong(self):
        return {(w["lladdr"], w["source"]): w for w in self.filter()["wrong_sources"]}


@pytest.fixture
def roads(lab):
    return Roads(lab)


def slaac(n):
    return OUR_ADDRESS[:-1] + f"5054:ff:fe00:{n:x}"


# --- whose a source is


def test_what_is_its_own_passes_from_its_prefix_and_from_the_transfer_network(roads):
    cpe = roads.cpe(1, p.ia_pd(1), p.ia_na(1))
    net = ipaddress.ip_network(cpe.prefix)
    for src in str(net[0]), str(net[-1]), in_prefix(cpe.prefix, 7), cpe.reply.address(), slaac(1):
        roads.passes(cpe, src)
    status = roads.filter()
    assert status["active"] and status["source_filter"] == "drop" and not status["isolation"]
    assert status["turned_away"] == {} and status["wrong_sources"] == []


def test_what_is_foreign_is_dropped_and_who_sent_it_is_shown(roads):
    cpe = roads.cpe(1)
    honest = cpe, in_prefix(cpe.prefix, 1)
    before = int(time.time())
    for _ in range(3):
        roads.stays(cpe, FOREIGN, honest)
    assert cpe.all_of_it() == [], "nobody is told"
    wrong = wait_for("the report", lambda: (w := roads.wrong().get((cpe.mac, FOREIGN))) and w["packets"] == 3 and w)
    assert wrong["destination"] == BEYOND and wrong["why"] == "foreign"
    assert before <= wrong["first_unix_s"] <= wrong["last_unix_s"] <= time.time() and wrong["age_s"] < 60
    assert roads.filter()["turned_away"] == {"source_foreign": 3}
    said = roads.vbng.verb("status").stdout
    assert f"{cpe.mac} from {FOREIGN} (foreign) to {BEYOND}, 3+ times, last" in said and "source_foreign 3" in said
    roads.vbng.wait_log(rf"warning filter a subscriber sends from an address that is not ours.*{cpe.mac}.*{FOREIGN}")
    assert roads.vbng.text().count("sends from an address") == 1, "once"


@pytest.mark.parametrize("mode", ["drop", "reject"])
def test_no_error_of_ours_goes_to_whose_address_was_forged(lab, mode):
    """Where nothing is routed to, where the hops end and where it is too big, the kernel tells whoever the packet names, before it
    asks the chain of what is forwarded."""
    roads = Roads(lab, SOURCE_FILTER=mode)
    victim, thief = roads.cpe(1), roads.cpe(2)
    stolen, own = in_prefix(victim.prefix, 1), in_prefix(thief.prefix, 1)

    def errors(wire):
        return [mine for _, mine, data in wire.read() if not mine and data[12:14] == b"\x86\xdd" and data[20] == 58 and data[54] < 128]

    def forge(src):
        thief.echo(src, UNASSIGNED)
        frame = thief.frame(si6.ICMPv6EchoRequest(id=1, seq=1, data=b"x" * 56), BEYOND, src, 1)
        thief.wire.send(frame)
    roads.passes(victim, stolen)
    errors(roads.out)
    victim.all_of_it()
    for src in FOREIGN, stolen:
        forge(src)
    roads.passes(thief, own)
    assert roads.turned_away("source_foreign") == 2 and roads.turned_away("source_taken") == 2
    assert errors(roads.out) == [] and victim.all_of_it() == [], "they learn nothing"
    forge(own)
    wait_for("what it is to learn", lambda: [f for f in thief.all_of_it() if si6.ICMPv6DestUnreach in f or si6.ICMPv6TimeExceeded in f])


@pytest.mark.parametrize("mode", ["drop", "reject", "count", "off"])
def test_another_subscribers_prefix_is_not_its_own(lab, mode):
    """Theft between two on one link: routing alone could not tell them apart."""
    roads = Roads(lab, SOURCE_FILTER=mode)
    victim, thief = roads.cpe(1), roads.cpe(2)
    stolen = in_prefix(victim.prefix, 1)
    roads.passes(victim, stolen)
    if mode in ("drop", "reject"):
        roads.stays(thief, stolen, (victim, stolen))
    else:
        roads.passes(thief, stolen)
    roads.passes(thief, in_prefix(thief.prefix, 1))
    if mode == "off":
        assert roads.filter()["turned_away"] == {} and roads.wrong() == {} and roads.filter()["source_filter"] == "off"
        assert "prefixes_56" not in roads.own.exec("nft", "list", "sets").stdout
        return
    assert roads.filter()["turned_away"] == {"source_taken": 1}
    wrong = wait_for("the report", lambda: roads.wrong().get((thief.mac, stolen)))
    assert wrong["why"] == "taken" and wrong["packets"] == 1 and wrong["destination"] == BEYOND
    assert victim.mac not in str(roads.wrong())
    assert roads.filter()["rejected"] == (mode == "reject")


def test_nobody_elses_address_on_the_link_ours_or_what_nobody_has(roads):
    victim, thief = roads.cpe(1, p.ia_pd(1), p.ia_na(1)), roads.cpe(2, p.ia_pd(1), p.ia_na(1))
    honest = victim, victim.reply.address()
    for src in victim.reply.address(), OUR_ADDRESS, UNASSIGNED:
        roads.stays(thief, src, honest)
    assert roads.filter()["turned_away"] == {"source_taken": 3}
    roads.passes(thief, thief.reply.address())


def test_every_transfer_network_is_theirs_and_each_address_of_ours_is_ours(lab):
    lab.host.ip("link", "property", "add", "dev", "sub0", "altname", "to-subscribers")
    roads = Roads(lab, TRANSFER_PREFIX="2001:db8:ffff::/64,2001:db8:ffff:1::/64", SUBSCRIBER_INTERFACE="to-subscribers")
    cpe = roads.cpe(1)
    for net in "2001:db8:ffff", "2001:db8:ffff:1":
        roads.passes(cpe, f"{net}::5054:1")
        roads.stays(cpe, f"{net}::1", (cpe, f"{net}::5054:1"))
    roads.stays(cpe, "2001:db8:ffff:2::5054:1", (cpe, "2001:db8:ffff::5054:1"))
    assert roads.filter()["turned_away"] == {"source_taken": 3}


def test_a_wrong_source_is_told_to_whoever_sent_it_and_to_nobody_else(lab):
    """RFC 7084 L-14 has CPEs listen for it: destination unreachable, source address failed ingress/egress policy."""
    roads = Roads(lab, SOURCE_FILTER="reject")
    victim, cpe = roads.cpe(1), roads.cpe(2)
    for src in FOREIGN, in_prefix(victim.prefix, 1):
        roads.out.read()
        ident = cpe.echo(src, BEYOND)
        heard, answer = cpe.wait_for("the error", lambda f: f.haslayer(si6.ICMPv6DestUnreach))
        error = answer[si6.ICMPv6DestUnreach]
        assert (error.type, error.code) == (UNREACHABLE, POLICY)
        assert answer[si6.IPv6].src == OUR_ADDRESS and answer[si6.IPv6].dst == src and p.checksum_right(answer)
        assert answer.dst == cpe.mac and answer.src == roads.own.mac("sub0")
        quoted = si6.IPv6(bytes(error.payload))
        assert (quoted.src, quoted.dst) == (src, BEYOND)
        assert si6.ICMPv6EchoRequest(bytes(quoted.payload)).id == ident
        assert heard == [answer]
        roads.passes(victim, in_prefix(victim.prefix, 2))
        assert not [d for _, mine, d in roads.out.read() if not mine and p.icmp6_in(d, UNREACHABLE)], "nor beyond"
    assert victim.all_of_it() == []
    assert roads.filter()["rejected"] == 2
    # A large one is quoted as far as it fits; an error is not answered at all (RFC 4443 §2.4).
    cpe.wire.send(cpe.frame(UDP(sport=1, dport=2) / Raw(b"x" * 1400), BEYOND, FOREIGN, 64))
    _, answer = cpe.wait_for("the error", lambda f: f.haslayer(si6.ICMPv6DestUnreach))
    assert answer[si6.IPv6].plen == 1240 and p.checksum_right(answer)
    cpe.wire.send(cpe.frame(si6.ICMPv6TimeExceeded() / Raw(bytes(si6.IPv6(src=BEYOND, dst=FOREIGN) / si6.ICMPv6EchoRequest())), BEYOND, FOREIGN, 64))
    assert cpe.all_of_it() == []
    assert roads.turned_away("source_foreign") == 3


def test_what_is_counted_passes(lab):
    roads = Roads(lab, SOURCE_FILTER="count")
    cpe = roads.cpe(1)
    for src in FOREIGN, UNASSIGNED:
        roads.passes(cpe, src)
    assert roads.filter()["turned_away"] == {"source_foreign": 1, "source_taken": 1}
    wait_for("both reports", lambda: set(roads.wrong()) == {(cpe.mac, FOREIGN), (cpe.mac, UNASSIGNED)})


def test_prefixes_of_any_length_are_told_apart(lab):
    """A shorter and a longer one than usual, by hint, and one that is reserved outside the pool."""
    roads = Roads(lab, DHCPV6_PD_MIN_LENGTH="52", DHCPV6_PD_MAX_LENGTH="64", DHCPV6_RESERVATIONS="duid 00:03:00:01:02:00:5e:00:00:04 2001:db8:ffff:5000::/54")
    others = roads.cpe(9)
    for n, length in (1, 52), (2, 60), (3, 64):
        cpe = roads.cpe(n, p.ia_pd(1, p.iaprefix(f"::/{length}")))
        assert cpe.prefix.endswith(f"/{length}")
    reserved = roads.cpe(4)
    assert reserved.prefix == "2001:db8:ffff:5000::/54"
    for n in 1, 2, 3, 4:
        cpe = Cpe(roads, n)
        cpe.prefix = cpe.obtain(n).prefix()
        net = ipaddress.ip_network(cpe.prefix)
        honest = cpe, str(net[-1])
        roads.passes(cpe, str(net[0]))
        roads.stays(others, str(net[1]), honest)
        for outside in net[0] - 1, net[-1] + 1:
            if not any(outside in ipaddress.ip_network(f) for f in roads.vbng.delegated()):
                roads.stays(cpe, str(outside), honest)


def test_a_prefix_is_its_owners_from_lease_to_release(roads):
    cpe, other = roads.cpe(1), roads.cpe(2)
    src, honest = in_prefix(cpe.prefix, 1), (other, in_prefix(other.prefix, 1))
    roads.passes(cpe, src)
    old = cpe.mac
    cpe.mac = "02:00:00:00:0c:99"
    roads.stays(cpe, src, honest)
    cpe.ask(p.message(p.RENEW, p.client_id(1), cpe.server_id(), p.ELAPSED_0, p.ia_pd(1, p.iaprefix(cpe.prefix))))
    wait_for("the new hardware", lambda: (cpe.mac, cpe.address) in roads.stations())
    roads.passes(cpe, src)
    new, cpe.mac = cpe.mac, old
    roads.stays(cpe, src, honest)
    cpe.mac = new
    cpe.release()
    wait_for("the other's station alone", lambda: roads.stations() == {(other.mac, other.address)})
    roads.stays(cpe, src, honest)


@pytest.mark.parametrize("mode", ["drop", "reject", "count", "off"])
def test_link_local_sources_never_get_from_one_subscriber_to_another(lab, mode):
    """RFC 4291 §2.5.6; what goes out where it came in, the kernel forwards. With the router's own address a subscriber could speak to
    another's DHCPv6 client as its server."""
    roads = Roads(lab, SOURCE_FILTER=mode)
    victim, thief = roads.cpe(1, p.ia_pd(1), p.ia_na(1)), roads.cpe(2)
    for src in "fe80::1", thief.address, "fe80::d00d", "::":
        for dst in in_prefix(victim.prefix, 1), victim.reply.address():
            thief.echo(src, dst)
    ident = thief.echo(in_prefix(thief.prefix, 1), in_prefix(victim.prefix, 1))
    heard, _ = victim.wait_for("what is sent from its own", lambda f: f.haslayer(si6.ICMPv6EchoRequest) and f[si6.ICMPv6EchoRequest].id == ident)
    assert [f.summary() for f in heard if f.haslayer(si6.ICMPv6EchoRequest)][:-1] == []
    assert len(heard) == 1


def test_a_server_that_starts_again_lets_pass_all_the_while_and_puts_right(roads):
    cpe, other = roads.cpe(1, p.ia_pd(1), p.ia_na(1)), roads.cpe(2)
    src = in_prefix(cpe.prefix, 1)
    lost = ipaddress.ip_network(other.prefix).network_address
    for command in (f"delete element inet {TABLE} prefixes_56 {{ {other.mac} . {lost} }}",
                    f"add element inet {TABLE} prefixes_56 {{ {other.mac} . 2001:db8:ffff:4000:: }}",
                    f"add element inet {TABLE} prefixes_56 {{ 00:00:00:00:00:00 . 2001:db8:ffff:4100:: }}",
                    f"add element inet {TABLE} addresses {{ {slaac(7)} }}"):
        roads.own.exec("nft", command)
    roads.passes(other, UNASSIGNED)
    os.kill(roads.vbng.pids()[1], signal.SIGKILL)
    for _ in range(40):
        roads.passes(cpe, src)
        roads.passes(cpe, cpe.reply.address())
    wait_for("what was lost", lambda: str(lost) in roads.own.exec("nft", "list", "set", "inet", TABLE, "prefixes_56").stdout)
    wait_for("what is nobody's to go", lambda: "ffff:4" not in roads.own.exec("nft", "list", "set", "inet", TABLE, "prefixes_56").stdout)
    wait_for("the address, too", lambda: slaac(7) not in roads.own.exec("nft", "list", "set", "inet", TABLE, "addresses").stdout)
    roads.passes(other, in_prefix(other.prefix, 1))
    roads.stays(other, UNASSIGNED, (cpe, src))


def test_one_that_makes_sources_up_hides_nobody(roads):
    """What is kept is bounded, and the others' stand beside."""
    noisy, quiet = roads.cpe(1), roads.cpe(2)
    roads.stays(quiet, FOREIGN, (quiet, in_prefix(quiet.prefix, 1)))
    for i in range(200):
        noisy.echo(f"2001:db8:bad:{i:x}::1", BEYOND)
    roads.passes(noisy, in_prefix(noisy.prefix, 1))
    wrong = roads.wrong()
    assert (quiet.mac, FOREIGN) in wrong
    assert 1 <= len([mac for mac, _ in wrong if mac == noisy.mac]) <= 4
    assert roads.turned_away("source_foreign") == 201, "all are counted"
    assert roads.vbng.text().count("sends from an address") <= 15


# --- who reaches whom


@pytest.mark.parametrize("isolation", ["off", "on"])
def test_subscribers_reach_one_another_unless_they_are_isolated(lab, isolation):
    roads = Roads(lab, SUBSCRIBER_ISOLATION=isolation)
    a, b = roads.cpe(1), roads.cpe(2)
    src, dst = in_prefix(a.prefix, 1), in_prefix(b.prefix, 1)
    ident = a.echo(src, dst)
    if isolation == "off":
        b.wait_for("the request", lambda f: f.haslayer(si6.ICMPv6EchoRequest) and f[si6.ICMPv6EchoRequest].id == ident)
        return
    _, answer = a.wait_for("the error", lambda f: f.haslayer(si6.ICMPv6DestUnreach))
    assert answer[si6.ICMPv6DestUnreach].code == PROHIBITED and answer[si6.IPv6].dst == src
    assert b.all_of_it() == []
    assert roads.filter()["turned_away"] == {"isolated": 1} and roads.filter()["isolation"]
    roads.passes(a, src)
    assert "subscribers isolated" in roads.vbng.verb("status").stdout


def udp(cpe, src, dst, dport, sport=1234):
    cpe.wire.send(cpe.frame(UDP(sport=sport, dport=dport) / Raw(b"?"), dst, src, 64))


def syn(cpe, src, dst, dport, sport=1234):
    cpe.wire.send(cpe.frame(TCP(sport=sport, dport=dport, flags="S"), dst, src, 64))


def test_subscribers_reach_our_services_and_nothing_else(lab):
    """That a port is let through shows in that the kernel says nobody listens there."""
    roads = Roads(lab, METRICS_LISTEN=":9547")
    cpe = roads.cpe(1, p.ia_pd(1), p.ia_na(1))
    for src, dst in ((cpe.address, "fe80::1"), (in_prefix(cpe.prefix, 1), OUR_ADDRESS)):
        udp(cpe, src, dst, 53)
        _, answer = cpe.wait_for("the kernel's answer", lambda f: f.haslayer(si6.ICMPv6DestUnreach))
        assert answer[si6.ICMPv6DestUnreach].code == PORT
        syn(cpe, src, dst, 53)

        def reset():
            return any(not mine and data[12:14] == b"\x86\xdd" and data[20] == 6 and data[67] & 4 for _, mine, data in cpe.wire.read())
        wait_for("the kernel's reset", reset, every=0.005)
        before = roads.turned_away("subscriber_service")
        for dport in 546, 123, 9547, 1024:
            udp(cpe, src, dst, dport)
        for dport in 22, 9547:
            syn(cpe, src, dst, dport)
        cpe.wire.send(cpe.frame(si6.ICMPv6ND_Redirect(tgt="fe80::bad", dst=BEYOND), dst, src))
        assert cpe.all_of_it() == []
        assert roads.turned_away("subscriber_service") == before + 7
    assert run(*roads.own.cmd("wget", "-qO-", "http://127.0.0.1:9547/metrics"), check=False).stdout.count("vbng_filter_packets_total") >= 1
    before = roads.turned_away("source_foreign")
    udp(cpe, FOREIGN, OUR_ADDRESS, 53)
    cpe.echo(FOREIGN, OUR_ADDRESS)
    assert cpe.all_of_it() == []
    assert roads.turned_away("source_foreign") == before + 2, "nor does a wrong source reach us"
    assert 'vbng_filter_packets_total{instance="provider1",reason="source_foreign"} 2' in \
        run(*roads.own.cmd("wget", "-qO-", "http://127.0.0.1:9547/metrics")).stdout


def test_fragments_reach_a_service_as_whole_messages_do(roads):
    cpe = roads.cpe(1)
    reply = cpe.ask(p.message(p.SOLICIT, p.client_id(1), p.ELAPSED_0, p.opt(p.RAPID_COMMIT), p.ia_pd(1), p.opt(0xfff0, b"x" * 1700)))
    assert reply.prefix() == cpe.prefix


def test_nothing_of_ours_is_reached_from_the_tunnel_but_icmpv6(lab):
    net = lab.internet()
    vbng = lab.vbng(METRICS_LISTEN=":9547").wait_serving()
    vbng.wait_log("packet filter's rules are in force")
    wait_for("the tunnel up in status", lambda: vbng.status()["tunnel"]["state"] == "up")

    def ask(proto, target, dport, sport=0):
        with net.ns.inside():
            sock = socket.socket(socket.AF_INET6, proto)
        with sock:
            sock.settimeout(1)
            sock.bind((SERVER_WG, sport))
            try:
                sock.connect((target, dport))
                sock.send(b"?")
                sock.recv(100)
                return "answered"
            except ConnectionRefusedError:
                return "refused"
            except TimeoutError:
                return "silence"
    for target in OUR_WG_ADDRESS, OUR_ADDRESS:
        assert net.ns.exec("ping", "-6", "-c", "1", "-W", "3", target).returncode == 0
        before = vbng.status()["filter"]["turned_away"].get("uplink_service", 0)
        for proto, dport in (socket.SOCK_DGRAM, 547), (socket.SOCK_DGRAM, 53), (socket.SOCK_STREAM, 53), (socket.SOCK_STREAM, 9547):
            assert ask(proto, target, dport) == "silence", (proto, dport)
        assert vbng.status()["filter"]["turned_away"]["uplink_service"] >= before + 4
        assert ask(socket.SOCK_DGRAM, target, 5353, sport=53) == "refused", "an answer of a name server passes"
        assert ask(socket.SOCK_DGRAM, target, 547, sport=53) == "silence"
        assert ask(socket.SOCK_STREAM, target, 5353, sport=53) == "silence", "but who connects from there gets no further"
    assert ask(socket.SOCK_STREAM, OUR_WG_ADDRESS, 9547) == "silence"
    with vbng.own.inside():
        asked = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    with asked:
        asked.settimeout(3)
        with pytest.raises(ConnectionRefusedError):  # its reset comes back to us
            asked.connect((SERVER_WG, 53))


# --- floods


def test_one_flooder_does_not_take_the_others_answers(roads):
    flooder, honest = roads.cpe(1), roads.cpe(2)
    frame = flooder.frame(si6.ICMPv6ND_NS(tgt=OUR_ADDRESS) / si6.ICMPv6NDOptSrcLLAddr(lladdr=flooder.mac), "ff02::1:ff00:1", slaac(1))
    for i in range(3000):
        roads.wire.send(frame)
        if i % 500 == 0:
            roads.wire.read()
    assert honest.all_of_it() is not None
    flood = roads.turned_away("flood")
    assert 1500 < flood < 3000, "what it may have it had"
    roads.passes(flooder, in_prefix(flooder.prefix, 1))
    time.sleep(0.1)
    flooder.all_of_it()


# --- coming and going


def test_two_instances_in_one_namespace_filter_each_its_own(lab):
    own = lab.add(Netns("own"), Netns.delete)
    other = lab.add(Netns("cpe2"), Netns.delete)
    own.sysctl(net__ipv6__conf__all__forwarding=1)  # it is somebody else's than either instance's
    first = Roads.__new__(Roads)
    second = Roads.__new__(Roads)
    own.ip("link", "add", "subA", "type", "veth", "peer", "name", "cpeA", "netns", lab.cpe.name)
    own.ip("link", "add", "subB", "type", "veth", "peer", "name", "cpeB", "netns", other.name)
    lab.cpe.ip("link", "set", "cpeA", "up")
    other.ip("link", "set", "cpeB", "up")
    far = lab.add(Netns("far"), Netns.delete)
    own.ip("link", "add", "far0", "type", "veth", "peer", "name", "far1", "netns", far.name)
    own.ip("link", "set", "far0", "up")
    far.ip("link", "set", "far1", "up")
    own.ip("-6", "neigh", "add", "fe80::b", "lladdr", far.mac("far1"), "dev", "far0", "nud", "permanent")
    own.ip("-6", "route", "add", "default", "via", "fe80::b", "dev", "far0")
    for roads, name, nic, ns, dev, assigned in ((first, "provider1", "subA", lab.cpe, "cpeA", "2001:db8:ffff::/48"),
                                                (second, "provider2", "subB", other, "cpeB", "2001:db8:fffe::/48")):
        roads.lab, roads.own, roads.far, roads.seen, roads.name = lab, own, far, set(), name
        state = lab.state + f"/{name}"
        os.mkdir(state)
        roads.vbng = lab.vbng(own=own, state=state, WIREGUARD_INTERFACE_SUFFIX=name, SUBSCRIBER_INTERFACE=nic, SUBSCRIBER_MODE="local",
                              WIREGUARD_BACKEND="none", ASSIGNED_PREFIX=assigned, SOURCE_FILTER="drop").wait_serving()
        roads.vbng.wait_log("packet filter's rules are in force")
        roads.wire = lab.wire(ns, dev)
        roads.out = lab.wire(far, "far1")
        roads.ns_of_cpes, roads.router_mac = ns, own.mac(nic)
    a, b = (HandCpe(roads, n) for roads, n in ((first, 1), (second, 2)))
    assert a.prefix.startswith("2001:db8:ffff:") and b.prefix.startswith("2001:db8:fffe:")
    first.passes(a, in_prefix(a.prefix, 1))
    second.passes(b, in_prefix(b.prefix, 1))
    first.stays(a, in_prefix(b.prefix, 1), (a, in_prefix(a.prefix, 1)))
    second.stays(b, in_prefix(a.prefix, 1), (b, in_prefix(b.prefix, 1)))
    for roads, cpe, wrong in (first, a, b), (second, b, a):
        wait_for("its own report, and no other", lambda r=roads, c=cpe, w=wrong: set(r.wrong()) == {(c.mac, in_prefix(w.prefix, 1))})
        assert roads.filter()["turned_away"] == {"source_foreign": 1}
    assert first.vbng.stop()[0] == 0
    assert own.exec("nft", "list", "tables").stdout.strip() == "table inet vbng-provider2"
    second.stays(b, FOREIGN, (b, in_prefix(b.prefix, 1)))
    assert second.vbng.stop()[0] == 0
    assert own.exec("nft", "list", "tables").stdout == ""


class HandCpe(Cpe):
    """On the link of one of several instances."""

    def __init__(self, street, n):
        p.Subscriber.__init__(self, street.wire, street.ns_of_cpes, street.router_mac, address=f"fe80::c:{n:x}")
        self.street, self.n, self.wan, self.mac = street, n, None, f"02:00:00:00:0c:{n:02x}"
        self.prefix = self.obtain(n).prefix()
        listed = f"{self.mac} . {self.address}"
        wait_for("the station", lambda: listed in street.own.exec("nft", "list", "set", "inet", f"vbng-{street.name}", "stations").stdout)


def test_without_a_filter_all_pass_and_status_says_so(lab):
    library = next(line.split()[-1] for line in run("ldconfig", "-p").stdout.splitlines() if "libnftables.so.1 " in line)

    class Unfiltered(Roads):
        unfiltered = True
    roads = Unfiltered(lab, setup=f"mount --bind /dev/null {os.path.realpath(library)}")
    roads.vbng.wait_log("the kernel's packet filter cannot be used, going on without")
    cpe = roads.cpe(1)
    roads.passes(cpe, FOREIGN)
    assert not roads.filter()["active"]
    assert "filter      NONE" in roads.vbng.verb("status").stdout
    assert roads.vbng.stop()[0] == 0
    assert roads.own.exec("nft", "list", "tables").stdout == ""


def test_rules_of_a_killed_instance_are_replaced_and_what_they_knew_is_forgotten(lab):
    own = lab.add(Netns("own"), Netns.delete)
    first = lab.vbng(own=own, WIREGUARD_BACKEND="none").wait_serving()
    first.wait_log("packet filter's rules are in force")
    own.exec("nft", f"add element inet {TABLE} prefixes_56 {{ 02:00:00:00:00:77 . 2001:db8:ffff:8000:: }}")
    first.kill()
    assert TABLE in own.exec("nft", "list", "tables").stdout
    second = lab.vbng(own=own, WIREGUARD_BACKEND="none", SUBSCRIBER_MODE="local", SOURCE_FILTER="off").wait_serving()
    second.wait_log("packet filter's rules are in force")
    listed = own.exec("nft", "list", "ruleset").stdout
    assert "02:00:00:00:00:77" not in listed and "prefixes_56" not in listed and "gate" not in listed
    assert second.stop()[0] == 0
    assert own.exec("nft", "list", "tables").stdout == ""
