/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/preflight.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/settings.h"
#include "host/netns.h"
#include "host/priv.h"
#include "host/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

enum { SENTENCE_MAX = 640, NAMES_MAX = 256 };

struct faults {
	int worst; /* exit code */
	void (*tell)(const char *sentence);
};

/* One fault, as a sentence of its own. */
__attribute__((format(printf, 3, 4))) static void fault(struct faults *f, int code, const char *fmt,
							...)
{
	char sentence[SENTENCE_MAX];
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(sentence, sizeof sentence, fmt, args); /* cut where it is longer */
	va_end(args);
	f->tell(sentence);
	f->worst = code > f->worst ? code : f->worst; /* 77, a privilege, often explains a 69 */
}

static bool needs_host(const struct config *c)
{
	return c->backend != WG_BACKEND_NONE || c->metrics.in_host ||
	       (c->subscriber_mode != SUBSCRIBER_AUTO && c->subscriber_mode != SUBSCRIBER_LOCAL);
}

static void check_privileges(const struct config *c, bool host, struct faults *f)
{
	for (enum priv p = 0; p < PRIV_COUNT; p++) {
		static const char *const why[PRIV_COUNT] = {
			[PRIV_NET_ADMIN] = "interfaces, addresses and routes",
			[PRIV_SYS_ADMIN] = "entering the host's network namespace",
			[PRIV_NET_RAW] = "router advertisements",
			[PRIV_NET_BIND_SERVICE] = "DHCPv6's port 547",
		};
		if (priv_have(p) || (p == PRIV_SYS_ADMIN && !host))
			continue;
		fault(f, EX_NOPERM,
		      "the capability %s is missing (for %s). Start with --privileged, or add "
		      "--cap-add %s",
		      priv_name(p), why[p], priv_name(p));
	}
	(void)c;
}

static void open_host(const struct config *c, struct preflight *p, struct faults *f)
{
	const char *path = c->host_netns;
	struct stat st;
	/* The predecessor's name for the same mount. */
	if (!c->host_netns_given && stat(path, &st) < 0 && stat("/var/run/netns/init", &st) == 0)
		path = "/var/run/netns/init";
	int r = netns_open(path, &p->host_ns);
	static const char mount[] = "Start with -v /proc/1/ns/net:/var/run/netns/host";
	if (r == -ENOENT || r == -ENOTDIR) {
		fault(f, EX_UNAVAILABLE,
		      "HOST_NETNS=%s: there is no such file, so the host's network namespace is "
		      "not mounted. %s",
		      path, mount);
	} else if (r == -EINVAL) {
		fault(f, EX_UNAVAILABLE, "HOST_NETNS=%s: this is no network namespace%s. %s", path,
		      stat(path, &st) == 0 && S_ISDIR(st.st_mode)
			      ? " but a directory (Docker makes one where the source does not "
				"exist)"
			      : "",
		      mount);
	} else if (r == -EEXIST) {
		fault(f, EX_UNAVAILABLE,
		      "HOST_NETNS=%s: this is our own network namespace, not the host's. %s, and "
		      "with --network none",
		      path, mount);
	} else if (r == -EACCES || r == -EPERM) {
		fault(f, EX_NOPERM,
		      "HOST_NETNS=%s: may not be opened (%s). Start with --privileged", path,
		      strerror(-r));
	} else if (r < 0) {
		fault(f, EX_UNAVAILABLE, "HOST_NETNS=%s: %s. %s", path, strerror(-r), mount);
	}
	if (r < 0)
		return;
	r = rtnl_open(p->host_ns, &p->host_rt);
	if (r == -EPERM && !priv_have(PRIV_SYS_ADMIN))
		return; /* told above */
	if (r < 0)
		fault(f, r == -EPERM ? EX_NOPERM : EX_SOFTWARE,
		      "HOST_NETNS=%s: cannot be entered: %s", path, strerror(-r));
}

/* A killed run's NIC may be on its way home: only a first start can say that there is none. */
static bool noted(const struct config *c)
{
	char path[CONFIG_PATH_MAX + 8];
	snprintf(path, sizeof path, "%s/nic", c->state_dir);
	return access(path, F_OK) == 0;
}

/* Where the NIC is looked for decides where it is claimed. */
static bool nic_is_hosts(const struct config *c, const struct preflight *p, const char **ret_name,
			 struct link_info *link)
{
	*ret_name = c->subscriber;
	if (!p->host_rt || c->subscriber_mode == SUBSCRIBER_LOCAL)
		return false;
	if (link_get(p->host_rt, c->subscriber, link) == 0) {
		*ret_name = link->name; /* it was found by an alternative name, perhaps */
		return true;
	}
	return c->subscriber_mode != SUBSCRIBER_AUTO || !p->own_rt || noted(c) ||
	       link_get(p->own_rt, c->subscriber, link) < 0;
}

static void tell_conflict(void *ctx, const char *sentence)
{
	fault((struct faults *)ctx, EX_UNAVAILABLE, "%s", sentence);
}

/* True where another instance is in the way: what else is missing, it may have. */
static bool check_others(const struct config *c, struct preflight *p, bool hold, struct faults *f)
{
	struct link_info link;
	const char *name;
	bool hosts = nic_is_hosts(c, p, &name, &link);
	const struct claims_place place = {
		.ns = p->host_rt ? p->host_ns : -1,
		.nic_ns = hosts ? p->host_ns : -1,
		.nic = name,
	};
	int r = claims_take(&p->claims, c, &place, hold, tell_conflict, f);
	if (r == -ENOENT)
		log_warn("boot", "this kernel does not tell which other instances are there "
				 "(unix_diag), going on: that their NICs, names and prefixes are "
				 "others is not checked");
	else if (r < 0)
		fault(f, r == -EPERM ? EX_NOPERM : EX_SOFTWARE,
		      "what other instances have cannot be found out: %s", strerror(-r));
	return r > 0;
}

static void check_nic(const struct config *c, const struct preflight *p, struct faults *f)
{
	struct link_info link;
	bool here = p->own_rt && link_get(p->own_rt, c->subscriber, &link) == 0;
	bool local = c->subscriber_mode == SUBSCRIBER_LOCAL;
	bool shared =
		c->subscriber_mode == SUBSCRIBER_MACVLAN || c->subscriber_mode == SUBSCRIBER_VLAN;
	if (here && link.loopback) {
		fault(f, EX_UNAVAILABLE,
		      "SUBSCRIBER_INTERFACE=%s: that is the loopback interface, no subscriber can "
		      "be there",
		      c->subscriber);
		return;
	}
	if (shared)
		here = false; /* nic_take() knows what a killed run has left */
	else if ((here && c->subscriber_mode != SUBSCRIBER_MOVE) || noted(c))
		return;
	if (!local && p->host_rt) {
		int r = link_get(p->host_rt, c->subscriber, &link);
		if (r == 0 && here)
			fault(f, EX_UNAVAILABLE,
			      "SUBSCRIBER_INTERFACE=%s: the container has an interface of that "
			      "name already. Start with --network none",
			      c->subscriber);
		if (r == 0 && shared && !link.up)
			fault(f, EX_UNAVAILABLE,
			      "SUBSCRIBER_INTERFACE=%s: it is down, and it is the host's to set it "
			      "up "
			      "(ip link set %s up)",
			      c->subscriber, link.name);
		if (r == 0)
			return;
	}
	struct rtnl *where = local || !p->host_rt ? p->own_rt : p->host_rt;
	char names[NAMES_MAX] = "";
	if (where)
		(void)link_names(where, names, sizeof names); /* "" where they cannot be listed */
	fault(f, EX_UNAVAILABLE,
	      "SUBSCRIBER_INTERFACE=%s: %s has no interface of that name. It has: %s",
	      c->subscriber, where == p->host_rt ? "the host" : "the container",
	      names[0] ? names : "none but loopback");
}

static void check_settings(struct faults *f)
{
	for (size_t i = 0; i < settings_count(); i++) {
		const struct setting *s = settings_get(i);
		char dotted[SYSCTL_KEY_MAX], value[SYSCTL_VALUE_MAX], path[SYSCTL_KEY_MAX + 16];
		int r = sysctl_get(s->key, value);
		if (r == 0 && strcmp(value, s->value) == 0)
			continue;
		if (r < 0) {
			if (s->required)
				fault(f, EX_UNAVAILABLE,
				      "/proc/sys/%s cannot be read (%s): is IPv6 disabled in this "
				      "kernel?",
				      s->key, strerror(-r));
			continue;
		}
		snprintf(path, sizeof path, "/proc/sys/%s", s->key);
		if (!s->required || access(path, W_OK) == 0)
			continue;
		snprintf(dotted, sizeof dotted, "%s", s->key);
		for (char *c = dotted; *c; c++)
			*c = *c == '/' ? '.' : *c;
		fault(f, EX_NOPERM,
		      "%s is %s and cannot be changed here (%s). Start with --privileged, or add "
		      "--sysctl %s=%s",
		      dotted, value, errno == EROFS ? "/proc/sys is read-only" : strerror(errno),
		      dotted, s->value);
	}
}

/* Whether this kernel makes links of that kind; where it does not say, the start will find out. */
static bool kernel_makes(const struct preflight *p, const char *kind)
{
	return !p->own_rt || link_kind_usable(p->own_rt, kind) != -EOPNOTSUPP;
}

static void check_backend(const struct config *c, const struct preflight *p, struct faults *f)
{
	if (c->backend == WG_BACKEND_NONE)
		return;
	bool kernels = c->backend != WG_BACKEND_USERSPACE && kernel_makes(p, "wireguard");
	if (c->backend == WG_BACKEND_KERNEL && !kernels)
		fault(f, EX_UNAVAILABLE,
		      "WIREGUARD_BACKEND=kernel: this kernel has no WireGuard. Load its module on "
		      "the host (modprobe wireguard), or set WIREGUARD_BACKEND=auto");
	if (c->backend == WG_BACKEND_KERNEL || kernels || access("/dev/net/tun", R_OK | W_OK) == 0)
		return;
	fault(f, errno == EACCES || errno == EPERM ? EX_NOPERM : EX_UNAVAILABLE,
	      "%s needs /dev/net/tun (%s). Start with --privileged, or add --device /dev/net/tun%s",
	      c->backend == WG_BACKEND_USERSPACE
		      ? "WIREGUARD_BACKEND=userspace"
		      : "this kernel has no WireGuard, and wireguard-go, which does instead,",
	      strerror(errno),
	      c->backend == WG_BACKEND_USERSPACE
		      ? ""
		      : "; or load the kernel's on the host (modprobe wireguard)");
}

static void check_kind(const struct config *c, const struct preflight *p, struct faults *f)
{
	if (c->subscriber_mode == SUBSCRIBER_VLAN && !kernel_makes(p, "vlan"))
		fault(f, EX_UNAVAILABLE,
		      "SUBSCRIBER_MODE=vlan:%u: this kernel makes no VLANs. Load its module on the "
		      "host (modprobe 8021q)",
		      c->vlan_id);
	if (c->subscriber_mode == SUBSCRIBER_MACVLAN && !kernel_makes(p, "macvlan"))
		fault(f, EX_UNAVAILABLE,
		      "SUBSCRIBER_MODE=macvlan: this kernel makes no macvlans. Load its module on "
		      "the host (modprobe macvlan)");
}

/* With a read-only root file system: is there room for the control socket, and for wireguard-go's?
 */
static void check_places(const struct config *c, struct faults *f)
{
	static const struct {
		const char *made, *in;
		bool userspace;
	} places[] = {
		{ "/run/vbng", "/run", false },
		{ "/var/run/wireguard", "/var/run", true },
	};
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		const char *at = access(places[i].made, F_OK) == 0 ? places[i].made : places[i].in;
		if ((places[i].userspace && c->backend != WG_BACKEND_USERSPACE) ||
		    access(at, F_OK) < 0 || access(at, W_OK) == 0)
			continue;
		fault(f, EX_NOPERM, "%s cannot be written (%s). Start with --tmpfs /run", at,
		      strerror(errno));
	}
}

int preflight_run(const struct config *c, bool hold, void (*tell)(const char *sentence),
		  struct preflight *ret_preflight)
{
	struct faults f = { .tell = tell };
	struct preflight *p = ret_preflight;
	*p = (struct preflight)PREFLIGHT_NONE;
	bool host = needs_host(c);
	/* SUBSCRIBER_MODE=auto without a tunnel: the host is looked at where it is mounted. */
	bool look =
		!host && c->subscriber_mode == SUBSCRIBER_AUTO && access(c->host_netns, F_OK) == 0;
	int r = netns_open_own(&p->own_ns);
	if (r == 0)
		r = rtnl_open(-1, &p->own_rt);
	if (r < 0)
		fault(&f, EX_SOFTWARE,
		      "our own network namespace cannot be used: %s. Is /proc mounted?",
		      strerror(-r));
	check_privileges(c, host || look, &f);
	if (host || look)
		open_host(c, p, &f);
	if ((p->host_rt || !host) && !check_others(c, p, hold, &f))
		check_nic(c, p, &f);
	check_settings(&f);
	check_backend(c, p, &f);
	check_kind(c, p, &f);
	check_places(c, &f);
	return f.worst;
}

void preflight_done(struct preflight *p)
{
	rtnl_close(p->own_rt);
	rtnl_close(p->host_rt);
	if (p->own_ns >= 0)
		(void)close(p->own_ns); /* a namespace's descriptor has nothing to flush */
	if (p->host_ns >= 0)
		(void)close(p->host_ns); /* likewise */
	claims_release(&p->claims);
	*p = (struct preflight)PREFLIGHT_NONE;
}
