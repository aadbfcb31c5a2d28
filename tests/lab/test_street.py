# SPDX-License-Identifier: GPL-2.0-or-later
"""A street of CPEs behind one NIC, each with another client that nobody here wrote, and a tunnel of the userspace backend to the internet.

The tests follow the clients' life: obtain, renew, see the appliance restart, release. Each of them also runs alone.
"""
import time

import pytest

import packets
from clients import ALL, inside
from lab import BEYOND, POOL, TRANSFER, Lab, Netns, Stopwatch, Wire, ping, run, wait_for
from packets import IA_PD, RELEASE, RENEW, REPLY

PREFERRED_S, VALID_S = 10, 600  # they renew after 5 seconds, and nothing ends while a slow machine is busy
LATE_S = 60  # those that do not so early do after 30


class House:
    """A CPE's namespace on the street, with its client and a record of what went over its line."""

    def __init__(self, street, kind):
        port = kind.program[:12]
        self.ns = street.lab.add(Netns(kind.program[:7]), Netns.delete)
        street.ns.ip("link", "add", port, "type", "veth", "peer", "name", "cpe0", "netns", self.ns.name)
        street.ns.ip("link", "set", port, "master", "street", "up")
        self.ns.ip("link", "set", "cpe0", "up")
        self.wire = street.lab.add(Wire(self.ns, "cpe0"), Wire.close)
        self.client = street.lab.add(kind(self.ns), kind.close)
        self.seen = []

    def messages(self):
        """(when, DHCPv6 message) that this house sent or was sent."""
        for at, mine, data in self.wire.read():
            frame = packets.dhcp6_in(data)
            if frame is not None and (mine or frame.dst == self.wire.mac):
                self.seen.append((at, packets.Answer(frame, at)))
        return self.seen

    def said(self, kind, since=0.0):
        return any(m.type == kind for at, m in self.messages() if at >= since)

    def answered(self, kind, since=0.0):
        """The first REPLY to a message of that kind after `since`."""
        seen = [m for at, m in self.messages() if at >= since]
        for i, m in enumerate(seen):
            if m.type != kind:
                continue
            for reply in seen[i:]:
                if reply.type == REPLY and reply.xid == m.xid and (kind != RENEW or reply.has(IA_PD)):
                    return reply
        return None


class Street:
    def __init__(self, kinds, preferred_s=PREFERRED_S):
        self.lab = Lab()
        self.options = {"WIREGUARD_BACKEND": "userspace", "DHCPV6_PREFERRED_LIFETIME": str(preferred_s), "DHCPV6_VALID_LIFETIME": str(VALID_S)}
        try:
            self.build(kinds)
        except BaseException:
            self.lab.close()
            raise

    def build(self, kinds):
        self.lab.internet()
        self.ns = self.lab.add(Netns("street"), Netns.delete)
        self.ns.sysctl(net__ipv6__conf__all__disable_ipv6=1, net__ipv6__conf__default__disable_ipv6=1)
        self.ns.ip("link", "add", "street", "type", "bridge", "mcast_snooping", "0", "forward_delay", "0")
        self.lab.cpe.ip("link", "set", "cpe0", "netns", self.ns.name)
        for dev in "street", "cpe0":
            self.ns.ip("link", "set", dev, "up")
        self.ns.ip("link", "set", "cpe0", "master", "street")
        self.vbng = self.lab.vbng(**self.options)
        self.houses = {kind: House(self, kind) for kind in kinds}
        self.vbng.wait_serving()
        for house in self.houses.values():
            house.client.start()
        self.restarted_at = None
        self.before = None

    def restart(self):
        """Once for all houses. What the leases were is kept."""
        if self.restarted_at:
            return
        for house in self.houses.values():
            house.client.wait()
        self.before = self.vbng.prefixes()
        assert self.vbng.stop()[0] == 0
        self.vbng = self.lab.vbng(**self.options).wait_serving()
        self.restarted_at = time.monotonic()

    def lease_of(self, house):
        source = house.client.wait()
        mine = [prefix for prefix in self.vbng.prefixes().values() if inside(source, prefix)]
        assert len(mine) == 1, f"{source} in {self.vbng.leases()}"
        return source, mine[0]


@pytest.fixture(scope="module")
def street():
    made = Street([kind for kind in ALL if not kind.missing()])
    yield made
    made.lab.close()


def each(kinds):
    return pytest.mark.parametrize("kind", kinds, ids=lambda kind: kind.program)


@pytest.fixture
def house(street, kind):
    if kind.missing():
        pytest.skip(kind.missing())
    return street.houses[kind]


@each(ALL)
def test_it_obtains_a_prefix_and_reaches_the_internet_from_it(street, house):
    source, prefix = street.lease_of(house)
    assert inside(source, POOL) and prefix.endswith("/56")
    link_local = house.ns.addresses("cpe0", "link")[0]["local"]
    assert street.vbng.delegated()[prefix] == link_local
    wait_for("the default route by router advertisement",
             lambda: [r for r in house.ns.routes("default") if (r["gateway"], r["protocol"], r["dev"]) == ("fe80::1", "ra", "cpe0")])
    assert ping(house.ns, source), street.vbng.text()


@each(ALL)
def test_it_takes_a_wan_address_by_dhcp(street, house):
    house.client.wait()
    given = [x["prefix"] for x in street.vbng.leases() if x["kind"] == "address"]
    wan = wait_for("an address that was leased", lambda: [a["local"] for a in house.ns.addresses("cpe0") if a["local"] in given])
    assert inside(wan[0], TRANSFER)


def test_each_has_a_prefix_of_its_own(street):
    found = {street.lease_of(house)[1] for house in street.houses.values()}
    assert len(found) == len(street.houses)


def test_rdisc6_is_answered_at_once(street):
    """An independent reader of router advertisements."""
    house = next(iter(street.houses.values()))
    if run("which", "rdisc6", check=False).returncode:
        pytest.skip("rdisc6 is not installed")
    watch = Stopwatch()
    told = house.ns.exec("rdisc6", "-1", "-w", "2000", "cpe0").stdout
    assert watch.seconds() < 1.5
    seen = {line.partition(":")[0].strip(): line.partition(":")[2].strip() for line in told.splitlines() if ":" in line}
    assert seen["Prefix"] == TRANSFER and "from fe80::1" in told
    assert seen["Hop limit"].startswith("64")
    assert seen["Stateful address conf."] == "No" and seen["Stateful other conf."] == "Yes"
    assert seen["Router lifetime"].startswith("1800")
    assert seen["MTU"].startswith("1420")
    assert seen["Recursive DNS server"] == "2001:db8:ffff::1", "our own resolver"
    assert seen["Valid time"].startswith(str(VALID_S)) and seen["Pref. time"].startswith(str(PREFERRED_S))


def test_the_kernel_autoconfigures_itself(street):
    """A host that speaks no DHCPv6: address, default route and MTU by the router advertisement alone."""
    house = next(iter(street.houses.values()))
    address = wait_for("an address by autoconfiguration", lambda: [
        a for a in house.ns.addresses("cpe0") if a.get("dynamic") and a["prefixlen"] == 64 and inside(a["local"], TRANSFER)])[0]
    assert address["valid_life_time"] <= VALID_S
    route = house.ns.routes("default")[0]
    assert (route["gateway"], route["protocol"]) == ("fe80::1", "ra")
    assert house.ns.exec("sysctl", "-n", "net.ipv6.conf.cpe0.mtu").stdout.strip() == "1420"
    assert ping(house.ns, address["local"], BEYOND), street.vbng.text()


@each([kind for kind in ALL if kind.renews_early])
def test_it_renews_and_keeps_its_prefix(street, house):
    prefix = street.lease_of(house)[1]
    begun = time.monotonic()
    reply = wait_for("a RENEW that is answered", lambda: house.answered(RENEW, begun), PREFERRED_S)
    assert reply.prefix() == prefix
    assert reply.ia().lifetimes() == {prefix: (PREFERRED_S, VALID_S)}
    assert street.lease_of(house)[1] == prefix


@each(ALL)
def test_it_keeps_its_prefix_over_a_restart_of_the_appliance(street, house):
    street.restart()
    after = street.vbng.prefixes()
    source = house.client.lan_address()
    mine = [client for client, prefix in street.before.items() if inside(source, prefix)]
    assert len(mine) == 1 and after[mine[0]] == street.before[mine[0]], "the binding is there before the client speaks again"
    assert after[mine[0]] in street.vbng.delegated()
    if house.client.renews_early:
        reply = wait_for("a RENEW that is answered", lambda: house.answered(RENEW, street.restarted_at), PREFERRED_S)
        assert reply.prefix() == street.before[mine[0]]
    assert ping(house.ns, source), street.vbng.text()


@each(ALL)
def test_after_a_power_cut_it_has_the_same_prefix_again(street, house):
    source, prefix = street.lease_of(house)
    house.client.kill()
    house.client.start()
    assert house.client.wait() == source
    assert street.lease_of(house)[1] == prefix


@each(ALL)
def test_it_releases_and_its_route_goes(street, house):
    if house.client.keeps():
        pytest.skip(house.client.keeps())
    for _ in range(3):
        prefix = street.lease_of(house)[1]
        begun = time.monotonic()
        house.client.release()
        if house.said(RELEASE, begun):
            break
        # dhcpcd, told to end while a RENEW of its is under way, ends without a RELEASE.
        house.client.forget()
        house.client.start()
    else:
        pytest.fail(f"{house.client.program} never sends a RELEASE\n{house.client.text()[-4000:]}")
    wait_for("the end of the binding", lambda: prefix not in street.vbng.prefixes().values())
    assert prefix not in street.vbng.delegated()
    assert house.answered(RELEASE, begun)


def test_those_who_renew_late_do_so_at_a_server_that_was_started_again():
    """With a T1 that is not too short for one, and that the other's timers can tell from T2. Told to stop, each gives its prefix back where
    it knows how to, and else it keeps it."""
    late = [kind for kind in ALL if not kind.renews_early and not kind.missing()]
    if not late:
        pytest.skip("none of them is installed")
    street = Street(late, preferred_s=LATE_S)
    try:
        street.restart()
        for house in street.houses.values():
            name = house.client.program
            reply = wait_for(f"a RENEW of {name} that is answered", lambda h=house: h.answered(RENEW, street.restarted_at), every=0.5)
            source, prefix = street.lease_of(house)
            assert reply.prefix() == prefix and reply.ia().lifetimes() == {prefix: (LATE_S, VALID_S)}, name
            assert prefix in street.before.values() and prefix in street.vbng.delegated() and inside(source, prefix), name
            house.client.release()
            if not house.client.keeps():
                wait_for(f"the end of {name}'s binding", lambda p=prefix: p not in street.vbng.prefixes().values())
            else:
                assert prefix in street.vbng.prefixes().values(), name
    finally:
        street.lab.close()
