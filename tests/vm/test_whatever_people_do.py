# SPDX-License-Identifier: GPL-2.0-or-later
"""What people do to it, one thing after another, for VBNG_CHAOS_S seconds (without it not at all), drawn by VBNG_CHAOS_SEED (printed).

After each step: the CPE has its connection again within the time that is stated for it, by the prefix that it always had; nobody else has
that; the NIC is where it belongs; nothing of ours is on the host.
"""
import ipaddress
import json
import os
import random
import re
import subprocess
import time

import pytest

from test_cables import MAC
from test_docker import BEYOND, POOL, Cpe, host_state, ip, run, wait_for

pytestmark = pytest.mark.skipif(os.environ.get("VBNG_VM") != "1", reason="runs inside scripts/vm-tests' virtual machine")

SECONDS = float(os.environ.get("VBNG_CHAOS_S", "0"))
SEED = int(os.environ.get("VBNG_CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
NAME, STATE = "provider1", "/tmp/chaos-state"
OTHER_MAC = "52:54:00:76:63:00"
BACK_S = 60  # on an emulated machine, Docker's own start and duplicate address detection in it
ENGINE_S = 180  # for the engine's own commands, which are no matter of ours
SANITIZER = re.compile(r"ERROR: (Address|Leak)Sanitizer.*|.*runtime error:.*")


class World:
    def __init__(self, provider, monitor, rnd):
        self.rnd = rnd
        os.makedirs(STATE, exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", STATE)
        self.provider, self.monitor = provider, monitor
        self.slot = os.path.dirname(os.path.realpath("/sys/class/net/eth0/device"))
        self.mac = MAC
        self.args = ["--privileged", "--network", "none", "-v", "/proc/1/ns/net:/var/run/netns/host",
                     *(x for k, v in provider.env().items() for x in ("-e", f"{k}={v}"))]
        run("docker", "run", "-d", "--name", NAME, "--restart", "unless-stopped", "-v", f"{STATE}:/var/lib/vbng", *self.args, "vbng")
        wait_for("the first service", lambda: (self.status() or {}).get("state") == "serving")

    def pid(self):
        return int(run("docker", "inspect", "-f", "{{.State.Pid}}", NAME).stdout)

    def inside(self, *cmd, check=True):
        return run("nsenter", "-t", str(self.pid()), "-n", *cmd, check=check)

    def verb(self, *words):
        """Without the engine, whose exec takes seconds on an emulated machine."""
        return run("nsenter", "-t", str(self.pid()), "-m", "/usr/bin/vbng", *words, check=False)

    def status(self):
        r = self.verb("status", "--json")
        return json.loads(r.stdout) if r.returncode == 0 else None

    def log(self, lines="60"):
        r = run("docker", "logs", "--tail", lines, NAME, check=False)
        return r.stdout + r.stderr

    def picture(self):
        """What there is to see when something went wrong."""
        state = run("docker", "inspect", "-f", "{{json .State}} {{.RestartCount}}", NAME, check=False).stdout
        with open("/share/dockerd.log", encoding="utf-8", errors="replace") as f:
            engine = f.readlines()[-12:]
        return f"{self.log()}\n{state}\n{''.join(engine)}\n{run('ps', '-eo', 'pid,ppid,stat,etime,wchan:20,args').stdout}\n{ip('link')}"

    def processes(self):
        """PID 1 of the container first, then its children."""
        first = self.pid()
        with open(f"/proc/{first}/task/{first}/children", encoding="ascii") as f:
            return [first, *map(int, f.read().split())]

    # What people do. Each puts right what only people can put right.

    def kill_the_server(self):
        os.kill(self.rnd.choice(self.processes()[1:]), 9)

    def kill_everything(self):
        os.kill(self.pid(), 9)

    def docker_restart(self):
        run("docker", "restart", NAME, timeout=ENGINE_S)

    def docker_kill_and_start(self):
        run("docker", "kill", NAME, timeout=ENGINE_S)
        time.sleep(self.rnd.uniform(0, 2))
        run("docker", "start", NAME, timeout=ENGINE_S)

    def pull_the_cable(self):
        self.monitor.cable(False)
        time.sleep(self.rnd.uniform(0.1, 4))
        self.monitor.cable(True)

    def pull_the_cpes_cable(self):
        ip("link", "set", "eth1", "down", ns="cpe0")
        time.sleep(self.rnd.uniform(0.1, 4))
        ip("link", "set", "eth1", "up", ns="cpe0")

    def set_the_nic_down_and_up(self):
        self.inside("ip", "link", "set", "eth0", "down")
        time.sleep(self.rnd.uniform(0, 2))
        self.inside("ip", "link", "set", "eth0", "up")

    def delete_the_tunnel(self):
        self.inside("ip", "link", "del", f"wg-{NAME}")

    def fill_the_disk(self):
        with open(f"{STATE}/ballast", "wb", buffering=0) as f:
            try:
                while True:
                    f.write(bytes(4096))
            except OSError:
                pass
        time.sleep(self.rnd.uniform(0, 3))
        if self.rnd.random() < 0.5:
            os.kill(self.pid(), 9)
            time.sleep(2)
        os.unlink(f"{STATE}/ballast")

    def jump_the_clock(self):
        by = self.rnd.choice([-86400, -3600, 3600, 1200])
        time.clock_settime(time.CLOCK_REALTIME, time.time() + by)
        if by < 0:  # WireGuard's responder refuses handshakes that are older than the last, so long as it remembers that one
            public = self.provider.subscriber_keys[0][1]
            wg = ("ip", "netns", "exec", "internet", "wg", "set", "wg0", "peer", public)
            run(*wg, "remove")
            run(*wg, "allowed-ips", "2001:db8:0:1::2/128,2001:db8:ffff::/48")

    def unplug_the_nic_and_plug_it_in(self):
        virtio = next(name for name in os.listdir(self.slot) if name.startswith("virtio"))
        for action in "unbind", "bind":
            with open(f"/sys/bus/virtio/drivers/virtio_net/{action}", "w", encoding="ascii") as f:
                f.write(virtio)
            time.sleep(self.rnd.uniform(0, 3))

    def replace_the_nic(self, mac=None):
        """By another card, in the same slot and with the same name."""
        self.mac = mac or (OTHER_MAC if self.mac == MAC else MAC)
        self.monitor.unplug()
        wait_for("the card gone", lambda: not [name for name in os.listdir(self.slot) if name.startswith("virtio")] if os.path.isdir(self.slot) else True)
        time.sleep(self.rnd.uniform(0, 3))

        def plugged():
            try:
                self.monitor.plug(self.mac)
            except AssertionError as e:  # the old one is on its way
                assert "Duplicate" in str(e) or "in use" in str(e), e
                return False
            return True
        wait_for("the other card in", plugged)
        wait_for("the other card seen", lambda: os.path.isdir(self.slot))

    def start_it_twice(self):
        r = run("docker", "run", "--rm", *self.args, "vbng", check=False, timeout=ENGINE_S)
        assert r.returncode == 69 and NAME in r.stdout + r.stderr, f"exit {r.returncode}\n{r.stdout}{r.stderr}"

    def cut_the_uplink(self):
        ip("link", "set", "up0", "down", ns="internet")
        time.sleep(self.rnd.uniform(0, 5))
        ip("link", "set", "up0", "up", ns="internet")
        ip("addr", "replace", "2001:db8:a::1/64", "dev", "up0", "nodad", ns="internet")

    def steps(self):
        return [self.kill_the_server, self.kill_everything, self.docker_restart, self.docker_kill_and_start, self.pull_the_cable,
                self.pull_the_cpes_cable, self.set_the_nic_down_and_up, self.delete_the_tunnel, self.fill_the_disk, self.jump_the_clock,
                self.unplug_the_nic_and_plug_it_in, self.replace_the_nic, self.start_it_twice, self.cut_the_uplink]

    def check(self, sources):
        """sources: of each client the address that it had from the first on."""
        told = wait_for("an answer of its own", lambda: (r := self.verb("leases", "--json")).returncode == 0 and r, 20)
        leases = [x for x in json.loads(told.stdout) if x.get("state") == "bound" and x.get("kind") == "prefix"]
        prefixes = [ipaddress.ip_network(x["prefix"]) for x in leases]
        assert len(prefixes) == len(sources) == len({x["duid"] for x in leases}), leases
        for client, source in sources.items():
            owners = [p for p in prefixes if ipaddress.ip_address(source) in p]
            assert len(owners) == 1 and client.address() == source, (source, leases)
        assert not any(p.overlaps(q) for i, p in enumerate(prefixes) for q in prefixes[:i]), prefixes
        own = {link["ifname"]: link for link in json.loads(self.inside("ip", "-j", "link").stdout)}
        host = {link["ifname"] for link in json.loads(ip("-j", "link"))}
        assert "eth0" in own and own["eth0"]["address"] == self.mac and "eth0" not in host, (own, host)
        assert not [name for name in host if name.startswith(("wg-", "vbng"))], host
        assert "proto 118" not in ip("-6", "route", "show", "table", "all"), "a route of ours on the host"
        assert "118:" not in ip("-6", "rule"), "a rule of ours on the host"
        assert not strays(self.pid()), f"processes of ours outside the container: {strays(self.pid())}"


def strays(container):
    """Processes of ours that are not the container's."""
    inside = os.stat(f"/proc/{container}/ns/pid").st_ino if container else 0
    found = []
    for p in run("pgrep", "-x", "vbng|dnsmasq|wireguard-go", check=False).stdout.split():
        try:
            if os.stat(f"/proc/{p}/ns/pid").st_ino != inside:
                found.append(p)
        except FileNotFoundError:
            pass
    return found


def second_cpe():
    """Another one on the same link."""
    ip("netns", "add", "cpe5")
    ip("link", "add", "eth11", "link", "eth1", "type", "macvlan", "mode", "bridge", ns="cpe0")
    ip("link", "set", "eth11", "netns", "cpe5", ns="cpe0")
    ip("link", "set", "lo", "up", ns="cpe5")
    return Cpe(5)


@pytest.mark.skipif(not SECONDS, reason="it takes minutes: VBNG_CHAOS_S says how many seconds")
def test_whatever_people_do_every_cpe_is_back(provider, monitor):
    rnd = random.Random(SEED)
    ip("link", "set", "eth0", "down")
    ip("addr", "flush", "dev", "eth0")
    before = host_state()
    print(f"VBNG_CHAOS_SEED={SEED} VBNG_CHAOS_S={SECONDS:.0f}", flush=True)
    world = World(provider, monitor, rnd)
    clients = [Cpe(0), second_cpe()]
    took = {}
    try:
        sources = {client: client.wait() for client in clients}
        for client, source in sources.items():
            assert ipaddress.ip_address(source) in POOL and client.ping(source), world.picture()
        end = time.monotonic() + SECONDS
        queue = []
        while time.monotonic() < end:
            if not queue:  # each once before one comes again
                queue = rnd.sample(world.steps(), len(world.steps()))
            step = queue.pop()

            def back(client, source):
                return run("ip", "netns", "exec", client.ns, "ping", "-6", "-n", "-c", "1", "-W", "1", "-I", source, BEYOND, check=False).returncode == 0
            begun = time.monotonic()
            try:
                step()
                done = time.monotonic()
                for client, source in sources.items():
                    wait_for(f"the connection of {client.ns}", lambda c=client, s=source: back(c, s), BACK_S)
                seconds = time.monotonic() - done
                world.check(sources)
            except (AssertionError, subprocess.TimeoutExpired) as e:
                raise AssertionError(f"seed {SEED}, {step.__name__}: {e}\n{world.picture()}") from None
            took.setdefault(step.__name__, []).append(seconds)
            print(f"  {step.__name__}: {done - begun:.1f} s, connections back after {seconds:.1f} s more", flush=True)
        for name, times in sorted(took.items()):
            print(f"{name:30} {len(times):3} times, connections back after {max(times):.1f} s at most", flush=True)
        wait_for("a store that is all right", lambda: (world.status() or {}).get("store", {}).get("ok"))
        assert subprocess.run(["docker", "stop", NAME], capture_output=True, timeout=ENGINE_S, check=False).returncode == 0
        assert not strays(0)
        if world.mac != MAC:
            world.replace_the_nic(MAC)
            wait_for("the first card", lambda: "eth0" in {link["ifname"] for link in json.loads(ip("-j", "link"))})
        ip("link", "set", "eth0", "down")
        ip("addr", "flush", "dev", "eth0")
        after = host_state()
        assert after[1:4] == before[1:4] and [x["ifname"] for x in after[0]] == [x["ifname"] for x in before[0]]
    finally:
        said = world.log("all")
        for client in clients:
            client.close()
        run("docker", "rm", "-f", NAME, check=False, timeout=ENGINE_S)
        run("umount", "-l", STATE, check=False)
        ip("netns", "del", "cpe5")
    assert not SANITIZER.search(said), said[SANITIZER.search(said).start():][:6000]
