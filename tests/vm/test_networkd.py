# SPDX-License-Identifier: GPL-2.0-or-later
"""A card that systemd-networkd configures, and a provider that is killed: the kernel brings the card home, which no veth pair shows."""
import json
import os
import subprocess

import pytest

from test_docker import ip, run, wait_for

NETWORKD = "/lib/systemd/systemd-networkd"
pytestmark = [pytest.mark.skipif(os.environ.get("VBNG_VM") != "1", reason="runs inside scripts/vm-tests' virtual machine"),
              pytest.mark.skipif(not os.environ.get("VBNG_LONG"), reason="VBNG_LONG=1 runs it"),
              pytest.mark.skipif(not os.access(NETWORKD, os.X_OK), reason="systemd-networkd is not installed")]

ENV = {"WIREGUARD_INTERFACE_SUFFIX": "managed", "WIREGUARD_BACKEND": "none", "ASSIGNED_PREFIX": "2001:db8:ffff::/48", "SUBSCRIBER_INTERFACE": "eth0"}
FILES = {
    "networkd.conf": "[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n",
    "network/10-eth0.network": "[Match]\nName=eth0\n[Network]\nIPv6AcceptRA=no\n[Address]\nAddress=198.51.100.9/24\nAddPrefixRoute=no\n"
                               "[Route]\nDestination=198.51.100.0/24\nScope=link\n[Route]\nGateway=198.51.100.1\nGatewayOnLink=yes\n",
}


@pytest.fixture
def networkd():
    """Without udev, which it believes where /sys cannot be written."""
    for name, text in FILES.items():
        os.makedirs(os.path.dirname(f"/tmp/networkd/{name}"), exist_ok=True)
        with open(f"/tmp/networkd/{name}", "w", encoding="ascii") as f:
            f.write(text)
    script = (f"mount --bind /tmp/networkd /etc/systemd; mkdir -p /run/systemd; mount -t tmpfs tmpfs /run/systemd; mount -o remount,bind,ro /sys;"
              f"exec {NETWORKD}")
    with subprocess.Popen(["unshare", "--mount", "bash", "-ec", script], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        yield
        process.kill()
    ip("addr", "flush", "dev", "eth0")


def configured():
    links = {link["ifname"]: link for link in json.loads(ip("-j", "link"))}
    return "eth0" in links and "UP" in links["eth0"]["flags"] and "198.51.100.9" in ip("addr", "show", "dev", "eth0") \
        and "default via 198.51.100.1" in ip("route", "show", "dev", "eth0")


def test_networkd_has_its_card_back_from_a_killed_provider_and_from_a_stopped_one(container, networkd):
    wait_for("networkd's configuration", configured)
    vbng = container("managed", ENV).wait_serving()
    assert "a network manager of the host configures this NIC" in vbng.log()
    run("docker", "kill", "managed")
    wait_for("networkd's configuration", configured)
    run("docker", "start", "managed")
    vbng.wait_serving(2)
    run("docker", "stop", "managed")
    assert vbng.wait_exit() == 0 and "left_to_the_hosts_manager=true" in vbng.log()
    wait_for("networkd's configuration", configured)
