# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever is valid, in whatever order: messages by chance, each of whose answers is judged, and what is bound held against what was told.

VBNG_RANDOM_MESSAGES: how many (300). VBNG_RANDOM_SEED: another seed (7); the messages are the same for the same one.
"""
import os
import random
import struct

import packets
from access import ELSEWHERE, HOME, RELAY, RELAY_LINK_LOCAL, ROUTER, SERVED, inside, rule
from lab import POOL
from packets import (ALL_SERVERS, CONFIRM, DECLINE, FQDN, IA_NA, IA_PD, INFORMATION_REQUEST, INTERFACE_ID, RAPID_COMMIT, REBIND, RECONF_ACCEPT, RELEASE,
                     RENEW, REPLY, REQUEST, SOLICIT, STATUS, USER_CLASS, VENDOR_CLASS, VENDOR_OPTS, ia_na, ia_pd, iaaddr, iaprefix, opt, oro, relay, unmasked)

N = int(os.environ.get("VBNG_RANDOM_MESSAGES", "300"))
SEED = int(os.environ.get("VBNG_RANDOM_SEED", "7"))
PD_EXCLUDE = 67
ENV = {"DHCPV6_PD_MIN_LENGTH": "54", "DHCPV6_PD_MAX_LENGTH": "60", "DHCPV6_PD_EXCLUDE": "0/64", "DHCPV6_NAMESERVER": "2001:db8:53::1",
       "DNS_SEARCH": "isp.example", "DHCPV6_SOL_MAX_RT": "3600", "DHCPV6_INF_MAX_RT": "1800", "DHCPV6_INFORMATION_REFRESH_TIME": "7200",
       "DHCPV6_NTP_SERVER": "2001:db8::123,ntp.isp.example", "DHCPV6_OPTION_242": "0a0b0c"}
CODES = [1, 2, 3, 6, 7, 13, 14, 20, 23, 24, 25, 26, 32, 39, 56, 64, 67, 82, 83, 242, 255, 256, 65535]
EXTRAS = [opt(RAPID_COMMIT), opt(RECONF_ACCEPT), opt(STATUS, b"\0\6no"), opt(USER_CLASS, b"\0\4home"), opt(FQDN, b"\1\3cpe\0"), opt(65001, b"x" * 40), opt(34),
          opt(VENDOR_CLASS, b"\0\0\0\1\0\1a") + opt(VENDOR_CLASS, b"\0\0\0\2\0\1b"), opt(VENDOR_OPTS, b"\0\0\0\1"), opt(INTERFACE_ID, b"mine"),
          iaprefix("2001:db8:ffff:9900::/56"), packets.ia_ta(1)]
KINDS = SOLICIT, REQUEST, CONFIRM, RENEW, REBIND, RELEASE, DECLINE, INFORMATION_REQUEST


class Talk:
    def __init__(self, access):
        self.access, self.dice = access, random.Random(SEED)
        self.clients = [access.client(bytes(self.dice.randrange(256) for _ in range(n))) for n in (1, 10, 14, 14, 128, 130, 255)]
        self.told = {client.name: {} for client in self.clients}  # what each believes to have

    def resource(self, client, code):
        others = [what for told in self.told.values() for (kind, _), what in told.items() if kind == code]
        mine = [what for (kind, _), what in self.told[client.name].items() if kind == code]
        if code == IA_NA:
            return iaaddr(self.dice.choice([*others[:8], *mine * 3, "2001:db8:ffff::5:6:7", "2001:db8:ffff::1", "2001:db8:dead::5", "::", "fe80::1"]),
                          self.dice.getrandbits(32), self.dice.getrandbits(32))
        if mine and self.dice.random() < 0.2:
            address, length = self.dice.choice(mine).split("/")
            return unmasked(address + "7", int(length)) if address.endswith("::") else iaprefix(f"{address}/{length}")
        return iaprefix(self.dice.choice([*others[:8], *mine * 3, "::/0", "::/56", "::/60", "::/128", "2001:db8:ffff:a000::/54", "2001:db8:ffff:a500::/60",
                                          "2001:db8:dead:ff00::/56", "2001:db8:ffff::/64", "ff00::/8"]), self.dice.getrandbits(32), self.dice.getrandbits(32))

    def ia(self, client):
        code = self.dice.choice([IA_PD, IA_PD, IA_NA])
        inner = [self.resource(client, code) for _ in range(self.dice.choice([0, 1, 1, 1, 2, 3]))]
        inner += [opt(STATUS, b"\0\4"), opt(65002)][:self.dice.choice([0, 0, 0, 1, 2])]
        times = {"t1": self.dice.getrandbits(32), "t2": self.dice.getrandbits(32)}
        return (ia_pd if code == IA_PD else ia_na)(self.dice.randrange(4), *inner, **times)

    def place(self, client):
        """Where it speaks from now: by itself, or behind one relay or two. True: on our link."""
        client.address, client.through = self.dice.choice([HOME, HOME, ELSEWHERE]), lambda data: data
        how = self.dice.choice(["", "", "", "ours", "another", "lightweight", "both"])
        if not how:
            return True, {}
        link = {"ours": "2001:db8:ffff::9", "another": "2001:db8:aaaa::9", "lightweight": "::", "both": "2001:db8:ffff::9"}[how]
        port, peer = opt(INTERFACE_ID, bytes(self.dice.randrange(40))), client.address
        client.address = RELAY_LINK_LOCAL if how == "lightweight" else RELAY
        if how == "both":
            client.through = lambda data: relay(relay(data, port, link="::", peer=peer), hops=1, link=link, peer=peer)
        else:
            client.through = lambda data: relay(data, port, link=link, peer=peer)
        return how != "another", {"dst": self.dice.choice([ALL_SERVERS, ROUTER])}

    def judge_nested(self, asked, answer):
        """What may stand within IAs, leases and nothing else that is to be there once (RFC 9915, Appendix B and C)."""
        requested = [code for c, body in packets.walk(asked[4:]) if c == packets.ORO for code, in struct.iter_unpack("!H", body)]
        for code, body in packets.walk(answer.message[4:]):
            if code not in (IA_NA, IA_PD):
                continue
            inner = list(packets.walk(body[12:]))
            lease = packets.IAADDR if code == IA_NA else packets.IAPREFIX
            assert {c for c, _ in inner} <= {lease, STATUS} and [c for c, _ in inner].count(STATUS) <= 1, str(answer)
            for within in (b[24 if code == IA_NA else 25:] for c, b in inner if c == lease):
                assert [c for c, _ in packets.walk(within)] in ([], [PD_EXCLUDE] if PD_EXCLUDE in requested and code == IA_PD else []), str(answer)

    def note(self, client, kind, answer):
        if answer.type != REPLY or kind not in SERVED:
            return
        told = self.told[client.name]
        for code in IA_NA, IA_PD:
            for ia in answer.ias(code):
                given = [r.what for r in ia.resources if r.valid]
                assert len(given) <= 1, str(answer)
                # What it is told nothing good of is what it had, or nothing.
                if given:
                    told[code, ia.iaid] = given[0]

    def say(self):
        client, kind = self.dice.choice(self.clients), self.dice.choice(KINDS)
        ours, how = self.place(client)
        ias = [] if kind == INFORMATION_REQUEST else [self.ia(client) for _ in range(self.dice.choice([0, 1, 1, 2, 3, 5]))]
        options = ias + self.dice.sample(EXTRAS, self.dice.randrange(4)) + [oro(*self.dice.choices(CODES, k=self.dice.randrange(12)))]
        self.dice.shuffle(options)
        data = client.message(kind, *options)
        if kind == CONFIRM and not (ours and any(code == IA_NA and b"\0\5\0\x18" in body[12:16] for code, body in packets.walk(data[4:]))):
            self.access.line.send(client.through(data), src=client.address, **how)  # there may be nothing to say
            return
        answer = self.access.line.ask(client.through(data), src=client.address, **how)
        client.judge(data, answer)
        self.judge_nested(data, answer)
        self.note(client, kind, answer)


@rule("RFC 9915 §18.3", "whatever valid messages come, in whatever order: each is answered, by what may stand in its answer and nothing twice, "
      "and what is bound is what its client was told last")
def test_messages_by_chance(access):
    talk = Talk(access)
    for _ in range(N):
        talk.say()
    access.assert_sound()
    for client in talk.clients:
        for (kind, iaid), what in client.bound().items():
            assert talk.told[client.name][IA_PD if kind == "prefix" else IA_NA, iaid] == what, f"seed {SEED}"
            assert kind != "prefix" or inside(what, POOL)
