#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads vectors with scapy, which shares no code with src/wire, and wants it to see what their comments say.

The unit tests hold src/wire to the same vectors byte by byte, so that both read and write what a third party reads.
Speaks TAP; all is skipped where there is no scapy.
"""
import os
import sys

try:
    from scapy.layers import dhcp6, inet6
except ImportError:
    print("1..0 # SKIP no scapy")
    sys.exit(0)

HERE = os.path.dirname(os.path.abspath(__file__))


def vector(name):
    with open(os.path.join(HERE, name + ".hex"), encoding="utf-8") as f:
        return bytes.fromhex("".join(line.split("#")[0] for line in f))


def check_ra():
    ra = inet6.ICMPv6ND_RA(vector("nd/ra-full"))
    assert (ra.type, ra.code, ra.chlim, ra.M, ra.O, ra.prf) == (134, 0, 64, 0, 1, 1)
    assert (ra.routerlifetime, ra.reachabletime, ra.retranstimer) == (1800, 30000, 1000)
    assert ra[inet6.ICMPv6NDOptSrcLLAddr].lladdr == "02:00:00:00:00:01"
    assert ra[inet6.ICMPv6NDOptMTU].mtu == 1420

    first = ra[inet6.ICMPv6NDOptPrefixInfo]
    assert (first.prefix, first.prefixlen, first.L, first.A, first.R) == ("2001:db8:ffff::", 64, 1, 1, 0)
    assert (first.validlifetime, first.preferredlifetime) == (14400, 1800)
    second = first.payload[inet6.ICMPv6NDOptPrefixInfo]
    assert (second.prefix, second.L, second.A, second.R) == ("2001:db8:ffff:1::1", 0, 0, 1)
    assert second.validlifetime == 0xFFFFFFFF

    routes = []
    layer = ra.getlayer(inet6.ICMPv6NDOptRouteInfo)
    while layer is not None:
        routes.append((layer.prefix, layer.plen, layer.prf, layer.rtlifetime))
        layer = layer.payload.getlayer(inet6.ICMPv6NDOptRouteInfo)
    assert routes == [("::", 0, 3, 1800), ("2001:db8:5::", 48, 0, 1800), ("2001:db8:6::1:0:0", 96, 1, 0)], routes

    rdnss = ra[inet6.ICMPv6NDOptRDNSS]
    assert (rdnss.lifetime, rdnss.dns) == (1800, ["2001:db8:ffff::1", "fe80::1"])
    dnssl = ra[inet6.ICMPv6NDOptDNSSL]
    assert (dnssl.lifetime, [n.rstrip(".") for n in dnssl.searchlist if n.strip(".")]) == (1800, ["lab", "example.net"])
    if hasattr(inet6, "ICMPv6NDOptPREF64"):  # scapy 2.5 and later
        pref64 = ra[inet6.ICMPv6NDOptPREF64]
        assert (pref64.scaledlifetime, pref64.plc, pref64.prefix) == (225, 0, "64:ff9b::")


def check_rs():
    assert inet6.ICMPv6ND_RS(vector("nd/rs-slla"))[inet6.ICMPv6NDOptSrcLLAddr].lladdr == "02:00:00:00:00:0a"


def check_solicit():
    m = dhcp6.DHCP6_Solicit(vector("dhcp6/solicit-everything"))
    assert m.trid == 0xABCDEF
    assert m[dhcp6.DHCP6OptClientId].duid.lladdr == "02:00:00:00:00:0b"
    assert m.haslayer(dhcp6.DHCP6OptRapidCommit) and m.haslayer(dhcp6.DHCP6OptReconfAccept)
    assert m[dhcp6.DHCP6OptElapsedTime].elapsedtime == 300
    assert m[dhcp6.DHCP6OptOptReq].reqopts == [23, 64]
    na = m[dhcp6.DHCP6OptIA_NA]
    assert (na.iaid, na.T1, na.T2) == (2, 1800, 2880)
    addr = na.ianaopts[0]
    assert (addr.addr, addr.preflft, addr.validlft) == ("2001:db8::100", 3600, 7200)
    pd = m[dhcp6.DHCP6OptIA_PD]
    assert pd.iaid == 4
    options = []
    for option in pd.iapdopt:  # what follows a status code is shown as its payload
        options += [option, option.payload]
    prefixes = [(o.prefix, o.plen, o.preflft, o.validlft) for o in options if isinstance(o, dhcp6.DHCP6OptIAPrefix)]
    assert prefixes == [("2001:db8:ffff:8000::", 56, 0, 0), ("2001:db8:ffff:8100::", 60, 1, 0xFFFFFFFF)], prefixes


def check_relay():
    r = dhcp6.DHCP6_RelayForward(vector("dhcp6/relay-forw"))
    assert (r.hopcount, r.linkaddr, r.peeraddr) == (0, "2001:db8:ffff::1", "fe80::ff:fe00:a")
    assert r[dhcp6.DHCP6OptIfaceId].ifaceid == b"eth0.7"
    assert r[dhcp6.DHCP6OptRemoteID].remoteid == b"\x01\x02\x03"
    assert r[dhcp6.DHCP6_Solicit].trid == 0x100874


def main():
    checks = [check_ra, check_rs, check_solicit, check_relay]
    print(f"1..{len(checks)}")
    failed = 0
    for n, check in enumerate(checks, 1):
        try:
            check()
            print(f"ok {n} - {check.__name__}")
        except Exception as e:  # a layer that scapy did not find is a failure like any other
            failed += 1
            print(f"not ok {n} - {check.__name__}: {type(e).__name__} {e}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
