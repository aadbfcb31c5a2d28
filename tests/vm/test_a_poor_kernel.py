# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel without modules that others have: what serves all the same, and what is said. First of all, before anything has loaded them."""
import json
import os

import pytest

from test_docker import host_state, ip, run, wait_for

pytestmark = [pytest.mark.skipif(os.environ.get("VBNG_VM") != "1", reason="runs inside scripts/vm-tests' virtual machine"),
              pytest.mark.skipif(not os.environ.get("VBNG_LONG"), reason="VBNG_LONG=1 runs it")]

ENV = {"WIREGUARD_INTERFACE_SUFFIX": "poor", "WIREGUARD_BACKEND": "none", "ASSIGNED_PREFIX": "2001:db8:ffff::/48", "SUBSCRIBER_INTERFACE": "eth0",
       "SOURCE_FILTER": "reject"}
REFUSED = "/etc/modprobe.d/poor.conf"


@pytest.fixture
def without():
    def refuse(*modules):
        loaded = [m for m in modules if os.path.isdir(f"/sys/module/{m}")]
        assert not loaded, f"{loaded} are in the kernel already"
        os.makedirs(os.path.dirname(REFUSED), exist_ok=True)
        with open(REFUSED, "w", encoding="ascii") as f:
            f.writelines(f"install {m} /bin/false\n" for m in modules)
    yield refuse
    if os.path.exists(REFUSED):
        os.unlink(REFUSED)


def settled():
    ip("link", "set", "eth0", "up")
    wait_for("eth0's link-local address", lambda: "fe80" in ip("-6", "addr", "show", "dev", "eth0", "-tentative"))
    return host_state()


def status(vbng):
    return json.loads(vbng.exec("vbng", "status", "--json"))


def test_without_vlans_and_packet_filter(container, without):
    without("8021q", "nf_tables", "nfnetlink_log")
    before = settled()
    for command in ("check", "--runtime"), ():
        vbng = container("vlan" + "".join(command)[:5], ENV | {"SUBSCRIBER_MODE": "vlan:7"}, command=command)
        assert vbng.wait_exit() == 69 and "SUBSCRIBER_MODE=vlan:7: this kernel makes no VLANs" in vbng.log(), vbng.log()
    assert host_state() == before
    vbng = container("poor", ENV).wait_serving(filtered=False)
    assert "the kernel's packet filter cannot be used, going on without" in vbng.log() and "filter      NONE" in vbng.exec("vbng", "status")
    run("docker", "stop", "poor")
    assert vbng.wait_exit() == 0
    wait_for("the host as it was", lambda: host_state() == before)


def test_with_a_packet_filter_that_cannot_report(container, without):
    without("nfnetlink_log")
    before = settled()
    vbng = container("poor", ENV).wait_serving()
    wait_for("the rules, whose modules are loaded by now", lambda: status(vbng)["filter"]["active"])
    assert "the kernel cannot report wrong sources" in vbng.log() and "packet filter cannot be used" not in vbng.log(), vbng.log()
    run("docker", "stop", "poor")
    assert vbng.wait_exit() == 0
    wait_for("the host as it was", lambda: host_state() == before)
