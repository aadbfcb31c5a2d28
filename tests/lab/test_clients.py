# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that nobody here wrote: they obtain, keep over a restart of the server, and give back."""
import os
import shutil

import pytest

from lab import wait_for


def bound(vbng, kind="prefix"):
    return [x for x in vbng.leases() if x["kind"] == kind and x["state"] == "bound"]


def dhclient(lab, where):
    os.makedirs(where)
    # -d keeps it in the foreground; its script configures nothing here, the lease file tells what it got.
    return lab.popen_cpe("dhclient", "-6", "-P", "-d", "-lf", f"{where}/leases", "-pf", f"{where}/pid", "-sf", "/bin/true", "cpe0")


def dhcpcd(lab, where):
    os.makedirs(where)
    with open(f"{where}/conf", "w", encoding="ascii") as f:
        f.write("duid\nnoipv6rs\nipv6only\nscript /bin/true\ninterface cpe0\n  ipv6rs\n  ia_na 1\n  ia_pd 2 lan0/0\n")
    script = (f"mkdir -p {where}/db {where}/run; mount --bind {where}/db /var/lib/dhcpcd; mount --bind {where}/run /run/dhcpcd;"
              f"exec dhcpcd -B -f {where}/conf cpe0")
    os.makedirs("/var/lib/dhcpcd", exist_ok=True)
    os.makedirs("/run/dhcpcd", exist_ok=True)
    lab.cpe.ip("link", "add", "lan0", "type", "veth", "peer", "name", "lan1")
    lab.cpe.ip("link", "set", "lan0", "up")
    return lab.popen_cpe("unshare", "--mount", "bash", "-c", script)


@pytest.mark.parametrize("client", [dhclient, dhcpcd], ids=["isc dhclient", "dhcpcd"])
def test_a_real_client_obtains_and_keeps_its_prefix(lab, tmp_path, client):
    if not shutil.which(client.__name__):
        pytest.skip(f"there is no {client.__name__}")
    vbng = lab.vbng(DHCPV6_PREFERRED_LIFETIME="8", DHCPV6_VALID_LIFETIME="60").wait_serving()
    wait_for("the CPE's link-local address", lambda: "fe80" in lab.cpe.ip("-6", "addr", "show", "dev", "cpe0", "-tentative"))
    client(lab, str(tmp_path / "client"))
    first = wait_for("a delegated prefix", lambda: bound(vbng), 25)[0]
    assert vbng.stop()[0] == 0
    again = lab.vbng(own=vbng.own, DHCPV6_PREFERRED_LIFETIME="8", DHCPV6_VALID_LIFETIME="60").wait_serving()
    assert bound(again)[0]["prefix"] == first["prefix"]
    wait_for("its renewal", lambda: "pd bound" in again.text(), 20)
    assert bound(again)[0]["prefix"] == first["prefix"]
    routes = [r for r in again.own.json("-6", "route", "show", "proto", "118") if r.get("gateway")]
    assert [r["dst"] for r in routes] == [first["prefix"]]


def test_rdisc6_reads_what_is_advertised(lab):
    vbng = lab.vbng(DNS_SEARCH="provider1.example", ROUTER_ADVERTISEMENT_PREFERENCE="high").wait_serving()
    wait_for("the CPE's link-local address", lambda: "fe80" in lab.cpe.ip("-6", "addr", "show", "dev", "cpe0", "-tentative"))
    text = lab.cpe.exec("rdisc6", "-1", "cpe0").stdout
    for line in ("Router lifetime           :         1800", "Router preference         :         high", "MTU                      :         1420",
                 "Prefix                   : 2001:db8:ffff::/64", "Recursive DNS server     : 2620:fe::fe", "from fe80::1"):
        assert line in text, text
    assert "provider1.example" in text
    assert vbng.stop()[0] == 0
