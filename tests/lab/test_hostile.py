# SPDX-License-Identifier: GPL-2.0-or-later
"""A subscriber that wants what is another's, or to do harm: leases, routes, neighbour entries, answers. What it knows is what anybody on a
link that is shared may know: the other's identifier, its addresses, and its Ethernet address.
"""
import pytest

import packets as p
from lab import Vbng
from test_stations import Cpe, entries

from scapy.layers import inet6 as si6
from scapy.layers.inet import UDP
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw

FRAMES = 40000  # more than fit into a packet socket's buffer
SERVER_MIB = 8  # by which what comes may make the server grow


@pytest.fixture
def vbng(lab) -> Vbng:
    return lab.vbng(WIREGUARD_BACKEND="none").wait_serving()


def rss_mib(vbng):
    with open(f"/proc/{vbng.pids()[1]}/status", encoding="ascii") as f:
        return int(f.read().partition("VmRSS:")[2].split()[0]) / 1024


def routes(vbng):
    return sorted((r["dst"], r["gateway"]) for r in vbng.own.json("-6", "route", "show", "proto", "118") if r.get("gateway"))


def hardware(cpe):
    """What a relay tells of a client (RFC 6939)."""
    return p.opt(p.CLIENT_LINKLAYER, b"\0\1" + bytes.fromhex(cpe.mac.replace(":", "")))


def test_frames_in_anothers_name_do_not_lead_its_answers_away(lab, vbng):
    """Their checksum is wrong: nobody but the tap for frames sees them, and they wait there, as many as there is room for."""
    victim, thief = Cpe(lab, vbng, 1), Cpe(lab, vbng, 2)
    udp = UDP(sport=546, dport=547, chksum=0x1234) / p.message(p.SOLICIT, p.client_id(1), p.ELAPSED_0, p.ia_pd(1))
    frame = thief.frame(udp, p.ALL_SERVERS, src=victim.address, hop_limit=1)
    for _ in range(FRAMES):
        thief.wire.send(frame)
    answer = victim.solicit(1)
    assert answer.frame.dst == victim.mac
    prefix = victim.obtain(1).prefix()
    assert entries(vbng.own).get(victim.address, victim.mac) == victim.mac
    assert routes(vbng) == [(prefix, victim.address)]


def test_frames_that_udp_refuses_leave_room_for_those_of_others(lab):
    """Nobody ever has a packet of theirs. Who comes next has a place of its own, by the frame that it came in."""
    vbng = lab.vbng(WIREGUARD_BACKEND="none", DHCPV6_RAPID_COMMIT="on").wait_serving()
    honest, thief = Cpe(lab, vbng, 1), Cpe(lab, vbng, 2)
    udp = UDP(sport=546, dport=547, chksum=0x1234) / p.message(p.SOLICIT, p.client_id(7), p.ELAPSED_0, p.ia_pd(1))
    frame = thief.frame(udp, p.ALL_SERVERS, hop_limit=1)
    for _ in range(FRAMES):
        thief.wire.send(frame)
    reply = honest.ask(p.message(p.SOLICIT, p.client_id(1), p.ELAPSED_0, p.opt(p.RAPID_COMMIT), p.ia_pd(1)))
    assert reply.frame.dst == honest.mac
    assert routes(vbng) == [(reply.prefix(), honest.address)]
    assert entries(vbng.own) == {honest.address: honest.mac}


def in_fragments(cpe, src, data, first):
    """The first one has so many bytes of the UDP packet, a multiple of 8."""
    whole = Ether(cpe.frame(UDP(sport=546, dport=547) / data, p.ALL_SERVERS, src=src, hop_limit=1))
    udp, number = bytes(whole[UDP]), p.xid()
    for at, end, more in (0, first, 1), (first, len(udp), 0):
        part = si6.IPv6ExtHdrFragment(nh=17, offset=at // 8, m=more, id=number) / Raw(udp[at:end])
        cpe.wire.send(cpe.frame(part, p.ALL_SERVERS, src=src, hop_limit=1))


def test_a_station_hides_behind_no_header(lab):
    """It is one station under whatever link-local addresses, also where its messages come in fragments; where nothing tells that, it is not
    served."""
    vbng = lab.vbng(WIREGUARD_BACKEND="none", DHCPV6_STATION_LIMIT="4").wait_serving()
    cpe, honest = Cpe(lab, vbng, 1), Cpe(lab, vbng, 2)
    server, sources = cpe.server_id(), [f"fe80::1:{i:x}" for i in range(1, 13)]

    def request(i):
        return p.message(p.REQUEST, p.client_id(1000 + i), server, p.ELAPSED_0, p.ia_pd(1), p.opt(65001, b"x" * 600))

    def bound():
        honest.solicit(2)  # the others were read before it
        return sum(x["state"] == "bound" for x in vbng.leases())

    for i, src in enumerate(sources):
        for header in si6.IPv6ExtHdrDestOpt(), si6.IPv6ExtHdrHopByHop(), si6.IPv6ExtHdrFragment(id=i):
            cpe.wire.send(cpe.frame(header / UDP(sport=546, dport=547) / request(i), p.ALL_SERVERS, src=src, hop_limit=1))
    assert bound() == 0
    for i, src in enumerate(sources):
        in_fragments(cpe, src, request(i), 64)
    assert bound() == 0
    assert vbng.status()["counters"]["drops"]["unknown_sender"] == len(sources)
    for i, src in enumerate(sources):
        in_fragments(cpe, src, request(i), 512)
    assert bound() == 4
    assert set(entries(vbng.own).values()) == {cpe.mac}


@pytest.mark.parametrize("limit", ["64", "0"], ids=["", "stations without a limit"])
def test_nobody_gives_back_what_is_anothers(lab, limit):
    """By itself, from the other's address, by a relay that is none, and on a VLAN that we are not in."""
    vbng = lab.vbng(WIREGUARD_BACKEND="none", DHCPV6_STATION_LIMIT=limit).wait_serving()
    victim, thief = Cpe(lab, vbng, 1), Cpe(lab, vbng, 2)
    reply = victim.obtain(1, p.ia_pd(1), p.ia_na(1))
    prefix, address = reply.prefix(), reply.address()
    before, ways, places = vbng.leases(), routes(vbng), entries(vbng.own)
    server = thief.server_id()
    for kind in p.RELEASE, p.DECLINE:
        def made():
            return p.message(kind, p.client_id(1), server, p.ELAPSED_0, p.ia_pd(1, p.iaprefix(prefix)), p.ia_na(1, p.iaaddr(address)))
        thief.ask(made())
        thief.send(made(), src=victim.address)
        if limit != "0":  # else what a relay tells is all that is known
            thief.ask(p.relay(made(), hardware(victim), peer=victim.address))
        thief.ask(p.relay(made(), hardware(thief), peer=victim.address))
        whole = Ether(thief.frame(UDP(sport=546, dport=547) / made(), p.ALL_SERVERS, src=victim.address, hop_limit=1))
        for tag in 0, 7:
            thief.wire.send(bytes(Ether(src=thief.mac, dst=whole.dst) / Dot1Q(vlan=tag) / whole[si6.IPv6]))
        thief.ask(p.message(p.SOLICIT, p.client_id(2), p.ELAPSED_0, p.ia_pd(1)))  # the others were read before it
    assert [(x["prefix"], x["state"]) for x in vbng.leases()] == [(x["prefix"], x["state"]) for x in before]
    assert (routes(vbng), entries(vbng.own)) == (ways, places)
    victim.ask(p.message(p.RELEASE, p.client_id(1), server, p.ELAPSED_0, p.ia_pd(1, p.iaprefix(prefix)), p.ia_na(1, p.iaaddr(address))))
    assert (routes(vbng), entries(vbng.own)) == ([], {})


def test_forged_neighbour_discovery_changes_nothing(lab, vbng):
    """For the other's address, and for ours, which stay ours, and which the others' kernels are told of by us."""
    victim, thief = Cpe(lab, vbng, 1), Cpe(lab, vbng, 2)
    reply = victim.obtain(1, p.ia_pd(1), p.ia_na(1))
    places = entries(vbng.own)
    ours = [a["local"] for a in vbng.own.json("-6", "addr", "show", "dev", "sub0")[0]["addr_info"]]
    assert "fe80::1" in ours
    told = si6.ICMPv6NDOptDstLLAddr(lladdr=thief.mac)
    for target in [victim.address, reply.address(), *ours]:
        advert = si6.ICMPv6ND_NA(tgt=target, R=1, S=0, O=1) / told
        thief.wire.send(thief.frame(advert, p.ALL_NODES, src=target))
        thief.wire.send(thief.frame(advert / Raw(b"\0" * 8), p.ALL_NODES, src=target))
        asked = si6.ICMPv6ND_NS(tgt=target)
        thief.wire.send(thief.frame(asked, "ff02::1:ff" + p.in6(target)[13:].hex()[:2] + ":" + p.in6(target)[14:].hex(), src="::"))
    thief.solicit(2)
    assert entries(vbng.own) == places
    now = vbng.own.json("-6", "addr", "show", "dev", "sub0")[0]["addr_info"]
    assert sorted(a["local"] for a in now) == sorted(ours) and not any(a.get("dadfailed") or a.get("tentative") for a in now)
    assert victim.obtain(1).prefix() == reply.prefix()


def odd_frames(cpe):
    """What no honest subscriber sends."""
    solicit = p.message(p.SOLICIT, p.client_id(9), p.ELAPSED_0, p.ia_pd(1))
    udp = UDP(sport=546, dport=547) / solicit
    ip = si6.IPv6(src=cpe.address, dst=p.ALL_SERVERS, hlim=1)
    rs = si6.ICMPv6ND_RS()
    to = p.multicast_mac(p.ALL_SERVERS)
    for upper in (
            si6.IPv6ExtHdrHopByHop() / udp, si6.IPv6ExtHdrDestOpt() / udp,
            si6.IPv6ExtHdrHopByHop(options=[si6.Jumbo(jumboplen=70000)]) / udp,
            si6.IPv6ExtHdrRouting(addresses=["2001:db8:ffff::1"]) / udp,
            si6.IPv6ExtHdrSegmentRouting(addresses=["fe80::1", p.ALL_SERVERS]) / udp,
            si6.IPv6ExtHdrFragment(m=1, id=1) / Raw(bytes(udp)[:16]), si6.IPv6ExtHdrFragment(offset=1, m=1, id=1) / Raw(bytes(udp)[:16]),
            si6.IPv6ExtHdrFragment(offset=8191, id=2) / Raw(b"x" * 64),
            si6.IPv6ExtHdrFragment(id=3) / si6.IPv6ExtHdrFragment(id=4) / udp,
            UDP(sport=546, dport=547, len=4) / solicit, UDP(sport=546, dport=547, len=4000) / solicit, UDP(sport=0, dport=547) / solicit,
            UDP(sport=547, dport=547) / solicit, UDP(sport=546, dport=547) / b"", UDP(sport=546, dport=547) / b"\x0c"):
        yield bytes(Ether(src=cpe.mac, dst=to) / ip / upper)
    for options in (b"\1\0", b"\1\1" + bytes(6), b"\3" + bytes(7), b"\xff\xff" * 4, b"\1\2" + bytes(14), bytes(1000)):
        yield cpe.frame(rs / Raw(options), p.ALL_ROUTERS)
    yield cpe.frame(rs / si6.ICMPv6NDOptSrcLLAddr(lladdr=cpe.mac), p.ALL_ROUTERS, src="::")
    yield cpe.frame(rs, p.ALL_ROUTERS, hop_limit=64)
    yield cpe.frame(si6.ICMPv6ND_Redirect(tgt=cpe.address, dst=cpe.address), p.ALL_NODES, src="fe80::1")
    yield bytes(Ether(src="33:33:00:00:00:01", dst=to) / ip / udp)
    yield bytes(Ether(src="00:00:00:00:00:00", dst=to) / ip / udp)
    yield bytes(Ether(src=cpe.mac, dst=to) / Dot1Q(vlan=7) / Dot1Q(vlan=8) / ip / udp)
    yield bytes(Ether(src=cpe.mac, dst=to) / ip / udp)[:40]


def test_odd_frames_cost_nothing(lab, vbng):
    honest, odd = Cpe(lab, vbng, 1), Cpe(lab, vbng, 2)
    prefix = honest.obtain(1).prefix()
    before, server, lines = rss_mib(vbng), vbng.pids()[1], vbng.text().count("\n")
    frames = list(odd_frames(odd))
    for _ in range(100):
        for frame in frames:
            odd.wire.send(frame)
    assert honest.obtain(1).prefix() == prefix
    assert vbng.pids()[1] == server, "the same one still serves"
    assert rss_mib(vbng) - before < SERVER_MIB
    assert vbng.text().count("\n") - lines < 40, "what anybody can have us say is little"
    assert routes(vbng) == [(prefix, honest.address)]


def test_forged_advertisements_of_ours_are_told_seldom(lab, vbng):
    honest, forger = Cpe(lab, vbng, 1), Cpe(lab, vbng, 2)
    prefix = honest.obtain(1).prefix()
    lines, server, before = vbng.text().count("\n"), vbng.pids(), rss_mib(vbng)
    for i in range(3000):
        gone = si6.ICMPv6ND_RA(routerlifetime=0) / si6.ICMPv6NDOptPrefixInfo(prefix=f"2001:db8:ffff:{i & 15:x}::", validlifetime=0)
        forger.wire.send(forger.frame(gone, p.ALL_NODES, src="fe80::1" if i & 1 else f"fe80::{i:x}"))
    assert honest.obtain(1).prefix() == prefix
    assert vbng.pids() == server
    assert vbng.text().count("\n") - lines < 40
    assert rss_mib(vbng) - before < SERVER_MIB
