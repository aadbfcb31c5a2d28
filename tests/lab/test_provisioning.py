# SPDX-License-Identifier: GPL-2.0-or-later
"""Who is to have what: reservations, clients that are told to come back, bindings that are cleared, and what is kept of a client."""
import hashlib
import hmac
import os
import re
import signal
import struct

import packets as p
from lab import wait_for

import pytest

RESERVED, ELSEWHERE = "2001:db8:ffff:9900::/56", "2001:db8:ffff:4000::/52"
NONE = {"WIREGUARD_BACKEND": "none"}


class Cpe(p.Subscriber):
    """One with a link-layer address of its own, who remembers its reconfigure key."""

    def __init__(self, lab, vbng, n):
        super().__init__(lab.wire(), lab.cpe, vbng.own.mac("sub0"), address=f"fe80::c:{n:x}")
        self.n, self.mac, self.key, self.replay = n, f"02:00:00:00:0c:{n:02x}", None, 0
        self.vbng = vbng
        self.server = self.server_id()

    def frame(self, *what, mac=None, **how):
        return super().frame(*what, mac=mac or self.mac, **how)

    def lease(self, kind=p.REQUEST, *more, accept=True, n=None):
        options = [p.client_id(n or self.n), p.ELAPSED_0, *(more or (p.ia_pd(1),))]
        if kind in (p.REQUEST, p.RENEW, p.RELEASE):
            options.insert(1, self.server)
        if accept:
            options.append(p.opt(p.RECONF_ACCEPT))
        reply = self.ask(p.message(kind, *options))
        assert reply.has(p.RECONF_ACCEPT) == accept
        if accept:
            auth = raw_option(reply.message, p.AUTH)
            assert auth[:3] == b"\3\1\0" and auth[11] == 1 and len(auth) == 28
            replay = int.from_bytes(auth[3:11], "big")
            assert replay > self.replay
            self.key, self.replay = auth[12:], replay
        return reply

    def renew(self, prefix, **how):
        return self.lease(p.RENEW, p.ia_pd(1, p.iaprefix(prefix)), **how)

    def called_back(self):
        """The RECONFIGURE, judged as RFC 9915 §16.11 and §20.4.3 have a client judge it."""
        call = self.wait("a RECONFIGURE", lambda a: isinstance(a, p.Answer) and a.type == p.RECONFIGURE and a.ip.dst == self.address)
        assert call.udp.dport == 546 and p.checksum_right(call.frame) and call.frame.dst == self.mac
        assert call.message[1:4] == b"\0\0\0"
        assert raw_option(call.message, p.CLIENTID) == p.duid(self.n) and p.opt(p.SERVERID, raw_option(call.message, p.SERVERID)) == self.server
        assert raw_option(call.message, p.RECONF_MSG) == bytes([p.RENEW])
        auth = raw_option(call.message, p.AUTH)
        assert auth[:3] == b"\3\1\0" and auth[11] == 2
        replay = int.from_bytes(auth[3:11], "big")
        assert replay > self.replay
        self.replay = replay
        zeroed = call.message.replace(auth[12:], bytes(16))
        assert auth[12:] == hmac.new(self.key, zeroed, hashlib.md5).digest()
        return call

    def not_called(self):
        assert not [a for a in self.collect() if isinstance(a, p.Answer) and a.type == p.RECONFIGURE and a.ip.dst == self.address]


def raw_option(message, code):
    at, found = 4, []
    while at < len(message):
        c, n = struct.unpack("!HH", message[at:at + 4])
        if c == code:
            found.append(message[at + 4:at + 4 + n])
        at += 4 + n
    assert len(found) == 1, f"option {code} stands {len(found)} times"
    return found[0]


def routes(vbng):
    return {r["dst"]: r["gateway"] for r in vbng.own.json("-6", "route", "show", "proto", "118") if r.get("gateway")}


def write(lab, text):
    with open(os.path.join(lab.state, "reservations"), "w") as f:
        f.write(text)


def test_reservations_of_variable_and_file(lab):
    write(lab, f"# by hardware, outside the pool\nmac 02:00:00:00:0c:02 {ELSEWHERE}\n"
          'interface-id "slot 1/port 3" 2001:db8:ffff:9a00::/56\n')
    vbng = lab.vbng(DHCPV6_RESERVATIONS=f"duid {p.duid(1).hex()} {RESERVED}; duid {p.duid(1).hex(':')} 2001:db8:ffff::77", **NONE).wait_serving()
    first, second, third = (Cpe(lab, vbng, n) for n in (1, 2, 3))
    reply = first.lease(p.REQUEST, p.ia_pd(1), p.ia_na(1))
    assert (reply.prefix(), reply.address()) == (RESERVED, "2001:db8:ffff::77")
    assert second.lease().prefix() == ELSEWHERE
    assert routes(vbng) == {RESERVED: first.address, ELSEWHERE: second.address}
    other = third.lease(p.REQUEST, p.ia_pd(1, p.iaprefix("2001:db8:ffff:9a00::/56")))
    assert other.prefix() not in (RESERVED, ELSEWHERE, "2001:db8:ffff:9a00::/56")
    relayed = p.relay(p.message(p.SOLICIT, p.client_id(9), p.ELAPSED_0, p.ia_pd(1)), p.opt(p.INTERFACE_ID, b"slot 1/port 3"), peer="fe80::9")
    assert third.ask(relayed).prefix() == "2001:db8:ffff:9a00::/56"
    os.kill(vbng.pids()[1], signal.SIGKILL)
    wait_for("another server", lambda: vbng.verb("healthcheck", check=False).stdout == "serving\n")
    assert second.renew(ELSEWHERE).prefix() == ELSEWHERE
    assert len(vbng.leases()) == 4


def test_a_faulty_line_ends_the_start_and_is_named(lab):
    write(lab, f"mac 02:00:00:00:0c:02 {ELSEWHERE}\n\nmac 02:00:00:00:0c {RESERVED}\nduid 0003 2001:db8:1::/56\n")
    before = lab.host.snapshot()
    vbng = lab.vbng(**NONE)
    assert vbng.wait_end()[0] == 78
    assert f"{lab.state}/reservations line 3: '02:00:00:00:0c' is no Ethernet address" in vbng.text()
    assert "reservations line 4: 2001:db8:1::/56 does not lie in ASSIGNED_PREFIX" in vbng.text()
    assert lab.host.snapshot() == before


def test_a_changed_file_is_read_at_sighup_and_its_clients_are_told(lab):
    vbng = lab.vbng(**NONE).wait_serving()
    moves, stays, deaf = (Cpe(lab, vbng, n) for n in (1, 2, 3))
    had = moves.lease().prefix()
    stays.lease()
    deaf_had = deaf.lease(accept=False).prefix()
    write(lab, f"mac {moves.mac} {RESERVED}\nduid {p.duid(3).hex()} {ELSEWHERE}\n")
    vbng.send(signal.SIGHUP)
    moves.called_back()
    reply = moves.renew(had)
    assert reply.ia().lifetimes() == {RESERVED: (1800, 14400), had: (0, 0)}
    assert routes(vbng)[RESERVED] == moves.address and had not in routes(vbng)
    stays.not_called()
    deaf.not_called()
    assert deaf.renew(deaf_had, accept=False).prefix() == ELSEWHERE, "it learns it when it renews"
    # A fault leaves all as it is, and says so.
    write(lab, "mac nonsense\n")
    vbng.send(signal.SIGHUP)
    vbng.wait_log("reservations line 1: is not complete")
    vbng.wait_log("what was reserved before stays so")
    assert moves.renew(RESERVED).prefix() == RESERVED
    # What nothing allows any more goes, and its client hears of it.
    write(lab, f"mac {moves.mac} {RESERVED}\n")
    deaf.renew(ELSEWHERE, accept=True)
    vbng.send(signal.SIGHUP)
    deaf.called_back()
    assert ELSEWHERE not in routes(vbng)
    assert deaf.renew(ELSEWHERE).ia().lifetimes()[ELSEWHERE] == (0, 0)


def test_what_is_no_file_of_reservations_harms_nobody(lab):
    """A null device where there is to be none; what never ends, and what nobody writes into."""
    vbng = lab.vbng(WIREGUARD_BACKEND="none").wait_serving()
    server, path = vbng.pids()[1], os.path.join(lab.state, "reservations")
    for what, says in (("/dev/null", None), ("/dev/zero", "longer than 256 KiB"), (None, None)):
        if what:
            os.symlink(what, path)
        else:
            os.mkfifo(path)
        sent = vbng.status()["counters"]["ra_sent"]
        vbng.send(signal.SIGHUP)
        wait_for("an advertisement", lambda s=sent: vbng.status()["counters"]["ra_sent"] > s)
        # Where the kernel knows landlock, a way out of STATE_DIR ends there.
        assert not says or re.search(rf"{path}: cannot be read: (it is {says}|Permission denied)", vbng.text())
        os.unlink(path)
    assert vbng.pids()[1] == server
    assert vbng.stop()[0] == 0


def test_a_start_with_another_configuration_calls_its_clients(lab):
    vbng = lab.vbng(DHCPV6_NAMESERVER="2001:db8::53", **NONE).wait_serving()
    cpe, deaf = Cpe(lab, vbng, 1), Cpe(lab, vbng, 2)
    prefix = cpe.lease().prefix()
    deaf.lease(accept=False)
    vbng.stop()
    again = lab.vbng(DHCPV6_NAMESERVER="2001:db8::53", **NONE).wait_serving()
    cpe.router_mac = deaf.router_mac = again.own.mac("sub0")
    cpe.renew(prefix)
    cpe.not_called()
    again.stop()
    third = lab.vbng(DHCPV6_NAMESERVER="2001:db8::54", DHCPV6_PD_PREFIX="2001:db8:ffff:4000::/50", **NONE).wait_serving()
    cpe.router_mac = deaf.router_mac = third.own.mac("sub0")
    cpe.called_back()
    assert cpe.renew(prefix).ia().lifetimes()[prefix] == (0, 0), "the pool is another one, too"
    deaf.not_called()
    assert third.status()["counters"]["dhcpv6_dropped"] == 0


def test_reconfigure_can_be_off(lab):
    vbng = lab.vbng(DHCPV6_RECONFIGURE="off", **NONE).wait_serving()
    cpe = Cpe(lab, vbng, 1)
    reply = cpe.ask(p.message(p.REQUEST, p.client_id(1), cpe.server, p.ELAPSED_0, p.ia_pd(1), p.opt(p.RECONF_ACCEPT)))
    assert not reply.has(p.RECONF_ACCEPT) and not reply.has(p.AUTH)
    vbng.verb("leases", "clear", "--all")
    cpe.ask(p.message(p.INFORMATION_REQUEST, p.client_id(1), p.ELAPSED_0))
    cpe.not_called()


@pytest.mark.parametrize("by", ["prefix", "duid", "around", "all"])
def test_leases_are_cleared(lab, by):
    vbng = lab.vbng(**NONE).wait_serving()
    cpe, other = Cpe(lab, vbng, 1), Cpe(lab, vbng, 2)
    prefix = cpe.lease().prefix()
    kept = other.lease(accept=False).prefix()
    which = {"prefix": prefix, "duid": p.duid(1).hex(":"), "around": "2001:db8::/32", "all": "--all"}[by]
    cleared = 1 if by in ("prefix", "duid") else 2
    assert vbng.verb("leases", "clear", which).stdout == f"{cleared} cleared\n"
    assert [x["prefix"] for x in vbng.leases()] == ([kept] if cleared == 1 else [])
    assert sorted(routes(vbng)) == ([kept] if cleared == 1 else [])
    cpe.called_back()
    assert cpe.renew(prefix).prefix() == prefix, "it is free, and was its own"
    again = vbng.verb("leases", "clear", "2001:db8:ffff:fff0::/60", check=False)
    assert again.returncode == 69 and "no such binding" in again.stderr
    for wrong in (["nonsense"], [], ["--some"], [prefix, kept]):
        assert vbng.verb("leases", "clear", *wrong, check=False).returncode == 64
    told = vbng.verb("leases", "clear", "nonsense", check=False).stderr
    assert "'nonsense' is no prefix, no address and no DUID" in told
    # A DUID that could be read as an address is found as it is listed; nothing to clear is what --all is about.
    cpe.ask(p.message(p.REQUEST, p.opt(p.CLIENTID, bytes.fromhex("0002aabbccddeeff")), cpe.server, p.ELAPSED_0, p.ia_pd(7)))
    assert vbng.verb("leases", "clear", "00:02:aa:bb:cc:dd:ee:ff").stdout == "1 cleared\n"
    vbng.verb("leases", "clear", "--all")
    assert vbng.verb("leases", "clear", "--all").stdout == "0 cleared\n"


def test_what_is_known_of_a_client_is_shown_and_outlives_a_restart(lab):
    vbng = lab.vbng(**NONE).wait_serving()
    cpe = Cpe(lab, vbng, 1)
    inner = p.message(p.REQUEST, p.client_id(1), cpe.server, p.ELAPSED_0, p.ia_pd(1), p.opt(p.FQDN, b"\1\4cpe1\3lab\0"), p.opt(p.RECONF_ACCEPT))
    cpe.ask(p.relay(inner, p.opt(p.INTERFACE_ID, b"\0eth7"), p.opt(p.SUBSCRIBER_ID, b"house 7"), p.opt(p.REMOTE_ID, b"\0\0\0\x09line 9"), peer="fe80::9"))
    told = {"fqdn": "cpe1.lab", "interface_id": "0x0065746837", "subscriber_id": "house 7", "remote_id": "line 9",
            "remote_id_enterprise": 9, "accepts_reconfigure": True}

    def shown():
        return {k: v for k, v in vbng.leases()[0].items() if k in told}
    assert shown() == told
    os.kill(vbng.pids()[1], signal.SIGKILL)
    wait_for("another server", lambda: vbng.verb("healthcheck", check=False).stdout == "serving\n")
    assert shown() == told
    text = vbng.verb("leases").stdout
    assert 'fqdn="cpe1.lab"' in text and 'subscriber_id="house 7"' in text and "\0" not in text


def test_one_client_holds_what_the_limit_lets_it(lab):
    vbng = lab.vbng(DHCPV6_CLIENT_LIMIT="2", **NONE).wait_serving()
    cpe = Cpe(lab, vbng, 1)
    reply = cpe.lease(p.REQUEST, p.ia_pd(1), p.ia_pd(2), p.ia_pd(3))
    assert [ia.status for ia in reply.ias()] == [p.SUCCESS, p.SUCCESS, p.NO_PREFIX]
