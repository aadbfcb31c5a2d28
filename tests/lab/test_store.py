# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever becomes of the volume at STATE_DIR, subscribers are served; it is said loudly, and caught up with.

STATE_DIR is a small tmpfs of the test's own, mounted where only the instance and `nsenter` see it.
"""
import itertools
import os
import re
import signal
import sqlite3
import subprocess
import time

import pytest

import packets
from lab import PATIENCE_S, run, wait_for
from packets import IA_PD, RENEW, REPLY, REQUEST, SERVERID, SOLICIT

COLUMNS = "kind,prefix,plen,state,duid,iaid,next_hop,lladdr,preferred_s,valid_s,granted_unix_ms,until_unix_ms"
LONG = {"DHCPV6_PD_DELEGATION_LENGTH": "64"}


class Street:
    """Subscribers by number, on the CPE's end of the wire, each with a prefix of its own."""

    def __init__(self, lab):
        self.wire = lab.wire()
        wait_for("a link-local address", lambda: lab.cpe.addresses("cpe0", "link"))
        self.source = lab.cpe.addresses("cpe0", "link")[0]["local"]
        self.held = {}
        self.server = None

    def ask(self, kind, n, *more):
        """The answer to one message, asked again as a client would."""
        xid = packets.xid()
        data = packets.message(kind, packets.client_id(n), packets.ELAPSED_0, *more, x=xid)
        frame = (packets.Ether(src=self.wire.mac, dst=packets.multicast_mac(packets.ALL_SERVERS))
                 / packets.si6.IPv6(src=self.source, dst=packets.ALL_SERVERS, hlim=1) / packets.UDP(sport=546, dport=547) / data)

        sent = []

        def answered():
            if not sent or time.monotonic() > sent[-1] + 1:
                self.wire.send(frame)
                sent.append(time.monotonic())
            for _, mine, got in self.wire.read():
                found = None if mine else packets.dhcp6_in(got)
                if found is not None:
                    answer = packets.Answer(found, 0)
                    if answer.xid == xid:
                        return answer
            return None
        return wait_for(f"an answer to {packets.NAMES[kind - 1]} of {n}", answered, every=0.002)

    def join(self, *numbers):
        for n in numbers:
            offer = self.ask(SOLICIT, n, packets.ia_pd(1))
            self.server = packets.opt(SERVERID, offer.duid(SERVERID))
            reply = self.ask(REQUEST, n, self.server, packets.ia_pd(1, packets.iaprefix(offer.prefix())))
            assert reply.type == REPLY
            self.held[n] = reply.prefix()
        return self

    def renew(self, *numbers):
        """They keep what they have."""
        for n in numbers or self.held:
            reply = self.ask(RENEW, n, self.server, packets.ia_pd(1, packets.iaprefix(self.held[n])))
            assert reply.type == REPLY and reply.prefix() == self.held[n], str(reply)


def held(street):
    return {(packets.duid(n).hex(), p) for n, p in street.held.items()}


def known(vbng):
    return {(x["duid"].replace(":", ""), x["prefix"]) for x in vbng.leases() if x["state"] == "bound" and x["kind"] == "prefix"}


def store(vbng):
    return vbng.status()["store"]


def wait_store(vbng, ok, fault=None):
    def as_wished():
        s = store(vbng)
        return s["ok"] == ok and (fault is None or re.search(fault, s["fault"] or ""))
    try:
        wait_for(f"store.ok={ok} {fault or ''}", as_wished, every=0.2)
    except AssertionError as e:
        raise AssertionError(f"{e}: {store(vbng)}\n{vbng.text()[-3000:]}") from None
    assert (store(vbng)["fault"] is None) == ok


def kill_server(vbng):
    """Without a word, as a fault would; another one comes up."""
    before = vbng.pids()
    os.kill(before[1], signal.SIGKILL)
    wait_for("another server", lambda: len(now := vbng.pids()) == 2 and now[1] != before[1], every=0.01)
    wait_for("its status", lambda: vbng.verb("status", "--json", check=False).returncode == 0)


@pytest.fixture
def volume(tmp_path):
    """A volume of 1 MiB, mounted by the test and seen by the instances that it starts."""
    path = tmp_path / "volume"
    path.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "vbng-store-test", path)
    yield str(path)
    run("umount", "-l", path)


def fill(volume):
    """To the last byte."""
    subprocess.run(["dd", "if=/dev/zero", f"of={volume}/ballast", "bs=4k"], stderr=subprocess.DEVNULL, timeout=20, check=False)
    assert os.statvfs(volume).f_bavail == 0


def rows(volume):
    db = sqlite3.connect(f"file:{volume}/leases.db?mode=ro", uri=True)
    try:
        return db.execute("SELECT count(*) FROM binding WHERE state=1").fetchone()[0]
    finally:
        db.close()


def edit(volume, *sql):
    db = sqlite3.connect(f"{volume}/leases.db")
    for one in sql:
        db.execute(one)
    db.commit()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def aside(volume):
    return sorted(f for f in os.listdir(volume) if re.fullmatch(r"leases\.db\.corrupt-[-0-9]+", f))


def test_a_full_volume_stops_nobody_and_is_caught_up_with(lab, volume):
    vbng = lab.vbng(state=volume, DHCPV6_STATION_LIMIT="0").wait_serving()
    street = Street(lab).join(*range(4))
    assert store(vbng)["ok"] and store(vbng)["path"] == f"{volume}/leases.db"
    fill(volume)
    deadline = time.monotonic() + PATIENCE_S
    n = 4
    while store(vbng)["ok"] and time.monotonic() < deadline:  # until its log has used the room that it had made
        street.join(*range(n, n + 8))
        street.renew(*range(4))
        n += 8
    wait_store(vbng, False, "No space left on device")
    said = vbng.text()
    assert re.search(r"error store .*going on from memory.*leases\.db.*No space left on device.*make room", said), said
    street.join(*range(n, n + 8))
    street.renew()
    assert vbng.verb("healthcheck").stdout == "serving\n"
    assert "FAILING" in vbng.verb("status").stdout
    os.unlink(f"{volume}/ballast")
    wait_store(vbng, True)
    vbng.wait_log("works again, all bindings are stored")
    assert known(vbng) == held(street)
    kill_server(vbng)
    assert known(vbng) == held(street)
    assert set(vbng.delegated()) == set(street.held.values())
    street.renew()
    assert vbng.stop()[0] == 0
    assert rows(volume) == len(street.held)


def test_a_volume_that_is_read_only_at_the_start_is_read_and_written_later(lab, volume):
    first = lab.vbng(state=volume).wait_serving()
    street = Street(lab).join(*range(3))
    assert first.stop()[0] == 0
    run("mount", "-o", "remount,ro", volume)
    vbng = lab.vbng(state=volume).wait_serving()
    wait_store(vbng, False, "Read-only file system")
    street.join(7)
    run("mount", "-o", "remount,rw", volume)
    run("nsenter", "-t", vbng.pids()[0], "--mount", "mount", "-o", "remount,rw", volume)  # its own view of it began read-only
    wait_store(vbng, True)
    # Those of before have not been forgotten, though nobody could know them when it began.
    assert known(vbng) == held(street)
    assert set(vbng.delegated()) == set(street.held.values())
    kill_server(vbng)
    assert known(vbng) == held(street)
    assert aside(volume) == []


def test_a_volume_that_turns_read_only_after_it_was_full(lab, volume):
    vbng = lab.vbng(state=volume, DHCPV6_STATION_LIMIT="0").wait_serving()
    street = Street(lab).join(0)
    fill(volume)
    n = 1
    while store(vbng)["ok"] and n < 400:
        street.join(*range(n, n + 8))
        n += 8
    wait_store(vbng, False, "No space left")
    os.unlink(f"{volume}/ballast")
    wait_for("the volume read-only", lambda: run("mount", "-o", "remount,ro", volume, check=False).returncode == 0, every=0.2)
    wait_store(vbng, False, "Read-only file system")
    street.renew(0)
    run("mount", "-o", "remount,rw", volume)
    wait_store(vbng, True)
    kill_server(vbng)
    assert known(vbng) == held(street)


def many(volume, n):
    """Bindings of other subscribers, in a pool of /64s."""
    db = sqlite3.connect(f"{volume}/leases.db")
    now = int(time.time() * 1000)
    db.executemany(f"INSERT INTO binding({COLUMNS}) VALUES(2,?,64,1,?,1,?,x'',1800,14400,?,?)",
                   ((bytes.fromhex("20010db8ffff") + bytes([0xf0 + i // 256, i % 256]) + bytes(8),
                     b"\0\3\0\1\2\1\1\1" + i.to_bytes(2, "big"), packets.in6("fe80::77"), now, now + 14400000) for i in range(n)))
    db.commit()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def test_damage_in_the_middle_is_moved_aside_and_the_rest_is_kept(lab, volume):
    first = lab.vbng(state=volume, **LONG).wait_serving()
    street = Street(lab).join(1)
    assert first.stop()[0] == 0
    many(volume, 15)
    edit(volume, "CREATE TABLE ballast(x)", "INSERT INTO ballast VALUES(zeroblob(100000))")
    edit(volume, "DROP TABLE ballast")  # pages that belong to nothing in the middle of the file
    with open(f"{volume}/leases.db", "r+b") as f:
        f.seek(32)
        f.write(b"\0\0\xff\xff")  # and a list of them that leads out of it
    vbng = lab.vbng(state=volume, **LONG).wait_serving()
    said = vbng.text()
    assert re.search(r"error store .*was corrupt: moved aside.*leases\.db\.corrupt-[0-9]+", said), said
    assert len(aside(volume)) == 1
    assert re.search(r"rescued=16\b", said), said
    assert store(vbng)["ok"]
    assert held(street) <= known(vbng) and len(known(vbng)) == 16
    street.renew()
    assert vbng.stop()[0] == 0


def test_a_damaged_page_of_bindings_costs_those_alone(lab, tmp_path):
    volume = str(tmp_path)
    lab.vbng(state=volume, **LONG).wait_serving().stop()
    many(volume, 2000)
    with open(f"{volume}/leases.db", "r+b") as f:
        f.seek(os.path.getsize(f.name) // 2 // 1024 * 1024)
        f.write(b"\xa5" * 1024)
    vbng = lab.vbng(state=volume, **LONG).wait_serving()
    assert len(aside(volume)) == 1 and store(vbng)["ok"]
    # Those in it, and those that it alone leads to.
    assert 1700 <= len(known(vbng)) < 2000
    Street(lab).join(1)
    kill_server(vbng)
    assert store(vbng)["ok"] and len(aside(volume)) == 1


@pytest.mark.parametrize("content", [b"garbage" * 3000, b"", b"SQLite format 3\0" + b"\xff" * 9000], ids=["garbage", "empty", "header"])
def test_a_file_that_is_no_database(lab, volume, content):
    with open(f"{volume}/leases.db", "wb") as f:
        f.write(content)
    vbng = lab.vbng(state=volume).wait_serving()
    assert store(vbng)["ok"]
    assert len(aside(volume)) == bool(content)
    if content:
        assert open(os.path.join(volume, aside(volume)[0]), "rb").read() == content
    street = Street(lab).join(1, 2)
    kill_server(vbng)
    assert known(vbng) == held(street)


def test_a_file_of_a_later_version_is_left_alone_until_it_is_moved_away(lab, volume):
    edit(volume, "CREATE TABLE future(x)", "PRAGMA user_version=4711")
    before = open(f"{volume}/leases.db", "rb").read()
    vbng = lab.vbng(state=volume).wait_serving()
    wait_store(vbng, False, "later version")
    assert re.search(r"error store .*of a later version.*run that one", vbng.text()), vbng.text()
    street = Street(lab).join(1)
    assert open(f"{volume}/leases.db", "rb").read() == before
    os.rename(f"{volume}/leases.db", f"{volume}/kept")
    wait_store(vbng, True)
    kill_server(vbng)
    assert known(vbng) == held(street)
    assert open(f"{volume}/kept", "rb").read() == before and aside(volume) == []


def test_a_directory_that_cannot_be_written_or_made(lab, volume):
    with open(f"{volume}/file", "wb"):
        pass
    vbng = lab.vbng(state=f"{volume}/file/leases").wait_serving()
    wait_store(vbng, False, "Not a directory")
    street = Street(lab).join(1)
    os.unlink(f"{volume}/file")
    os.mkdir(f"{volume}/file")
    wait_store(vbng, True)
    kill_server(vbng)
    assert known(vbng) == held(street)


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_a_file_that_is_taken_away_while_it_is_used_is_written_anew(lab, volume, how):
    vbng = lab.vbng(state=volume).wait_serving()
    street = Street(lab).join(1, 2)
    for name in sorted(os.listdir(volume)):
        if name.startswith("leases.db"):
            os.unlink(f"{volume}/{name}")
    if how == "replaced":
        with open(f"{volume}/leases.db", "wb") as f:
            f.write(b"not what it was" * 500)
    n = itertools.count(3)

    def noticed():  # with a commit, once a second
        street.join(next(n))
        return "works again, all bindings are stored" in vbng.text()
    wait_for("another file", noticed, every=0.5)
    assert re.search(r"error store .*going on from memory.*somebody has deleted or moved it", vbng.text())
    wait_store(vbng, True)
    kill_server(vbng)
    assert known(vbng) == held(street)
    assert set(vbng.delegated()) == set(street.held.values())


@pytest.mark.parametrize("what", ["leases.db", "leases.db-wal"])
def test_a_file_that_is_deleted_is_noticed_though_nobody_comes(lab, volume, what):
    vbng = lab.vbng(state=volume).wait_serving()
    street = Street(lab).join(1, 2)
    os.unlink(f"{volume}/{what}")
    vbng.wait_log("works again, all bindings are stored")
    assert re.search(r"error store .*going on from memory.*Stale file handle.*somebody has deleted or moved it", vbng.text())
    wait_store(vbng, True)
    kill_server(vbng)
    assert known(vbng) == held(street)


def test_a_file_that_is_deleted_right_before_a_stop_is_written_anew(lab, volume):
    first = lab.vbng(state=volume).wait_serving()
    street = Street(lab).join(1, 2)
    for name in os.listdir(volume):
        os.unlink(f"{volume}/{name}")
    assert first.stop()[0] == 0
    assert "all bindings are stored" in first.text()
    vbng = lab.vbng(state=volume).wait_serving()
    assert known(vbng) == held(street)


def test_clients_of_a_lost_volume_still_find_the_server_that_they_know(lab, volume):
    first = lab.vbng(state=volume, **LONG).wait_serving()
    street = Street(lab).join(1, 2)
    assert first.stop()[0] == 0
    for name in os.listdir(volume):
        if name.startswith("leases.db"):
            os.unlink(f"{volume}/{name}")
    vbng = lab.vbng(state=volume, **LONG).wait_serving()
    assert known(vbng) == set()
    street.renew()  # with the server's identifier of before
    assert known(vbng) == held(street)


def test_instants_far_away_neither_free_nor_immortalise(lab, volume):
    first = lab.vbng(state=volume).wait_serving()
    street = Street(lab).join(1, 2, 3)
    assert first.stop()[0] == 0
    year_ms = 365 * 86400 * 1000
    # Two were granted by a clock that was ten years ahead, one by a clock that was ten years behind.
    edit(volume, *(f"UPDATE binding SET granted_unix_ms=granted_unix_ms+{10 * years * year_ms},until_unix_ms=until_unix_ms+{10 * years * year_ms} "
                   f"WHERE duid=x'{packets.duid(n).hex()}'" for n, years in ((1, 1), (2, 1), (3, -1))))
    vbng = lab.vbng(state=volume).wait_serving()
    assert re.search(r"wall clock was later.*bindings=2", vbng.text()), vbng.text()
    leases = {x["duid"].replace(":", ""): x for x in vbng.leases()}
    for n in 1, 2:
        lease = leases[packets.duid(n).hex()]
        assert lease["state"] == "bound" and 14300 < lease["valid_left_s"] <= 14400, lease
    assert leases[packets.duid(3).hex()]["state"] == "freed"
    street.renew(1, 2, 3)
    kill_server(vbng)
    assert vbng.text().count("wall clock was later") == 1, "what was drawn into the present is stored so"
    assert known(vbng) == held(street)
    assert vbng.stop()[0] == 0


def test_rows_that_cannot_be_are_passed_over(lab, volume):
    first = lab.vbng(state=volume, **LONG).wait_serving()
    street = Street(lab).join(1)
    assert first.stop()[0] == 0
    many(volume, 4)
    edit(volume, "UPDATE binding SET plen=320 WHERE prefix=x'20010db8fffff0000000000000000000'",
         "UPDATE binding SET state=-1 WHERE prefix=x'20010db8fffff0010000000000000000'",
         "UPDATE binding SET until_unix_ms=9223372036854775807 WHERE prefix=x'20010db8fffff0020000000000000000'")
    vbng = lab.vbng(state=volume, **LONG).wait_serving()
    assert re.search(r"bindings loaded.*loaded=2\b.*unreadable=3", vbng.text()), vbng.text()
    assert len(known(vbng)) == 2 and held(street) < known(vbng)
