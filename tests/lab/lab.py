# SPDX-License-Identifier: GPL-2.0-or-later
"""A provider's edge on namespaces of the test's own: a docker host, vbng's namespace, CPEs, and an internet with a WireGuard peer.

Nothing outside these namespaces is touched; everything is removed at the end, and every wait is bounded.
"""
import contextlib
import ctypes
import difflib
import itertools
import json
import os
import re
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
VBNG = os.path.abspath(os.environ.get("VBNG", os.path.join(ROOT, "build", "src", "vbng")))
_serial = itertools.count(1)
_libc = ctypes.CDLL(None, use_errno=True)
SO_RCVBUFFORCE, SO_TIMESTAMPNS = 33, 35  # the latter for a long of 64 bits

ASSIGNED = "2001:db8:ffff::/48"
POOL = "2001:db8:ffff:8000::/49"
TRANSFER = "2001:db8:ffff::/64"
SERVER_WG = "2001:db8:0:1::1"
OUR_WG = "2001:db8:0:1::2/64"
BEYOND = "2001:db8:beef::1"  # an address on the internet, behind the provider
OUR_PROTOCOL = "118"

EX_OK, EX_USAGE, EX_UNAVAILABLE, EX_SOFTWARE, EX_NOPERM, EX_CONFIG = 0, 64, 69, 70, 77, 78

# What surely comes is waited for this long at least: a limit ends what never comes, and must not tell how busy the machine is.
PATIENCE_S = 90

# What no instance ever says, but for a sanitized build that has found something, and a filter that lacks a call.
FAULT = re.compile(r"ERROR: (Address|Leak)Sanitizer|runtime error:|made a system call that it never needs")


# Floods, and more stations than the kernel has room for among its neighbours, which is one room for all namespaces: one of these at a time.
crowd = pytest.mark.xdist_group("crowd")


def run(*cmd, check=True, timeout=2 * PATIENCE_S, **kw):
    r = subprocess.run([str(c) for c in cmd], capture_output=True, text=True, timeout=timeout, **kw)
    if check and r.returncode:
        raise AssertionError(f"{' '.join(map(str, cmd))}: exit {r.returncode}\n{r.stdout}{r.stderr}")
    return r


def stalled():
    """The seconds, counted from some moment on, in which anything here waited for a processor, for memory or for the disk, or in which
    the machine itself was not run: by so much may all be late, and nobody is to blame. As time itself where the kernel does not tell."""
    try:
        total = 0.0
        for what in "cpu", "memory", "io":
            with open(f"/proc/pressure/{what}", encoding="ascii") as f:
                total += int(f.readline().rpartition("total=")[2]) / 1e6
    except OSError:
        return time.monotonic()
    with open("/proc/stat", encoding="ascii") as f:
        return total + int(f.readline().split()[8]) / os.sysconf("SC_CLK_TCK")


class Stopwatch:
    """For what must be done within a time, on a machine that has other things to do, too."""

    def __init__(self):
        self.begun, self.stalled = time.monotonic(), stalled()

    def excuse(self):
        """The seconds since then in which somebody had to wait for the machine."""
        return stalled() - self.stalled

    def seconds(self):
        """Since then, less those."""
        return max(0.0, time.monotonic() - self.begun - self.excuse())


def wait_for(what, fn, timeout=PATIENCE_S, every=0.05, within=None):
    """fn's first true result; an assertion error that names `what` when time is up.

    timeout: seconds, where it may take more than PATIENCE_S. within: seconds that are promised, by a Stopwatch.
    """
    watch = Stopwatch()
    timeout = max(timeout, PATIENCE_S)
    while True:
        over = time.monotonic() > watch.begun + timeout
        got = fn()
        if got:
            break
        if over:
            raise AssertionError(f"timed out after {timeout} s waiting for {what}")
        time.sleep(every)
    if within is not None:
        took = watch.seconds()
        assert took <= within, f"{what}: after {took:.2f} s, promised is {within} s"
    return got


def children_of(pid):
    """The kernel may pass one over while another is reaped (proc(5)): what is read twice alike is right."""
    before = None
    while True:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            now = f.read().split()
        if now == before:
            return list(map(int, now))
        before = now


def _die_with_parent():
    _libc.prctl(1, signal.SIGKILL)


def popen(*cmd, **kw):
    """A process that cannot outlive the tests, however they end."""
    return subprocess.Popen([str(c) for c in cmd], preexec_fn=_die_with_parent, **kw)


def stop_process(p, timeout=5):
    """timeout: seconds until it is killed."""
    if p.poll() is None:
        p.terminate()
        try:
            p.wait(timeout)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait(PATIENCE_S)


class Namespace:
    """A network namespace, given by its path."""

    def __init__(self, path):
        self.path = path

    def cmd(self, *cmd):
        return ["nsenter", f"--net={self.path}", *map(str, cmd)]

    def ip(self, *args, check=True):
        return run(*self.cmd("ip", *args), check=check).stdout

    def json(self, *args):
        return json.loads(self.ip("-j", *args) or "[]")

    def exec(self, *cmd, check=True, timeout=2 * PATIENCE_S, **kw):
        return run(*self.cmd(*cmd), check=check, timeout=timeout, **kw)

    def popen(self, *cmd, **kw):
        return popen(*self.cmd(*cmd), **kw)

    def links(self):
        return [link["ifname"] for link in self.json("link", "show")]

    def mac(self, dev):
        return self.json("link", "show", "dev", dev)[0]["address"]

    def addresses(self, dev, scope="global"):
        """Usable IPv6 addresses, with all that is known of each."""
        return [a for link in self.json("-6", "addr", "show", "dev", dev) for a in link.get("addr_info", [])
                if a.get("scope") == scope and not a.get("tentative")]

    def routes(self, *args):
        return self.json("-6", "route", "show", *args)

    def sysctl(self, **values):
        for key, value in values.items():
            self.exec("sysctl", "-qw", f"{key.replace('__', '.')}={value}")

    @contextlib.contextmanager
    def inside(self):
        """This thread in the namespace: for sockets, which stay where they were made."""
        with open("/proc/thread-self/ns/net", "rb") as home, open(self.path, "rb") as there:
            _setns(there)
            try:
                yield
            finally:
                _setns(home)

    def settled(self):
        """No address is still being looked for on its link."""
        return not any(a.get("tentative") for link in self.json("-6", "addr", "show") for a in link.get("addr_info", [])
                       if "LOWER_UP" in link["flags"])

    def snapshot(self):
        """All that a program could have changed here, line by line, less what changes by itself."""
        wait_for("duplicate address detection", self.settled)
        lines = []
        for link in self.json("-d", "link", "show"):
            for key in ("operstate", "ifindex", "link_index", "link_netnsid", "link"):
                link.pop(key, None)  # they follow the other end, or the order in which links came
            link["flags"] = sorted(f for f in link.get("flags", []) if f not in ("LOWER_UP", "NO-CARRIER", "M-DOWN"))
            lines.append("link " + json.dumps(link, sort_keys=True))
        for link in self.json("addr", "show"):
            for a in link.get("addr_info", []):
                lines.append(f"addr {link['ifname']} " + json.dumps(a, sort_keys=True))
        for family in "-4", "-6":
            for what in ("route", "show", "table", "all"), ("rule", "show"):
                lines += (f"{what[0]} {family} {line.strip()}" for line in self.ip(family, *what).splitlines())
        sysctls = self.exec("sysctl", "-a", "-r", r"^net\.", check=False).stdout
        lines += (f"sysctl {s}" for s in sysctls.splitlines() if not re.search(r"conntrack_(count|buckets)|\.random|lowest_cpu|\.sockstat|tcp_mem|udp_mem|tcp_fastopen_key", s))
        return sorted(lines)


def _setns(f):
    if _libc.setns(f.fileno(), 0x40000000):
        raise OSError(ctypes.get_errno(), "setns")


def assert_same(before, now, what="the host's namespace", timeout=15):
    """now: a later snapshot, or what takes one, asked until it is the same: the kernel forms link-local addresses anew, in its own time."""
    end = time.monotonic() + timeout
    after = now() if callable(now) else now
    while callable(now) and after != before and time.monotonic() < end:
        time.sleep(0.1)
        after = now()
    changed = [line for line in difflib.unified_diff(before, after, "before", "after", lineterm="", n=0) if not line.startswith("@@")]
    assert not changed, f"{what} is not what it was:\n" + "\n".join(changed)


class Netns(Namespace):
    """One made here, by a name that nobody else has."""

    def __init__(self, role):
        self.name = f"vl{os.getpid()}-{next(_serial)}-{role}"
        run("ip", "netns", "add", self.name)
        super().__init__(f"/run/netns/{self.name}")
        self.ip("link", "set", "lo", "up")

    def cmd(self, *cmd):
        # With a /sys that shows its interfaces: some clients look there.
        return ["ip", "netns", "exec", self.name, *map(str, cmd)]

    def ip(self, *args, check=True):
        return run("ip", "-n", self.name, *args, check=check).stdout

    def delete(self):
        run("ip", "netns", "del", self.name, check=False)


def sweep():
    """Namespaces of runs that were killed, with what still runs in them."""
    for name in os.listdir("/run/netns") if os.path.isdir("/run/netns") else []:
        owner = re.match(r"vl(\d+)-", name)
        if owner and not os.path.exists(f"/proc/{owner[1]}"):
            for pid in run("ip", "netns", "pids", name, check=False).stdout.split():
                with contextlib.suppress(OSError):
                    os.kill(int(pid), signal.SIGKILL)
            run("ip", "netns", "del", name, check=False)


class Wire:
    """What really goes over a link: a packet socket, which knows nothing of what the kernel would make of the bytes."""

    def __init__(self, ns, dev):
        self.dev = dev
        self.mac = ns.mac(dev)
        with ns.inside():
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)  # nothing yet, of whatever device
            self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)  # beyond the host's limit: who reads may be late
            self.sock.bind((dev, 0x0003))
            self.sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            # All multicast frames, whichever groups somebody has joined.
            mreq = struct.pack("iHH8s", socket.if_nametoindex(dev), 2, 0, b"")
            self.sock.setsockopt(263, 1, mreq)
        self.sock.setblocking(False)

    def send(self, frame):
        self.sock.send(bytes(frame))

    def read(self):
        """What has arrived by now: (when the kernel saw it, in seconds on the monotonic clock, whether it left here, bytes)."""
        got = []
        ahead = time.time() - time.monotonic()  # of the clock by which the kernel stamps packets
        while True:
            try:
                data, told, _, address = self.sock.recvmsg(65535, 64)
            except BlockingIOError:
                return got
            s, ns = struct.unpack("@qq", told[0][2])
            got.append((s + ns / 1e9 - ahead, address[2] == 4, data))

    def close(self):
        self.sock.close()


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
        self.private = run("wg", "genkey").stdout.strip()
        self.public = run("wg", "pubkey", input=self.private + "\n").stdout.strip()
        self.process = None
        self.ns.exec("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
        self.dev = ""
        self.revive()

    def revive(self, born=None):
        """The concentrator, without its settings; its packets leave from the namespace `born`."""
        born = born or self.ns
        self.kernel = not born.exec("ip", "link", "add", "wgp", "type", "wireguard", check=False).returncode
        self.dev = "wgp"
        if not self.kernel:
            # The socket is found by name in /var/run/wireguard, which namespaces of this kind share: the name must be ours alone.
            self.dev = f"wgp{os.getpid():x}x{next(_serial):x}"
            there = f"/var/run/wireguard/{self.dev}.sock"
            with contextlib.suppress(FileNotFoundError):
                os.unlink(there)  # of a run that was killed, when this number was another process's
            env = dict(os.environ, LOG_LEVEL="error", WG_PROCESS_FOREGROUND="1")
            self.process = born.popen("wireguard-go", "-f", self.dev, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            wait_for("wireguard-go of the concentrator", lambda: os.path.exists(there))
        if born is not self.ns:
            born.ip("link", "set", self.dev, "mtu", "1420", "up")  # it opens its socket with the link, and does not see that one go up elsewhere
            born.ip("link", "set", self.dev, "netns", self.ns.name)

    def die(self):
        """All that it knows of its peers goes with it."""
        if self.process:
            stop_process(self.process)
            self.process = None
        self.ns.ip("link", "del", self.dev, check=False)

    def accept(self, public_key, prefix=ASSIGNED, psk=None):
        key_file, psk_file = os.path.join(self.dir, "key"), os.path.join(self.dir, "psk")
        for path, secret in ((key_file, self.private), (psk_file, psk or "")):
            with open(path, "w", encoding="ascii") as f:
                f.write(secret + "\n")
        self.ns.exec("wg", "set", self.dev, "listen-port", "51820", "private-key", key_file, "peer", public_key,
                     *(("preshared-key", psk_file) if psk else ()), "allowed-ips", f"{OUR_WG.split('/')[0]}/128,{prefix}")
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
    """One instance with a mount namespace and (pid1=True) a PID namespace of its own, as a container has them.

    Its network namespace is `own`; with own=False it is one that lives no longer than its processes, as Docker's.
    setup: shell lines that prepare the mount namespace; wrap: what the program is started by (setpriv, say), with an environment as
    usual; under: the same with nothing else in between (strace, say).
    """

    def __init__(self, env, state, own=None, pid1=True, setup="", wrap="", verb="run", under=""):
        self.owns_ns = own is None
        self.own = Netns("own") if own is None else own or None
        self.dir = tempfile.mkdtemp(prefix="vbng-run-")
        self.state = state
        self.env = {"STATE_DIR": state, "LOG_LEVEL": "debug", **env}
        self.env = {k: v for k, v in self.env.items() if v is not None}
        self.pid1 = pid1
        self.setup, self.wrap, self.under, self.verb_name = setup, wrap, under, verb
        self.process = None
        self.abused = False  # a test makes it do what it never does
        self.log_path = os.path.join(self.dir, "log")

    def start(self):
        script = os.path.join(self.dir, "start")
        with open(script, "w", encoding="utf-8", opener=lambda p, f: os.open(p, f, 0o600)) as f:
            # No names of protocols and services, for the image has none.
            f.write("set -e\nmkdir -p /var/run/wireguard /run/vbng\nmount -t tmpfs tmpfs /var/run/wireguard\n"
                    "for f in /etc/protocols /etc/services; do test ! -e $f || mount --bind /dev/null $f; done\n"
                    f"mount --bind {self.dir} /run/vbng\n{self.setup}\n"
                    f"exec {self.wrap} env -i \"PATH=$PATH\" "
                    + " ".join(shlex.quote(f"{k}={v}") for k, v in {**sanitizer_env(), **self.env}.items()) + f" {self.under} {VBNG} {self.verb_name}\n")
        cmd = ["unshare", "--mount"]
        if not self.own:
            cmd += ["--net"]
        if self.pid1:
            cmd += ["--pid", "--fork", "--kill-child", "--mount-proc"]
        if self.own:
            cmd = ["nsenter", f"--net={self.own.path}", *cmd]
        self.log = open(self.log_path, "ab")
        self.process = popen(*cmd, "bash", script, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        return self

    def text(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_log(self, pattern, timeout=PATIENCE_S, count=1):
        def found():
            ended = self.process.poll() is not None
            if len(re.findall(pattern, self.text())) >= count:
                return True
            if ended:
                raise AssertionError(f"vbng ended ({self.process.returncode}) before /{pattern}/:\n{self.text()}")
            return False
        try:
            return wait_for(f"/{pattern}/ in the log", found, timeout)
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.text()}") from None

    def wait_serving(self):
        self.wait_log(r"init serving|\"event\": ?\"serving\"")
        return self

    def wait_end(self):
        """The exit code of an instance that ends by itself, and all that it said."""
        try:
            code = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"vbng did not end within {PATIENCE_S} s\n{self.text()}") from None
        return code, self.text()

    def pids(self):
        """[init, server] as seen from outside."""
        found = []
        todo = [self.process.pid]
        while todo:
            p = todo.pop(0)
            with contextlib.suppress(OSError):
                with open(f"/proc/{p}/comm", encoding="ascii") as f:
                    if f.read().strip() in ("vbng", "memcheck-amd64-"):
                        found.append(p)
                todo += children_of(p)
        return found

    def server_after(self, before):
        """The one that runs in its place; None while there is none. Looked up once: they come and go."""
        server = (self.pids()[1:] or [before])[0]
        return server if server != before else None

    def fib(self):
        """The process that changes routes for the server; None between two of them."""
        for p in self.family():
            with contextlib.suppress(OSError), open(f"/proc/{p}/comm", encoding="ascii") as f:
                if f.read().strip() == "vbng-fib":
                    return p
        return None

    def family(self):
        """Everything that runs for this instance: init and all its descendants."""
        found, todo = [], self.pids()[:1]
        while todo:
            p = todo.pop(0)
            found.append(p)
            with contextlib.suppress(OSError):
                todo += children_of(p)
        return found

    def ns(self):
        """The network namespace that it is in now."""
        return self.own or Namespace(f"/proc/{self.pids()[0]}/ns/net")

    def verb(self, *args, check=True):
        # In its PID namespace, too: the leak sanitizer looks itself up in /proc, which is the instance's own there.
        return run("nsenter", "-t", self.pids()[0], "--mount", "--pid", VBNG, *args, check=check)

    def status(self):
        return json.loads(self.verb("status", "--json").stdout)

    def leases(self):
        return json.loads(self.verb("leases", "--json").stdout)

    def prefixes(self):
        """Of the clients that hold one: (DUID, IAID) and what it is."""
        return {(x["duid"], x["iaid"]): x["prefix"] for x in self.leases() if x["kind"] == "prefix" and x["state"] == "bound"}

    def delegated(self):
        """Routes of delegated prefixes, as the kernel has them: prefix and next hop."""
        return {r["dst"]: r["gateway"] for r in self.ns().routes("proto", OUR_PROTOCOL) if r.get("gateway")}

    def send(self, signo):
        os.kill(self.pids()[0], signo)

    def stop(self, signo=signal.SIGTERM):
        """Its exit code and the seconds that it took, by a Stopwatch."""
        watch = Stopwatch()
        if self.process.poll() is None:
            self.send(signo)
        code = self.process.wait(PATIENCE_S)
        return code, watch.seconds()

    def kill(self):
        os.kill(self.pids()[0], signal.SIGKILL)
        self.process.wait(PATIENCE_S)

    def close(self):
        if self.process and self.process.poll() is None:
            for p in self.pids()[:1]:
                with contextlib.suppress(OSError):
                    os.kill(p, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(PATIENCE_S / 4)
            stop_process(self.process)
        said = self.text() if self.process else ""
        if self.process:
            self.log.close()
        if self.owns_ns:
            self.own.delete()
        shutil.rmtree(self.dir, ignore_errors=True)
        assert self.abused or not FAULT.search(said), f"a sanitizer or a filter has found something:\n{said}"


def sanitizer_env():
    return {k: v for k, v in os.environ.items() if k in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")}


class Lab:
    """The docker host with a NIC sub0, whose other end cpe0 is in the CPE's namespace."""

    def __init__(self):
        self.things = []
        self.net = None
        try:
            self.state = tempfile.mkdtemp(prefix="vbng-state-")
            self.host = self.add(Netns("host"), Netns.delete)
            self.host.sysctl(net__ipv6__conf__default__dad_transmits=0)  # the host's own addresses are not what is waited for
            self.cpe = self.add(Netns("cpe"), Netns.delete)
            self.wire_nic()
        except BaseException:
            self.close()
            raise

    def wire_nic(self, name="sub0", other="cpe0"):
        self.host.ip("link", "add", name, "type", "veth", "peer", "name", other, "netns", self.cpe.name)
        self.cpe.ip("link", "set", other, "up")

    def add(self, thing, close):
        self.things.append((thing, close))
        return thing

    def internet(self, v6=False, **kw):
        self.net = self.add(Internet(self.host, v6), Internet.close)
        self.private = run("wg", "genkey").stdout.strip()
        self.public = run("wg", "pubkey", input=self.private + "\n").stdout.strip()
        self.net.accept(self.public, **kw)
        return self.net

    def env(self, **more):
        """The required variables, and what the test wants otherwise; None takes one away."""
        env = {
            "WIREGUARD_INTERFACE_SUFFIX": "provider1",
            "ASSIGNED_PREFIX": ASSIGNED,
            "SUBSCRIBER_INTERFACE": "sub0",
            "HOST_NETNS": self.host.path,
        }
        if self.net:
            env |= {
                "WIREGUARD_PRIVATE_KEY": self.private,
                "WIREGUARD_PEER": self.net.public,
                "WIREGUARD_ADDRESS": OUR_WG,
                "WIREGUARD_ENDPOINT": self.net.endpoint,
            }
        else:
            env["WIREGUARD_BACKEND"] = "none"
        return {**env, **more}

    def vbng(self, pid1=True, own=None, setup="", wrap="", verb="run", under="", state=None, **env):
        return self.add(Vbng(self.env(**env), state or self.state, own, pid1, setup, wrap, verb, under), Vbng.close).start()

    def wire(self, ns=None, dev="cpe0"):
        return self.add(Wire(ns or self.cpe, dev), Wire.close)

    def client(self, kind, ns=None):
        """A CPE's client, started."""
        return self.add(kind(ns or self.cpe), kind.close).start()

    def close(self):
        """Everything goes, whatever fails on the way; the first failure is told."""
        first = None
        while self.things:
            thing, close = self.things.pop()
            try:
                close(thing)
            except Exception as e:  # pylint: disable=broad-except
                first = first or e
        shutil.rmtree(self.state, ignore_errors=True)
        if first:
            raise first


def ping(ns, source, target=BEYOND, tries=8):
    """The first is often lost to a neighbour that is only being resolved."""
    return any(ns.exec("ping", "-6", "-c", "1", "-W", "1", "-I", source, target, check=False).returncode == 0 for _ in range(tries))
