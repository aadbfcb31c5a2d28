# SPDX-License-Identifier: GPL-2.0-or-later
"""kill -9 at random moments, of the server, of who changes routes for it, and of everything, while thousands of exchanges a second are
under way.

What a client was told is on the disk and in the kernel's table, whatever was killed and when, and no prefix is two clients'. The load
(tests/bench/dhcp6load.c, -m churn) writes down what each of its clients was told; the test compares it with the database each time that
nothing runs any more, and at the end with the running instance and the kernel, too.

VBNG_KILLS: how many (200). VBNG_KILL_SEED: of the random moments, as the test prints it.
"""
import collections
import contextlib
import ipaddress
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import statistics
import struct
import subprocess
import time

from lab import OUR_PROTOCOL, PATIENCE_S, VBNG, wait_for

KILLS = int(os.environ.get("VBNG_KILLS", "200"))
DHCP6LOAD = os.path.join(os.path.dirname(os.path.dirname(VBNG)), "tests", "bench", "dhcp6load")
CLIENTS, RATE, UNDER_WAY, PATIENCE_MS = 20000, 8000, 2048, 500
PREFERRED_S, VALID_S = 20, 30  # who is not drawn for so long loses its prefix, and another may get it
SLACK_S = 0.1                  # between the clocks of load and server: the same one, read in milliseconds here and there
LONGEST_S = 300                # a machine too busy for that many kills ends with as many as there were

TOLD = struct.Struct("=QQIIIcB2x16s")  # struct told of dhcp6load.c
PD, BOUND = 2, 1                       # as the database counts
Row = collections.namedtuple("Row", "prefix state until granted")


def duid(client):
    return bytes((0, 3, 0, 1, 2, 0x42)) + client.to_bytes(4, "big")


class Ledger:
    """What the clients know. `state` has, of each client: (what it was told last, prefix, until when at least, when it was told)."""

    def __init__(self, path):
        self.path, self.offset = path, 0
        self.state, self.owners = {}, {}
        self.wrong = []
        self.exchanges = 0
        self.killed_at, self.back_after = None, []

    def read(self):
        """What has been written since."""
        with open(self.path, "rb") as f:
            f.seek(self.offset)
            data = f.read()
        whole = len(data) - len(data) % TOLD.size
        self.offset += whole
        for sent, at, client, _, valid, what, plen, address in TOLD.iter_unpack(data[:whole]):
            self.note(sent / 1e6, at / 1e6, client, valid, what, (address, plen))

    def note(self, sent, at, client, valid, what, prefix):
        if what == b"r":
            self.state[client] = (what, prefix, 0, at)
            self.owners.pop(prefix, None)
            return
        self.exchanges += 1
        if self.killed_at and sent > self.killed_at:
            self.back_after.append(at - self.killed_at)
            self.killed_at = None
        if what == b"L":
            self.wrong.append(f"client {client} held {show(prefix)}, and was told that the server knows nothing of it")
        if what in (b"L", b"F"):
            self.state[client] = (what, prefix, 0, at)
            return
        owner, until = self.owners.get(prefix, (client, 0))
        if owner != client and at < until:
            self.wrong.append(f"client {client} was told {show(prefix)}, which is client {owner}'s for another {until - at:.1f} s")
        held = self.state.get(client)
        if held and held[0] in (b"B", b"R") and held[1] != prefix and self.owners.get(held[1], (None,))[0] == client:
            del self.owners[held[1]]
        self.owners[prefix] = (client, sent + valid)
        self.state[client] = (what, prefix, sent + valid, at)

    def holding(self, now):
        """(client, prefix, until) of everyone who may still use what it was told."""
        return [(c, s[1], s[2]) for c, s in self.state.items() if s[0] in (b"B", b"R") and s[2] > now + SLACK_S]

    def compare(self, rows, where, now):
        """rows: the database's, by (DUID, IAID)."""
        holding = self.holding(now)
        for client, prefix, until in holding:
            row = rows.get((duid(client), 1))
            if not row or row.prefix != prefix or row.state != BOUND:
                self.wrong.append(f"{where}: client {client} was told {show(prefix)}, the database has {row and (show(row.prefix), row.state)}")
            elif row.until < until - SLACK_S:
                self.wrong.append(f"{where}: client {client} was told {show(prefix)} for {until - row.until:.1f} s longer than the database has it")
        for client, (what, prefix, _, at) in self.state.items():
            row = rows.get((duid(client), 1)) if what == b"F" else None
            if row and row.state == BOUND and row.granted < at - SLACK_S - 1:
                self.wrong.append(f"{where}: client {client} released {show(prefix)} and was told so, the database has it bound")
        return len(holding)

    def assert_right(self, seed):
        assert not self.wrong, f"VBNG_KILL_SEED={seed}, {len(self.wrong)} things are wrong:\n" + "\n".join(self.wrong[:20])


def show(prefix):
    return f"{ipaddress.IPv6Address(prefix[0])}/{prefix[1]}"


def copy_database(state, scratch):
    """While nothing writes to it."""
    for name in os.listdir(scratch):
        os.unlink(os.path.join(scratch, name))
    for name in "leases.db", "leases.db-wal":
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(os.path.join(state, name), os.path.join(scratch, name))


def read_database(scratch):
    """The prefixes in the copy, by (DUID, IAID): what the next start finds."""
    with contextlib.closing(sqlite3.connect(os.path.join(scratch, "leases.db"))) as db:
        assert db.execute("PRAGMA quick_check").fetchone() == ("ok",)
        found = db.execute("SELECT duid, iaid, prefix, plen, state, until_unix_ms, granted_unix_ms FROM binding WHERE kind=?", (PD,)).fetchall()
    rows = {}
    for client, iaid, address, plen, state_, until, granted in found:
        row = Row((address, plen), state_, until / 1000, granted / 1000)
        old = rows.get((client, iaid))
        if old and old.state == row.state == BOUND:
            raise AssertionError(f"two prefixes are bound to {client.hex()}: {show(old.prefix)} and {show(row.prefix)}")
        if not old or row.state == BOUND:
            rows[(client, iaid)] = row
    return rows


def bound(rows):
    """What is somebody's for the server that has loaded or written these rows. Whose time is over is somebody's until an expiry's batch
    says otherwise, and its route stands as long: what time it is while the server stands still is no matter."""
    return {key: row.prefix for key, row in rows.items() if row.state == BOUND}


def show_routes(ns):
    return ns.ip("-6", "route", "show", "proto", OUR_PROTOCOL)


def delegated_routes(shown):
    """Of show_routes(): (address, length) and where it leads. (Text, not JSON: twenty thousand of them, many times.)"""
    found = {}
    for line in shown.splitlines():
        m = re.match(r"(\S+) via (\S+) dev", line)
        if m:
            address, _, plen = m[1].partition("/")
            found[(ipaddress.IPv6Address(address).packed, int(plen or 128))] = m[2]
    return found


class Killer:
    """Kills what runs, and compares what that left."""

    def __init__(self, lab, vbng, ledger, rng, scratch, next_hop):
        self.lab, self.vbng, self.ledger, self.rng, self.scratch, self.next_hop = lab, vbng, ledger, rng, scratch, next_hop
        self.seen = 0       # the size of what clients had been told at the last kill
        self.left = None    # by the last kill of everything, where it was not compared yet: (its name, when, routes as shown)
        self.compared = 0

    def wait_moment(self):
        """Mostly one at which it serves; sometimes any one after the last kill: then it may still be loading."""
        if self.rng.random() < 0.25:
            time.sleep(self.rng.uniform(0, 0.15))
            return
        self.compare()
        wait_for("answers after the last kill", self.answers, every=0.005)
        time.sleep(self.rng.uniform(0, 0.3))

    def answers(self):
        return os.path.getsize(self.ledger.path) >= self.seen + 50 * TOLD.size

    def kill(self, which):
        """0: init, and with it everything; 1: the server."""
        return self.kill_one(lambda: next(iter(self.vbng.pids()[which:]), None))

    def kill_one(self, find):
        while True:
            pid = wait_for("a process to kill", find, every=0.005)
            at = time.time()
            with contextlib.suppress(ProcessLookupError):  # it went with the other by itself
                os.kill(pid, signal.SIGKILL)
                break
        self.seen = os.path.getsize(self.ledger.path)
        return at

    def kill_server(self):
        """Or who changes routes for it, and takes it along."""
        at = self.kill(1) if self.rng.random() < 0.6 else self.kill_one(self.vbng.fib)
        self.compare()
        self.ledger.killed_at = at
        self.ledger.read()

    def kill_everything(self, name):
        """And start it again."""
        self.kill(0)
        self.vbng.process.wait(PATIENCE_S)
        self.vbng.log.close()
        self.compare()
        time.sleep(0.02)  # what was answered is with the load by now; a moment for it to write that down
        self.ledger.read()
        self.ledger.killed_at = None  # where nothing was answered since the server's kill
        copy_database(self.lab.state, self.scratch)
        self.left = (name, time.time(), show_routes(self.vbng.own))
        self.vbng.start()

    def compare(self):
        """What clients had been told with what was left, while others are served already."""
        if not self.left:
            return
        name, when, shown = self.left
        self.left = None
        self.compared += self.ledger.compare(read_database(self.scratch), name, when)
        routes = delegated_routes(shown)
        self.ledger.wrong += [f"{name}: client {client} was told {show(prefix)}, the kernel sends it to {routes.get(prefix)}"
                              for client, prefix, _ in self.ledger.holding(when) if routes.get(prefix) != self.next_hop]


def test_no_answered_binding_is_lost_and_no_prefix_has_two_clients_however_often_it_is_killed(lab, tmp_path, capsys):
    seed = int(os.environ.get("VBNG_KILL_SEED", random.SystemRandom().randrange(1 << 32)))
    rng = random.Random(seed)
    scratch = tmp_path / "copy"
    scratch.mkdir()
    vbng = lab.vbng(LOG_LEVEL="info", DHCPV6_RATE_LIMIT="0", DHCPV6_STATION_LIMIT="0", DHCPV6_PD_DELEGATION_LENGTH="64", DHCPV6_PREFERRED_LIFETIME=str(PREFERRED_S), DHCPV6_VALID_LIFETIME=str(VALID_S)).wait_serving()
    next_hop = wait_for("the load's address", lambda: lab.cpe.addresses("cpe0", "link"))[0]["local"]
    ledger = Ledger(str(tmp_path / "told"))
    load = lab.cpe.popen(DHCP6LOAD, "-i", "cpe0", "-m", "churn", "-n", CLIENTS, "-r", RATE, "-w", UNDER_WAY, "-t", PATIENCE_MS, "-s", 2 * LONGEST_S,
                         "-l", ledger.path, stdout=subprocess.PIPE, text=True)
    try:
        wait_for("the first answers", lambda: os.path.exists(ledger.path) and os.path.getsize(ledger.path) > 1000 * TOLD.size)
        killer = Killer(lab, vbng, ledger, rng, scratch, next_hop)
        begun, kills, server_only = time.monotonic(), [0, 0], True
        while sum(kills) < KILLS and time.monotonic() - begun < LONGEST_S:
            killer.wait_moment()
            server_only ^= rng.random() < 0.3  # the one or the other, some times in a row
            kills[server_only] += 1
            if server_only:
                killer.kill_server()
            else:
                killer.kill_everything(f"kill {sum(kills)}")
            ledger.assert_right(seed)
        killer.compare()
        seconds = time.monotonic() - begun
        wait_for("answers after the last kill", killer.answers)
    finally:
        load.send_signal(signal.SIGTERM)
        said = json.loads(load.communicate(timeout=PATIENCE_S)[0])
    ledger.read()
    ledger.assert_right(seed)
    held = compare_all(lab, vbng, ledger, scratch, next_hop)
    ledger.assert_right(seed)
    quiet_ms, pause_ms = restart_when_quiet(lab, vbng)
    starts = [int(ms) for ms in re.findall(r"init serving .*since_start_ms=(\d+)", vbng.text())]
    with capsys.disabled():
        print(f"\nVBNG_KILL_SEED={seed}: {kills[1]} kills of the server, {kills[0]} of everything in {seconds:.0f} s; {ledger.exchanges} exchanges, "
              f"{ledger.exchanges / seconds:.0f}/s; {killer.compared} promises compared with the database; {held} bound at the end\n"
              f"server killed to next answer: median {1000 * statistics.median(ledger.back_after):.0f} ms, most {1000 * max(ledger.back_after):.0f} ms; "
              f"everything killed, exec to serving: median {statistics.median(starts[1:]):.0f} ms, most {max(starts[1:])} ms\n"
              f"server killed when all is quiet, to the answer to a SOLICIT: {quiet_ms:.0f} ms, init's pause of {pause_ms} ms included\nload: {said}", flush=True)
    assert said["lost"] == said["dup"] == 0
    assert min(kills) > 0
    assert ledger.exchanges / seconds > 500, "too little load to prove much"
    assert sum(kills) >= min(KILLS, 200) or seconds > LONGEST_S
    assert held > CLIENTS / 4, "too few bindings to prove much"


def restart_when_quiet(lab, vbng):
    """Milliseconds from the server's end to the next one's first answer, and how much of it init waited on purpose."""
    begun = time.monotonic()
    os.kill(vbng.pids()[1], signal.SIGKILL)
    answer = json.loads(lab.cpe.exec(DHCP6LOAD, "-i", "cpe0", "-m", "sa", "-n", 1, "-w", 1, "-b", CLIENTS, "-t", 5000).stdout)
    took = time.monotonic() - begun
    assert answer["completed"] == 1
    return 1000 * took, int(re.findall(r"the server was killed.*in_ms=(\d+)", vbng.text())[-1])


def compare_all(lab, vbng, ledger, scratch, next_hop):
    """Clients, database, `vbng leases` and the kernel's table say the same. The server stands still between two batches meanwhile."""
    wait_for("its status", lambda: vbng.verb("healthcheck", check=False).stdout == "serving\n")

    def listing():
        return {(bytes.fromhex(x["duid"].replace(":", "")), x["iaid"]): x for x in vbng.leases() if x["kind"] == "prefix" and x["state"] == "bound"}

    def snapshot():
        server = vbng.pids()[1]
        os.kill(server, signal.SIGSTOP)
        try:
            wait_for("it to stand still", lambda: open(f"/proc/{server}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()[0] == "T", every=0.001)
            copy_database(lab.state, scratch)
            return time.time(), read_database(scratch), delegated_routes(show_routes(vbng.own))
        finally:
            os.kill(server, signal.SIGCONT)

    # It may have been stopped between an expiry's commit and its routes, or RELEASEs that waited in its socket came between
    # the listing and the stop: then once more.
    for _ in range(5):
        listed_at, listed = time.time(), listing()
        now, rows, routes = snapshot()
        held = bound(rows)
        lasting = {key for key, x in listed.items() if listed_at + x["valid_left_s"] > now + 2}
        if routes.keys() == set(held.values()) and lasting <= set(held):
            break
        time.sleep(0.2)
    assert routes == {prefix: next_hop for prefix in held.values()}
    neighbours = [n["lladdr"] for n in vbng.own.json("-6", "neigh", "show", next_hop, "nud", "permanent")]
    assert neighbours == [lab.cpe.mac("cpe0")]
    assert ledger.compare(rows, "at the end", now) > 0
    assert len(lasting) > len(listed) / 4
    assert {key: ipaddress.ip_network(listed[key]["prefix"]) for key in lasting} == {
        key: ipaddress.ip_network(show(prefix)) for key, prefix in held.items() if key in lasting}
    assert set(held) <= set(listed)
    return len(held)
