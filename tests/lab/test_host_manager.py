# SPDX-License-Identifier: GPL-2.0-or-later
"""The NIC is configured by systemd-networkd or NetworkManager, which see it go and come back.

NetworkManager is not installed for this (it would configure the machine that tests); VBNG_NETWORK_MANAGER names where it is, "/" or a directory
into which the packages network-manager, libnm0, libndp0, libteamdctl0, libbluetooth3, libmm-glib0 and libnewt0.52 were unpacked (dpkg -x).
"""
import os
import shutil
import subprocess
import tempfile

import pytest

from lab import EX_OK, assert_same, popen, wait_for

NETWORKD = "/lib/systemd/systemd-networkd"
MANAGER = os.environ.get("VBNG_NETWORK_MANAGER", "")
LIBRARIES = f"{MANAGER}/usr/lib/x86_64-linux-gnu"
V4, V6, GATEWAY = "198.51.100.9", "2001:db8:77::9", "198.51.100.1"


def configured(lab):
    """As it is with the host's configuration, and with nothing else."""
    addresses = {a["local"] for link in lab.host.json("addr", "show", "dev", "sub0") for a in link["addr_info"] if a["scope"] == "global"}
    routes = lab.host.ip("route", "show", "dev", "sub0")
    link = lab.host.json("link", "show", "dev", "sub0")
    return addresses == {V4, V6} and f"default via {GATEWAY}" in routes and "198.51.100.0/24" in routes and "UP" in link[0]["flags"]


def goes_and_comes_back(lab, told, **by_manager):
    """Twice: what it has seen the first time changes nothing the second."""
    wait_for("the host's configuration", lambda: configured(lab), 30)
    for _ in range(2):
        vbng = lab.vbng().wait_serving()
        assert ("a network manager of the host configures this NIC" in vbng.text()) == told
        assert vbng.stop()[0] == EX_OK
        wait_for("the host's configuration again", lambda: configured(lab), 30)
        for key, value in by_manager.items():
            assert f"{key}={value}" in vbng.text()


def own_directory(lab):
    directory = lab.add(tempfile.mkdtemp(prefix="vbng-manager-"), shutil.rmtree)
    os.chmod(directory, 0o755)
    return directory


def start(lab, directory, script):
    """script: in a mount namespace of its own, where interfaces are what /sys says without udev."""
    with open(os.path.join(directory, "log"), "wb") as log:
        process = popen(*lab.host.cmd("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-ec", script + "\n"),
                        stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    lab.add(process, subprocess.Popen.wait)
    lab.add(process, subprocess.Popen.kill)


def networkd(lab, network):
    directory = own_directory(lab)
    os.makedirs(f"{directory}/network")
    for name, text in ("networkd.conf", "[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n"), ("network/10-sub0.network", network):
        with open(f"{directory}/{name}", "w", encoding="ascii") as f:
            f.write(text)
    start(lab, directory, f"mount --bind {directory} /etc/systemd\nmkdir -p /run/systemd\nmount -t tmpfs tmpfs /run/systemd\n"
          f"mount -o remount,bind,ro /sys\nSYSTEMD_LOG_TARGET=console exec {NETWORKD}")


@pytest.mark.skipif(not os.access(NETWORKD, os.X_OK), reason="systemd-networkd is not installed")
@pytest.mark.parametrize("addresses, manager", [
    # As somebody wrote them down.
    (f"Address={V4}/24\nAddress={V6}/64\nGateway={GATEWAY}", False),
    # As it enters those from DHCP: their routes are its own.
    (f"IPv6AcceptRA=no\n[Address]\nAddress={V4}/24\nAddPrefixRoute=no\n[Address]\nAddress={V6}/64\nAddPrefixRoute=no\n"
     f"[Route]\nGateway={GATEWAY}\nGatewayOnLink=yes\n[Route]\nDestination=198.51.100.0/24\nScope=link", True),
], ids=["static", "with routes of its own"])
def test_networkd_has_its_nic_back_as_it_wants_it(lab, addresses, manager):
    networkd(lab, f"[Match]\nName=sub0\n[Network]\n{addresses}\n")
    goes_and_comes_back(lab, told=manager, left_to_the_hosts_manager=str(manager).lower())


def test_a_manager_that_is_gone_is_not_waited_for_long(lab):
    lab.host.ip("link", "set", "sub0", "up")
    lab.host.ip("addr", "add", f"{V4}/24", "dev", "sub0", "noprefixroute")
    lab.host.ip("addr", "add", f"{V6}/64", "dev", "sub0", "nodad")
    before = lab.host.snapshot()
    vbng = lab.vbng().wait_serving()
    code, _ = vbng.stop()
    assert code == EX_OK
    assert_same(before, lab.host.snapshot)
    assert "left_to_the_hosts_manager=false" in vbng.text()


BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/><allow user="*"/></policy></busconfig>
"""
PROFILE = f"""[connection]
id=sub0
uuid=6c0c2c52-9f0a-4a7a-9d0a-000000000001
type=ethernet
interface-name=sub0
[ipv4]
method=manual
address1={V4}/24,{GATEWAY}
[ipv6]
method=manual
address1={V6}/64
"""


@pytest.mark.skipif(not MANAGER, reason="VBNG_NETWORK_MANAGER does not say where it is")
def test_networkmanager_has_its_nic_back_as_it_wants_it(lab):
    directory = own_directory(lab)
    os.makedirs(f"{directory}/etc/system-connections")
    for name, text in (("bus.conf", BUS), ("etc/system-connections/sub0.nmconnection", PROFILE),
                       ("etc/NetworkManager.conf", "[main]\nplugins=keyfile\nno-auto-default=*\n[device]\nmatch-device=interface-name:sub0\nmanaged=1\n")):
        with open(f"{directory}/{name}", "w", encoding="ascii", opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write(text)
    lines = ["mount -t tmpfs tmpfs /run", "mount -t tmpfs tmpfs /var/lib", "mount -t tmpfs tmpfs /mnt", "mkdir -p /mnt/etc /run/dbus /run/NetworkManager /var/lib/NetworkManager",
             # /etc and the plugins' place need not have its directories.
             "cp -a /etc/passwd /etc/group /etc/nsswitch.conf /etc/ld.so.cache /mnt/etc/", f"cp -a {directory}/etc /mnt/etc/NetworkManager",
             "mount --bind /mnt/etc /etc", "mount -o remount,bind,ro /sys"]
    if MANAGER != "/":
        lines += ["mkdir -p /mnt/lib /mnt/work", "mount -t overlay -o lowerdir=/usr/lib/x86_64-linux-gnu,upperdir=/mnt/lib,workdir=/mnt/work overlay /usr/lib/x86_64-linux-gnu",
                  f"cp -a {LIBRARIES}/NetworkManager /usr/lib/x86_64-linux-gnu/", f"export LD_LIBRARY_PATH={LIBRARIES}:{MANAGER}/lib/x86_64-linux-gnu"]
    start(lab, directory, "\n".join([*lines, f"dbus-daemon --config-file={directory}/bus.conf --fork --nopidfile", f"exec {MANAGER}/usr/sbin/NetworkManager --no-daemon"]))
    goes_and_comes_back(lab, told=True, left_to_the_hosts_manager="true")
