/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/nic.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/siphash.h"
#include "daemon/nic_note.h"
#include "host/file.h"
#include "host/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum {
	RETURN_WAIT_MS = 5000,
	RETURN_TRIES = 5, /* of ours to give it back: nobody else would */
	RETURN_PAUSE_MS = 20,
	MANAGER_WAIT_MS = 2000, /* for whoever configures it on the host to begin with that */
	MANAGER_LOOK_MS = 20,
};

static void note_path(const struct nic *n, char path[static CONFIG_PATH_MAX + 8])
{
	snprintf(path, CONFIG_PATH_MAX + 8, "%s/nic", n->state_dir);
}

/* Which boot of the host this is: the instants of another one say nothing here. "" where the kernel
 * does not tell. */
static const char *this_boot(char buf[static SYSCTL_VALUE_MAX])
{
	if (sysctl_get("kernel/random/boot_id", buf) < 0)
		buf[0] = '\0';
	return buf;
}

/* Written before the NIC leaves home, so that whatever happens then, the next start knows what it
 * was like. */
static int note_write(const struct nic *n)
{
	struct nic_note note = { .lladdr_len = n->link.lladdr_len,
				 .up = n->was_up,
				 .addr_gen_mode = n->was_addr_gen_mode,
				 .n_addrs = n->n_addrs };
	memcpy(note.name, n->home_name, sizeof note.name);
	memcpy(note.lladdr, n->link.lladdr, sizeof note.lladdr);
	memcpy(note.addrs, n->addrs, sizeof note.addrs);
	(void)this_boot(note.boot); /* where it is not told, the note is for nobody */
	AUTO_FREE char *text = NULL;
	int r = nic_note_format(&note, &text);
	if (r < 0)
		return r;
	char path[CONFIG_PATH_MAX + 8], fresh[CONFIG_PATH_MAX + 16];
	note_path(n, path);
	(void)snprintf(fresh, sizeof fresh, "%s.new", path); /* fits */
	AUTO_CLOSE int fd = file_create(fresh);
	if (fd < 0)
		return fd;
	size_t len = strlen(text);
	ssize_t written = write(fd, text, len);
	if (written != (ssize_t)len)
		return written < 0 ? -errno : -ENOSPC; /* a file takes all, or is full */
	return rename(fresh, path) < 0 ? -errno : 0;
}

/* 0, -ENOENT: there is none; what file_open() and read(2) say; -EBADMSG. */
static int note_load(const char *path, struct nic_note *ret_note)
{
	AUTO_CLOSE int fd = file_open(path, O_RDONLY);
	if (fd < 0)
		return fd;
	AUTO_FREE char *text = malloc(NIC_NOTE_MAX + 1);
	if (!text)
		return -ENOMEM;
	size_t len = 0;
	for (ssize_t n = 1; n > 0 && len <= NIC_NOTE_MAX; len += (size_t)n) {
		n = read(fd, text + len, NIC_NOTE_MAX + 1 - len);
		if (n < 0)
			return -errno;
	}
	return nic_note_parse(text, len, ret_note);
}

/*
 * A note that cannot be read is none: the NIC is then taken as it is found. So is one of an earlier
 * boot: since then the host has made the card anew and set it up as it wants it now, and the note's
 * instants are of a clock that has begun again. Returns note, or NULL.
 */
static const struct nic_note *note_read(const struct nic *n, struct nic_note *note)
{
	char path[CONFIG_PATH_MAX + 8], now[SYSCTL_VALUE_MAX];
	note_path(n, path);
	int r = note_load(path, note);
	if (r < 0 && r != -ENOENT && r != -ENOTDIR)
		log_warn("subscriber",
			 "the note of what the NIC was like cannot be read, taking it as it is "
			 "found",
			 kv_str("path", path),
			 kv_str("error", r == -EBADMSG ? "no note of ours" : file_why(r)));
	if (r < 0 || strcmp(note->name, n->home_name) != 0 ||
	    strcmp(note->boot, this_boot(now)) != 0)
		return NULL;
	return note;
}

static void note_apply(struct nic *n, const struct nic_note *note)
{
	n->was_up = note->up;
	n->was_addr_gen_mode = note->addr_gen_mode;
	n->n_addrs = note->n_addrs;
	memcpy(n->addrs, note->addrs, sizeof n->addrs);
}

static int look(struct nic *n, const struct nic_note *note, struct link_info *ret_link)
{
	int r = link_get(n->host_rt, n->home_name, ret_link);
	if (r != -ENODEV || !note)
		return r;
	/* Where the name was taken meanwhile, the kernel brings a NIC home as dev<N>. */
	return note->lladdr_len
		       ? link_get_by_lladdr(n->host_rt, note->lladdr, note->lladdr_len, ret_link)
		       : -ENODEV;
}

/* On the host; after a crash, as soon as the kernel has brought it back. */
static int find_at_home(struct nic *n, const struct nic_note *note, bool (*pause)(void *ctx),
			void *ctx, struct link_info *ret_link)
{
	int r = look(n, note, ret_link);
	uint64_t until = clock_mono_ms() + RETURN_WAIT_MS;
	if (r == -ENODEV && note)
		log_info("subscriber",
			 "an earlier run left the NIC behind, waiting for the kernel to bring it "
			 "home",
			 kv_str("interface", n->home_name));
	while (r == -ENODEV && note && clock_mono_ms() < until) {
		if (!pause(ctx))
			return -EINTR;
		r = look(n, note, ret_link);
	}
	return r;
}

static int forget_note(const struct nic *n)
{
	char path[CONFIG_PATH_MAX + 8];
	note_path(n, path);
	return unlink(path) < 0 && errno != ENOENT && errno != EROFS ? -errno : 0;
}

/*
 * After the move, whatever the answer to it was: one that was lost does not say that nothing was
 * done. For the same reason it is asked for twice.
 */
static int find_here(struct nic *n, const struct link_info *was, struct link_info *ret_link)
{
	struct link_info link;
	int r = link_get(n->own_rt, n->home_name, &link);
	if (r < 0 && r != -ENODEV)
		r = link_get(n->own_rt, n->home_name, &link);
	if (r < 0)
		return r;
	if (link.lladdr_len != was->lladdr_len ||
	    memcmp(link.lladdr, was->lladdr, link.lladdr_len) != 0)
		return -ENODEV; /* another one that has the name here */
	*ret_link = link;
	return 0;
}

static int take_from_home(struct nic *n, const struct link_info *link, const struct nic_note *note,
			  int own_ns)
{
	n->link = *link;
	n->was_up = link->up;
	n->was_addr_gen_mode = link->addr_gen_mode;
	int r = link_addrs(n->host_rt, link->ifindex, n->addrs, NIC_MAX_ADDRS);
	if (r < 0)
		return r;
	n->n_addrs = (size_t)r;
	/* The kernel brought it home down and bare: the note knows better. */
	if (note && !link->up && n->n_addrs == 0)
		note_apply(n, note);
	r = note_write(n);
	if (r < 0)
		log_warn("subscriber",
			 "cannot note the NIC's addresses for a start after a crash, going on",
			 kv_str("STATE_DIR", n->state_dir), kv_errno(r));
	r = link_move(n->host_rt, link->ifindex, own_ns, n->own_rt, n->home_name);
	struct link_info moved;
	int seen = r == -EEXIST ? r : find_here(n, link, &moved);
	if (seen == 0) {
		n->moved = true;
		n->link = moved;
		return 0;
	}
	if (r < 0 && !note)
		(void)forget_note(n); /* it is where it was, and r is what is told */
	return r < 0 ? r : seen;
}

static int take_where_it_is(struct nic *n, const struct link_info *link,
			    const struct nic_note *note)
{
	n->link = *link;
	n->was_up = link->up;
	n->was_addr_gen_mode = link->addr_gen_mode;
	/* A killed run of ours in a namespace that outlived it: the NIC is here, but its home is
	 * the host. */
	n->moved = note != NULL;
	if (note) {
		note_apply(n, note);
		return 0;
	}
	int r = link_addrs(n->own_rt, link->ifindex, n->addrs, NIC_MAX_ADDRS);
	n->n_addrs = r < 0 ? 0 : (size_t)r;
	return r < 0 ? r : 0;
}

const char *nic_mode(const struct nic *n, const struct config *c, char buf[static NIC_MODE_MAX])
{
	if (n->made && c->subscriber_mode == SUBSCRIBER_VLAN)
		(void)snprintf(buf, NIC_MODE_MAX, "vlan:%u", c->vlan_id); /* fits */
	else
		(void)snprintf(buf, NIC_MODE_MAX, "%s", /* likewise */
			       n->made    ? "macvlan"
			       : n->moved ? "move"
					  : "local");
	return buf;
}

/* Of the macvlan of this instance on this card: locally administered, always the same, and another
 * one for each instance. */
static void own_lladdr(const struct config *c, const struct link_info *base, uint8_t ret[static 6])
{
	uint8_t key[16] = "vbng macvlan";
	memcpy(key + 10, base->lladdr, 6);
	uint64_t h = siphash24(key, c->suffix, strlen(c->suffix));
	memcpy(ret, &h, 6);
	ret[0] = (uint8_t)((ret[0] & 0xfc) | 2);
}

/* What a killed run of ours has left in a namespace that outlived it. */
static int remove_left_over(struct nic *n, const struct config *c, const struct link_info *left,
			    const uint8_t lladdr[static 6])
{
	bool vlan = c->subscriber_mode == SUBSCRIBER_VLAN;
	if (strcmp(left->kind, vlan ? "vlan" : "macvlan") != 0 || left->lladdr_len != 6 ||
	    memcmp(left->lladdr, lladdr, 6) != 0)
		return -EEXIST;
	return link_delete(n->own_rt, left->ifindex);
}

/* Whatever of it is there: of what failed only the answer may be missing. What this fails with is
 * not told, for the first error counts. */
static void remove_made(const struct nic *n, const char *name)
{
	struct link_info link;
	int r = link_get(n->own_rt, name, &link);
	if (r < 0 && r != -ENODEV)
		r = link_get(n->own_rt, name, &link);
	if (r == 0)
		(void)link_delete(n->own_rt, link.ifindex);
}

/* On top of the host's NIC, which stays where it is and as it is. */
static int make_upon(struct nic *n, const struct config *c, int own_ns)
{
	struct link_info base, left, link;
	bool vlan = c->subscriber_mode == SUBSCRIBER_VLAN;
	int r = n->host_rt ? link_get(n->host_rt, c->subscriber, &base) : -ENODEV;
	if (r < 0)
		return r;
	if (!base.up)
		return -ENETDOWN;
	if (base.lladdr_len != 6 || base.loopback)
		return -EOPNOTSUPP;
	uint8_t lladdr[6];
	memcpy(lladdr, base.lladdr, 6);
	if (!vlan)
		own_lladdr(c, &base, lladdr);
	r = link_get(n->own_rt, n->home_name, &left);
	if (r == 0)
		r = remove_left_over(n, c, &left, lladdr);
	if (r < 0 && r != -ENODEV)
		return r;
	/* Not under its name at once: older kernels (6.1) look whether the host has that, too. */
	char name[IFNAMSIZ];
	uint32_t serial;
	if (getrandom(&serial, sizeof serial, 0) != (ssize_t)sizeof serial)
		return -EAGAIN;
	(void)snprintf(name, sizeof name, "vbng%08x", serial); /* fits */
	r = link_make_upon(n->host_rt, base.ifindex, vlan ? c->vlan_id : 0, lladdr, own_ns, name);
	if (r == 0)
		r = link_get(n->own_rt, name, &link);
	if (r == 0)
		r = link_rename(n->own_rt, link.ifindex, n->home_name);
	if (r == 0)
		r = link_get(n->own_rt, n->home_name, &link);
	if (r < 0) {
		remove_made(n, name);
		remove_made(n, n->home_name); /* nobody had it: see above */
		return r;
	}
	n->link = link;
	n->made = true;
	return 0;
}

int nic_take(struct nic *n, const struct config *c, int own_ns, bool (*pause)(void *ctx), void *ctx)
{
	struct link_info link;
	memcpy(n->home_name, c->subscriber, sizeof n->home_name);
	/* An alternative name (udev gives them) finds the NIC, but it moves and comes home under
	 * its own. */
	if (n->host_rt && link_get(n->host_rt, c->subscriber, &link) == 0)
		memcpy(n->home_name, link.name, sizeof n->home_name);
	n->state_dir = c->state_dir;
	if (c->subscriber_mode == SUBSCRIBER_MACVLAN || c->subscriber_mode == SUBSCRIBER_VLAN)
		return make_upon(n, c, own_ns);
	struct nic_note noted = { 0 };
	const struct nic_note *note = n->host_rt ? note_read(n, &noted) : NULL;
	int r = link_get(n->own_rt, n->home_name, &link);
	bool here = r == 0;
	if (c->subscriber_mode == SUBSCRIBER_LOCAL || (here && note)) {
		if (here)
			r = take_where_it_is(n, &link, note);
		return r;
	}
	r = n->host_rt ? find_at_home(n, note, pause, ctx, &link) : -ENODEV;
	if (r == 0)
		r = take_from_home(n, &link, note, own_ns);
	else if (r == -ENODEV && here && c->subscriber_mode == SUBSCRIBER_AUTO)
		r = link_get(n->own_rt, n->home_name, &link) ?: take_where_it_is(n, &link, NULL);
	return r;
}

/* Among the host's links: the one of its name, and, where that is another card, the one that has
 * its link-layer address. */
static int look_again(struct nic *n, const struct config *c, bool settled,
		      struct link_info *ret_link, bool *ret_wait)
{
	struct link_info named, same;
	int by_name = link_get(n->host_rt, n->home_name, &named);
	if (by_name == -ENODEV) /* its alternative name stays, where udev gives it */
		by_name = link_get(n->host_rt, c->subscriber, &named);
	if (by_name < 0 && by_name != -ENODEV)
		return by_name;
	bool card = n->link.kind[0] == '\0' && n->link.lladdr_len > 0;
	bool is_it = by_name == 0 &&
		     (!card || (named.lladdr_len == n->link.lladdr_len &&
				memcmp(named.lladdr, n->link.lladdr, named.lladdr_len) == 0));
	if (is_it) {
		*ret_link = named;
		return 0;
	}
	int by_lladdr =
		card ? link_get_by_lladdr(n->host_rt, n->link.lladdr, n->link.lladdr_len, &same)
		     : -ENODEV;
	if (by_lladdr < 0 && by_lladdr != -ENODEV)
		return by_lladdr;
	*ret_wait = !settled && (by_name == 0 || by_lladdr == 0);
	if (!settled || (by_name < 0 && by_lladdr < 0))
		return -ENODEV;
	*ret_link = by_lladdr == 0 ? same : named;
	return 0;
}

int nic_retake(struct nic *n, const struct config *c, int own_ns, bool settled, bool *ret_wait)
{
	struct link_info link;
	struct nic taken = *n;
	*ret_wait = false;
	if (n->made) {
		int r = make_upon(&taken, c, own_ns);
		if (r < 0) /* the host has not set it up yet: it will, and that is an event */
			return r == -ENETDOWN ? -ENODEV : r;
	} else if (!n->moved) {
		int r = link_get(n->own_rt, n->link.name, &link);
		if (r == 0)
			r = take_where_it_is(&taken, &link, NULL);
		if (r < 0)
			return r;
	} else {
		int r = look_again(n, c, settled, &link, ret_wait);
		if (r < 0)
			return r;
		struct nic_note noted = { 0 };
		r = take_from_home(&taken, &link, note_read(n, &noted), own_ns);
		if (r < 0)
			return r;
	}
	taken.gone = false;
	*n = taken;
	return 0;
}

/* Whoever adds an address without its prefix's route adds the route himself, and looks after both.
 */
static bool somebodys(const struct link_addr *a)
{
	return a->flags & IFA_F_NOPREFIXROUTE;
}

bool nic_managed(const struct nic *n)
{
	bool found = false;
	for (size_t i = 0; i < n->n_addrs; i++)
		found |= somebodys(&n->addrs[i]);
	return n->moved && n->was_up && found;
}

/*
 * NetworkManager takes a link that comes up with addresses for one that somebody else has
 * configured, and leaves it alone from then on: without the routes that only it knows. So it finds
 * the NIC as one that was plugged in, down and bare. Where nobody sets it up in time, it was
 * somebody who is not there any more.
 */
static bool left_to_manager(const struct nic *n, unsigned ifindex)
{
	uint64_t until = clock_mono_ms() + MANAGER_WAIT_MS;
	struct link_info link;
	while (link_get_by_index(n->host_rt, ifindex, &link) == 0) {
		if (link.up || clock_mono_ms() >= until)
			return link.up;
		const struct timespec pause = { .tv_nsec = MANAGER_LOOK_MS * 1000000L };
		(void)nanosleep(&pause, NULL); /* shorter is only a look sooner */
	}
	return false;
}

static int restore(struct nic *n, struct rtnl *rt, unsigned ifindex, bool managed)
{
	int first = 0;
	if (!managed) {
		first = link_set_addr_gen_mode(rt, ifindex, n->was_addr_gen_mode);
		int up = link_set_up(rt, ifindex, n->was_up);
		first = first < 0 ? first : up;
	}
	for (size_t i = 0; i < n->n_addrs; i++) {
		if (managed && somebodys(&n->addrs[i]))
			continue;
		int r = link_addr_put(rt, ifindex, &n->addrs[i]);
		if (r < 0 && first == 0)
			first = r;
	}
	return first;
}

/* Under another one where its name is somebody else's by now. */
static void other_name(const struct nic *n, char ret_name[static IFNAMSIZ])
{
	snprintf(ret_name, IFNAMSIZ, "vbng%u", n->link.ifindex);
}

static int send_home(struct nic *n, struct link_info *ret_link)
{
	char name[IFNAMSIZ];
	memcpy(name, n->home_name, sizeof name);
	(void)link_set_up(n->own_rt, n->link.ifindex, false); /* the move does it, too */
	int r = link_move(n->own_rt, n->link.ifindex, n->host_ns, n->host_rt, name);
	if (r == -EEXIST) {
		other_name(n, name);
		log_warn("subscriber",
			 "somebody took the NIC's name on the host meanwhile, it goes home under "
			 "another",
			 kv_str("name", n->home_name), kv_str("new_name", name));
		r = link_move(n->own_rt, n->link.ifindex, n->host_ns, n->host_rt, name);
	}
	return r < 0 ? r : link_get(n->host_rt, name, ret_link);
}

/* After an attempt of which only the answer was missing. */
static int find_returned(const struct nic *n, struct link_info *ret_link)
{
	char names[2][IFNAMSIZ];
	memcpy(names[0], n->home_name, IFNAMSIZ);
	other_name(n, names[1]);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct link_info link;
		int r = link_get(n->host_rt, names[i], &link);
		if (r < 0 && r != -ENODEV)
			return r;
		if (r == 0 && link.lladdr_len == n->link.lladdr_len &&
		    memcmp(link.lladdr, n->link.lladdr, link.lladdr_len) == 0) {
			*ret_link = link;
			return 0;
		}
	}
	return -ENODEV;
}

static int give_back(struct nic *n, bool again)
{
	struct link_info link;
	int r = link_get_by_index(n->own_rt, n->link.ifindex, &link);
	if (r == 0 && n->made)
		return link_delete(n->own_rt, link.ifindex);
	if (r == 0 && !n->moved)
		return restore(n, n->own_rt, link.ifindex, false);
	if (r == 0)
		r = send_home(n, &link);
	else if (r == -ENODEV && n->moved && again)
		r = find_returned(n, &link);
	if (r < 0)
		return r;
	bool managed = nic_managed(n) && left_to_manager(n, link.ifindex);
	r = restore(n, n->host_rt, link.ifindex, managed);
	if (r == 0)
		r = forget_note(n);
	if (r == 0)
		log_info("subscriber", "NIC returned", kv_str("interface", link.name),
			 kv_bool("up", n->was_up), kv_u64("addresses", n->n_addrs),
			 kv_bool("left_to_the_hosts_manager", managed));
	return r;
}

int nic_return(void *arg)
{
	struct nic *n = (struct nic *)arg;
	if (n->gone) /* whatever comes under its name later is the host's alone */
		return n->moved ? forget_note(n) : 0;
	int r = give_back(n, false);
	/* The kernel may have been short of memory, for a request or for its answer. */
	for (int i = 1; i < RETURN_TRIES && r < 0 && r != -ENODEV; i++) {
		const struct timespec pause = { .tv_nsec = RETURN_PAUSE_MS * 1000000L };
		(void)nanosleep(&pause, NULL); /* shorter is only an attempt sooner */
		r = give_back(n, true);
	}
	return r;
}
