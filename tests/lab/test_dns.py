# SPDX-License-Identifier: GPL-2.0-or-later
"""The subscribers' resolver, asked with dig from a CPE: what leaves through the tunnel, what is answered to whom, and who has which name."""
import contextlib
import os
import shutil
import signal
import subprocess
import time

import pytest

from lab import EX_OK, PATIENCE_S, Netns, Stopwatch, assert_same, ping, wait_for
from packets import (DNS_SERVERS, ELAPSED_0, FQDN, INFORMATION_REQUEST, RAPID_COMMIT, RELEASE, SOLICIT, Subscriber, client_id, ia_na, iaaddr, ia_pd, message,
                     opt, oro)

OWN = "2001:db8:ffff::1"
LINK_LOCAL = "fe80::1%cpe0"
UPSTREAM = "2001:db8:5::53"
WWW = "2001:db8:80::80"
ZONE = "provider1.lab"
CPE = "fe80::c1"

pytestmark = pytest.mark.skipif(not (shutil.which("dnsmasq") and shutil.which("dig")), reason="dnsmasq and dig are wanted")


class Upstream:
    """A DNS server on the internet, behind the provider; what it is asked stands in its log."""

    def __init__(self, net):
        self.net = net
        self.log = os.path.join(net.dir, "upstream.log")
        net.ns.ip("addr", "replace", f"{UPSTREAM}/128", "dev", "lo")
        self.start()

    def start(self):
        # A configuration of its own: nothing of this machine's.
        self.process = self.net.ns.popen("dnsmasq", "-k", "-C", "/dev/null", "--user=root", "--group=", "--pid-file=", "--no-resolv", "--no-hosts",
                                         f"--log-facility={self.log}", "--log-queries", f"--listen-address={UPSTREAM}", "--bind-interfaces",
                                         f"--host-record=www.example.net,192.0.2.80,{WWW}", "--local=/example.net/", "--local-ttl=300")

    def asked(self, name="www.example.net"):
        """From where, each time."""
        with open(self.log, encoding="ascii") as f:
            return [line.split(" from ")[1].strip() for line in f if f" {name} from " in line]

    def close(self):
        self.process.kill()
        self.process.wait()


class Answer:
    def __init__(self, r):
        self.code, self.text = r.returncode, r.stdout
        self.status = next((line.split("status: ")[1].split(",")[0] for line in r.stdout.splitlines() if "status: " in line), None)
        answers = r.stdout.partition(";; ANSWER SECTION:\n")[2].partition("\n\n")[0]
        self.data = sorted(line.split()[-1] for line in answers.splitlines() if line)


def dig(ns, *what, at=OWN, wait=2):
    """status is None where nobody answers."""
    return Answer(ns.exec("dig", f"+time={wait}", "+tries=1", "+noall", "+comments", "+answer", f"@{at}", *what, check=False, timeout=wait + PATIENCE_S))


def resolves(ns, *what, **how):
    """Once it does: the tunnel's first packets may be lost."""
    return wait_for(f"an answer to {what}", lambda: (lambda a: a if a.data else None)(dig(ns, *what, **how)))


def resolver(vbng):
    """dnsmasq's process, as seen from here; None where it does not run."""
    for p in vbng.family():
        with contextlib.suppress(OSError), open(f"/proc/{p}/comm", encoding="ascii") as f:
            if f.read().strip() == "dnsmasq":
                return p
    return None


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def address_on_the_link(ns):
    wait_for("an address by autoconfiguration", lambda: ns.addresses("cpe0"))


@pytest.fixture
def online(lab):
    """A tunnel, a server beyond it, and a CPE with an address."""
    net = lab.internet()
    lab.upstream = lab.add(Upstream(net), Upstream.close)

    def start(**env):
        vbng = lab.vbng(**{"DNS_UPSTREAM": UPSTREAM, "WIREGUARD_KEEPALIVE": "1", **env}).wait_serving()
        address_on_the_link(lab.cpe)
        return vbng
    lab.start = start
    return lab


def test_names_are_resolved_through_the_tunnel_at_both_addresses(online):
    vbng = online.start()
    vbng.wait_log("dns resolver started")
    for at in LINK_LOCAL, OWN:
        assert resolves(online.cpe, "www.example.net", "AAAA", at=at).data == [WWW], vbng.text()
        assert resolves(online.cpe, "www.example.net", "A", at=at).data == ["192.0.2.80"]
        assert resolves(online.cpe, "+tcp", "www.example.net", "AAAA", at=at).data == [WWW]
        assert dig(online.cpe, "nobody.example.net", at=at).status == "NXDOMAIN"
    asked = online.upstream.asked()
    assert len(asked) == 2, f"each of the two answers is kept, and asked for once: {asked}"
    assert set(asked) == {"2001:db8:0:1::2"}, "from our address inside the tunnel"


def test_it_is_announced_by_ra_and_dhcpv6(online):
    vbng = online.start()
    assert "Recursive DNS server     : 2001:db8:ffff::1\n" in online.cpe.exec("rdisc6", "-1", "cpe0").stdout
    online.cpe.ip("addr", "add", f"{CPE}/64", "dev", "cpe0", "nodad")
    cpe = Subscriber(online.wire(), online.cpe, vbng.own.mac("sub0"), CPE)
    assert cpe.ask(message(INFORMATION_REQUEST, client_id(1), ELAPSED_0, oro(DNS_SERVERS))).one(DNS_SERVERS).dnsservers == [OWN]


def test_only_subscribers_are_answered(online):
    vbng = online.start(DNS_ZONE=ZONE)
    assert resolves(online.cpe, f"router.{ZONE}", "AAAA").data == [OWN]
    net = online.net.ns
    wait_for("the provider's way to our address", lambda: ping(net, "2001:db8:0:1::1", OWN, 1))
    for at in OWN, "2001:db8:0:1::2":
        assert dig(net, f"router.{ZONE}", "AAAA", at=at).status is None, "from the tunnel's side"
        assert not dig(net, "+tcp", f"router.{ZONE}", "AAAA", at=at).data
    assert dig(vbng.own, f"router.{ZONE}", "AAAA", at="::1").status is None, "not on loopback"
    assert resolves(online.cpe, f"router.{ZONE}", "AAAA").data == [OWN]


def test_no_query_leaves_elsewhere_where_the_tunnel_is_gone(lab):
    """Our namespace has another way out, which leads to the very same server; nobody is asked over it."""
    own = lab.add(Netns("own"), Netns.delete)
    other = lab.add(Netns("other"), Netns.delete)
    own.ip("link", "add", "eth0", "type", "veth", "peer", "name", "out0", "netns", other.name)
    for ns, dev, n in ((own, "eth0", 2), (other, "out0", 1)):
        ns.ip("addr", "add", f"2001:db8:e::{n}/64", "dev", dev, "nodad")
        ns.ip("link", "set", dev, "up")
    own.ip("-6", "route", "add", "default", "via", "2001:db8:e::1")
    other.ip("addr", "add", f"{UPSTREAM}/128", "dev", "lo")
    other.ip("-6", "route", "add", "default", "via", "2001:db8:e::2")
    lab.upstream = lab.add(Upstream(lab.internet()), Upstream.close)
    vbng = lab.vbng(own=own, DNS_UPSTREAM=UPSTREAM, WIREGUARD_KEEPALIVE="1").wait_serving()
    address_on_the_link(lab.cpe)
    assert resolves(lab.cpe, "www.example.net", "AAAA").data == [WWW], vbng.text()
    seen = lab.wire(other, "out0")
    # Without wireguard-go and what would start it again, the tunnel stays away.
    init = vbng.pids()[0]
    os.kill(init, signal.SIGSTOP)
    own.ip("link", "del", "wg-provider1")
    assert ping(own, "2001:db8:e::2", UPSTREAM), "the other way works"
    asked = dig(lab.cpe, "other.example.net", "AAAA", wait=3)
    assert asked.status in (None, "SERVFAIL", "REFUSED"), asked.text
    assert resolves(lab.cpe, "www.example.net", "AAAA").data == [WWW], "what is known is still told"
    dns = [f for _, _, f in seen.read() if len(f) > 58 and f[12:14] == b"\x86\xdd" and f[20] in (6, 17) and f[56:58] == b"\0\x35"]
    assert not dns, "a query left on another way than the tunnel"
    os.kill(init, signal.SIGCONT)
    vbng.wait_log("tunnel made again|made again")
    assert dig(lab.cpe, "again.example.net", "AAAA", wait=5).status != "REFUSED"
    wait_for("answers through the new tunnel", lambda: dig(lab.cpe, "more.example.net", "AAAA").status == "NXDOMAIN")


def test_no_query_leaves_elsewhere_where_another_route_is_better(lab):
    """The server is on a link of the container's own, as in a Docker network: it is asked through the tunnel all the same."""
    own = lab.add(Netns("own"), Netns.delete)
    other = lab.add(Netns("other"), Netns.delete)
    own.ip("link", "add", "eth0", "type", "veth", "peer", "name", "out0", "netns", other.name)
    other.ip("link", "set", "out0", "up")
    own.ip("link", "set", "eth0", "up")
    own.ip("addr", "add", "2001:db8:5::2/64", "dev", "eth0", "nodad")
    other.ip("addr", "add", f"{UPSTREAM}/64", "dev", "out0", "nodad")
    before = own.snapshot()
    lab.upstream = lab.add(Upstream(lab.internet()), Upstream.close)
    seen = lab.wire(other, "out0")
    vbng = lab.vbng(own=own, DNS_UPSTREAM=UPSTREAM, WIREGUARD_KEEPALIVE="1").wait_serving()
    address_on_the_link(lab.cpe)
    assert resolves(lab.cpe, "www.example.net", "AAAA").data == [WWW], vbng.text()
    assert resolves(lab.cpe, "+tcp", "www.example.net", "A").data == ["192.0.2.80"]
    assert not [f for _, _, f in seen.read() if f[12:14] == b"\x86\xdd" and f[20] in (6, 17)], "a query left past the tunnel"
    assert vbng.stop()[0] == EX_OK
    assert_same(before, own.snapshot, "our own namespace")


def test_an_upstream_that_is_silent_hurts_nobody(online):
    vbng = online.start(DNS_ZONE=ZONE)
    assert resolves(online.cpe, "www.example.net", "AAAA").data == [WWW]
    online.upstream.close()
    online.net.ns.exec("ip", "addr", "del", f"{UPSTREAM}/128", "dev", "lo")
    online.net.ns.ip("-6", "route", "add", "blackhole", f"{UPSTREAM}/128")
    waiting = [online.cpe.popen("dig", "+time=3", "+tries=1", f"@{OWN}", f"n{i}.example.net", "AAAA", stdout=subprocess.DEVNULL) for i in range(40)]
    watch = Stopwatch()
    assert dig(online.cpe, f"router.{ZONE}", "AAAA").data == [OWN] and dig(online.cpe, "www.example.net", "AAAA").data == [WWW]
    assert watch.seconds() < 2, "what is known needs nobody"
    for p in waiting:
        p.wait(PATIENCE_S)
    online.net.ns.ip("-6", "route", "del", "blackhole", f"{UPSTREAM}/128")
    online.net.ns.ip("addr", "add", f"{UPSTREAM}/128", "dev", "lo")
    online.upstream.start()
    wait_for("answers again", lambda: dig(online.cpe, "back.example.net", "AAAA").status == "NXDOMAIN")
    assert resolver(vbng)


def test_killed_it_is_back_at_once_and_that_is_told(online):
    vbng = online.start(METRICS_LISTEN="[::1]:9547")
    assert resolves(online.cpe, "www.example.net", "AAAA").data == [WWW]
    first = wait_for("the resolver", lambda: resolver(vbng))
    os.kill(first, signal.SIGKILL)
    vbng.wait_log(r'error dns the resolver was killed, starting it again signal=9 last_line=')
    again = wait_for("another", lambda: (lambda p: p if p and p != first else None)(resolver(vbng)))
    assert resolves(online.cpe, "www.example.net", "AAAA").data == [WWW]
    os.kill(again, signal.SIGTERM)
    vbng.wait_log(r'the resolver ended by itself, starting it again status=0 last_line="exiting on receipt of SIGTERM"')
    wait_for("a third", lambda: resolver(vbng) not in (None, again))
    wait_for("its restarts in the status", lambda: vbng.status()["dns"] == {
        "state": "up", "address": OWN, "zone": None, "restarts": 2, "names": 0, "names_waiting": 0})
    assert "dns         resolver up at 2001:db8:ffff::1; restarted 2 times" in vbng.verb("status").stdout
    page = vbng.own.exec("curl", "-s", "http://[::1]:9547/metrics").stdout
    assert 'vbng_dns_up{instance="provider1"} 1\n' in page and 'vbng_dns_restarts_total{instance="provider1"} 2\n' in page


def test_it_ends_with_us_however_we_end(online):
    vbng = online.start()
    first = wait_for("the resolver", lambda: resolver(vbng))
    code, _ = vbng.stop()
    assert code == EX_OK and not os.path.exists(f"/proc/{first}")
    vbng = online.vbng(pid1=False, own=vbng.own, DNS_UPSTREAM=UPSTREAM).wait_serving()
    second = wait_for("the resolver", lambda: resolver(vbng))
    vbng.kill()
    wait_for("the end of the resolver", lambda: not os.path.exists(f"/proc/{second}"))


def test_it_may_bind_its_port_and_nothing_else(online):
    vbng = online.start()
    has = status_of(wait_for("the resolver", lambda: resolver(vbng)))
    bind = f"{1 << 10:016x}"
    assert (has["CapPrm"], has["CapEff"], has["CapBnd"], has["NoNewPrivs"]) == (bind, bind, bind, "1")
    assert set(has["Uid"].split()) != {"0"} and not has["Groups"].strip()


def test_where_it_cannot_be_another_user_it_runs_without_its_powers(online):
    """As with the least capabilities of the README."""
    least = "+net_admin,+sys_admin,+net_raw,+net_bind_service"
    vbng = online.start() if os.getuid() else online.vbng(
        DNS_UPSTREAM=UPSTREAM, wrap=f"setpriv --bounding-set=-all,{least} --inh-caps=-all,{least}").wait_serving()
    address_on_the_link(online.cpe)
    assert resolves(online.cpe, "www.example.net", "AAAA").data == [WWW], vbng.text()
    has = status_of(resolver(vbng))
    assert set(has["Uid"].split()) == {"0"} and has["CapPrm"] == f"{1 << 10:016x}" and has["NoNewPrivs"] == "1"
    assert vbng.stop()[0] == EX_OK, vbng.text()


def test_without_dnsmasq_others_are_announced_and_all_else_goes_on(online, tmp_path):
    shadow = tmp_path / "none"
    shadow.write_text("")
    vbng = online.start(setup=f"mount --bind {shadow} {shutil.which('dnsmasq')}", DNS_ZONE=ZONE)
    assert vbng.text().count("warning dns our own resolver cannot run, others are announced instead") == 1
    assert f"Recursive DNS server     : {UPSTREAM}\n" in online.cpe.exec("rdisc6", "-1", "cpe0").stdout
    assert vbng.status()["dns"]["state"] == "absent"
    assert resolves(online.cpe, "www.example.net", "AAAA", at=UPSTREAM).data == [WWW]
    assert vbng.verb("healthcheck").returncode == 0


def test_other_nameservers_are_announced_where_they_are_given(online):
    vbng = online.start(DHCPV6_NAMESERVER="2001:db8::53")
    assert "Recursive DNS server     : 2001:db8::53\n" in online.cpe.exec("rdisc6", "-1", "cpe0").stdout
    assert resolver(vbng) is None and vbng.status()["dns"]["state"] == "off"
    assert dig(online.cpe, "www.example.net", "AAAA", wait=1).status is None


# --- names


def fqdn(name, flags=0):
    return opt(FQDN, bytes([flags]) + b"".join(bytes([len(x)]) + x for x in name.encode("latin-1").split(b".")) + b"\0")


@pytest.fixture
def named(lab):
    """Without an uplink: the zone needs none."""
    vbng = lab.vbng(DNS_ZONE="Provider1.LAB", DHCPV6_VALID_LIFETIME="600", DHCPV6_PREFERRED_LIFETIME="300", DHCPV6_STATION_LIMIT="0").wait_serving()
    lab.cpe.ip("addr", "add", f"{CPE}/64", "dev", "cpe0", "nodad")
    address_on_the_link(lab.cpe)
    lab.subscriber = Subscriber(lab.wire(), lab.cpe, vbng.own.mac("sub0"), CPE)
    lab.instance = vbng
    return lab


def vbng_inotify(vbng):
    """How often dnsmasq was given a file."""
    return vbng.text().count("new or modified")


def obtain(lab, n, name, *more):
    return lab.subscriber.obtain(n, ia_na(1), fqdn(name), *more).address()


def release(lab, n, address):
    cpe = lab.subscriber
    cpe.ask(message(RELEASE, client_id(n), cpe.server_id(), ELAPSED_0, ia_na(1, iaaddr(address))))


def wait_name(lab, name, *addresses):
    wait_for(f"{name} to be {addresses}", lambda: dig(lab.cpe, f"{name}.{ZONE}", "AAAA").data == sorted(addresses))


def test_subscribers_have_names(named):
    address = obtain(named, 1, "Paul's Laptop!!")
    wait_name(named, "paul-s-laptop", address)
    for at in LINK_LOCAL, OWN:
        assert dig(named.cpe, "-x", address, at=at).data == [f"paul-s-laptop.{ZONE}."]
    there = dig(named.cpe, f"paul-s-laptop.{ZONE}", "A")
    assert there.status == "NOERROR" and not there.data
    assert dig(named.cpe, f"router.{ZONE}", "AAAA").data == [OWN]
    assert dig(named.cpe, "-x", OWN).data == [f"router.{ZONE}."]
    assert named.instance.status()["dns"] == {"state": "up", "address": OWN, "zone": ZONE, "restarts": 0, "names": 1, "names_waiting": 0}
    assert obtain(named, 1, "Paula's") == address
    wait_name(named, "paula-s", address)
    wait_for("its new name alone", lambda: dig(named.cpe, "-x", address).data == [f"paula-s.{ZONE}."])
    assert dig(named.cpe, f"paul-s-laptop.{ZONE}", "AAAA").status == "NXDOMAIN"
    release(named, 1, address)
    wait_name(named, "paula-s")
    assert dig(named.cpe, "-x", address).status == "NXDOMAIN"


def test_a_client_that_asks_is_told_its_name(named):
    """RFC 4704 §6: S where it has one (O where it did not wish so), N and its own words where it has none."""
    s, o, n = 1, 2, 4
    called = b"\x08my-thing\x09provider1\x03lab\0"
    for wished, told in (s, s), (0, s | o):
        assert named.subscriber.obtain(1, ia_na(1), fqdn("My Thing", wished), oro(FQDN)).bodies(FQDN) == [bytes([told]) + called]
    assert named.subscriber.obtain(2, ia_na(1), fqdn("wpad", s), oro(FQDN)).bodies(FQDN) == [bytes([n | o]) + b"\x04wpad\0"]
    assert named.subscriber.obtain(3, ia_na(1), fqdn("mine", n), oro(FQDN)).bodies(FQDN) == [bytes([n]) + b"\x04mine\0"]
    assert named.subscriber.obtain(4, ia_pd(1), fqdn("cpe", s), oro(FQDN)).bodies(FQDN) == [bytes([n | o]) + b"\x03cpe\0"], "a prefix alone has none"
    wait_for("one name", lambda: named.instance.status()["dns"]["names"] == 1)


def test_zone_and_reverse_zones_are_never_forwarded(online):
    online.start(DNS_ZONE=ZONE)
    assert resolves(online.cpe, f"router.{ZONE}", "AAAA").data == [OWN]
    for what in (f"nobody.{ZONE}",), (ZONE,), ("-x", "2001:db8:ffff::77"), ("-x", "2001:db8:ffff:8000::1"):
        assert not dig(online.cpe, *what, "AAAA" if what[0] != "-x" else "+noedns").data
    with open(online.upstream.log, encoding="ascii") as f:
        text = f.read()
    assert ZONE not in text and "ip6.arpa" not in text.replace("using only", "")


def test_the_first_keeps_a_name_and_the_second_gets_it_when_the_first_leaves(named):
    first, second, third = obtain(named, 1, "office"), obtain(named, 2, "OFFICE"), obtain(named, 3, "office.provider1.lab")
    wait_name(named, "office", first)
    assert dig(named.cpe, "-x", second).status == "NXDOMAIN"
    wait_for("two that wait", lambda: named.instance.status()["dns"]["names_waiting"] == 2)
    assert obtain(named, 1, "office") == first
    release(named, 1, first)
    wait_name(named, "office", second)
    assert dig(named.cpe, "-x", second).data == [f"office.{ZONE}."]
    release(named, 2, second)
    wait_name(named, "office", third)


def test_names_outlast_a_restart(named):
    """Of the server alone, and of the whole: who came first is still the first."""
    addresses = [obtain(named, n, "office") for n in (1, 2, 3)]
    other = obtain(named, 4, "home")
    wait_name(named, "office", addresses[0])
    release(named, 1, addresses[0])
    wait_name(named, "office", addresses[1])
    back = obtain(named, 1, "office")  # the last in line now, though the oldest client
    order = os.path.join(named.state, "names")
    wait_for("all in line on the disk", lambda: sum(open(os.path.join(order, f), encoding="ascii").read().count(" office\n") for f in os.listdir(order)) == 3)
    server = named.instance.pids()[1]
    os.kill(server, signal.SIGKILL)
    wait_for("another server", lambda: named.instance.pids()[1:] not in ([], [server]))
    wait_for("its answers", lambda: named.instance.status()["dns"]["names"] == 2)
    wait_name(named, "office", addresses[1])
    wait_name(named, "home", other)
    assert named.instance.stop()[0] == EX_OK
    named.instance = named.vbng(DNS_ZONE=ZONE, own=named.instance.own).wait_serving()
    wait_name(named, "office", addresses[1])
    wait_name(named, "home", other)
    for n, address, heir in (2, addresses[1], addresses[2]), (3, addresses[2], back):
        release(named, n, address)
        wait_name(named, "office", heir)


def test_hostile_names_are_names_or_nothing(named):
    names = {"a\n2001:db8::66 bank.example": "a-2001-db8-66-bank-example", "x\0y": "x-y", "\xff\xfe": None, "wpad": None, "router": None,
             "z" * 63 + "." + "y" * 63: "z" * 63, "\r\nhost-record=evil": "host-record-evil"}
    addresses = {name: obtain(named, n, name) for n, name in enumerate(names, 1)}
    wait_name(named, "marker", obtain(named, 99, "marker"))
    for name, called in names.items():
        assert dig(named.cpe, "-x", addresses[name]).data == ([f"{called}.{ZONE}."] if called else []), name
    assert dig(named.cpe, f"router.{ZONE}", "AAAA").data == [OWN]
    for name in "bank.example", "evil", f"wpad.{ZONE}":
        assert not dig(named.cpe, name, "AAAA").data


def test_a_broken_fqdn_costs_nothing_but_the_name(named):
    cpe = named.subscriber
    for n, body in enumerate((b"", b"\0", b"\0\x05ab", b"\0\xc0\x0c", b"\0" + b"\x3f" + b"a" * 63 + b"\x3f" + b"b" * 63 + b"\x3f" + b"c" * 63 + b"\x3f" + b"d" * 63 + b"\0"), 1):
        data = message(SOLICIT, client_id(n), ELAPSED_0, opt(RAPID_COMMIT), ia_na(1), opt(FQDN, body))
        cpe.send(data)
    marker = obtain(named, 99, "marker")
    wait_name(named, "marker", marker)
    assert named.instance.status()["dns"]["names"] == 1


def test_names_are_written_seldom_however_many_come(named):
    """Two hundred clients at once are a few writings, not two hundred; and none of them waits for it."""
    folder = os.path.join(named.instance.dir, "dns", "names")
    assert not os.listdir(folder)
    begun = time.monotonic()
    addresses = {f"host{n}": obtain(named, n, f"host{n}") for n in range(1, 201)}
    for name in "host1", "host200":
        wait_name(named, name, addresses[name])
    wait_for("two hundred names", lambda: named.instance.status()["dns"]["names"] == 200)
    lines = wait_for("all in the files", lambda: (lambda ls: ls if len(ls) == 200 else None)(
        [line for f in os.listdir(folder) for line in open(os.path.join(folder, f), encoding="ascii").read().splitlines()]))
    assert sorted(lines) == sorted(f"{a} {n}.{ZONE}" for n, a in addresses.items())
    said = vbng_inotify(named.instance)
    assert said <= 64 * (time.monotonic() - begun + 2), "each file once a second at most"


def test_the_host_is_left_as_it_was(lab):
    before = lab.host.snapshot()
    vbng = lab.vbng(DNS_ZONE=ZONE).wait_serving()
    wait_for("the resolver", lambda: resolver(vbng))
    assert vbng.stop()[0] == EX_OK
    assert_same(before, lab.host.snapshot)
