#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""peerbench: measures a DHCPv6 / router-advertisement server on a veth pair between two network namespaces.

    peerbench.py build                        compile the C tools (into $PEERBENCH_TOOLS or ./tools)
    peerbench.py SERVER... [options]          measure; SERVER is a name in servers/ or a path to such a script
    peerbench.py --list

A server script gets DIR (fresh, on disk), IFACE, LINK, PD_POOL, PD_POOL_LEN, PD_LEN, PD_LAST, TOOLS, SERVER_NS in
its environment, writes what configuration it likes into DIR and prints one command line that runs the server in the
foreground. See README.md.
"""
import argparse, contextlib, json, os, re, shlex, shutil, signal, statistics, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
TOOLS = os.environ.get("PEERBENCH_TOOLS", os.path.join(HERE, "tools"))
TICK = os.sysconf("SC_CLK_TCK")

def sh(cmd, **kw):
    return subprocess.run(cmd, check=kw.pop("check", True), text=True, capture_output=True, **kw)

def build():
    os.makedirs(TOOLS, exist_ok=True)
    cc = os.environ.get("CC", "cc")
    for shim in ("nosyslog", "bigbuf"):
        subprocess.run([cc, "-O2", "-shared", "-fPIC", "-o", f"{TOOLS}/{shim}.so", f"{HERE}/{shim}.c", "-ldl"], check=True)
    for tool, extra in (("dhcp6load", []), ("street", []), ("launch", []), ("ceiling", ["-DWITH_SQLITE", "-lsqlite3"])):
        base = [cc, "-O2", "-Wall", "-Wextra", "-o", f"{TOOLS}/{tool}", f"{HERE}/{tool}.c"]
        r = subprocess.run(base + extra)
        if r.returncode and extra:
            r = subprocess.run(base)
        if r.returncode:
            sys.exit(f"cannot build {tool}")

class Lab:
    """Two namespaces, one veth pair; made at entry, removed at exit."""
    def __init__(self, a):
        p = a.ns_prefix
        self.s, self.c, self.si, self.ci = p + "srv", p + "cli", p + "s0", p + "c0"
        self.a = a
    def __enter__(self):
        for n in (self.s, self.c):
            subprocess.run(["ip", "netns", "del", n], capture_output=True)
            sh(["ip", "netns", "add", n])
            sh(["ip", "netns", "exec", n, "sysctl", "-qw", f"net.ipv6.conf.default.accept_dad={int(self.a.dad)}", "net.ipv6.conf.default.accept_ra=0",
                "net.ipv6.route.max_size=2147483647"], check=False)
        sh(["ip", "-n", self.s, "link", "add", self.si, "type", "veth", "peer", "name", self.ci, "netns", self.c])
        sh(["ip", "netns", "exec", self.s, "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1"])
        for n, i in ((self.s, self.si), (self.c, self.ci)):
            sh(["ip", "-n", n, "link", "set", "lo", "up"]); sh(["ip", "-n", n, "link", "set", i, "up"])
        self.clean()
        for _ in range(100):
            if all("fe80" in sh(["ip", "-n", n, "-6", "addr", "show", "dev", i, "-tentative"]).stdout for n, i in ((self.s, self.si), (self.c, self.ci))):
                break
            time.sleep(0.05)
        return self
    def clean(self, addrs=()):
        """The state that a server finds: the link's address only (or the ones it asks for), no routes of earlier servers."""
        sh(["ip", "-n", self.s, "-6", "route", "flush", "proto", "static"], check=False)
        sh(["ip", "-n", self.s, "-6", "route", "flush", "proto", "200"], check=False)
        sh(["ip", "-n", self.s, "-6", "route", "flush", "proto", "118"], check=False)
        sh(["ip", "-n", self.s, "-6", "addr", "flush", "dev", self.si, "scope", "global"], check=False)
        for addr in addrs or (self.a.link + "1/64",):
            sh(["ip", "-n", self.s, "addr", "replace", addr, "dev", self.si, "nodad"])
    def __exit__(self, *_):
        for n in (self.s, self.c):
            subprocess.run(["ip", "netns", "del", n], capture_output=True)
    def client(self, *cmd, timeout=300):
        return subprocess.run(["ip", "netns", "exec", self.c, *cmd], text=True, capture_output=True, timeout=timeout)

class Server:
    """One run of a server: started fresh (or on the state that `state` holds), gone at exit."""
    def __init__(self, lab, script, want, state=None):
        self.lab, self.script, self.want, self.keep = lab, script, want, state
    def __enter__(self):
        a = self.lab.a
        self.dir = self.keep or tempfile.mkdtemp(prefix="peerbench-", dir=a.tmp)
        text = open(self.script).read()
        env = dict(os.environ, DIR=self.dir, IFACE=self.lab.si, LINK=a.link, PD_POOL=a.pool.split("/")[0], PD_POOL_LEN=a.pool.split("/")[1],
                   PD_LEN=str(a.pd_len), PD_LAST=last(a.pool, a.pd_len), TOOLS=TOOLS, SERVER_NS=self.lab.s)
        m = re.search(r"^# addr: (\S+)", text, re.M)
        self.lab.clean([m.group(1).replace("$PD_POOL1", env["PD_POOL"] + "1").replace("$PD_POOL_LEN", env["PD_POOL_LEN"])] if m else [])
        cmd = shlex.split(sh([self.script], env=env).stdout)
        self.log = os.path.join(self.dir, "server.out")
        self.p = subprocess.Popen([f"{TOOLS}/launch", self.lab.s, self.lab.c, self.lab.ci, self.want, self.log, "--", *cmd],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
        line = self.p.stdout.readline()
        try: self.start = json.loads(line)
        except ValueError: self.start = {"dead": 1}
        if self.start["dead"]:
            self.p.stdin.close(); self.p.wait(timeout=30)
            raise RuntimeError("server died: " + (open(self.log).read()[-600:] if os.path.exists(self.log) else line))
        return self
    def __exit__(self, *_):
        if self.p.poll() is None:
            self.p.send_signal(signal.SIGTERM)
        out, _ = self.p.communicate(timeout=30)
        self.stop = json.loads(out) if out.strip() else {}
        if not self.keep and not getattr(self, "hold", False):
            shutil.rmtree(self.dir, ignore_errors=True)
    def pids(self):
        kids, found = {}, []
        for d in os.listdir("/proc"):
            if d.isdigit():
                try: st = open(f"/proc/{d}/stat").read()
                except OSError: continue
                kids.setdefault(int(st[st.rindex(")") + 2:].split()[1]), []).append(int(d))
        todo = [self.start["pid"]]
        while todo:
            p = todo.pop(); found.append(p); todo += kids.get(p, [])
        return found
    def cpu(self):
        """Seconds of CPU of the server and its children: nanosecond accounting of every thread where there is one."""
        total = 0.0
        for p in self.pids():
            try:
                for t in os.listdir(f"/proc/{p}/task"):
                    total += int(open(f"/proc/{p}/task/{t}/schedstat").read().split()[0]) / 1e9
            except (OSError, IndexError):
                try:
                    f = open(f"/proc/{p}/stat").read(); f = f[f.rindex(")") + 2:].split(); total += (int(f[11]) + int(f[12])) / TICK
                except OSError: pass
        return total
    def split(self):
        u = s = 0
        for p in self.pids():
            f = open(f"/proc/{p}/stat").read(); f = f[f.rindex(")") + 2:].split(); u += int(f[11]); s += int(f[12])
        return u / TICK, s / TICK
    def mem(self):
        """(RSS, PSS) of the process tree in KiB."""
        rss = pss = 0
        for p in self.pids():
            try:
                t = open(f"/proc/{p}/smaps_rollup").read()
                rss += int(re.search(r"^Rss:\s+(\d+)", t, re.M).group(1)); pss += int(re.search(r"^Pss:\s+(\d+)", t, re.M).group(1))
            except (OSError, AttributeError): pass
        return rss, pss

def last(pool, length):
    import ipaddress
    n = ipaddress.ip_network(pool)
    return str(ipaddress.ip_address(int(n.broadcast_address) >> (128 - length) << (128 - length)))

def load(lab, *args, timeout=700):
    r = lab.client(f"{TOOLS}/dhcp6load", "-i", lab.ci, *map(str, args), timeout=timeout)
    if r.returncode: raise RuntimeError(r.stderr)
    return json.loads(r.stdout)

def perfdhcp(lab, rate, secs, kind, initial):
    """One perfdhcp run. (rate offered that was reached, exchanges completed a second, share lost)"""
    e = {"pd": "prefix-only", "na": "address-only", "both": "address-and-prefix"}[kind]
    cmd = ["env", f"LD_PRELOAD={TOOLS}/bigbuf.so", "perfdhcp", "-6", "-l", lab.ci, "-e", e, "-r", str(rate), "-R", "8000000", "-p", str(secs), "-W", "500000"] + (["-i"] if initial else [])
    r = lab.client(*cmd, timeout=secs * 4 + 30).stdout
    sent = [int(x) for x in re.findall(r"sent packets: (\d+)", r)]; got = [int(x) for x in re.findall(r"received packets: (\d+)", r)]
    rej = sum(int(x) for x in re.findall(r"rejected leases: (\d+)", r))
    if not sent or not sent[0]: return 0, 0, 1.0
    done = got[0] if initial else (got[1] if len(got) > 1 else 0)
    done -= rej
    return sent[0] / secs, done / secs, 1 - done / sent[0]

def search(lab, script, want, kind, a, initial, guess):
    """The highest rate that perfdhcp sustains with less than 1 % lost; every try on a fresh server."""
    def good(rate):
        with Server(lab, script, want) as s:
            offered, done, lost = perfdhcp(lab, int(rate), a.trial, kind, initial)
        ok = lost < 0.01 and offered > 0.95 * rate
        if a.verbose: print(f"    perfdhcp -r {int(rate)}: offered {offered:.0f}, done {done:.0f}, lost {100*lost:.2f} %{'' if ok else '  (no)'}", file=sys.stderr)
        return ok, done
    lo, hi, best = 0.0, None, 0.0
    rate = max(20.0, guess)
    for _ in range(14):
        ok, done = good(rate)
        if ok: lo, best = rate, max(best, done)
        else: hi = rate
        if hi is None: rate = lo * 1.4
        elif lo == 0: rate = hi / 1.8
        elif hi / lo < 1.06: break
        else: rate = (lo * hi) ** 0.5
        if rate < 3: break
    return best

def know(lab, neighbours):
    """(address, MAC) pairs into the server's neighbour table, where they do not count towards its limit: see README."""
    batch = "".join(f"neigh replace {a} lladdr {m} dev {lab.si} nud permanent\n" for a, m in neighbours)
    sh(["ip", "-n", lab.s, "-6", "-force", "-batch", "-"], input=batch, check=False)

@contextlib.contextmanager
def mute(lab):
    """The client's own kernel does not answer for the subscribers."""
    sh(["ip", "netns", "exec", lab.c, "sysctl", "-qw", f"net.ipv6.conf.{lab.ci}.disable_ipv6=1"])
    try: yield
    finally:
        sh(["ip", "netns", "exec", lab.c, "sysctl", "-qw", f"net.ipv6.conf.{lab.ci}.disable_ipv6=0"])
        sh(["ip", "-n", lab.s, "-6", "neigh", "flush", "dev", lab.si, "nud", "permanent"], check=False)

def rcvbuf_errors(lab):
    return int(re.search(r"Udp6RcvbufErrors\s+(\d+)", sh(["ip", "netns", "exec", lab.s, "cat", "/proc/net/snmp6"]).stdout).group(1))

def street(lab, script, wants, kind, a, count, rate):
    """`count` subscribers of tools/street; then an echo request into every delegated prefix."""
    lost = rcvbuf_errors(lab)
    with Server(lab, script, wants) as s, mute(lab):
        if a.neighbours:
            know(lab, ((f"fe80::5b:ff:fe{i >> 16:02x}:{i & 0xffff:x}", f"02:5b:00:{i >> 16:02x}:{i >> 8 & 255:02x}:{i & 255:02x}") for i in range(1, count + 1)))
        c0 = s.cpu()
        r = lab.client(f"{TOOLS}/street", "-i", lab.ci, "-n", str(count), "-r", str(rate), "-t", str(a.street_secs), "-k", kind, "-S", lab.s, *([] if "r" in wants else ["-a"]))
        if r.returncode: raise RuntimeError(r.stderr)
        return dict(json.loads(r.stdout), cpu_us=round((s.cpu() - c0) * 1e6 / count, 1), rcvbuf_errors=rcvbuf_errors(lab) - lost)

def blaster(lab, script, want, kind, a, count, rate):
    """`count` IPoE subscribers of BNG Blaster: DHCPv6, then RS and RA, each with its own MAC and link-local address."""
    with Server(lab, script, want) as s, mute(lab):
        if a.neighbours:                                  # see README: the kernel holds 1024 neighbours by default
            know(lab, ((f"fe80::ffff:ffff:ff{i >> 16:02x}:{i & 0xffff:x}", f"02:00:00:{i >> 16:02x}:{i >> 8 & 255:02x}:{i & 255:02x}") for i in range(1, count + 1)))
        d = tempfile.mkdtemp(prefix="peerbench-bbl-", dir=a.tmp)
        try:
            na = kind in ("na", "both"); pd = kind in ("pd", "both")
            json.dump({"interfaces": {"access": [{"interface": lab.ci, "type": "ipoe", "vlan-mode": "N:1", "ipv4": False, "ipv6": True, "dhcpv6": True}]},
                       "sessions": {"count": count, "max-outstanding": count, "start-rate": rate, "stop-rate": rate},
                       "ipoe": {"ipv4": False, "ipv6": True}, "dhcp": {"enable": False},
                       "dhcpv6": {"enable": True, "ia-na": na, "ia-pd": pd, "rapid-commit": False, "access-line": False, "timeout": 5}}, open(d + "/c.json", "w"))
            c0 = s.cpu(); bin_ = os.environ.get("BNGBLASTER", "bngblaster")
            p = subprocess.Popen(["ip", "netns", "exec", lab.c, bin_, "-C", d + "/c.json", "-b", "-f", "-S", d + "/ctl", "-L", d + "/log"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            got, end = {}, time.time() + 60
            while time.time() < end and p.poll() is None:
                time.sleep(0.25)
                try:
                    import socket
                    k = socket.socket(socket.AF_UNIX); k.settimeout(5); k.connect(d + "/ctl"); k.send(b'{"command": "session-counters"}'); b = b""
                    while True:
                        x = k.recv(65536)
                        if not x: break
                        b += x
                    got = json.loads(b)["session-counters"]
                except (OSError, ValueError, KeyError): continue
                if got["sessions-established"] == count: break
            cpu = s.cpu() - c0
            p.send_signal(signal.SIGINT)
            try: p.wait(15)
            except subprocess.TimeoutExpired: p.kill(); p.wait()
            n = got.get("sessions-established", 0)
            return {"count": count, "rate": rate, "established": n, "setup_ms": got.get("setup-time"), "cpu_us": round(cpu * 1e6 / max(1, n), 1), "rcvbuf_errors_total": rcvbuf_errors(lab)}
        finally:
            shutil.rmtree(d, ignore_errors=True)

def med(v):
    v = [x for x in v if x is not None and x >= 0]
    return statistics.median(v) if v else None

def measure(lab, name, a):
    script = name if os.path.sep in name else os.path.join(HERE, "servers", name)
    text = open(script).read()
    m = re.search(r"\(kinds: ([^)]*)\)", text); kinds = m.group(1).split() if m else ["pd"]
    dhcp = [k for k in kinds if k in ("pd", "na")]
    kind = a.kind or ("pd" if "pd" in dhcp else "na" if dhcp else None)
    want = {"pd": "p", "na": "n", "both": "pn"}.get(kind, "") 
    wants = want + ("r" if "ra" in kinds else "")
    out = {"server": os.path.basename(name), "kind": kind, "date": time.strftime("%F %T")}
    say = lambda *x: print("  ", *x, file=sys.stderr, flush=True)
    say(f"== {name}")
    if "start" in a.do:
        adv, ra, stop, rss, pss = [], [], [], [], []
        for _ in range(a.starts):
            with Server(lab, script, wants) as s:
                if not kind: time.sleep(0.2)
                r, p = s.mem(); rss.append(r); pss.append(p)
            adv.append(s.start["advertise_ms"]); ra.append(s.start["ra_ms"]); stop.append(s.stop.get("stop_ms", -1))
        out.update(start_ms=med(adv), ra_ms=med(ra), ra_ms_all=ra, stop_ms=med(stop), rss_kib=med(rss), pss_kib=med(pss))
        say("start", {k: out[k] for k in ("start_ms", "ra_ms", "stop_ms", "rss_kib", "pss_kib")})
    if not kind: return out
    if "loop" in a.do:
        for w in a.windows:
            rs, cpus = [], []
            for _ in range(a.repeat):
                with Server(lab, script, want) as s:
                    c0 = s.cpu(); r = load(lab, "-k", kind, "-w", w, "-s", a.trial); r["cpu_us"] = (s.cpu() - c0) * 1e6 / max(1, r["completed"])
                rs.append(r)
            rs.sort(key=lambda r: r["per_s"]); r = rs[len(rs) // 2]
            out[f"loop{w}"] = {k: r[k] for k in ("per_s", "p50_ms", "p99_ms", "max_ms", "drop_pct", "bad", "dup", "cpu_us")}
            say(f"closed loop, window {w}:", out[f"loop{w}"])
    if "cpu" in a.do:
        top = out.get("loop64", {}).get("per_s", 0)
        rates = ([("cpu_fixed", a.rate)] if not top or top > 1.5 * a.rate else []) + ([("cpu_half", max(1, int(top / 2)))] if top else [])
        for key, rate in rates:
            v, u, k = [], [], []
            for _ in range(a.repeat):
                with Server(lab, script, want) as s:
                    c0 = s.cpu(); u0 = s.split(); r = load(lab, "-k", kind, "-r", rate, "-s", a.cpu_secs); u1 = s.split(); n = max(1, r["completed"])
                    v.append((s.cpu() - c0) * 1e6 / n); u.append((u1[0] - u0[0]) * 1e6 / n); k.append((u1[1] - u0[1]) * 1e6 / n)
            out[key] = {"rate": rate, "us": round(med(v), 1), "user_us": round(med(u), 1), "sys_us": round(med(k), 1), "drop_pct": r["drop_pct"], "p50_ms": r["p50_ms"], "p99_ms": r["p99_ms"]}
            say(key, out[key])
    if "max" in a.do:
        guess = out.get("loop64", {}).get("per_s", 1000) * 0.8
        sarr = [search(lab, script, want, kind, a, False, min(guess, 25000)) for _ in range(a.searches)]
        out["perfdhcp_sarr"] = [round(x) for x in sarr]; say("perfdhcp 4-way/s", out["perfdhcp_sarr"])
        sa = [search(lab, script, want, kind, a, True, min(guess * 1.8, 40000)) for _ in range(max(1, a.searches - 1))]
        out["perfdhcp_sa"] = [round(x) for x in sa]; say("perfdhcp SOLICIT only/s", out["perfdhcp_sa"])
    if "renew" in a.do:
        with Server(lab, script, want) as s:
            r = load(lab, "-k", kind, "-m", "renew", "-w", 64, "-n", a.renew_clients, "-s", 60)
        out["renew"] = {k: r[k] for k in ("per_s", "completed", "drop_pct", "p50_ms", "p99_ms", "bad")}; say("renew", out["renew"])
    if "bbl" in a.do:                                     # needs $BNGBLASTER; the server must do RA as well
        out["bbl"] = []
        for spec in a.bbl.split(","):
            n, r = map(int, spec.split("@")); v = sorted((blaster(lab, script, wants, kind, a, n, r) for _ in range(a.repeat)), key=lambda x: x["setup_ms"] or 1e9)
            out["bbl"].append(v[len(v) // 2]); say("bngblaster", out["bbl"][-1])
    if "street" in a.do:
        out["street"] = []
        for spec in a.street.split(","):
            n, r = map(int, spec.split("@")); v = sorted((street(lab, script, wants, kind, a, n, r) for _ in range(a.repeat)), key=lambda x: (x["lost"], x["setup_ms"]))
            out["street"].append(v[len(v) // 2]); say("street", out["street"][-1])
    if "mem" in a.do:
        keep = tempfile.mkdtemp(prefix="peerbench-", dir=a.tmp)
        try:
            with Server(lab, script, want, state=keep) as s:
                r0, p0 = s.mem(); r = load(lab, "-k", kind, "-w", 16, "-n", a.leases, "-s", a.mem_secs); r1, p1 = s.mem()
            out["mem"] = {"leases": r["completed"], "rss0_kib": r0, "rss1_kib": r1, "bytes_per_lease": round((r1 - r0) * 1024 / max(1, r["completed"])),
                          "fill_per_s": r["per_s"], "dup": r["dup"], "bad": r["bad"],
                          "disk_kib": sum(os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(keep) for f in fs) // 1024}
            v = []
            for i in range(3):                            # starts on exactly those leases; the last then serves new clients
                with Server(lab, script, want, state=keep) as s:
                    v.append(s.start["advertise_ms"])
                    if i == 2: out["mem"]["loop64_when_full"] = load(lab, "-k", kind, "-w", 64, "-s", a.trial, "-b", 10000000)["per_s"]
            out["mem"]["restart_ms"] = med(v)
            say("mem", out["mem"])
        finally: shutil.rmtree(keep, ignore_errors=True)
    return out

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("servers", nargs="*"); p.add_argument("--list", action="store_true")
    p.add_argument("--do", default="start,loop,cpu,max,renew,mem", help="what to measure")
    p.add_argument("--kind", choices=("pd", "na", "both")); p.add_argument("--pool", default="3fff:100::/34"); p.add_argument("--pd-len", type=int, default=56)
    p.add_argument("--link", default="2001:db8:ffff::", help="the link's /64"); p.add_argument("--ns-prefix", default="pb-")
    p.add_argument("--tmp", default=None, help="where servers keep their state (a real disk)"); p.add_argument("--json", help="append one line of JSON a server to this file")
    p.add_argument("--repeat", type=int, default=3); p.add_argument("--searches", type=int, default=3); p.add_argument("--starts", type=int, default=7); p.add_argument("--trial", type=int, default=3)
    p.add_argument("--rate", type=int, default=500); p.add_argument("--cpu-secs", type=int, default=6); p.add_argument("--leases", type=int, default=50000)
    p.add_argument("--mem-secs", type=int, default=60); p.add_argument("--renew-clients", type=int, default=5000)
    p.add_argument("--bbl", default="1000@10000,5000@1000", help="SUBSCRIBERS@START_RATE,..."); p.add_argument("--neighbours", action="store_true", help="for bbl and street: enter the subscribers into the neighbour table first")
    p.add_argument("--street", default="1000@0,5000@0", help="SUBSCRIBERS@START_RATE,...; 0: at once"); p.add_argument("--street-secs", type=int, default=60, help="who is not up by then is lost")
    p.add_argument("--dad", action="store_true", help="leave duplicate address detection on")
    p.add_argument("--windows", default="1,64"); p.add_argument("-v", "--verbose", action="store_true")
    a = p.parse_args(); a.do = a.do.split(","); a.windows = [int(x) for x in a.windows.split(",")]
    if a.list: print("\n".join(sorted(f for f in os.listdir(HERE + "/servers") if not f.startswith("_")))); return
    if a.servers == ["build"]: build(); return
    if not os.path.exists(f"{TOOLS}/launch"): build()
    with Lab(a) as lab:
        for s in a.servers:
            try: r = measure(lab, s, a)
            except (RuntimeError, subprocess.SubprocessError, ValueError) as e: r = {"server": s, "error": str(e)[-900:]}; print(r, file=sys.stderr)
            print(json.dumps(r))
            sys.stdout.flush()
            if a.json: open(a.json, "a").write(json.dumps(r) + "\n")

if __name__ == "__main__":
    main()
