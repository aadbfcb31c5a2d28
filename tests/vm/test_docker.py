# SPDX-License-Identifier: GPL-2.0-or-later
"""The contract's `docker run`, as on a user's host: kernel WireGuard, --privileged, NICs that the kernel takes home.

The guest's own namespace is the docker host. eth0 is wired to eth1, eth2 to eth3; the odd ones are the CPEs'.
"""
import contextlib
import glob
import http.client
import ipaddress
import json
import os
import signal
import socket
import subprocess
import time

import pytest

pytestmark = pytest.mark.skipif(os.environ.get("VBNG_VM") != "1", reason="runs inside scripts/vm-tests' virtual machine")

POOL = ipaddress.ip_network("2001:db8:ffff:8000::/49")
VPN = "vpn.provider1.example"  # the provider's name
BEYOND = "2001:db8:beef::1"


def run(*cmd, check=True, timeout=180, **kw):
    r = subprocess.run(cmd, capture_output=True, text=True, timeout=timeout, **kw)
    if check and r.returncode:
        raise AssertionError(f"{' '.join(cmd)}: exit {r.returncode}\n{r.stdout}{r.stderr}")
    return r


def ip(*args, ns=None):
    return run("ip", *(["-n", ns] if ns else []), *args).stdout


def wait_for(what, fn, timeout=180):
    end = time.monotonic() + timeout
    while True:
        got = fn()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError(f"timed out after {timeout} s waiting for {what}")
        time.sleep(0.1)


def key_pair():
    private = run("docker", "run", "--rm", "--network", "none", "vbng", "genkey").stdout.strip()
    return private, run("docker", "run", "--rm", "-i", "--network", "none", "vbng", "pubkey", input=private + "\n").stdout.strip()


def wg_key_pair():
    """By WireGuard's own tool, which is ten seconds faster than two containers on an emulated machine."""
    private = run("wg", "genkey").stdout.strip()
    return private, run("wg", "pubkey", input=private + "\n").stdout.strip()


def kernel_settings():
    """net.ipv4.conf and net.ipv6.conf; `sysctl -a` reads all others first, which takes seconds here."""
    found = {}
    for path in sorted(glob.glob("/proc/sys/net/ipv[46]/conf/*/*")):
        with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as f:  # some have no value, some cannot be read
            found[path] = f.read()
    return found


def host_state():
    """Links, addresses, routes, rules and kernel settings of the docker host."""
    links = json.loads(ip("-d", "-j", "link"))
    for link in links:
        for volatile in ("ifindex", "operstate", "stats", "link_index", "link_netnsid"):
            link.pop(volatile, None)
        link["flags"] = sorted(set(link["flags"]) - {"LOWER_UP", "NO-CARRIER"})
    addrs = sorted((a["ifname"], i["local"], i["prefixlen"]) for a in json.loads(ip("-j", "addr")) for i in a.get("addr_info", []))
    return (sorted(links, key=lambda l: l["ifname"]), addrs, ip("rule"), ip("-6", "rule"),
            kernel_settings())


class Provider:
    """A WireGuard concentrator on the stock kernel, in a namespace that the docker host reaches over a veth pair."""

    def __init__(self):
        self.keys = key_pair()
        self.subscriber_keys = [wg_key_pair(), wg_key_pair()]
        ip("netns", "add", "internet")
        ip("link", "add", "wan0", "type", "veth", "peer", "name", "up0", "netns", "internet")
        for n, dev, ns in ((1, "up0", "internet"), (2, "wan0", None)):
            ip("addr", "add", f"192.0.2.{n}/24", "dev", dev, ns=ns)
            ip("addr", "add", f"2001:db8:a::{n}/64", "dev", dev, "nodad", ns=ns)
            ip("link", "set", dev, "up", ns=ns)
        ip("link", "set", "lo", "up", ns="internet")
        ip("addr", "add", f"{BEYOND}/128", "dev", "lo", ns="internet")
        run("ip", "netns", "exec", "internet", "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
        self.revive()

    def revive(self, born_on_host=False):
        """The concentrator, which knows nothing of where its peers are."""
        if born_on_host:
            ip("link", "add", "wg0", "type", "wireguard")
            ip("link", "set", "wg0", "netns", "internet")
        else:
            ip("link", "add", "wg0", "type", "wireguard", ns="internet")
        with open("/tmp/provider.key", "w", encoding="ascii") as f:
            f.write(self.keys[0] + "\n")
        peers = []
        for i, (_, public) in enumerate(self.subscriber_keys):
            peers += ["peer", public, "allowed-ips", f"2001:db8:0:1::{i + 2}/128,{['2001:db8:ffff::/48', '2001:db8:eeee::/48'][i]}"]
        run("ip", "netns", "exec", "internet", "wg", "set", "wg0", "listen-port", "51820", "private-key", "/tmp/provider.key", *peers)
        ip("addr", "add", "2001:db8:0:1::1/64", "dev", "wg0", ns="internet")
        ip("link", "set", "wg0", "mtu", "1420", "up", ns="internet")
        for prefix in ("2001:db8:ffff::/48", "2001:db8:eeee::/48"):
            ip("-6", "route", "add", prefix, "dev", "wg0", ns="internet")

    def die(self):
        ip("link", "del", "wg0", ns="internet")

    def move(self, address):
        """To another address of the network between it and the host."""
        ip("addr", "add", f"{address}/24", "dev", "up0", ns="internet")
        for a in json.loads(ip("-j", "-4", "addr", "show", "dev", "up0", ns="internet"))[0]["addr_info"]:
            if a["local"] != address:
                ip("addr", "del", f"{a['local']}/24", "dev", "up0", ns="internet")
        if address not in ip("addr", "show", "dev", "up0", ns="internet"):  # the others were its primary one's
            ip("addr", "add", f"{address}/24", "dev", "up0", ns="internet")

    def env(self, number=0, **more):
        env = {
            "WIREGUARD_INTERFACE_SUFFIX": f"provider{number + 1}",
            "WIREGUARD_PRIVATE_KEY": self.subscriber_keys[number][0],
            "WIREGUARD_PEER": self.keys[1],
            "WIREGUARD_ADDRESS": f"2001:db8:0:1::{number + 2}/64",
            "WIREGUARD_ENDPOINT": "192.0.2.1:51820",
            "ASSIGNED_PREFIX": ["2001:db8:ffff::/48", "2001:db8:eeee::/48"][number],
            "SUBSCRIBER_INTERFACE": f"eth{2 * number}",
        }
        return {k: v for k, v in (env | more).items() if v is not None}


class Engine(http.client.HTTPConnection):
    """Docker's engine at its socket, for what is asked again and again: each `docker` takes a second of an emulated machine."""

    def __init__(self):
        super().__init__("docker", timeout=180)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect("/var/run/docker.sock")


def engine(path, method="GET"):
    """(status, what it says)"""
    with contextlib.closing(Engine()) as there:
        there.request(method, path)
        answer = there.getresponse()
        return answer.status, answer.read()


def processes():
    """For who asks why something does not end."""
    return run("ps", "-eo", "pid,ppid,stat,etime,wchan:24,comm,args").stdout


class Container:
    def __init__(self, name, env, *options, privileged=True, mount=True, network="none", command=()):
        self.name = name
        args = ["docker", "run", "-d", "--name", name, "--network", network]
        args += ["--privileged"] if privileged else []
        args += ["-v", "/proc/1/ns/net:/var/run/netns/host"] if mount else []
        for k, v in env.items():
            args += ["-e", f"{k}={v}"]
        run(*args, "-v", f"{name}:/var/lib/vbng", *options, "vbng", *command)

    def log(self):
        """What it wrote, to stdout and to stderr: frames of eight octets, the last four of which say how many follow."""
        status, frames = engine(f"/containers/{self.name}/logs?stdout=1&stderr=1")
        assert status == 200, frames
        said, at = b"", 0
        while at < len(frames):
            end = at + 8 + int.from_bytes(frames[at + 4:at + 8], "big")
            said += frames[at + 8:end]
            at = end
        return said.decode(errors="replace")

    def exec(self, *cmd, check=True):
        """As `docker exec` runs it, without the engine's help."""
        return run("nsenter", "-t", self.pid(), "--mount", "--uts", "--ipc", "--net", "--pid", "env",
                   "PATH=/usr/sbin:/usr/bin:/sbin:/bin", *cmd, check=check).stdout

    def state(self):
        status, said = engine(f"/containers/{self.name}/json")
        assert status == 200, said
        return json.loads(said)["State"]

    def running(self):
        return self.state()["Running"]

    def wait_serving(self, count=1, filtered=True):
        """filtered: with the kernel's packet filter, which fails to no more than a warning."""
        def serving():
            log = self.log()
            assert log.count("init serving") >= count or self.running(), log
            return log.count("init serving") >= count
        wait_for("the appliance serving", serving)
        assert not filtered or "packet filter cannot be used" not in self.log(), self.log()
        return self

    def wait_exit(self):
        return int(run("docker", "wait", self.name).stdout)

    def pid(self):
        return str(self.state()["Pid"])

    def remove(self):
        for what in "containers", "volumes":
            status, said = engine(f"/{what}/{self.name}?force=1", "DELETE")
            assert status in (204, 404), said


class Cpe:
    """wide-dhcpv6's client and the kernel's own autoconfiguration on one of the wired NICs."""

    def __init__(self, number=0):
        self.ns, self.dev = f"cpe{number}", f"eth{2 * number + 1}"
        ip("link", "set", self.dev, "down", ns=self.ns)
        ip("link", "set", self.dev, "up", ns=self.ns)
        subprocess.run(["ip", "-n", self.ns, "link", "add", "lan0", "type", "veth", "peer", "name", "lan1"], capture_output=True, check=False)
        for dev in ("lan0", "lan1"):
            ip("link", "set", dev, "up", ns=self.ns)
        os.makedirs(f"/tmp/{self.ns}", exist_ok=True)
        with open(f"/tmp/{self.ns}/conf", "w", encoding="ascii") as f:
            f.write(f"interface {self.dev} {{ send ia-pd 0; request domain-name-servers; }};\n"
                    "id-assoc pd 0 { prefix-interface lan0 { sla-id 1; sla-len 8; ifid 1; }; };\n")
        wait_for("the CPE's link-local address", lambda: "fe80" in ip("-6", "addr", "show", "dev", self.dev, "-tentative", ns=self.ns))
        self.begin()

    def begin(self):
        script = (f"mkdir -p /var/lib/dhcpv6; mount --bind /tmp/{self.ns} /var/lib/dhcpv6;"
                  f"exec dhcp6c -f -p /tmp/{self.ns}/pid -c /tmp/{self.ns}/conf {self.dev}")
        self.process = subprocess.Popen(["ip", "netns", "exec", self.ns, "unshare", "--mount", "bash", "-c", script],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def end(self, signo=signal.SIGKILL):
        """SIGTERM: it says that it gives back what it has."""
        self.process.send_signal(signo)
        self.process.wait()
        ip("addr", "flush", "dev", "lan0", "scope", "global", ns=self.ns)

    def address(self):
        for link in json.loads(ip("-j", "-6", "addr", "show", "dev", "lan0", ns=self.ns)):
            for a in link["addr_info"]:
                if a["scope"] == "global" and not a.get("tentative"):
                    return a["local"]
        return None

    def wait(self):
        return wait_for("an address from the delegated prefix", self.address)

    def ping(self, source):
        return any(run("ip", "netns", "exec", self.ns, "ping", "-6", "-c", "1", "-W", "1", "-I", source, BEYOND, check=False).returncode == 0
                   for _ in range(8))

    def has_default_route(self):
        return "default" in ip("-6", "route", ns=self.ns)

    def close(self):
        self.end()


class NameServer:
    """The docker host's own resolver, on its loopback, which knows the provider's name."""
    RESOLV_CONF = "/tmp/vpn-resolv.conf"
    MOUNTED = ("-v", f"{RESOLV_CONF}:/run/host/resolv.conf:ro")

    def __init__(self):
        self.process = None

    def say(self, *addresses):
        """From now on."""
        with open("/tmp/vpn-hosts", "w", encoding="ascii") as f:
            f.writelines(f"{a} {VPN}\n" for a in addresses)
        if self.process:
            self.process.send_signal(signal.SIGHUP)
            return
        with open(self.RESOLV_CONF, "w", encoding="ascii") as f:
            f.write("nameserver 127.0.0.53\n")
        self.process = subprocess.Popen(["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces",
                                         "--listen-address=127.0.0.53", "--addn-hosts=/tmp/vpn-hosts", "--local-ttl=1", "--user=root", "--pid-file="])
        wait_for("the name server", lambda: "127.0.0.53:53" in run("ss", "-Hlun").stdout)

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()


def test_the_main_job_and_a_clean_stop(provider, container, cpe):
    ip("addr", "add", "198.51.100.9/24", "dev", "eth0")
    ip("link", "set", "eth0", "up")
    ip("addr", "add", "2001:db8:77::9/64", "dev", "eth0", "nodad")
    wait_for("eth0's link-local address", lambda: "fe80" in ip("-6", "addr", "show", "dev", "eth0", "-tentative"))
    before = host_state()
    mac = json.loads(ip("-j", "link", "show", "dev", "eth0"))[0]["address"]
    with subprocess.Popen(["ip", "monitor", "link"], stdout=subprocess.PIPE, text=True) as monitor:
        vbng = container("provider1", provider.env()).wait_serving()
        monitor.terminate()
        assert "wg-provider1" not in monitor.stdout.read(), "the tunnel must never appear among the host's links"
    assert "backend=kernel" in vbng.log()
    assert "eth0" not in {l["ifname"] for l in json.loads(ip("-j", "link"))}
    assert mac in vbng.exec("ip", "link", "show", "dev", "eth0")
    client = cpe()
    source = client.wait()
    assert ipaddress.ip_address(source) in POOL
    wait_for("the default route", client.has_default_route)
    assert client.ping(source), vbng.log()
    assert json.loads(vbng.exec("vbng", "status", "--json"))["tunnel"]["state"] == "up"
    port = json.loads(run("nsenter", f"--net=/proc/{vbng.pid()}/ns/net", "ip", "-j", "link").stdout)
    assert any(l["ifname"] == "wg-provider1" for l in port)
    assert "proto 118" in run("nsenter", f"--net=/proc/{vbng.pid()}/ns/net", "ip", "-6", "route").stdout
    assert run("docker", "exec", "provider1", "vbng", "healthcheck").stdout == "serving\n"
    begun = time.monotonic()
    run("docker", "stop", "provider1")
    print(f"stopped after {time.monotonic() - begun:.1f} s")
    assert vbng.wait_exit() == 0, "not killed after the 10 s that Docker waits"
    wait_for("the default route gone by the farewell", lambda: not client.has_default_route())
    wait_for("eth0's link-local address again", lambda: "fe80" in ip("-6", "addr", "show", "dev", "eth0", "-tentative"))
    assert host_state() == before
    run("docker", "start", "provider1")
    vbng.wait_serving(2)
    assert client.ping(source), "the same binding and route at once after a restart"
    run("docker", "stop", "provider1")
    ip("addr", "flush", "dev", "eth0", "scope", "global")


def test_killed_the_nic_comes_home_and_the_next_start_serves_the_same(provider, container, cpe):
    ip("addr", "add", "198.51.100.9/24", "dev", "eth0")
    ip("link", "set", "eth0", "up")
    vbng = container("provider1", provider.env(WIREGUARD_ENDPOINT="[2001:db8:a::1]:51820")).wait_serving()
    client = cpe()
    source = client.wait()
    run("docker", "kill", "-s", "KILL", "provider1")
    wait_for("eth0 home", lambda: "eth0" in {l["ifname"] for l in json.loads(ip("-j", "link"))})
    assert "wg-" not in ip("link")
    run("docker", "start", "provider1")
    vbng.wait_serving(2)
    assert client.ping(source), vbng.log()
    run("docker", "stop", "provider1")
    assert "198.51.100.9/24" in ip("addr", "show", "dev", "eth0"), "the addresses noted before the kill are back"
    ip("addr", "flush", "dev", "eth0", "scope", "global")


def test_started_again_at_once_after_a_kill(provider, container):
    vbng = container("provider1", provider.env(), "--restart", "unless-stopped").wait_serving()
    os.kill(int(vbng.pid()), 9)
    vbng.wait_serving(2)
    assert vbng.exec("vbng", "healthcheck") == "serving\n"


def test_two_providers_on_one_host(provider, container, cpe):
    one = container("provider1", provider.env()).wait_serving()
    two = container("provider2", provider.env(1)).wait_serving()
    first, second = cpe(0), cpe(1)
    a, b = first.wait(), second.wait()
    assert ipaddress.ip_address(a) in POOL and ipaddress.ip_address(b) in ipaddress.ip_network("2001:db8:eeee:8000::/49")
    assert first.ping(a) and second.ping(b)
    run("docker", "stop", "provider2")
    assert first.ping(a)
    assert json.loads(one.exec("vbng", "status", "--json"))["server_restarts"] == 0
    assert two.wait_exit() == 0


def test_the_userspace_backend_on_a_stock_host(provider, container, cpe):
    vbng = container("provider1", provider.env(WIREGUARD_BACKEND="userspace")).wait_serving()
    assert "backend=userspace" in vbng.log()
    client = cpe()
    assert client.ping(client.wait()), vbng.log()
    run("docker", "stop", "provider1")
    assert "vbng" not in ip("link")


LEAST = ["--cap-drop", "ALL", "--cap-add", "NET_ADMIN", "--cap-add", "SYS_ADMIN", "--cap-add", "NET_RAW", "--cap-add", "NET_BIND_SERVICE",
         "--security-opt", "no-new-privileges", "--read-only", "--tmpfs", "/run",
         "--sysctl", "net.ipv6.conf.all.disable_ipv6=0", "--sysctl", "net.ipv6.conf.default.disable_ipv6=0",
         "--sysctl", "net.ipv6.conf.all.forwarding=1", "--sysctl", "net.ipv6.conf.default.forwarding=1"]


def test_without_privileged_as_the_readme_says(provider, container, cpe):
    before = host_state()
    looked = container("looked", provider.env(), *LEAST, privileged=False, command=("check", "--runtime"))
    assert looked.wait_exit() == 0, looked.log()
    assert "all that it needs to start is here" in looked.log()
    assert host_state() == before
    container("provider1", provider.env(), *LEAST, privileged=False).wait_serving()
    client = cpe()
    assert client.ping(client.wait())


def test_check_runtime_says_all_that_is_missing_of_the_least_set(provider, container):
    options = list(LEAST)
    for without in "NET_RAW", "net.ipv6.conf.all.forwarding=1", "/run":
        at = options.index(without)
        del options[at - 1:at + 1]
    looked = container("looked", provider.env(), *options, privileged=False, command=("check", "--runtime"))
    assert looked.wait_exit() == 77, looked.log()
    for says in ("the capability NET_RAW is missing (for router advertisements). Start with --privileged, or add --cap-add NET_RAW",
                 "--sysctl net.ipv6.conf.all.forwarding=1", "Start with --tmpfs /run"):
        assert says in looked.log()


@pytest.mark.parametrize("what, change, options, code, says", [
    ("no such NIC", {"SUBSCRIBER_INTERFACE": "eth9"}, {}, 69, "SUBSCRIBER_INTERFACE=eth9: the host has no interface of that name. It has: "),
    ("faulty configuration", {"WIREGUARD_PEER": "nonsense", "ASSIGNED_PREFIX": None}, {}, 78, "ASSIGNED_PREFIX: is missing"),
    ("no bind mount", {}, {"mount": False}, 69, "the host's network namespace is not mounted"),
    ("no privileges", {}, {"privileged": False}, 77, "the capability NET_ADMIN is missing"),
])
def test_a_boot_that_fails_says_why_and_leaves_the_host_alone(provider, container, what, change, options, code, says):
    before = host_state()
    vbng = container("provider1", provider.env(**change), **options)
    assert vbng.wait_exit() == code, vbng.log()
    assert says in vbng.log()
    assert host_state() == before


def test_a_boot_that_fails_half_way_undoes_what_it_did(provider, container):
    """Tunnel made and NIC taken, then DHCPv6's port turns out to be somebody else's in the container's namespace."""
    ip("addr", "add", "198.51.100.9/24", "dev", "eth0")
    ip("link", "set", "eth0", "up")
    wait_for("eth0's link-local address", lambda: "fe80" in ip("-6", "addr", "show", "dev", "eth0", "-tentative"))
    before = host_state()
    run("docker", "run", "-d", "--name", "holder", "--network", "none", "--entrypoint", "/bin/sleep", "vbng", "1000")
    try:
        pid = run("docker", "inspect", "-f", "{{.State.Pid}}", "holder").stdout.strip()
        squat = "import socket,time; s=socket.socket(socket.AF_INET6,socket.SOCK_DGRAM); s.bind(('::',547)); print('bound',flush=True); time.sleep(300)"
        with subprocess.Popen(["nsenter", f"--net=/proc/{pid}/ns/net", "/usr/bin/python3", "-c", squat], stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout.readline() == "bound\n"
            vbng = container("provider1", provider.env(), network="container:holder")
            assert vbng.wait_exit() == 69, vbng.log()
            assert "tunnel created" in vbng.log() and "another DHCPv6 server is running" in vbng.log()
            other.kill()
        left = run("nsenter", f"--net=/proc/{pid}/ns/net", "ip", "link").stdout
        assert "wg-" not in left and "eth0" not in left
    finally:
        run("docker", "rm", "-f", "holder", check=False)
    wait_for("eth0's link-local address again", lambda: "fe80" in ip("-6", "addr", "show", "dev", "eth0", "-tentative"))
    assert host_state() == before
    ip("addr", "flush", "dev", "eth0", "scope", "global")


def test_secrets_are_nowhere_to_be_seen(provider, container):
    vbng = container("provider1", provider.env(LOG_LEVEL="debug")).wait_serving()
    key = provider.subscriber_keys[0][0]
    assert key not in vbng.log()
    for p in run("pgrep", "-x", "vbng").stdout.split():
        for f in ("environ", "cmdline"):
            with open(f"/proc/{p}/{f}", "rb") as content:
                assert key.encode() not in content.read()
    assert key not in run("docker", "run", "--rm", "--network", "none", "-e", f"WIREGUARD_PRIVATE_KEY={key}", "vbng", "check", check=False).stderr


# --- the tunnel's repair, with the kernel's WireGuard

def tunnel(vbng):
    return json.loads(vbng.exec("vbng", "status", "--json"))["tunnel"]


def wait_carrying(vbng, timeout=180):
    begun = time.monotonic()
    wait_for("an answer through the tunnel", lambda: " 0% packet loss" in vbng.exec("ping", "-6", "-c", "1", "-W", "2", BEYOND, check=False), timeout)
    return time.monotonic() - begun


def inside_ip(vbng, *args):
    return run("nsenter", f"--net=/proc/{vbng.pid()}/ns/net", "ip", *args).stdout


def tunnel_port(vbng):
    return run("nsenter", f"--net=/proc/{vbng.pid()}/ns/net", "wg", "show", "wg-provider1", "listen-port").stdout.strip()


def our_routes(vbng):
    return sorted(line.strip() for line in inside_ip(vbng, "-6", "route", "show", "proto", "118").splitlines())


def test_a_provider_that_comes_back_at_another_address_is_found_by_its_name(provider, container, cpe, name_server):
    name_server.say("192.0.2.1")
    vbng = container("provider1", provider.env(WIREGUARD_ENDPOINT=f"{VPN}:51820"), *name_server.MOUNTED).wait_serving()
    client = cpe()
    source = client.wait()
    wait_carrying(vbng)
    routes = our_routes(vbng)
    provider.die()
    provider.move("192.0.2.9")
    name_server.say("192.0.2.9")
    provider.revive()
    print(f"traffic flows again {wait_carrying(vbng):.1f} s after the provider is at its new address")
    wait_for("its new address in status", lambda: tunnel(vbng)["endpoint"] == "192.0.2.9:51820")
    assert our_routes(vbng) == routes and client.ping(source)
    # The other way round: the name is of the past, WireGuard has heard from where it is now.
    provider.move("192.0.2.1")
    wait_for("the provider followed", lambda: run("ip", "netns", "exec", "internet", "ping", "-6", "-c", "1", "-W", "1", "2001:db8:0:1::2", check=False).returncode == 0)
    wait_for("its new address in status", lambda: tunnel(vbng)["endpoint"] == "192.0.2.1:51820")
    time.sleep(6)
    assert tunnel(vbng)["endpoint"] == "192.0.2.1:51820" and client.ping(source)


def test_the_tunnel_deleted_or_set_down_inside_is_back_as_it_was(provider, container, cpe):
    vbng = container("provider1", provider.env()).wait_serving()
    client = cpe()
    source = client.wait()
    wait_carrying(vbng)
    routes, port = our_routes(vbng), tunnel_port(vbng)
    for command in ("del",), ("set", "down"):
        begun = time.monotonic()
        vbng.exec("ip", "link", command[0], "dev", "wg-provider1", *command[1:])
        wait_carrying(vbng)
        print(f"link {' '.join(command)}: traffic flows again after {time.monotonic() - begun:.1f} s")
        assert our_routes(vbng) == routes and tunnel_port(vbng) == port and client.ping(source), vbng.log()
    assert "tunnel made again" in vbng.log() and 'what="it was down' in vbng.log()
    run("docker", "stop", "provider1")
    assert vbng.wait_exit() == 0 and "wg-" not in ip("link")


def test_the_hosts_address_changes_under_the_tunnel(provider, container):
    vbng = container("provider1", provider.env()).wait_serving()
    wait_carrying(vbng)
    ip("addr", "del", "192.0.2.2/24", "dev", "wan0")
    ip("addr", "add", "192.0.2.200/24", "dev", "wan0")
    print(f"traffic flows again after {wait_carrying(vbng):.1f} s")
    ip("addr", "del", "192.0.2.200/24", "dev", "wan0")
    ip("addr", "add", "192.0.2.2/24", "dev", "wan0")
    wait_carrying(vbng)


def test_a_provider_on_the_docker_host_itself(provider, container):
    """Its WireGuard is born in the host's namespace, as ours is."""
    provider.die()
    try:
        provider.revive(born_on_host=True)
        vbng = container("provider1", provider.env(WIREGUARD_ENDPOINT="127.0.0.1:51820")).wait_serving()
        wait_carrying(vbng)
    finally:
        provider.die()
        provider.revive()


def test_a_link_local_endpoint(provider, container):
    address = next(a["local"] for a in json.loads(ip("-j", "-6", "addr", "show", "dev", "up0", ns="internet"))[0]["addr_info"] if a["scope"] == "link")
    vbng = container("provider1", provider.env(WIREGUARD_ENDPOINT=f"[{address}%wan0]:51820")).wait_serving()
    wait_carrying(vbng)
