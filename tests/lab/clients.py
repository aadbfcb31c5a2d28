# SPDX-License-Identifier: GPL-2.0-or-later
"""CPE clients that nobody here wrote, as Debian ships them: each is told to get a prefix and an address, and to number lan0 from the prefix.

What a client keeps on disk it keeps in a directory of its own, behind a mount namespace of its own in which /etc cannot be changed
but for a copy of resolv.conf: some of them write their DNS servers into the machine's without being asked.
"""
import ipaddress
import os
import shutil
import signal
import subprocess
import tempfile

from lab import PATIENCE_S, children_of, popen, stop_process, wait_for

LAN = "lan0"


class Client:
    """A client on `dev` of the namespace `ns`. The subclasses say how it is configured and started."""

    program = None
    renews_early = True  # by T1, however short that is
    many = False  # it is several processes, of which the first one's sudden end leaves the others

    def __init__(self, ns, dev="cpe0"):
        self.ns, self.dev = ns, dev
        self.dir = tempfile.mkdtemp(prefix=f"vbng-{self.program}-")
        if LAN not in ns.links():
            ns.ip("link", "add", LAN, "type", "veth", "peer", "name", LAN + "p")
            ns.ip("link", "set", LAN, "up")
            ns.ip("link", "set", LAN + "p", "up")
        self.process = None

    @classmethod
    def missing(cls):
        return None if shutil.which(cls.program) else f"{cls.program} is not installed"

    @classmethod
    def keeps(cls):
        """Why it gives nothing back when it is told to end; None: it does."""
        return None

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def hide(self, *places):
        """Shell lines that put a part of our directory over each of the machine's, and protect the rest of /etc."""
        lines = []
        for i, place in enumerate(places):
            mine = os.path.join(self.dir, f"mount{i}")
            os.makedirs(mine, exist_ok=True)
            os.chmod(mine, 0o755)
            lines.append(f"mkdir -p {place} && mount --bind {mine} {place}")
        return "\n".join([*lines, "mount -o remount,bind,ro /etc"]) + "\n"

    def launch(self, script):
        own_resolv_conf = self.write("resolv.conf", "")
        path = self.write("start", f"""\
set -e
mount --bind /etc /etc
mount --bind {own_resolv_conf} /etc/resolv.conf
{script}""")
        wait_for("a link-local address, which some clients do not wait for", lambda: self.ns.addresses(self.dev, "link"))
        self.log = open(os.path.join(self.dir, "log"), "ab")
        together = ("--pid", "--fork", "--kill-child", "--mount-proc") if self.many else ()
        self.process = popen(*self.ns.cmd("unshare", "--mount", *together, "bash", path), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        return self

    def start(self):
        raise NotImplementedError

    def text(self):
        with open(os.path.join(self.dir, "log"), encoding="utf-8", errors="replace") as f:
            return f.read()

    def pid(self):
        """Of its first process, with whose end all others end."""
        if not self.many:
            return self.process.pid
        children = children_of(self.process.pid)
        assert len(children) == 1, f"{self.program} has ended by itself\n{self.text()[-4000:]}"
        return children[0]

    def lan_address(self):
        """From the delegated prefix."""
        found = self.ns.addresses(LAN)
        return found[0]["local"] if found else None

    def wait(self):
        try:
            return wait_for(f"an address from the delegated prefix on {self.program}'s LAN", self.lan_address)
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.text()[-4000:]}") from None

    def release(self):
        """It gives back what it has, and ends."""
        os.kill(self.pid(), signal.SIGTERM)
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.program} does not end\n{self.text()[-4000:]}") from None

    def kill(self):
        """A power cut: nothing is released, and the LAN has no address any more."""
        if self.process and self.process.poll() is None:
            os.kill(self.pid(), signal.SIGKILL)
            self.process.wait(PATIENCE_S)
        self.forget()

    def forget(self):
        self.ns.ip("addr", "flush", "dev", LAN, "scope", "global", check=False)

    def close(self):
        if self.process:
            if self.process.poll() is None:
                os.kill(self.pid(), signal.SIGKILL)
                self.process.wait(PATIENCE_S)
            self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class WideDhcp6c(Client):
    program = "dhcp6c"
    renews_early = False  # never before 30 seconds

    def start(self):
        conf = self.write("conf", f"interface {self.dev} {{ send ia-pd 0; send ia-na 0; request domain-name-servers; }};\n"
                          f"id-assoc pd 0 {{ prefix-interface {LAN} {{ sla-id 1; sla-len 8; ifid 1; }}; }};\nid-assoc na 0 {{}};\n")
        return self.launch(self.hide("/var/lib/dhcpv6") + f"exec dhcp6c -f -D -p {self.dir}/pid -c {conf} {self.dev}\n")


class Dhcpcd(Client):
    program = "dhcpcd"
    many = True

    def start(self):
        conf = self.write("conf", f"""\
ipv6only
duid ll
release
noipv6rs
nohook resolv.conf, hostname, ntp
allowinterfaces {self.dev} {LAN}
option dhcp6_name_servers
interface {self.dev}
    ia_na 1
    ia_pd 2 {LAN}/1/64/1
interface {LAN}
    noipv6
""")
        return self.launch(self.hide("/var/lib/dhcpcd") +
                           f"mkdir -p /run/dhcpcd\nmount -t tmpfs tmpfs /run/dhcpcd\nexec dhcpcd -B -d -f {conf} -c /bin/true {self.dev}\n")


class Dhclient(Client):
    """It leaves all addresses to its script, and a second process releases what it has."""

    program = "dhclient"

    def start(self):
        script = self.write("script", f"""\
#!/bin/sh
echo "$reason ${{new_ip6_prefix:-}} ${{new_ip6_address:-}} ${{new_dhcp6_name_servers:-}}" >>{self.dir}/reasons
case $reason in
BOUND6|RENEW6|REBIND6|REBOOT6)
    [ -z "$new_ip6_address" ] || ip -6 addr replace "$new_ip6_address/128" dev {self.dev} nodad
    [ -z "$new_ip6_prefix" ] || ip -6 addr replace "$(/usr/bin/python3 {self.dir}/lan.py "$new_ip6_prefix")" dev {LAN} nodad ;;
EXPIRE6|RELEASE6|STOP6)
    [ -z "$old_ip6_address" ] || ip -6 addr del "$old_ip6_address/128" dev {self.dev}
    [ -z "$old_ip6_prefix" ] || ip -6 addr del "$(/usr/bin/python3 {self.dir}/lan.py "$old_ip6_prefix")" dev {LAN} ;;
esac
exit 0
""", 0o755)
        self.write("lan.py", "import ipaddress, sys\nprint(f'{ipaddress.ip_network(sys.argv[1])[(1 << 64) + 1]}/64')\n")
        files = f"-6 -lf {self.dir}/leases -pf {self.dir}/pid -sf {script}"
        with open(os.path.join(self.dir, "leases"), "ab"):
            pass
        self.again = f"dhclient -r -P -N {files} {self.dev}"
        return self.launch(self.hide() + f"exec dhclient -d -v -P -N {files} {self.dev}\n")

    def release(self):
        self.ns.exec(*self.again.split())
        stop_process(self.process)


class Dibbler(Client):
    """It puts a route for all of the prefix on the LAN, and leaves the addresses to others."""

    program = "dibbler-client"

    def lan_address(self):
        for r in self.ns.routes("dev", LAN):
            if r.get("protocol") not in ("kernel", "ra") and "/" in r["dst"] and not r["dst"].endswith("/64"):
                self.ns.ip("addr", "replace", f"{ipaddress.ip_network(r['dst'])[(1 << 64) + 1]}/64", "dev", LAN, "nodad")
        return super().lan_address()

    def forget(self):
        for r in self.ns.routes("dev", LAN):
            if r["dst"] != "fe80::/64":
                self.ns.ip("-6", "route", "del", r["dst"], "dev", LAN, check=False)
        super().forget()

    def start(self):
        hidden = self.hide("/etc/dibbler", "/var/lib/dibbler", "/var/log/dibbler")
        with open(os.path.join(self.dir, "mount0", "client.conf"), "w", encoding="ascii") as f:
            f.write(f'log-level 7\nlog-mode full\nduid-type duid-ll\ndownlink-prefix-ifaces "{LAN}"\n'
                    f'iface "{self.dev}" {{\n  ia\n  pd\n  option dns-server\n}}\n')
        return self.launch(hidden + "exec dibbler-client run\n")


class Networkd(Client):
    """Without systemd: no D-Bus, and no udev, which it believes where /sys cannot be written, as in a container.

    By default it asks for a prefix only where router advertisements have the M flag; the O flag alone lets it ask for DNS servers.
    """

    program = "systemd-networkd"
    binary = "/lib/systemd/systemd-networkd"
    renews_early = False  # its timers are up to 10 seconds late, and a T1 that is over together with T2 becomes a REBIND

    @classmethod
    def missing(cls):
        return None if os.access(cls.binary, os.X_OK) else f"{cls.binary} is not installed"

    @classmethod
    def keeps(cls):
        with open(cls.binary, "rb") as f:
            return None if b"DHCPv6.SendRelease" in f.read() else "this version of systemd-networkd never sends a RELEASE (DHCPv6 has no SendRelease=)"

    def start(self):
        hidden = self.hide("/etc/systemd")
        there = os.path.join(self.dir, "mount0")
        os.makedirs(os.path.join(there, "network"), exist_ok=True)
        for name, text in {
            "networkd.conf": "[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n[DHCPv6]\nDUIDType=link-layer\n",
            "network/10-wan.network": f"""\
[Match]
Name={self.dev}
[Network]
LinkLocalAddressing=ipv6
IPv6AcceptRA=yes
[IPv6AcceptRA]
DHCPv6Client=always
[DHCPv6]
UseHostname=no
SendHostname=no
""",
            "network/20-lan.network": f"""\
[Match]
Name={LAN}
[Network]
LinkLocalAddressing=ipv6
IPv6AcceptRA=no
IPv6SendRA=no
DHCPPrefixDelegation=yes
[DHCPPrefixDelegation]
UplinkInterface={self.dev}
SubnetId=1
Token=static:::1
Announce=no
""",
        }.items():
            with open(os.path.join(there, name), "w", encoding="ascii") as f:
                f.write(text)
        return self.launch(hidden + "mkdir -p /run/systemd\nmount -t tmpfs tmpfs /run/systemd\nmount -o remount,bind,ro /sys\n"
                           f"SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console exec {self.binary}\n")


ALL = [WideDhcp6c, Dhcpcd, Dhclient, Dibbler, Networkd]


def inside(address, prefix):
    return ipaddress.ip_address(address) in ipaddress.ip_network(prefix)
