# SPDX-License-Identifier: GPL-2.0-or-later
"""The main job in its variants: a CPE gets its prefix and reaches the internet through the tunnel, however the appliance is told of it."""
import os

import pytest

from clients import WideDhcp6c, inside
from lab import BEYOND, EX_OK, OUR_PROTOCOL, POOL, SERVER_WG, assert_same, Netns, ping, run, wait_for


def is_up(vbng):
    return vbng.status()["tunnel"]["state"] == "up"


@pytest.mark.parametrize("v6", [False, True], ids=["IPv4 endpoint", "IPv6 endpoint"])
def test_cpe_reaches_the_internet_through_the_tunnel(lab, v6):
    lab.internet(v6)
    vbng = lab.vbng().wait_serving()
    source = lab.client(WideDhcp6c).wait()
    assert inside(source, POOL)
    wait_for("the default route by RA", lambda: lab.cpe.routes("default"))
    assert ping(lab.cpe, source), vbng.text()
    routes = vbng.own.routes("proto", OUR_PROTOCOL)
    delegated = [r for r in routes if r.get("gateway")]
    assert len(delegated) == 1 and delegated[0]["dst"].endswith("/56") and delegated[0]["dev"] == "sub0"
    assert inside(source, delegated[0]["dst"])
    assert any(r["dst"] == "default" and r["dev"] == "wg-provider1" for r in routes)
    unreachable = [line for line in vbng.own.ip("-6", "route", "show", "type", "unreachable").splitlines() if "2001:db8:ffff::/48" in line]
    assert unreachable, "what is not delegated must not loop"
    wait_for("the tunnel up in status", lambda: is_up(vbng))
    lease = [x for x in vbng.leases() if x["kind"] == "prefix"]
    assert lease[0]["prefix"] == delegated[0]["dst"] and lease[0]["state"] == "bound"
    assert vbng.verb("healthcheck").returncode == 0
    assert "wg-provider1" not in lab.host.links(), "the tunnel lives with us"


def test_what_is_not_delegated_does_not_loop(lab):
    """A packet from the internet to a part of the prefix that nobody holds is refused here, and does not go back into the tunnel."""
    net = lab.internet()
    vbng = lab.vbng().wait_serving()
    wait_for("the handshake", lambda: is_up(vbng))
    target = "2001:db8:ffff:9999::1"
    r = wait_for("an answer from the appliance", lambda: (lambda out: out if "From" in out else None)(
        net.ns.exec("ping", "-6", "-n", "-c", "1", "-W", "2", target, check=False).stdout))
    assert "unreachable" in r and "Time exceeded" not in r, r


def test_a_wg_quick_conf_file_is_enough(lab, tmp_path):
    """As providers hand them out, with a preshared key; the variables say only what it cannot."""
    psk = run("wg", "genpsk").stdout.strip()
    net = lab.internet(psk=psk)
    conf = tmp_path / "provider.conf"
    conf.write_text(f"""\
[Interface]
PrivateKey = {lab.private}
Address = 2001:db8:0:1::2/64
DNS = 2001:db8::53
MTU = 1400

[Peer]
PublicKey = {net.public}
PresharedKey = {psk}
AllowedIPs = ::/0
Endpoint = {net.endpoint}
PersistentKeepalive = 5
""")
    conf.chmod(0o600)
    vbng = lab.vbng(WIREGUARD_PRIVATE_KEY=None, WIREGUARD_PEER=None, WIREGUARD_ADDRESS=None, WIREGUARD_ENDPOINT=None,
                    WIREGUARD_CONFIG_FILE=str(conf), WIREGUARD_MTU="1380").wait_serving()
    wait_for("the handshake", lambda: is_up(vbng))
    status = vbng.status()["tunnel"]
    assert status["mtu"] == 1380, "a variable wins over the file"
    assert status["peer"] == net.public and status["address"] == "2001:db8:0:1::2/64" and status["endpoint"] == net.endpoint
    assert vbng.own.json("link", "show", "dev", "wg-provider1")[0]["mtu"] == 1380
    assert ping(vbng.own, "2001:db8:0:1::2", SERVER_WG)


def test_every_secret_can_come_from_a_file(lab, tmp_path):
    """NAME_FILE for all of the required variables, with the line end that editors leave."""
    net = lab.internet()
    files = {}
    for name, value in lab.env().items():
        path = tmp_path / name
        path.write_text(value + "\n")
        path.chmod(0o600)
        files |= {name: None, f"{name}_FILE": str(path)}
    vbng = lab.vbng(**files).wait_serving()
    wait_for("the handshake", lambda: is_up(vbng))
    assert vbng.status()["tunnel"]["peer"] == net.public
    assert vbng.stop()[0] == EX_OK


def test_docker_leaves_ipv6_disabled_everywhere(lab):
    """Docker's default: disable_ipv6 is 1 for all, for default and for every interface of the container; and it may have a network."""
    own = lab.add(Netns("own"), Netns.delete)
    own.ip("link", "add", "eth0", "type", "veth", "peer", "name", "docker0")
    own.ip("addr", "add", "172.17.0.2/16", "dev", "eth0")
    own.ip("link", "set", "eth0", "up")
    own.ip("link", "set", "docker0", "up")
    own.ip("route", "add", "default", "via", "172.17.0.1")
    for where in "all", "default", "lo", "eth0":
        own.sysctl(**{f"net__ipv6__conf__{where}__disable_ipv6": 1})
    before = own.snapshot()
    lab.internet()
    vbng = lab.vbng(own=own).wait_serving()
    source = lab.client(WideDhcp6c).wait()
    wait_for("the default route by RA", lambda: lab.cpe.routes("default"))
    assert ping(lab.cpe, source), vbng.text()
    assert vbng.stop()[0] == EX_OK
    assert_same([x for x in before if "disable_ipv6" not in x], [x for x in own.snapshot() if "disable_ipv6" not in x], "our own namespace")


def test_a_nic_that_is_here_already_is_used_and_left_as_it_was(lab):
    """SUBSCRIBER_MODE=auto without a host: containerlab, Multus or a Docker network gave us the NIC. No uplink is wanted here."""
    own = lab.add(Netns("own"), Netns.delete)
    lab.host.ip("link", "set", "sub0", "netns", own.name)
    own.ip("link", "set", "sub0", "up")
    own.ip("addr", "add", "2001:db8:77::7/64", "dev", "sub0", "nodad")
    own.ip("addr", "add", "198.51.100.7/24", "dev", "sub0")
    before = own.snapshot()
    vbng = lab.vbng(own=own, HOST_NETNS=None).wait_serving()
    assert vbng.status()["subscriber"]["mode"] == "local" and vbng.status()["tunnel"] is None
    assert inside(lab.client(WideDhcp6c).wait(), POOL)
    assert vbng.delegated()
    assert vbng.stop()[0] == EX_OK
    assert_same(before, own.snapshot, "our own namespace")


@pytest.mark.parametrize("name", ["host", "init"])
def test_the_places_of_the_contract(lab, name):
    """Neither HOST_NETNS nor STATE_DIR is given: the bind mount (or the predecessor's name for it) and the volume are where they are said to be."""
    # The namespace's own file is below /run/netns: it is opened before that is covered, and mounted from its descriptor.
    setup = f"""
exec 9<{lab.host.path}
mount -t tmpfs tmpfs /run/netns
touch /run/netns/{name}
mount --bind /proc/self/fd/9 /run/netns/{name}
exec 9<&-
mkdir -p /var/lib/vbng
mount --bind {lab.state} /var/lib/vbng
"""
    vbng = lab.vbng(setup=setup, HOST_NETNS=None, STATE_DIR=None, SUBSCRIBER_MODE="move").wait_serving()
    assert vbng.status()["store"] == {"path": "/var/lib/vbng/leases.db", "ok": True, "fault": None}
    assert os.path.exists(os.path.join(lab.state, "leases.db"))
    assert "sub0" not in lab.host.links()
    assert vbng.stop()[0] == EX_OK
    assert "sub0" in lab.host.links()


def test_it_need_not_be_pid_1(lab):
    before = lab.host.snapshot()
    vbng = lab.vbng(pid1=False).wait_serving()
    assert inside(lab.client(WideDhcp6c).wait(), POOL)
    code, seconds = vbng.stop()
    assert code == EX_OK and seconds < 2
    assert_same(before, lab.host.snapshot)


def test_two_instances_do_not_notice_one_another(lab):
    """Each with its NIC, its prefix and its tunnel, on one host."""
    net = lab.internet()
    lab.wire_nic("sub1", "cpe1")
    second_key = run("wg", "genkey").stdout.strip()
    second_public = run("wg", "pubkey", input=second_key + "\n").stdout.strip()
    net.ns.exec("wg", "set", net.dev, "peer", second_public, "allowed-ips", "2001:db8:0:1::3/128,2001:db8:eeee::/48")
    net.ns.ip("-6", "route", "replace", "2001:db8:eeee::/48", "dev", net.dev)
    one = lab.vbng()
    two = lab.vbng(state=os.path.join(lab.state, "second"), WIREGUARD_INTERFACE_SUFFIX="provider2", SUBSCRIBER_INTERFACE="sub1",
                   ASSIGNED_PREFIX="2001:db8:eeee::/48", WIREGUARD_PRIVATE_KEY=second_key, WIREGUARD_ADDRESS="2001:db8:0:1::3/64",
                   setup=f"mkdir -p {lab.state}/second")
    for vbng in one, two:
        vbng.wait_serving()
    wait_for("two default routers", lambda: sorted(
        hop["dev"] for r in lab.cpe.routes("default") for hop in r.get("nexthops", [r])) == ["cpe0", "cpe1"])
    sources = {dev: wait_for(f"an address on {dev}", lambda d=dev: [a["local"] for a in lab.cpe.addresses(d)])[0] for dev in ("cpe0", "cpe1")}
    assert inside(sources["cpe0"], "2001:db8:ffff::/64") and inside(sources["cpe1"], "2001:db8:eeee::/64")
    # From each provider's address by its line; the kernel of this CPE has one table, so the line is named.
    for dev, source in sources.items():
        lab.cpe.ip("-6", "route", "replace", f"{BEYOND}/128", "via", "fe80::1", "dev", dev)
        assert ping(lab.cpe, source), f"by {dev}"
    routes, status = one.own.routes("proto", OUR_PROTOCOL), one.status()
    assert two.stop()[0] == EX_OK
    assert one.status()["state"] == "serving" and one.own.routes("proto", OUR_PROTOCOL) == routes
    assert one.status()["subscriber"] == status["subscriber"]
    lab.cpe.ip("-6", "route", "replace", f"{BEYOND}/128", "via", "fe80::1", "dev", "cpe0")
    assert ping(lab.cpe, sources["cpe0"])
    assert "sub1" in lab.host.links() and "sub0" not in lab.host.links()
