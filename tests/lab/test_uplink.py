# SPDX-License-Identifier: GPL-2.0-or-later
"""What subscribers see of an uplink that is lost, and how long a host with two providers is without connection."""
import os
import signal
import socket
import threading
import time

import pytest

import packets as p
from clients import LAN, Dhcpcd
from lab import ASSIGNED, BEYOND, SERVER_WG, TRANSFER, Lab, Stopwatch, wait_for

ECHO_PORT = 7777
TRY_EVERY_S = 0.05
SECOND = "2001:db8:eeee::/48"

# What is promised (docs/uplink.md), in seconds. An advertisement follows the last one after 3 (MIN_DELAY_BETWEEN_RAS).
RA_GAP = 3
SLACK = 1.5  # of this machine
LOSS_DELAY = 1
PROBED_LOSS = 1 + 3 * 1 + LOSS_DELAY + RA_GAP + SLACK  # UPLINK_PROBE_INTERVAL=1, three waits of a second
TRAFFIC_LOSS = 5 + 22 + 1 + LOSS_DELAY + RA_GAP + SLACK  # a look at the counters, UPLINK_SILENT_MS, another
RETURN = 5 + 3 * 1 + RA_GAP + SLACK  # WireGuard calls every 5 s; three answers


def state(vbng):
    return vbng.status()["tunnel"]["state"]


def up(vbng):
    wait_for("the tunnel up", lambda: state(vbng) == "up")
    return vbng


class Outage:
    """The provider's UDP port hears and says nothing. Nobody is told, as with a cable that was cut."""

    def __init__(self, net):
        self.net = net

    def __enter__(self):
        # Both ways, or the concentrator's own attempts would look like signs of life.
        for line in ("add table inet cut", "add chain inet cut in { type filter hook input priority 0; }",
                     "add chain inet cut out { type filter hook output priority 0; }",
                     "add rule inet cut in udp dport 51820 drop", "add rule inet cut out udp sport 51820 drop"):
            self.net.ns.exec("nft", line)
        return time.monotonic()

    def __exit__(self, *_):
        self.net.ns.exec("nft", "delete table inet cut")


ECHO = f"""
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("{BEYOND}", {ECHO_PORT}))
while True:
    data, who = s.recvfrom(64)
    s.sendto(data, who)
"""


def serve_echo(lab):
    def is_there():
        return f":{ECHO_PORT}" in lab.net.ns.exec("ss", "-Huln6").stdout
    process = lab.net.ns.popen("/usr/bin/python3", "-c", ECHO)
    lab.add(process, lambda x: (x.kill(), x.wait()))
    wait_for("the echo server", is_there)


class Flows:
    """A host's applications: a new flow each 50 ms, whose route and source the kernel chooses, and what became of each."""

    def __init__(self, ns):
        self.ns, self.answered, self.running = ns, [], True
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        waiting = []
        with self.ns.inside():
            while self.running:
                now = time.monotonic()
                s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
                s.setblocking(False)
                try:
                    s.connect((BEYOND, ECHO_PORT))
                    s.send(b"?")
                    waiting.append((now, s))
                except OSError:
                    s.close()  # no route, no source: no connection
                time.sleep(TRY_EVERY_S)
                for begun, s in list(waiting):
                    try:
                        s.recv(64)
                        self.answered.append((begun, s.getsockname()[0]))
                    except BlockingIOError:
                        if now - begun < 1:
                            continue
                    except OSError:
                        pass  # refused on the way
                    s.close()
                    waiting.remove((begun, s))
            for _, s in waiting:
                s.close()

    def through(self, prefix, since=0.0):
        """When the first flow since then began that was answered to an address of the prefix; None: none."""
        start = prefix.split("::")[0] + ":"
        return next((at for at, source in list(self.answered) if at >= since and source.startswith(start)), None)

    def last_before(self, at):
        return max(a for a, _ in list(self.answered) if a < at)

    def close(self):
        self.running = False
        self.thread.join(10)


@pytest.fixture
def providers(lab):
    """start(**env): two of them on one host, that prefers the first: (first lab, its vbng, flows)."""
    other = Lab()

    def start(**env):
        lab.internet()
        other.internet(prefix=SECOND)
        other.host.ip("link", "add", "sub1", "type", "veth", "peer", "name", "cpe1", "netns", lab.cpe.name)
        lab.cpe.ip("link", "set", "cpe1", "up")
        for x in lab, other:
            serve_echo(x)
        first = lab.vbng(ROUTER_ADVERTISEMENT_PREFERENCE="high", **env)
        second = other.vbng(WIREGUARD_INTERFACE_SUFFIX="provider2", ASSIGNED_PREFIX=SECOND, SUBSCRIBER_INTERFACE="sub1", **env)
        for x in first, second:
            up(x.wait_serving())
        # RFC 8028: what comes from a provider's prefix goes to that provider's router.
        for n, (prefix, dev) in enumerate(((ASSIGNED, "cpe0"), (SECOND, "cpe1"))):
            wait_for("an address from each provider", lambda d=dev: lab.cpe.addresses(d))
            lab.cpe.ip("-6", "rule", "add", "from", prefix, "lookup", 100 + n)
            lab.cpe.ip("-6", "route", "add", "default", "via", "fe80::1", "dev", dev, "table", 100 + n)
        flows = lab.add(Flows(lab.cpe), Flows.close)
        wait_for("traffic through the first provider", lambda: flows.through(ASSIGNED))
        return first, flows
    yield start
    other.close()


def fail_over(lab, first, flows, loss_bound, return_bound, how):
    with Outage(lab.net) as cut_at:
        watch = Stopwatch()
        moved_at = wait_for("traffic through the second provider", lambda: flows.through(SECOND, cut_at))
        gap = moved_at - flows.last_before(cut_at) - watch.excuse()
        text = first.text()
        assert "tunnel stale" in text and "uplink lost" in text, text
        assert first.status()["tunnel"]["lost"]
        assert all(a["preferred_life_time"] == 0 for a in lab.cpe.addresses("cpe0")), "an address of the lost provider is still preferred"
        assert lab.cpe.addresses("cpe0"), "it is valid all the same"
        time.sleep(2)
    back_at, watch = time.monotonic(), Stopwatch()
    returned = wait_for("traffic through the first provider again", lambda: flows.through(ASSIGNED, back_at)) - back_at - watch.excuse()
    missing = [b - a for (a, _), (b, _) in zip(flows.answered, flows.answered[1:]) if a > back_at - 1]
    print(f"\nfailover {how}: {gap:.1f} s without connection (bound {loss_bound}), first provider in use again {returned:.1f} s after its return"
          f" (bound {return_bound}), at most {max(missing):.2f} s without an answer meanwhile")
    assert gap <= loss_bound
    assert returned <= return_bound
    assert max(missing) < 1 + watch.excuse(), "moving back interrupts nobody: the other provider is there"


def test_a_host_with_two_providers_moves_within_seconds_where_the_uplink_is_probed(lab, providers):
    first, flows = providers(UPLINK_PROBE=SERVER_WG, UPLINK_PROBE_INTERVAL="1", UPLINK_LOSS_DELAY=str(LOSS_DELAY))
    wait_for("round trips in status", lambda: first.status()["tunnel"]["probe"]["answered"] >= 2)
    fail_over(lab, first, flows, PROBED_LOSS, RETURN, "with UPLINK_PROBE")
    assert "3 echo requests in a row without an answer" in first.text()


def test_without_probes_unanswered_traffic_tells(lab, providers):
    first, flows = providers(UPLINK_LOSS_DELAY=str(LOSS_DELAY))
    fail_over(lab, first, flows, TRAFFIC_LOSS, RETURN, "without UPLINK_PROBE")
    assert "bytes sent within" in first.text()


PROBED = {"UPLINK_PROBE": SERVER_WG, "UPLINK_PROBE_INTERVAL": "1", "UPLINK_LOSS_DELAY": "0"}


def cpe_state(lab):
    """(whether it has a default router, whether its address is preferred)"""
    found = lab.cpe.addresses("cpe0")
    return bool(lab.cpe.routes("default", "dev", "cpe0")), bool(found) and all(a["preferred_life_time"] > 0 for a in found)


@pytest.mark.parametrize("how, seen", [("withdraw", (False, False)), ("lifetime", (False, True)), ("hold", (True, True))])
def test_what_a_host_sees_of_a_lost_uplink(lab, how, seen):
    net = lab.internet()
    vbng = up(lab.vbng(UPLINK_LOSS=how, **PROBED).wait_serving())
    wait_for("SLAAC", lambda: cpe_state(lab) == (True, True))
    with Outage(net):
        wait_for("the loss in status", lambda: vbng.status()["tunnel"]["lost"])
        wait_for(f"UPLINK_LOSS={how} at the host", lambda: cpe_state(lab) == seen, within=RA_GAP + 2)
        time.sleep(RA_GAP)
        assert cpe_state(lab) == seen
        # Who comes new meanwhile learns nothing else.
        lab.cpe.exec("rdisc6", "-1", "-r", "2", "-w", "1000", "cpe0")
        assert cpe_state(lab) == seen
    wait_for("all as it was", lambda: cpe_state(lab) == (True, True) and not vbng.status()["tunnel"]["lost"], within=RETURN + 3)
    vbng.wait_log("uplink works again")


def iaprefix_of(answer):
    (ia,) = [p.Ia(o) for o in p.layers(answer.layer) if isinstance(o, p.sd6.DHCP6OptIA_PD)]
    (what,) = ia.resources
    return what, ia


def test_delegated_prefixes_are_deprecated_and_clients_told(lab):
    net = lab.internet()
    vbng = up(lab.vbng(**PROBED).wait_serving())
    lab.cpe.ip("addr", "add", "fe80::c:1/64", "dev", "cpe0", "nodad")
    cpe = p.Subscriber(lab.wire(), lab.cpe, vbng.own.mac("sub0"), address="fe80::c:1")
    accept = p.opt(p.RECONF_ACCEPT)
    server = cpe.server_id()

    def told():
        return cpe.wait("a RECONFIGURE", lambda a: isinstance(a, p.Answer) and a.type == p.RECONFIGURE)

    def renew(kind=p.RENEW):
        return iaprefix_of(cpe.ask(p.message(kind, p.client_id(1), *([server] if kind == p.RENEW else []), p.ELAPSED_0, accept, p.ia_pd(1, p.iaprefix(had.what)))))

    had, ia = iaprefix_of(cpe.obtain(1, accept, p.ia_pd(1)))
    assert (had.preferred, had.valid, ia.t1, ia.t2) == (1800, 14400, 900, 1440)
    with Outage(net):
        told()
        for kind in p.RENEW, p.REBIND:
            now, ia = renew(kind)
            assert (now.what, now.preferred, now.valid, ia.t1, ia.t2) == (had.what, 0, 14400, 60, 96), "deprecated, valid, and soon back"
        # A newcomer gets what a CPE needs to number its own network, and nothing that it would use to go out.
        new, ia = iaprefix_of(cpe.solicit(2, p.ia_pd(1)))
        assert (new.preferred, new.valid) == (0, 14400)
        assert [x["preferred_lifetime_s"] for x in vbng.leases()] == [0]
    told()
    now, ia = renew()
    assert (now.what, now.preferred, now.valid, ia.t1, ia.t2) == (had.what, 1800, 14400, 900, 1440)
    assert vbng.delegated().get(had.what), "its route was there all the time"


@pytest.mark.skipif(Dhcpcd.missing() is not None, reason=Dhcpcd.missing() or "")
def test_a_cpe_that_comes_during_the_loss_is_well_a_minute_later(lab):
    """dhcpcd, which accepts no RECONFIGURE: it takes a deprecated prefix, says so to its LAN, and comes again by the short T1."""
    net = lab.internet()
    vbng = up(lab.vbng(**PROBED).wait_serving())

    def lan():
        return [a["preferred_life_time"] for a in lab.cpe.addresses(LAN)]

    with Outage(net):
        wait_for("the loss", lambda: vbng.status()["tunnel"]["lost"])
        lab.client(Dhcpcd).wait()
        assert lan() == [0]
    wait_for("a preferred address on the LAN", lambda: any(lan()), 2 * 60 + 30)  # on a busy machine probes may be lost once more
    assert vbng.prefixes()


def test_a_provider_that_is_not_there_at_boot_has_the_benefit_of_the_doubt(lab):
    net = lab.internet()
    with Outage(net):
        watch = Stopwatch()
        vbng = lab.vbng(UPLINK_LOSS_DELAY="0").wait_serving()
        wait_for("the default route by RA", lambda: cpe_state(lab) == (True, True))
        assert state(vbng) == "connecting" and not vbng.status()["tunnel"]["lost"]
        wait_for("the loss", lambda: vbng.status()["tunnel"]["lost"])
        vbng.wait_log('uplink lost interface=wg-provider1 why="no handshake yet"')
        assert time.monotonic() - watch.begun > 15 and watch.seconds() < 20
        wait_for("no default route", lambda: cpe_state(lab) == (False, False), within=RA_GAP + 1)
        # A new server process does not begin by promising what there is not.
        wire = lab.wire()
        os.kill(vbng.pids()[1], signal.SIGKILL)
        cpe = p.Subscriber(wire, lab.cpe, vbng.own.mac("sub0"), address="fe80::c:1")
        ra = cpe.wait("its first advertisement", lambda a: isinstance(a, p.Advertisement))
        assert ra.ra.routerlifetime == 0
    wait_for("all well", lambda: cpe_state(lab) == (True, True), within=15)
    assert state(vbng) == "up"


@pytest.mark.parametrize("allowed", ["::/0", "2001:db8:beef::/48"], ids=["everything", "a part"])
def test_a_tunnel_without_keepalive_is_well_while_idle_and_comes_back_by_itself(lab, allowed):
    """Nothing is sent over a tunnel that is known to be dead, as subscribers have moved: it must knock itself."""
    net = lab.internet()
    vbng = lab.vbng(WIREGUARD_KEEPALIVE="0", UPLINK_LOSS_DELAY="0", WIREGUARD_ALLOWED_IPS=allowed).wait_serving()
    wait_for("SLAAC", lambda: cpe_state(lab) == (True, True))
    time.sleep(16)
    assert state(vbng) in ("connecting", "up") and not vbng.status()["tunnel"]["lost"], "nobody was left without an answer"
    lab.cpe.exec("ping", "-6", "-c", "3", "-W", "1", BEYOND, check=False)
    up(vbng)
    with Outage(net):
        lab.cpe.exec("ping", "-6", "-c", "3", "-W", "1", BEYOND, check=False)
        wait_for("the loss", lambda: vbng.status()["tunnel"]["lost"], within=TRAFFIC_LOSS)
        assert "no answer to" in vbng.status()["tunnel"]["why"]
        wait_for("no default route", lambda: cpe_state(lab) == (False, False), within=RA_GAP + 1)
    wait_for("all as it was", lambda: cpe_state(lab) == (True, True), within=10 + 5 + RA_GAP + 3)
    assert TRANSFER.split("::")[0] in lab.cpe.addresses("cpe0")[0]["local"]
