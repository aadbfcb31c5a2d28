# SPDX-License-Identifier: GPL-2.0-or-later
"""What people do to it, one thing after another, for VBNG_CHAOS_S seconds (without it not at all), drawn by VBNG_CHAOS_SEED (printed).

Each thing must be seen to have had its effect; what did nothing is a failure, too. After each: every CPE has its connection again within the
time that is stated for it, by the prefix that it always had; nobody else has that; the NIC is where it belongs; the host is as it was.
"""
import inspect
import ipaddress
import json
import os
import random
import re
import signal
import subprocess
import time

import pytest

from test_cables import MAC
from test_docker import BEYOND, LEAST, POOL, VPN, Container, Cpe, host_state, ip, run, wait_for

pytestmark = pytest.mark.skipif(os.environ.get("VBNG_VM") != "1", reason="runs inside scripts/vm-tests' virtual machine")

SECONDS = float(os.environ.get("VBNG_CHAOS_S", "0"))
SEED = int(os.environ.get("VBNG_CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
ONLY = os.environ.get("VBNG_CHAOS_ONLY", "").split()
NAME, STATE, ZONE = "provider1", "/tmp/chaos-state", "chaos.lab"
TUNNEL = f"wg-{NAME}"
OTHER_MAC = "52:54:00:76:63:00"
BACK_S = 120  # on an emulated machine that is busy with other things, too
EFFECT_S = 120
FAULTS_MAX = 4  # it goes on after one, which may not be the last
ENGINE_S = 180  # for the engine's own commands, which are no matter of ours
DESCRIPTORS_MORE = 4  # a control connection, a question that is on its way
SANITIZER = re.compile(r"ERROR: (Address|Leak)Sanitizer.*|.*runtime error:.*")


class World:
    """What is there, and what people do to it.

    Each deed either does something and says how its effect is seen (None: it has looked itself), or it is a generator: it does harm, yields
    how that is seen, and then puts right what only people can put right.
    """
    name = NAME

    def __init__(self, provider, monitor, name_server, rnd):
        self.rnd = rnd
        os.makedirs(STATE, exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", STATE)
        self.provider, self.monitor, self.name_server = provider, monitor, name_server
        name_server.say("192.0.2.1")
        self.slot = os.path.dirname(os.path.realpath("/sys/class/net/eth0/device"))
        self.mac = MAC
        self.backend, self.least = "kernel", False
        self.clients, self.sources = [], {}
        self.said = ""  # by containers that are no more
        self.descriptors = {}  # of each PID 1, when it was first looked at
        self.others = strays(0)
        self.begin()

    def begin(self):
        run("docker", "run", "-d", "--name", NAME, "--restart", "unless-stopped", *self.args(), "vbng", timeout=ENGINE_S)
        wait_for("the service", lambda: (self.status() or {}).get("state") == "serving")

    def args(self, number=0, volume=STATE, **env):
        """Of `docker run`, for the provider or for another one that is not to have what is its."""
        env = self.provider.env(number, WIREGUARD_ENDPOINT=f"{VPN}:51820", WIREGUARD_BACKEND=self.backend, UPLINK_PROBE="2001:db8:0:1::1",
                                DNS_ZONE=ZONE, DHCPV6_PREFERRED_LIFETIME="60", **env)
        return [*([*LEAST, "--device", "/dev/net/tun"] if self.least else ["--privileged"]), "--network", "none",
                "-v", "/proc/1/ns/net:/var/run/netns/host", *self.name_server.MOUNTED, *(["-v", f"{volume}:/var/lib/vbng"] if volume else []),
                *(x for k, v in env.items() for x in ("-e", f"{k}={v}"))]

    # What is there.

    def pid(self):
        """Of the container's PID 1; 0 where it does not run."""
        said = run("docker", "inspect", "-f", "{{.State.Pid}}", NAME, check=False).stdout.strip()
        return int(said or 0)

    def running(self):
        return wait_for("the container", self.pid, ENGINE_S)

    def children(self, name=None, first=None):
        """Of PID 1, by their names."""
        try:
            first = first or self.running()
            with open(f"/proc/{first}/task/{first}/children", encoding="ascii") as f:
                found = [int(p) for p in f.read().split()]
            return [p for p in found if name in (None, comm(p))]
        except OSError:
            return []

    def inside(self, *cmd):
        return run("nsenter", "-t", str(self.running()), "-n", *cmd, check=False)

    def verb(self, *words):
        """Without the engine, whose exec takes seconds on an emulated machine."""
        return run("nsenter", "-t", str(self.running()), "-m", "-p", "/usr/bin/vbng", *words, check=False)

    def status(self):
        r = self.verb("status", "--json")
        return json.loads(r.stdout) if r.returncode == 0 else None

    def tells(self, *path):
        """What status says there; None where nobody answers."""
        said = self.status()
        for key in path:
            said = said and said[key]
        return said

    def link(self, dev):
        said = self.inside("ip", "-j", "link", "show", "dev", dev).stdout
        return json.loads(said)[0] if said else {"ifindex": 0, "flags": []}

    def log(self):
        return self.said + Container.log(self)

    def told(self, what):
        """Whether that is said once more than by now."""
        count = self.log().count(what)
        return lambda: self.log().count(what) > count

    def nic_at_home(self):
        return [link for link in json.loads(ip("-j", "link")) if link["ifname"] == "eth0" and link["address"] == self.mac]

    def picture(self):
        """What there is to see when something went wrong."""
        state = run("docker", "inspect", "-f", "{{json .State}} {{.RestartCount}}", NAME, check=False).stdout
        with open("/share/dockerd.log", encoding="utf-8", errors="replace") as f:
            engine = f.readlines()[-12:]
        log = "\n".join(self.log().splitlines()[-80:])
        inside = [self.inside(*cmd).stdout for cmd in (("ip", "addr"), ("ip", "-6", "route"))] if self.pid() else []
        seen = [ip(*cmd, ns=client.ns) for client in self.clients for cmd in (("addr",), ("-6", "route"))]
        return "\n".join([log, state, "".join(engine), run("ps", "-eo", "pid,ppid,stat,etime,wchan:20,comm,args").stdout, ip("link"),
                          str(self.verb("status").stdout) if self.pid() else "", *inside, *seen])

    # What people do to the processes.

    def kill_one(self, name):
        """One that is to be replaced at once."""
        pid = wait_for(f"a {name}", lambda: self.children(name))[0]
        os.kill(pid, signal.SIGKILL)
        return lambda: (found := self.children(name)) and pid not in found

    def kill_the_server(self):
        return self.kill_one("vbng")

    def kill_who_changes_routes(self):
        return self.kill_one("vbng-fib")

    def kill_the_subscribers_resolver(self):
        return self.kill_one("dnsmasq")

    def kill_wireguard_go(self):
        if self.backend != "userspace":
            self.backend = "userspace"
            self.begin_anew()
            wait_for("the tunnel", lambda: self.tells("tunnel", "state") == "up")
        return self.kill_one("wireguard-go")

    def kill_both_spawners_and_then_the_resolver(self):
        """Nobody is left who could start it: the container ends in order, and its restart policy brings all of it back."""
        first = self.running()
        spawners = [p for name in ("vbng-spawner", "vbng-spawner-h") for p in self.children(name)]
        assert len(spawners) == 2, "one in each namespace"
        for p in [*spawners, *self.children("dnsmasq")]:
            os.kill(p, signal.SIGKILL)
        return lambda: self.pid() not in (0, first)

    def kill_who_asks_for_the_providers_name(self):
        self.name_server.process.send_signal(signal.SIGSTOP)
        self.uplink("down")
        try:
            victim = wait_for("who asks", lambda: self.children("vbng-resolver"))[0]
            os.kill(victim, signal.SIGKILL)
            yield lambda: not os.path.exists(f"/proc/{victim}")
        finally:
            self.name_server.process.send_signal(signal.SIGCONT)
            self.uplink("up")

    def kill_everything(self):
        first = self.running()
        os.kill(first, signal.SIGKILL)
        return lambda: self.pid() not in (0, first)

    def kill_something_while_it_starts(self):
        first = self.running()
        os.kill(first, signal.SIGKILL)
        second = wait_for("the next one", lambda: (pid := self.pid()) != first and pid)
        time.sleep(self.rnd.uniform(0, 4))
        victim = self.rnd.choice([second, *self.children(first=second)])
        name = comm(victim)
        os.kill(victim, signal.SIGKILL)
        print(f"  (that was {name}, {'PID 1' if victim == second else 'its child'})", flush=True)
        return lambda: not os.path.exists(f"/proc/{victim}")

    # To the container.

    def docker_restart(self):
        first = self.running()
        run("docker", "restart", NAME, timeout=ENGINE_S)
        return lambda: self.pid() not in (0, first)

    def docker_kill_and_start(self):
        run("docker", "kill", NAME, timeout=ENGINE_S)
        yield self.nic_at_home
        run("docker", "start", NAME, timeout=ENGINE_S)

    def docker_stop_and_start(self):
        run("docker", "stop", NAME, timeout=ENGINE_S)
        yield self.nic_at_home
        run("docker", "start", NAME, timeout=ENGINE_S)

    def docker_pause_and_unpause(self):
        run("docker", "pause", NAME, timeout=ENGINE_S)
        yield lambda: not self.clients[0].asks(f"router.{ZONE}")
        run("docker", "unpause", NAME, timeout=ENGINE_S)

    def begin_anew(self):
        """Another container on the same volume."""
        self.said = self.log()
        run("docker", "rm", "-f", NAME, timeout=ENGINE_S)
        self.begin()

    def make_it_anew_with_other_settings(self):
        first = self.running()
        self.backend = "kernel" if self.backend == "userspace" else "userspace"
        self.least = not self.least
        print(f"  ({self.backend} backend, {'the least set of privileges' if self.least else 'privileged'})", flush=True)
        self.begin_anew()
        return lambda: self.pid() not in (0, first)

    def start_it_twice(self):
        """As it is, or another one that wants one thing of it."""
        other = {"number": 1, "volume": None}
        what, args = self.rnd.choice([
            ("all", self.args(volume=None)), ("the volume", self.args(1)), ("the name", self.args(**other, WIREGUARD_INTERFACE_SUFFIX=NAME)),
            ("the NIC", self.args(**other, SUBSCRIBER_INTERFACE="eth0")), ("the prefixes", self.args(**other, ASSIGNED_PREFIX="2001:db8:ffff::/48"))])
        print(f"  (it wants {what})", flush=True)
        r = run("docker", "run", "--rm", "--name", "twin", *args, "vbng", check=False, timeout=ENGINE_S)
        assert r.returncode == 69 and NAME in r.stdout + r.stderr, f"{what}: exit {r.returncode}\n{r.stdout}{r.stderr}"

    # To cables and cards.

    def pull_the_cable(self):
        self.monitor.cable(False)
        yield lambda: self.tells("subscriber", "link") is False
        self.monitor.cable(True)

    def pull_the_cpes_cable(self):
        first = self.clients[0]
        ip("link", "set", first.dev, "down", ns=first.ns)
        yield lambda: not first.has_default_route()
        ip("link", "set", first.dev, "up", ns=first.ns)

    def set_the_nic_down_and_up(self):
        self.inside("ip", "link", "set", "eth0", "down")
        yield lambda: self.tells("subscriber", "link") is False
        self.inside("ip", "link", "set", "eth0", "up")

    def card(self):
        """The card's driver's name for it, while there is one."""
        return next((name for name in os.listdir(self.slot) if name.startswith("virtio")), None) if os.path.isdir(self.slot) else None

    def unplug_the_nic_and_plug_it_in(self):
        virtio = self.card()
        for action in "unbind", "bind":
            with open(f"/sys/bus/virtio/drivers/virtio_net/{action}", "w", encoding="ascii") as f:
                f.write(virtio)
            if action == "unbind":
                yield lambda: self.tells("subscriber", "missing") is True

    def replace_the_nic(self, mac=None):
        """By another card, in the same slot and with the same name."""
        self.monitor.unplug()
        wait_for("the card gone", lambda: not self.card())
        yield lambda: self.tells("subscriber", "missing") is True
        self.mac = mac or (OTHER_MAC if self.mac == MAC else MAC)

        def plugged():
            try:
                self.monitor.plug(self.mac)
            except AssertionError as e:  # the old one is on its way
                assert "Duplicate" in str(e) or "in use" in str(e), e
                return False
            return True
        wait_for("the other card in", plugged)
        wait_for("the other card seen", self.card)

    # To the uplink.

    def uplink(self, state):
        ip("link", "set", "up0", state, ns="internet")
        if state == "up":
            ip("addr", "replace", "2001:db8:a::1/64", "dev", "up0", "nodad", ns="internet")

    def nobody_has_a_default_route(self):
        return not any(client.has_default_route() for client in self.clients)

    def cut_the_uplink(self):
        self.uplink("down")
        yield self.nobody_has_a_default_route
        self.uplink("up")

    def restart_the_providers_concentrator(self):
        self.provider.die()
        yield self.nobody_has_a_default_route
        self.provider.revive()

    def delete_the_tunnel(self):
        index = self.link(TUNNEL)["ifindex"]
        self.inside("ip", "link", "del", TUNNEL)
        return lambda: self.link(TUNNEL)["ifindex"] not in (0, index)

    def spoil_the_tunnel(self):
        what = self.rnd.choice([("link", "set", TUNNEL, "down"), ("link", "set", TUNNEL, "mtu", "1300"), ("addr", "flush", "dev", TUNNEL, "scope", "global"),
                                ("-6", "route", "del", "default", "dev", TUNNEL)])
        print(f"  (ip {' '.join(what)})", flush=True)
        seen = self.told("somebody changed it, put right")
        done = self.inside("ip", *what)
        assert done.returncode == 0, done.stderr
        return seen

    # To what it stores, and to the time.

    def fill_the_disk(self):
        """A client begins anew meanwhile, whose binding has to be stored."""
        client = self.rnd.choice(self.clients)
        with open(f"{STATE}/ballast", "wb", buffering=0) as f:
            try:
                while True:
                    f.write(bytes(4096))
            except OSError:
                pass
        client.end()
        client.begin()

        def noticed():
            if self.tells("store", "ok") is False:
                return client.address() == self.sources[client]
            for by in 5, -5:  # its log's file is longer than the log; each time that the clock is set all is stored anew, until that is used up
                time.clock_settime(time.CLOCK_REALTIME, time.time() + by)
                time.sleep(0.5)
            return False
        yield noticed
        if self.rnd.random() < 0.5:
            print("  (and everything killed)", flush=True)
            first = self.running()
            os.kill(first, signal.SIGKILL)
            wait_for("the next one", lambda: self.pid() not in (0, first))
            time.sleep(self.rnd.uniform(0, 4))
        os.unlink(f"{STATE}/ballast")

    def jump_the_clock(self):
        by = self.rnd.choice([-86400, -3600, 3600, 1200])
        seen = self.told("the wall clock was set")
        time.clock_settime(time.CLOCK_REALTIME, time.time() + by)
        if by < 0:  # WireGuard's responder refuses handshakes that are older than the last, so long as it remembers that one
            public = self.provider.subscriber_keys[0][1]
            wg = ("ip", "netns", "exec", "internet", "wg", "set", "wg0", "peer", public)
            run(*wg, "remove")
            run(*wg, "allowed-ips", "2001:db8:0:1::2/128,2001:db8:ffff::/48")
        return seen

    # And what subscribers do.

    def restart_a_cpe(self):
        client, signo = self.rnd.choice(self.clients), self.rnd.choice([signal.SIGKILL, signal.SIGTERM])
        client.end(signo)
        yield lambda: not client.address()
        client.begin()

    def one_upon_another(self):
        """Two of those that need nothing of what the other one breaks, and nobody waits between them."""
        deeds = self.rnd.sample([self.kill_the_server, self.kill_the_subscribers_resolver, self.kill_everything, self.docker_restart, self.pull_the_cable,
                                 self.pull_the_cpes_cable, self.set_the_nic_down_and_up, self.replace_the_nic, self.cut_the_uplink,
                                 self.restart_the_providers_concentrator, self.delete_the_tunnel, self.jump_the_clock, self.restart_a_cpe], 2)
        print(f"  ({' and '.join(deed.__name__ for deed in deeds)})", flush=True)
        begun = [deed() for deed in deeds]
        for deed in begun:
            if inspect.isgenerator(deed):
                next(deed)
        yield lambda: True  # either may have undone the other's
        self.rnd.shuffle(begun)
        for deed in begun:
            if inspect.isgenerator(deed):
                time.sleep(self.rnd.uniform(0, 2))
                next(deed, None)

    def deeds(self):
        return [self.kill_the_server, self.kill_who_changes_routes, self.kill_the_subscribers_resolver, self.kill_wireguard_go,
                self.kill_both_spawners_and_then_the_resolver, self.kill_who_asks_for_the_providers_name, self.kill_everything,
                self.kill_something_while_it_starts, self.docker_restart, self.docker_kill_and_start, self.docker_stop_and_start,
                self.docker_pause_and_unpause, self.make_it_anew_with_other_settings, self.start_it_twice, self.pull_the_cable,
                self.pull_the_cpes_cable, self.set_the_nic_down_and_up, self.unplug_the_nic_and_plug_it_in, self.replace_the_nic,
                self.cut_the_uplink, self.restart_the_providers_concentrator, self.delete_the_tunnel, self.spoil_the_tunnel, self.fill_the_disk,
                self.jump_the_clock, self.restart_a_cpe, self.one_upon_another, self.one_upon_another]

    def do(self, deed):
        """Until what brings it back can begin: the effect was seen (the engine has started it again), and it was put right."""
        told = deed()
        lasting = inspect.isgenerator(told)
        effect = next(told) if lasting else told
        try:
            if effect:
                wait_for("its effect", effect, EFFECT_S)
        finally:
            if lasting:
                time.sleep(self.rnd.uniform(0, 3))
                next(told, None)

    # How it must be after that.

    def all_is_well(self):
        """What is not as it should be, and may still become so."""
        said = self.status()
        if not said:
            return "nobody answers"
        for client, source in self.sources.items():
            if not client.has_connection(source):
                return f"{client.ns} has no connection"
        seen = {"the service": said["state"] == "serving", "the tunnel": said["tunnel"]["state"] == "up", "the link": said["subscriber"]["link"],
                "the packet filter": said["filter"]["active"] or self.filter_was_killed(),
                "the store": said["store"]["ok"], "the resolver": self.clients[0].asks(f"router.{ZONE}")}
        return next((f"{what} is not all right: {said}" for what, well in seen.items() if not well), None)

    def filter_was_killed(self):
        """Who loads its rules, of which there is one at each start; then it is told, and there are none until the next."""
        return "whoever loads the rules ended without a word" in self.log().rpartition("info init vbng version")[2]

    def check(self, host):
        first = self.running()
        told = wait_for("an answer of its own", lambda: (r := self.verb("leases", "--json")).returncode == 0 and r, 20)
        leases = [x for x in json.loads(told.stdout) if x.get("state") == "bound" and x.get("kind") == "prefix"]
        prefixes = [ipaddress.ip_network(x["prefix"]) for x in leases]
        assert len(prefixes) == len(self.sources) == len({x["duid"] for x in leases}), leases
        assert not any(p.overlaps(q) for i, p in enumerate(prefixes) for q in prefixes[:i]), prefixes
        routes = json.loads(self.inside("ip", "-j", "-6", "route", "show", "proto", "118").stdout)
        for client, source in self.sources.items():
            owners = [p for p in prefixes if ipaddress.ip_address(source) in p]
            assert len(owners) == 1 and client.address() == source, (source, leases)
            led = [r.get("gateway") for r in routes if r["dst"] == str(owners[0])]
            assert led == [client.link_local()], f"{owners[0]} of {client.ns}: {routes}"
        own = {link["ifname"]: link for link in json.loads(self.inside("ip", "-j", "link").stdout)}
        links = {link["ifname"] for link in json.loads(ip("-j", "link"))}
        assert "eth0" in own and own["eth0"]["address"] == self.mac and "eth0" not in links, (own, links)
        assert own[TUNNEL]["mtu"] == 1420
        differs = difference(host, host_without_the_nic())
        assert not differs, f"the host is not as it was: {differs}"
        assert not strays(first) - self.others, f"processes of ours outside the container: {strays(first) - self.others}"
        assert self.no_zombies(first), self.children(first=first)
        count = len(os.listdir(f"/proc/{first}/fd"))
        before = self.descriptors.setdefault(first, count)
        assert count <= before + DESCRIPTORS_MORE, f"PID 1 has {count} descriptors, and had {before}"

    def no_zombies(self, first):
        """One that has just ended may not be reaped yet."""
        return wait_for("all children reaped", lambda: not [p for p in self.children(first=first) if stat_of(p) == "Z"], 10)


class Subscriber(Cpe):
    def has_connection(self, source):
        return run("ip", "netns", "exec", self.ns, "ping", "-6", "-n", "-c", "1", "-W", "1", "-I", source, BEYOND, check=False).returncode == 0

    def asks(self, name):
        """Our resolver, from the prefix that was delegated."""
        r = run("ip", "netns", "exec", self.ns, "dig", "+time=1", "+tries=1", "+short", "-b", self.address() or "::", "AAAA", name,
                "@2001:db8:ffff::1", check=False)
        return r.returncode == 0 and "2001:db8:ffff::1" in r.stdout.split()

    def link_local(self):
        for link in json.loads(ip("-j", "-6", "addr", "show", "dev", self.dev, "scope", "link", ns=self.ns)):
            for address in link.get("addr_info", []):
                if address.get("scope") == "link":
                    return address["local"]
        return None


def comm(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="ascii") as f:
            return f.read().strip()
    except OSError:
        return None


def stat_of(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rpartition(")")[2].split()[0]
    except OSError:
        return None


def strays(container):
    """Processes of ours that are not the container's."""
    inside = os.stat(f"/proc/{container}/ns/pid").st_ino if container else 0
    found = set()
    for p in run("pgrep", "-x", "vbng.*|dnsmasq|wireguard-go", check=False).stdout.split():
        try:
            if os.stat(f"/proc/{p}/ns/pid").st_ino != inside:
                found.add(int(p))
        except FileNotFoundError:
            pass
    return found


def host_without_the_nic():
    """Links, addresses, rules, kernel settings, routes, packet filter and namespaces of the docker host, but for what is said of eth0."""
    links, addresses, rules4, rules6, settings = host_state()
    routes = [line.strip() for family in ("-4", "-6") for line in ip(family, "route", "show", "table", "all").splitlines() if " eth0 " not in f"{line} "]
    return {"links": [x for x in links if x["ifname"] != "eth0"], "addresses": [x for x in addresses if x[0] != "eth0"], "rules": rules4 + rules6,
            "settings": {k: v for k, v in settings.items() if "/eth0/" not in k}, "routes": sorted(routes),
            "filter": run("nft", "list", "ruleset").stdout, "namespaces": ip("netns")}


def difference(before, after):
    return {what: (before[what], after[what]) for what in before if what != "settings" and before[what] != after[what]} | {
        k: (before["settings"].get(k), after["settings"].get(k)) for k in before["settings"].keys() | after["settings"].keys()
        if before["settings"].get(k) != after["settings"].get(k)}


def second_cpe():
    """Another one on the same link."""
    ip("netns", "add", "cpe5")
    ip("link", "add", "eth11", "link", "eth1", "type", "macvlan", "mode", "bridge", ns="cpe0")
    ip("link", "set", "eth11", "netns", "cpe5", ns="cpe0")
    ip("link", "set", "lo", "up", ns="cpe5")
    return Subscriber(5)


@pytest.mark.skipif(not SECONDS, reason="it takes minutes: VBNG_CHAOS_S says how many seconds")
def test_whatever_people_do_every_cpe_is_back(provider, monitor, name_server):
    rnd = random.Random(SEED)
    ip("link", "set", "eth0", "down")
    ip("addr", "flush", "dev", "eth0")
    before = host_state()
    print(f"VBNG_CHAOS_SEED={SEED} VBNG_CHAOS_S={SECONDS:.0f}", flush=True)
    world = World(provider, monitor, name_server, rnd)
    took, faults = {}, []
    try:
        world.clients += [Subscriber(0), second_cpe()]
        host = host_without_the_nic()
        for client in world.clients:
            world.sources[client] = client.wait()
            assert ipaddress.ip_address(world.sources[client]) in POOL and client.ping(world.sources[client]), world.picture()
        known = [deed for deed in world.deeds() if not ONLY or deed.__name__ in ONLY]
        end = time.monotonic() + SECONDS
        queue = []
        while time.monotonic() < end:
            if not queue:  # each once before one comes again
                queue = rnd.sample(known, len(known))
            deed = queue.pop()
            begun = time.monotonic()
            print(f"{deed.__name__}", flush=True)
            try:
                world.do(deed)
                done = time.monotonic()
                while (ill := world.all_is_well()) is not None:
                    assert time.monotonic() < done + BACK_S, f"after {BACK_S} s: {ill}"
                    time.sleep(0.1)
                seconds = time.monotonic() - done
                world.check(host)
            except (AssertionError, subprocess.TimeoutExpired, OSError, LookupError, ValueError) as e:
                faults.append(f"seed {SEED}, {deed.__name__}: {e}\n{world.picture()}")
                print(f"  FAULT: {e}", flush=True)
                assert len(faults) < FAULTS_MAX, "\n".join(faults)
                continue
            took.setdefault(deed.__name__, []).append(seconds)
            print(f"  {done - begun:.1f} s, all well after {seconds:.1f} s more", flush=True)
        for name, times in sorted(took.items()):
            print(f"{name:45} {len(times):3} times, all well after {max(times):.1f} s at most", flush=True)
        print(f"{sum(map(len, took.values()))} in all; had no turn: {', '.join(sorted({d.__name__ for d in known} - took.keys())) or 'none'}", flush=True)
        assert not faults, "\n".join(faults)
        assert subprocess.run(["docker", "stop", NAME], capture_output=True, timeout=ENGINE_S, check=False).returncode == 0
        assert not strays(0) - world.others
        if world.mac != MAC:
            for _ in world.replace_the_nic(MAC):
                pass
        wait_for("the card at home", lambda: "eth0" in {link["ifname"] for link in json.loads(ip("-j", "link"))})
        ip("link", "set", "eth0", "down")
        ip("addr", "flush", "dev", "eth0")
        after = host_state()
        assert after[1:4] == before[1:4] and [x["ifname"] for x in after[0]] == [x["ifname"] for x in before[0]]
    finally:
        said = world.log()
        for client in world.clients:
            client.close()
        for container in NAME, "twin":
            run("docker", "rm", "-f", container, check=False, timeout=ENGINE_S)
        run("umount", "-l", STATE, check=False)
        ip("netns", "del", "cpe5")
    assert not SANITIZER.search(said), said[SANITIZER.search(said).start():][:6000]
