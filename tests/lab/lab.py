# SPDX-License-Identifier: GPL-2.0-or-later
"""A provider's edge on namespaces of the test's own: a docker host, vbng's namespace, a CPE, and an internet with a WireGuard peer.

Nothing outside these namespaces is touched; everything is removed at the end, and every wait is bounded.
"""
import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
VBNG = os.environ.get("VBNG", os.path.join(ROOT, "build", "src", "vbng"))
_serial = itertools.count(1)

ASSIGNED = "2001:db8:ffff::/48"
POOL = "2001:db8:ffff:8000::/49"
SERVER_WG = "2001:db8:0:1::1"
OUR_WG = "2001:db8:0:1::2/64"
BEYOND = "2001:db8:beef::1"  # an address on the internet, behind the provider


def run(*cmd, check=True, timeout=30, **kw):
    r = subprocess.run([str(c) for c in cmd], capture_output=True, text=True, timeout=timeout, **kw)
    if check and r.returncode:
        raise AssertionError(f"{' '.join(map(str, cmd))}: exit {r.returncode}\n{r.stdout}{r.stderr}")
    return r


def wait_for(what, fn, timeout=10.0, every=0.05):
    """fn's first true result; an assertion error that names `what` when time is up."""
    end = time.monotonic() + timeout
    while True:
        got = fn()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError(f"timed out after {timeout} s waiting for {what}")
        time.sleep(every)


class Netns:
    def __init__(self, role):
        self.name = f"vl{os.getpid() % 100000}-{next(_serial)}-{role}"
        run("ip", "netns", "add", self.name)
        self.path = f"/run/netns/{self.name}"
        self.ip("link", "set", "lo", "up")

    def ip(self, *args, check=True):
        return run("ip", "-n", self.name, *args, check=check).stdout

    def json(self, *args):
        return json.loads(self.ip("-j", *args) or "[]")

    def exec(self, *cmd, check=True, timeout=30, **kw):
        return run("ip", "netns", "exec", self.name, *cmd, check=check, timeout=timeout, **kw)

    def popen(self, *cmd, **kw):
        return subprocess.Popen(["ip", "netns", "exec", self.name, *map(str, cmd)], **kw)

    def snapshot(self):
        """Everything about the namespace that vbng could have changed, comparable."""
        links = []
        for link in self.json("-d", "link", "show"):
            link.pop("operstate", None)  # follows the other end
            link.pop("ifindex", None)    # a link that leaves and returns gets another
            link.pop("link_index", None)
            link.pop("link_netnsid", None)
            flags = [f for f in link.get("flags", []) if f not in ("LOWER_UP", "NO-CARRIER", "M-DOWN")]
            link["flags"] = sorted(flags)
            links.append(link)
        addrs = [
            (a["ifname"], i["family"], i["local"], i["prefixlen"], i.get("scope"))
            for a in self.json("addr", "show")
            for i in a.get("addr_info", [])
        ]
        sysctls = self.exec("sysctl", "-a", "-r", r"^net\.ipv[46]\.(conf|route)", check=False).stdout
        rules = self.ip("rule") + self.ip("-6", "rule")
        return {
            "links": sorted(links, key=lambda x: x["ifname"]),
            "addrs": sorted(addrs),
            "rules": rules,
            "sysctls": sorted(sysctls.splitlines()),
        }

    def delete(self):
        run("ip", "netns", "del", self.name, check=False)


def stop_process(p, timeout=5):
    if p.poll() is None:
        p.terminate()
        try:
            p.wait(timeout)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait(timeout)


class Internet:
    """A WireGuard concentrator that routes ASSIGNED to its peer, and an address beyond it. 'host' reaches it over a veth pair."""

    def __init__(self, host, v6=False):
        self.ns = Netns("net")
        self.host = host
        self.dir = tempfile.mkdtemp(prefix="vbng-net-")
        self.ns.ip("link", "add", "up0", "type", "veth", "peer", "name", "wan0", "netns", host.name)
        self.endpoint = "[2001:db8:a::1]:51820" if v6 else "192.0.2.1:51820"
        for ns, dev, n in ((self.ns, "up0", 1), (host, "wan0", 2)):
            ns.ip("addr", "add", f"192.0.2.{n}/24", "dev", dev)
            ns.ip("addr", "add", f"2001:db8:a::{n}/64", "dev", dev, "nodad")
            ns.ip("link", "set", dev, "up")
        self.private = run(VBNG, "genkey").stdout.strip()
        self.public = run(VBNG, "pubkey", input=self.private + "\n").stdout.strip()
        self.process = None
        self.ns.exec("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
        self.kernel = not self.ns.exec("ip", "link", "add", "wgp", "type", "wireguard", check=False).returncode
        if not self.kernel:
            # The socket is found by name in /var/run/wireguard, which namespaces of this kind share: the name must be ours alone.
            self.dev = f"wgp{os.getpid() % 10000}x{next(_serial)}"
            env = dict(os.environ, LOG_LEVEL="error", WG_PROCESS_FOREGROUND="1")
            self.process = self.ns.popen("wireguard-go", "-f", self.dev, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            wait_for("wireguard-go of the concentrator", lambda: os.path.exists(f"/var/run/wireguard/{self.dev}.sock"))
        else:
            self.dev = "wgp"

    def accept(self, public_key, prefix=ASSIGNED):
        key_file = os.path.join(self.dir, "key")
        with open(key_file, "w", encoding="ascii") as f:
            f.write(self.private + "\n")
        self.ns.exec("wg", "set", self.dev, "listen-port", "51820", "private-key", key_file, "peer", public_key,
                     "allowed-ips", f"{OUR_WG.split('/')[0]}/128,{prefix}")
        self.ns.ip("addr", "replace", f"{SERVER_WG}/64", "dev", self.dev, "nodad")
        self.ns.ip("addr", "replace", f"{BEYOND}/128", "dev", "lo")
        self.ns.ip("link", "set", self.dev, "mtu", "1420", "up")
        self.ns.ip("-6", "route", "replace", prefix, "dev", self.dev)

    def close(self):
        if self.process:
            stop_process(self.process)
        self.ns.delete()
        shutil.rmtree(self.dir, ignore_errors=True)


class Vbng:
    """One instance in a namespace, mount namespace and (pid1=True) PID namespace of its own, as a container has them."""

    def __init__(self, env, state, own=None, pid1=True, setup=""):
        self.own = own or Netns("own")
        self.owns_ns = own is None
        self.dir = tempfile.mkdtemp(prefix="vbng-run-")
        self.state = state
        self.env = {"STATE_DIR": state, "LOG_LEVEL": "debug", **env}
        self.pid1 = pid1
        self.setup = setup
        self.process = None
        self.log_path = os.path.join(self.dir, "log")

    def start(self):
        script = (
            "mount -t tmpfs tmpfs /var/run/wireguard 2>/dev/null || { mkdir -p /var/run/wireguard && mount -t tmpfs tmpfs /var/run/wireguard; };"
            f"mkdir -p /run/vbng && mount --bind {self.dir} /run/vbng; {self.setup} exec env -i PATH=$PATH "
            + " ".join(f"'{k}={v}'" for k, v in self.env.items()) + f" {VBNG} run"
        )
        cmd = ["nsenter", f"--net={self.own.path}", "unshare", "--mount"]
        if self.pid1:
            cmd += ["--pid", "--fork", "--kill-child", "--mount-proc"]
        self.log = open(self.log_path, "ab")
        self.process = subprocess.Popen([*cmd, "bash", "-c", script], stdout=self.log, stderr=self.log)
        return self

    def text(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_log(self, pattern, timeout=15, count=1):
        def found():
            if self.process.poll() is not None and len(re.findall(pattern, self.text())) < count:
                raise AssertionError(f"vbng ended ({self.process.returncode}) before /{pattern}/:\n{self.text()}")
            return len(re.findall(pattern, self.text())) >= count
        try:
            return wait_for(f"/{pattern}/ in the log", found, timeout)
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.text()}") from None

    def wait_serving(self):
        self.wait_log(r"init serving", 20)
        return self

    def pids(self):
        """(init, server) as seen from outside."""
        top = self.process.pid
        found = []
        todo = [top]
        while todo:
            p = todo.pop(0)
            with contextlib.suppress(OSError):
                comm = open(f"/proc/{p}/comm", encoding="ascii").read().strip()
                if comm == "vbng":
                    found.append(p)
                todo += map(int, open(f"/proc/{p}/task/{p}/children", encoding="ascii").read().split())
        return found

    def verb(self, *args, check=True):
        return run("nsenter", "-t", self.pids()[0], "--mount", "--pid", VBNG, *args, check=check)

    def status(self):
        return json.loads(self.verb("status", "--json").stdout)

    def leases(self):
        return json.loads(self.verb("leases", "--json").stdout)

    def send(self, signo):
        os.kill(self.pids()[0], signo)

    def stop(self, signo=signal.SIGTERM, timeout=10):
        """Its exit code and the seconds that it took."""
        begun = time.monotonic()
        if self.process.poll() is None:
            self.send(signo)
        code = self.process.wait(timeout)
        return code, time.monotonic() - begun

    def close(self):
        if self.process and self.process.poll() is None:
            for p in self.pids()[:1]:
                with contextlib.suppress(OSError):
                    os.kill(p, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(4)
            stop_process(self.process)
        if self.owns_ns:
            self.own.delete()
        shutil.rmtree(self.dir, ignore_errors=True)


class Lab:
    """The docker host with a NIC sub0, whose other end cpe0 is in the CPE's namespace."""

    def __init__(self):
        self.things = []
        self.host = self.add(Netns("host"), Netns.delete)
        self.cpe = self.add(Netns("cpe"), Netns.delete)
        self.host.ip("link", "add", "sub0", "type", "veth", "peer", "name", "cpe0", "netns", self.cpe.name)
        self.cpe.ip("link", "set", "cpe0", "up")
        self.state = tempfile.mkdtemp(prefix="vbng-state-")

    def add(self, thing, close):
        self.things.append((thing, close))
        return thing

    def internet(self, v6=False):
        self.net = self.add(Internet(self.host, v6), Internet.close)
        self.private = run(VBNG, "genkey").stdout.strip()
        self.public = run(VBNG, "pubkey", input=self.private + "\n").stdout.strip()
        self.net.accept(self.public)
        return self.net

    def env(self, **more):
        env = {
            "WIREGUARD_INTERFACE_SUFFIX": "provider1",
            "ASSIGNED_PREFIX": ASSIGNED,
            "SUBSCRIBER_INTERFACE": "sub0",
            "HOST_NETNS": self.host.path,
        }
        if hasattr(self, "net"):
            env |= {
                "WIREGUARD_PRIVATE_KEY": self.private,
                "WIREGUARD_PEER": self.net.public,
                "WIREGUARD_ADDRESS": OUR_WG,
                "WIREGUARD_ENDPOINT": self.net.endpoint,
            }
        else:
            env["WIREGUARD_BACKEND"] = "none"
        return {k: v for k, v in (env | more).items() if v is not None}

    def vbng(self, pid1=True, own=None, setup="", state=None, **env):
        return self.add(Vbng(self.env(**env), state or self.state, own, pid1, setup), Vbng.close).start()

    def popen_cpe(self, *cmd, **kw):
        kw.setdefault("stdout", subprocess.DEVNULL)
        kw.setdefault("stderr", subprocess.DEVNULL)
        return self.add(self.cpe.popen(*cmd, **kw), stop_process)

    def close(self):
        for thing, close in reversed(self.things):
            close(thing)
        shutil.rmtree(self.state, ignore_errors=True)


class Dhcp6c:
    """wide-dhcpv6's client, with a /64 of the delegated prefix on a LAN interface of its own."""

    def __init__(self, lab, dev="cpe0", lan="lan0"):
        self.lab, self.dev = lab, dev
        self.dir = tempfile.mkdtemp(prefix="vbng-dhcp6c-")
        lab.cpe.ip("link", "add", lan, "type", "veth", "peer", "name", lan + "p", check=False)
        lab.cpe.ip("link", "set", lan, "up")
        lab.cpe.ip("link", "set", lan + "p", "up")
        self.conf = os.path.join(self.dir, "conf")
        with open(self.conf, "w", encoding="ascii") as f:
            f.write(f"interface {dev} {{ send ia-pd 0; send ia-na 0; request domain-name-servers; }};\n"
                    f"id-assoc pd 0 {{ prefix-interface {lan} {{ sla-id 1; sla-len 8; ifid 1; }}; }};\nid-assoc na 0 {{}};\n")
        self.lan = lan
        self.process = None
        lab.add(self, Dhcp6c.close)

    def start(self):
        # Its DUID is a file of the machine's: a mount namespace gives each of ours its own.
        script = (f"mkdir -p /var/lib/dhcpv6 && mount --bind {self.dir} /var/lib/dhcpv6;"
                  f"exec dhcp6c -f -D -p {self.dir}/pid -c {self.conf} {self.dev}")
        self.log = open(os.path.join(self.dir, "log"), "ab")
        self.process = self.lab.cpe.popen("unshare", "--mount", "bash", "-c", script, stdout=self.log, stderr=self.log)
        return self

    def lan_address(self):
        for link in self.lab.cpe.json("-6", "addr", "show", "dev", self.lan):
            for a in link.get("addr_info", []):
                if a.get("scope") == "global" and not a.get("tentative"):
                    return a["local"]
        return None

    def wait(self, timeout=15):
        def ready():
            return self.lan_address()
        try:
            return wait_for("an address from the delegated prefix on the CPE", ready, timeout)
        except AssertionError as e:
            with open(os.path.join(self.dir, "log"), encoding="utf-8", errors="replace") as f:
                raise AssertionError(f"{e}\n{f.read()[-3000:]}") from None

    def release(self):
        """SIGTERM makes it release what it has."""
        stop_process(self.process)

    def kill(self):
        self.process.kill()
        self.process.wait(5)

    def close(self):
        if self.process and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)
