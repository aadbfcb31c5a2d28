# SPDX-License-Identifier: GPL-2.0-or-later
"""Subscribers' link-layer addresses: learned from their frames, entered with their routes, and taken out with them."""
import os
import signal

import packets as p
from lab import Vbng, wait_for

import pytest


def entries(ns):
    """The permanent neighbours on the subscriber link: address to link-layer address."""
    return {n["dst"]: n["lladdr"] for n in ns.json("-6", "neigh", "show", "nud", "permanent") if n["dev"] == "sub0" and "lladdr" in n}


def known(ns, address):
    return [n for n in ns.json("-6", "neigh", "show") if n["dst"] == address and "lladdr" in n]


class Cpe(p.Subscriber):
    """With a link-layer address of its own, and a kernel that answers for neither."""

    def __init__(self, lab, vbng, n):
        super().__init__(lab.wire(), lab.cpe, vbng.own.mac("sub0"), address=f"fe80::c:{n:x}")
        self.mac = f"02:00:00:00:0c:{n:02x}"

    def frame(self, *what, mac=None, **how):
        return super().frame(*what, mac=mac or self.mac, **how)


@pytest.fixture
def vbng(lab) -> Vbng:
    return lab.vbng(WIREGUARD_BACKEND="none").wait_serving()


def test_an_offer_needs_no_neighbour_and_a_binding_has_one(lab, vbng):
    cpe = Cpe(lab, vbng, 1)
    offer = cpe.solicit(1)
    assert offer.type == p.ADVERTISE and offer.frame.dst == cpe.mac and p.checksum_right(offer.frame)
    assert not known(vbng.own, cpe.address), "the answer went straight to where the question came from"
    server = p.opt(p.SERVERID, offer.duid(p.SERVERID))
    reply = cpe.ask(p.message(p.REQUEST, p.client_id(1), server, p.ELAPSED_0, p.ia_pd(1), p.ia_pd(2), p.ia_na(1)))
    address = reply.address()
    assert entries(vbng.own) == {cpe.address: cpe.mac, address: cpe.mac}
    assert {x["lladdr"] for x in vbng.leases()} == {cpe.mac}
    first, second = [ia.resources[0].what for ia in reply.ias()]
    cpe.ask(p.message(p.RELEASE, p.client_id(1), server, p.ELAPSED_0, p.ia_pd(1, p.iaprefix(first))))
    assert entries(vbng.own) == {cpe.address: cpe.mac, address: cpe.mac}, "the second prefix leads there"
    cpe.ask(p.message(p.RELEASE, p.client_id(1), server, p.ELAPSED_0, p.ia_pd(2, p.iaprefix(second)), p.ia_na(1, p.iaaddr(address))))
    assert entries(vbng.own) == {}


def test_new_hardware_takes_route_and_entry_with_it(lab, vbng):
    old, new = Cpe(lab, vbng, 1), Cpe(lab, vbng, 2)
    prefix = old.obtain(7).prefix()
    server = old.server_id()
    assert entries(vbng.own) == {old.address: old.mac}
    new.ask(p.message(p.RENEW, p.client_id(7), server, p.ELAPSED_0, p.ia_pd(1, p.iaprefix(prefix))))
    assert entries(vbng.own) == {new.address: new.mac}
    assert [(r["dst"], r["gateway"]) for r in vbng.own.json("-6", "route", "show", "proto", "118") if r.get("gateway")] == [(prefix, new.address)]
    # The same link-local address on another card.
    new.mac = "02:00:00:00:0c:99"
    new.ask(p.message(p.RENEW, p.client_id(7), server, p.ELAPSED_0, p.ia_pd(1, p.iaprefix(prefix))))
    assert entries(vbng.own) == {new.address: new.mac}


def test_who_asks_from_anothers_address_does_not_get_what_is_sent_there(lab, vbng):
    """By itself, as a relay, and as one that bridges: first come, first served (RFC 6620)."""
    victim, thief = Cpe(lab, vbng, 1), Cpe(lab, vbng, 2)
    reply = victim.obtain(1, p.ia_pd(1), p.ia_na(1))
    prefix, address, good = reply.prefix(), reply.address(), entries(vbng.own)
    assert good == {victim.address: victim.mac, address: victim.mac}
    thief.address = victim.address
    server = thief.server_id()
    stolen = thief.obtain(2).prefix()
    for _ in range(2):
        thief.ask(p.message(p.RENEW, p.client_id(2), server, p.ELAPSED_0, p.ia_pd(1, p.iaprefix(stolen))))
        assert entries(vbng.own) == good
    vbng.wait_log(f"a client asks from the address of another.*{victim.address}.*kept={victim.mac} claimed={thief.mac}")
    solicit = p.message(p.SOLICIT, p.client_id(3), p.ELAPSED_0, p.opt(p.RAPID_COMMIT), p.ia_pd(1))
    bridge = Cpe(lab, vbng, 3)
    told = p.opt(p.CLIENT_LINKLAYER, b"\0\1" + bytes.fromhex(thief.mac.replace(":", "")))
    assert bridge.ask(p.relay(solicit, told, peer=victim.address)).prefix()
    assert entries(vbng.own) == good
    # What is left once the first has gone is the kernel's to find, and then the next one's.
    victim.ask(p.message(p.RELEASE, p.client_id(1), server, p.ELAPSED_0, p.ia_pd(1, p.iaprefix(prefix)), p.ia_na(1, p.iaaddr(address))))
    assert entries(vbng.own) == {}
    thief.ask(p.message(p.RENEW, p.client_id(2), server, p.ELAPSED_0, p.ia_pd(1, p.iaprefix(stolen))))
    assert entries(vbng.own) == {victim.address: thief.mac}


def test_behind_a_relay_that_tells_nothing_no_former_entry_is_left(lab, vbng):
    cpe, relay = Cpe(lab, vbng, 1), Cpe(lab, vbng, 9)
    server = cpe.server_id()
    reply = cpe.ask(p.message(p.REQUEST, p.client_id(1), server, p.ELAPSED_0, p.ia_pd(1), p.ia_na(1)))
    address, prefix = reply.address(), reply.prefix()
    assert entries(vbng.own) == {cpe.address: cpe.mac, address: cpe.mac}
    renew = p.message(p.RENEW, p.client_id(1), server, p.ELAPSED_0, p.ia_pd(1, p.iaprefix(prefix)), p.ia_na(1, p.iaaddr(address)))
    assert relay.ask(p.relay(renew, p.opt(p.INTERFACE_ID, b"port 1"), peer="fe80::c:77")).address() == address
    assert entries(vbng.own) == {}, "nobody knows where it is now but the kernel, when it asks"
    assert cpe.ask(renew[:1] + b"\0\7\7" + renew[4:]).address() == address
    assert entries(vbng.own) == {cpe.address: cpe.mac, address: cpe.mac}
    vbng.verb("leases", "clear", "--all")
    assert entries(vbng.own) == {}


def test_a_server_that_starts_again_puts_right_what_is_not(lab, vbng):
    cpe, other = Cpe(lab, vbng, 1), Cpe(lab, vbng, 2)
    cpe.obtain(1)
    other.obtain(2)
    good = entries(vbng.own)
    assert len(good) == 2
    vbng.own.ip("neigh", "del", cpe.address, "dev", "sub0")
    vbng.own.ip("neigh", "replace", other.address, "lladdr", "02:00:00:00:00:01", "dev", "sub0", "nud", "permanent", "protocol", "118")
    vbng.own.ip("neigh", "add", "fe80::dead", "lladdr", "02:00:00:00:00:02", "dev", "sub0", "nud", "permanent", "protocol", "118")
    vbng.own.ip("neigh", "add", "fe80::beef", "lladdr", "02:00:00:00:00:03", "dev", "sub0", "nud", "permanent")
    os.kill(vbng.pids()[1], signal.SIGKILL)
    wait_for("the tables as they should be", lambda: entries(vbng.own) == {**good, "fe80::beef": "02:00:00:00:00:03"})


def test_a_link_that_was_taken_down_has_its_routes_and_entries_again(lab, vbng):
    cpe = Cpe(lab, vbng, 1)
    prefix = cpe.obtain(1).prefix()
    vbng.own.ip("link", "set", "sub0", "down")
    wait_for("no carrier", lambda: not vbng.status()["subscriber"]["link"])
    assert not [r for r in vbng.own.json("-6", "route", "show", "proto", "118") if r["dst"] == prefix]
    vbng.own.ip("link", "set", "sub0", "up")
    wait_for("route and entry", lambda: [r for r in vbng.own.json("-6", "route", "show", "proto", "118") if r["dst"] == prefix]
             and entries(vbng.own) == {cpe.address: cpe.mac})



def test_nobody_behind_a_subscriber_speaks_for_another(lab, vbng):
    """A lightweight relay is on the link. What is routed to us from somebody's prefix is none, whatever it tells of others' hardware."""
    victim, other = Cpe(lab, vbng, 1), Cpe(lab, vbng, 2)
    victim.obtain(1)
    inside = other.obtain(2).prefix().split("/")[0] + "5"
    before = entries(vbng.own)
    forged = p.message(p.SOLICIT, p.client_id(3), p.ELAPSED_0, p.opt(p.RAPID_COMMIT), p.ia_pd(1))
    hardware = p.opt(p.CLIENT_LINKLAYER, bytes.fromhex("0001" + "02000000bad0"))
    other.assert_ignored(p.relay(forged, hardware, link="::", peer=victim.address), src=inside, dst="2001:db8:ffff::1", hop_limit=63)
    assert entries(vbng.own) == before
    assert len(vbng.leases()) == 2
