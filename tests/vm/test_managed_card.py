# SPDX-License-Identifier: GPL-2.0-or-later
"""A card that a network manager configures, and a provider that is killed: the kernel brings the card home, which no veth pair shows.

VBNG_NETWORK_MANAGER says where NetworkManager is, as for tests/lab/test_host_manager.py.
"""
import json
import os
import subprocess

import pytest

from test_docker import ip, run, wait_for

NETWORKD = "/lib/systemd/systemd-networkd"
MANAGER = os.environ.get("VBNG_NETWORK_MANAGER", "")
pytestmark = [pytest.mark.skipif(os.environ.get("VBNG_VM") != "1", reason="runs inside scripts/vm-tests' virtual machine"),
              pytest.mark.skipif(not os.environ.get("VBNG_LONG"), reason="VBNG_LONG=1 runs it")]

ENV = {"WIREGUARD_INTERFACE_SUFFIX": "managed", "WIREGUARD_BACKEND": "none", "ASSIGNED_PREFIX": "2001:db8:ffff::/48", "SUBSCRIBER_INTERFACE": "eth0"}
OF_NETWORKD = {
    "networkd.conf": "[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n",
    "network/10-eth0.network": "[Match]\nName=eth0\n[Network]\nIPv6AcceptRA=no\n[Address]\nAddress=198.51.100.9/24\nAddPrefixRoute=no\n"
                               "[Route]\nDestination=198.51.100.0/24\nScope=link\n[Route]\nGateway=198.51.100.1\nGatewayOnLink=yes\n",
}
# Without udev, which both believe where /sys cannot be written.
START_NETWORKD = f"""
mount --bind /tmp/manager /etc/systemd
mkdir -p /run/systemd
mount -t tmpfs tmpfs /run/systemd
mount -o remount,bind,ro /sys
exec {NETWORKD}
"""
OF_NETWORKMANAGER = {
    "bus.conf": '<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">\n'
                '<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth><policy context="default">'
                '<allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/><allow user="*"/></policy></busconfig>\n',
    "etc/NetworkManager.conf": "[main]\nplugins=keyfile\nno-auto-default=*\n[device]\nmatch-device=interface-name:eth0\nmanaged=1\n"
                               "[keyfile]\nunmanaged-devices=*,except:interface-name:eth0\n",
    "etc/system-connections/eth0.nmconnection": "[connection]\nid=eth0\nuuid=6c0c2c52-9f0a-4a7a-9d0a-000000000002\ntype=ethernet\ninterface-name=eth0\n"
                                                "[ipv4]\nmethod=manual\naddress1=198.51.100.9/24,198.51.100.1\n[ipv6]\nmethod=disabled\n",
}
# As the lab's does; what was unpacked somewhere finds its plugins in their place, and /etc has its folder.
START_NETWORKMANAGER = f"""
for directory in /var/lib /mnt /run/dbus /run/NetworkManager; do
    mkdir -p $directory
    mount -t tmpfs tmpfs $directory
done
mkdir -p /mnt/etc /var/lib/NetworkManager
cp -a /etc/passwd /etc/group /etc/nsswitch.conf /etc/ld.so.cache /mnt/etc/
cp -a /tmp/manager/etc /mnt/etc/NetworkManager
mount --bind /mnt/etc /etc
mount -o remount,bind,ro /sys
libraries=/usr/lib/x86_64-linux-gnu
if [ {MANAGER} != / ]; then
    mkdir -p /mnt/lib /mnt/work
    mount -t overlay -o lowerdir=$libraries,upperdir=/mnt/lib,workdir=/mnt/work overlay $libraries
    cp -a {MANAGER}$libraries/NetworkManager $libraries/
    export LD_LIBRARY_PATH={MANAGER}$libraries:{MANAGER}/lib/x86_64-linux-gnu
fi
dbus-daemon --config-file=/tmp/manager/bus.conf --fork --nopidfile
exec {MANAGER}/usr/sbin/NetworkManager --no-daemon
"""


@pytest.fixture
def manager(request):
    files, script = request.param
    ip("addr", "flush", "dev", "eth0")
    for name, text in files.items():
        os.makedirs(os.path.dirname(f"/tmp/manager/{name}"), exist_ok=True)
        with open(f"/tmp/manager/{name}", "w", encoding="ascii", opener=lambda path, flags: os.open(path, flags, 0o600)) as f:
            f.write(text)
    os.chmod("/tmp/manager", 0o755)
    for name in ("networkd.conf", "network/10-eth0.network"):  # for networkd's own user
        if name in files:
            os.chmod(f"/tmp/manager/{name}", 0o644)
    with open("/share/manager.log", "wb") as log, \
            subprocess.Popen(["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-ec", script],
                             stdin=subprocess.DEVNULL, stdout=log, stderr=log) as process:
        yield
        process.kill()
    ip("addr", "flush", "dev", "eth0")


def configured():
    links = {link["ifname"]: link for link in json.loads(ip("-j", "link"))}
    return "eth0" in links and "UP" in links["eth0"]["flags"] and "198.51.100.9" in ip("addr", "show", "dev", "eth0") \
        and "default via 198.51.100.1" in ip("route", "show", "dev", "eth0")


@pytest.mark.parametrize("manager", [
    pytest.param((OF_NETWORKD, START_NETWORKD), id="networkd",
                 marks=pytest.mark.skipif(not os.access(NETWORKD, os.X_OK), reason="systemd-networkd is not installed")),
    pytest.param((OF_NETWORKMANAGER, START_NETWORKMANAGER), id="NetworkManager",
                 marks=pytest.mark.skipif(not MANAGER, reason="VBNG_NETWORK_MANAGER does not say where it is")),
], indirect=True)
def test_the_manager_has_its_card_back_from_a_killed_provider_and_from_a_stopped_one(manager, container):
    wait_for("the manager's configuration", configured)
    vbng = container("managed", ENV).wait_serving()
    assert "a network manager of the host configures this NIC" in vbng.log()
    run("docker", "kill", "managed")
    wait_for("the manager's configuration", configured)
    run("docker", "start", "managed")
    vbng.wait_serving(2)
    run("docker", "stop", "managed")
    assert vbng.wait_exit() == 0 and "left_to_the_hosts_manager=true" in vbng.log()
    wait_for("the manager's configuration", configured)
