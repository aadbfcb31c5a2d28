# SPDX-License-Identifier: GPL-2.0-or-later
"""The tunnel finds the provider by its name, and repairs itself: the same routes, the same port, the same bindings."""
import contextlib
import json
import os
import re
import signal
import subprocess
import tempfile
import time

import pytest

from clients import WideDhcp6c
from lab import BEYOND, OUR_PROTOCOL, Stopwatch, ping, run, stop_process, wait_for

NAME = "vpn.provider1.example"
DNS = "127.0.0.53"
TUNNEL = "wg-provider1"


class NameServer:
    """dnsmasq on the docker host's loopback, where a host's own resolver is, too."""

    def __init__(self, ns):
        self.ns, self.process = ns, None
        self.dir = tempfile.mkdtemp(prefix="vbng-dns-")
        self.hosts = os.path.join(self.dir, "hosts")
        self.resolv_conf = os.path.join(self.dir, "resolv.conf")
        with open(self.resolv_conf, "w", encoding="ascii") as f:
            f.write(f"nameserver {DNS}\n")

    def start(self):
        self.process = self.ns.popen("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces",
                                     f"--listen-address={DNS}", f"--addn-hosts={self.hosts}", "--local-ttl=1", "--user=root", "--pid-file=",
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("dnsmasq", lambda: f"{DNS}:53" in self.ns.exec("ss", "-Hlun").stdout)
        return self

    def say(self, *addresses):
        """From now on the name has these."""
        with open(self.hosts, "w", encoding="ascii") as f:
            f.writelines(f"{a} {NAME}\n" for a in addresses)
        os.chmod(self.dir, 0o755)
        if self.process:
            self.process.send_signal(signal.SIGHUP)
        return self

    def close(self):
        if self.process:
            stop_process(self.process)
        run("rm", "-rf", self.dir)


@pytest.fixture
def dns(lab):
    return lab.add(NameServer(lab.host), NameServer.close)


def tunnel(vbng):
    return vbng.status()["tunnel"]


def carries(vbng, wait=1):
    """From our own address to the internet: each one is traffic, too."""
    return not vbng.ns().exec("ping", "-6", "-n", "-c", "1", "-W", str(wait), BEYOND, check=False).returncode


def wait_carrying(vbng):
    """The seconds that it took."""
    watch = Stopwatch()
    try:
        wait_for("an answer through the tunnel", lambda: carries(vbng), every=0.1)
    except AssertionError as e:
        raise AssertionError(f"{e}\n{vbng.text()}") from None
    return watch.seconds()


def wait_endpoint(vbng, endpoint):
    """What status shows is what was last looked at."""
    try:
        wait_for(f"{endpoint} in status", lambda: tunnel(vbng)["endpoint"] == endpoint)
    except AssertionError as e:
        raise AssertionError(f"{e}: {tunnel(vbng)}\n{vbng.text()}") from None


def shape(vbng):
    """All that subscribers and the provider know of it."""
    ns = vbng.ns()
    link = ns.json("link", "show", "dev", TUNNEL)[0]
    return {
        "mtu": link["mtu"], "up": "UP" in link["flags"],
        "addresses": sorted(a["local"] for a in ns.addresses(TUNNEL)),
        "routes": sorted((r["dst"], r.get("dev"), r.get("gateway")) for r in ns.routes("proto", OUR_PROTOCOL)),
        "prefixes": vbng.prefixes(),
    }


def host_port(lab, own=()):
    """UDP ports that are open in the docker host, less the name server's."""
    ports = re.findall(r":(\d+)\s", " ".join(line.split()[3] + " " for line in lab.host.exec("ss", "-Hlun").stdout.splitlines()))
    return sorted({int(p) for p in ports} - {53})


# --- names

def test_a_name_is_asked_for_where_the_hosts_resolver_is(lab, dns):
    lab.internet()
    dns.say("192.0.2.1").start()
    vbng = lab.vbng(WIREGUARD_ENDPOINT=f"{NAME}:51820", setup=f"mkdir -p /run/host\nmount -t tmpfs tmpfs /run/host\ncp {dns.resolv_conf} /run/host/resolv.conf").wait_serving()
    wait_carrying(vbng)
    wait_endpoint(vbng, "192.0.2.1:51820")
    assert tunnel(vbng)["endpoint_name"] == NAME and f"at {NAME} = 192.0.2.1:51820" in vbng.verb("status").stdout
    assert re.search(rf"tunnel endpoint resolved name={NAME}", vbng.text())
    assert vbng.stop()[0] == 0


def test_given_dns_servers_are_asked_and_the_right_address_is_found_among_several(lab, dns):
    lab.internet(True)
    # Nobody is at these: one with a route, one without; and the one that answers is of the other family.
    dns.say("192.0.2.77", "198.51.100.7", "2001:db8:a::1").start()
    vbng = lab.vbng(WIREGUARD_ENDPOINT=f"{NAME}.:51820", WIREGUARD_ENDPOINT_RESOLVER=f"127.0.0.1,{DNS}:53").wait_serving()
    took = wait_carrying(vbng)
    wait_endpoint(vbng, "[2001:db8:a::1]:51820")
    print(f"found among three after {took:.1f} s")
    dns.say("192.0.2.77", "192.0.2.78", "192.0.2.1")
    vbng.stop()
    again = lab.vbng(own=vbng.own, WIREGUARD_ENDPOINT=f"{NAME}:51820", WIREGUARD_ENDPOINT_RESOLVER=DNS).wait_serving()
    took = wait_carrying(again)
    wait_endpoint(again, "192.0.2.1:51820")
    print(f"found among three of one family after {took:.1f} s")


def test_subscribers_are_served_while_the_name_is_looked_for(lab, dns):
    lab.internet()
    dns.say()
    vbng = lab.vbng(WIREGUARD_ENDPOINT=f"{NAME}:51820", WIREGUARD_ENDPOINT_RESOLVER=DNS).wait_serving()
    assert tunnel(vbng)["state"] == "resolving"
    assert f" at {NAME} (no address yet); " in vbng.verb("status").stdout
    source = lab.client(WideDhcp6c).wait()
    vbng.wait_log("warning tunnel endpoint not resolved, trying again")
    dns.start()  # without the name yet
    vbng.wait_log("there is no such name|name has no address|refuse, or cannot tell")
    dns.say("192.0.2.1")
    # Without waiting for the next attempt, which comes by itself: the host's network has changed.
    lab.host.ip("route", "add", "198.51.100.0/24", "dev", "wan0")
    took = wait_carrying(vbng)
    print(f"carries {took:.1f} s after the name is there")
    assert ping(lab.cpe, source)
    assert vbng.text().count("endpoint not resolved") >= 2


def test_a_resolver_that_dies_is_told_and_another_one_asks(lab):
    lab.internet()
    vbng = lab.vbng(WIREGUARD_ENDPOINT=f"{NAME}:51820", WIREGUARD_ENDPOINT_RESOLVER="192.0.2.77").wait_serving()  # nobody is there

    def asking():
        return [p for p in vbng.family() if command(p) == "vbng-resolver"]

    def command(pid):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/comm", encoding="ascii") as f:
            return f.read().strip()
        return ""
    first = wait_for("a resolver", asking, 20, 0.01)[0]
    os.kill(first, signal.SIGKILL)
    vbng.wait_log("endpoint not resolved, trying again.*retry_ms=")
    assert wait_for("another one", lambda: [p for p in asking() if p != first], 70, 0.05)
    assert vbng.stop()[0] == 0


def test_nobody_to_ask_is_said_with_what_helps(lab, tmp_path):
    lab.internet()
    empty = tmp_path / "resolv.conf"
    empty.write_text("nameserver 127.0.0.11\n")
    vbng = lab.vbng(WIREGUARD_ENDPOINT=f"{NAME}:51820", setup=f"mount --bind {empty} /etc/resolv.conf").wait_serving()
    vbng.wait_log("no name server is known.*WIREGUARD_ENDPOINT_RESOLVER.*/run/host/resolv.conf")
    assert tunnel(vbng)["state"] == "resolving"
    assert vbng.stop()[0] == 0


def test_a_name_of_etc_hosts_needs_no_server(lab, tmp_path):
    lab.internet()
    hosts, empty = tmp_path / "hosts", tmp_path / "resolv.conf"
    hosts.write_text(f"192.0.2.1 {NAME}\n")
    empty.write_text("")
    hosts.chmod(0o644)
    vbng = lab.vbng(WIREGUARD_ENDPOINT=f"{NAME}:51820", setup=f"mount --bind {hosts} /etc/hosts\nmount --bind {empty} /etc/resolv.conf").wait_serving()
    wait_carrying(vbng)


def test_a_provider_that_comes_back_at_another_address_is_found_by_its_name(lab, dns):
    net = lab.internet()
    dns.say("192.0.2.1").start()
    vbng = lab.vbng(WIREGUARD_ENDPOINT=f"{NAME}:51820", WIREGUARD_ENDPOINT_RESOLVER=DNS).wait_serving()
    source = lab.client(WideDhcp6c).wait()
    wait_carrying(vbng)
    before = shape(vbng)
    net.die()
    net.ns.ip("addr", "del", "192.0.2.1/24", "dev", "up0")
    assert not carries(vbng)
    dns.say("192.0.2.9")
    net.ns.ip("addr", "add", "192.0.2.9/24", "dev", "up0")
    net.revive()
    net.accept(lab.public)
    took = wait_carrying(vbng)
    print(f"traffic flows again {took:.1f} s after the provider is at its new address")
    assert took < 40
    wait_endpoint(vbng, "192.0.2.9:51820")
    assert shape(vbng) == before and ping(lab.cpe, source)
    assert re.search("info tunnel endpoint address=192.0.2.9:51820 was=192.0.2.1:51820", vbng.text())


def test_a_provider_that_moved_is_not_called_back_by_its_name(lab, dns):
    net = lab.internet()
    dns.say("192.0.2.1").start()
    vbng = lab.vbng(WIREGUARD_ENDPOINT=f"{NAME}:51820", WIREGUARD_ENDPOINT_RESOLVER=DNS).wait_serving()
    wait_carrying(vbng)
    # WireGuard follows whoever has the key: the provider sends from its new address.
    net.ns.ip("addr", "add", "192.0.2.9/24", "dev", "up0")
    net.ns.ip("addr", "del", "192.0.2.1/24", "dev", "up0")
    net.ns.ip("addr", "replace", "192.0.2.9/24", "dev", "up0")
    wait_for("the provider at its new address", lambda: net.ns.exec("ping", "-6", "-n", "-c", "1", "-W", "1", "2001:db8:0:1::2", check=False).returncode == 0
             and tunnel(vbng)["endpoint"] == "192.0.2.9:51820", 30)
    vbng.send(signal.SIGUSR1)
    time.sleep(3)
    assert tunnel(vbng)["endpoint"] == "192.0.2.9:51820" and carries(vbng)


# --- repair

@pytest.mark.parametrize("what", ["deleted", "down", "mtu", "address", "route", "wireguard-go killed", "wireguard-go stopped"])
def test_what_becomes_of_its_interface_is_put_right(lab, what):
    lab.internet()
    vbng = lab.vbng(WIREGUARD_BACKEND="userspace" if lab.net.kernel else "auto").wait_serving()
    source = lab.client(WideDhcp6c).wait()
    wait_carrying(vbng)
    before, ports = shape(vbng), host_port(lab)
    assert len(ports) == 1 and before["up"] and ("default", TUNNEL, None) in before["routes"]
    child = int(run("pgrep", "-P", vbng.pids()[0], "wireguard-go").stdout.split()[0])
    watch = Stopwatch()
    if what == "deleted":
        vbng.own.ip("link", "del", TUNNEL)
    elif what == "down":
        vbng.own.ip("link", "set", TUNNEL, "down")
    elif what == "mtu":
        vbng.own.ip("link", "set", TUNNEL, "mtu", "1300")
    elif what == "address":
        vbng.own.ip("addr", "flush", "dev", TUNNEL, "scope", "global")
    elif what == "route":
        vbng.own.ip("-6", "route", "del", "default", "dev", TUNNEL)
    else:
        os.kill(child, signal.SIGKILL if what.endswith("killed") else signal.SIGSTOP)
    if what in ("deleted", "wireguard-go killed", "wireguard-go stopped"):
        vbng.wait_log("tunnel made again")
    else:
        vbng.wait_log("somebody changed it, put right")
    wait_carrying(vbng)
    took = watch.seconds()
    print(f"{what}: traffic flows again after {took:.1f} s")
    assert took < (35 if what.endswith("stopped") else 12)
    assert shape(vbng) == before and host_port(lab) == ports
    assert ping(lab.cpe, source)
    assert vbng.text().count("this kernel has no WireGuard") == (0 if lab.net.kernel else 1), "not each time that it is made"
    assert vbng.stop()[0] == 0
    wait_for("the host without our links", lambda: "vbng" not in lab.host.ip("link"))


def test_a_server_that_starts_while_the_tunnel_is_made_again_knows_its_backend(lab):
    lab.internet()
    vbng = lab.vbng(WIREGUARD_BACKEND="userspace").wait_serving()

    def kill_it():
        os.kill(int(run("pgrep", "-P", vbng.pids()[0], "wireguard-go").stdout.split()[0]), signal.SIGKILL)
    for n in range(1, 6):  # ever longer pauses
        kill_it()
        vbng.wait_log("tunnel made again", count=n)
    kill_it()
    vbng.wait_log("wireguard-go ended|the interface is gone", count=6)
    os.kill(vbng.pids()[1], signal.SIGKILL)
    vbng.wait_log("init serving", count=1)
    status = wait_for("the next server's status", lambda: (s := json.loads(vbng.verb("status", "--json", check=False).stdout or "{}")).get("server_restarts") and s)
    assert len(re.findall("tunnel made again", vbng.text())) == 5, "it is not there yet"
    assert status["tunnel"]["backend"] == "userspace"
    assert vbng.stop()[0] == 0


def test_the_hosts_address_changes(lab):
    lab.internet()
    vbng = lab.vbng().wait_serving()
    wait_carrying(vbng)
    lab.host.ip("addr", "add", "192.0.2.200/24", "dev", "wan0")
    lab.host.ip("addr", "del", "192.0.2.2/24", "dev", "wan0")
    lab.host.ip("addr", "replace", "192.0.2.200/24", "dev", "wan0")
    print(f"traffic flows again after {wait_carrying(vbng):.1f} s")


# --- endpoints of every kind

def test_the_provider_is_a_link_local_address_on_one_of_the_hosts_nics(lab):
    net = lab.internet()
    address = wait_for("the link-local address", lambda: [a["local"] for a in net.ns.addresses("up0", "link")])[0]
    vbng = lab.vbng(WIREGUARD_ENDPOINT=f"[{address}%wan0]:51820").wait_serving()
    wait_carrying(vbng)
    wait_for("its address in status", lambda: (tunnel(vbng)["endpoint"] or "").startswith(f"[{address}"))


@pytest.mark.parametrize("address", ["127.0.0.1", "192.0.2.2", "[::1]"])
def test_the_provider_is_the_host_itself(lab, address):
    net = lab.internet()
    net.die()
    net.revive(lab.host)
    net.accept(lab.public)
    vbng = lab.vbng(WIREGUARD_ENDPOINT=f"{address}:51820").wait_serving()
    wait_carrying(vbng)
    wait_endpoint(vbng, f"{address}:51820")
