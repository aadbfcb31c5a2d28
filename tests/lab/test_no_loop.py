# SPDX-License-Identifier: GPL-2.0-or-later
"""What a subscriber sends into its own delegated prefix is not sent back to it (RFC 8987 §4.2 R-3); what it sends to another's passes."""
import ipaddress
import os
import signal

import pytest

import packets as p
from cpes import OUR_ADDRESS, TABLE, Cpe, Street, in_prefix, needs_nf_tables
from lab import POOL, Netns, run, wait_for
from packets import si6

UNREACHABLE, REJECT_ROUTE = 1, 6


@pytest.fixture(scope="module", autouse=True)
def kernel_with_nf_tables():
    needs_nf_tables()


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
