/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/subscriber.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

enum {
	CARD_SETTLE_MS = 2000, /* within which udev names a card that was plugged in */
	RETRY_MS = 1000,
	DUPLICATE_AGAIN_MS = 30000, /* between two attempts to have our transfer address */
	CONTEST_EVERY_MS = 30000,
	LINK_LOCAL_TRIES = 3, /* of others, before one is taken without asking */
	REMOVAL_ROUNDS = 1024,
	LINK_LOCAL_PLEN = 64,
};

static struct rtnl *own(const struct subscriber *s)
{
	return s->at->own_rt;
}

static bool same_state(const struct link_state *a, const struct link_state *b)
{
	return a->carrier == b->carrier && a->usable == b->usable && a->missing == b->missing &&
	       a->transfer_duplicate == b->transfer_duplicate &&
	       IN6_ARE_ADDR_EQUAL(&a->link_local, &b->link_local);
}

static void tell(struct subscriber *s)
{
	if (same_state(&s->link, &s->told))
		return;
	s->told = s->link;
	s->changed(s->ctx);
}

/* --- addresses
 * ---------------------------------------------------------------------------------------------- */

static int add_address(struct subscriber *s, const struct in6_addr *addr, uint8_t plen)
{
	int r = link_addr6_add(own(s), s->nic.link.ifindex, addr, plen, false);
	return r == -EEXIST ? 0
			    : r; /* of a killed run, or of whoever prepared the interface for us */
}

/* The first one instead comes from the card, so that it is the same after the next start; then
 * chance decides. */
static int other_link_local(const struct subscriber *s, struct in6_addr *ret_addr)
{
	struct in6_addr other = { .s6_addr = { 0xfe, 0x80 } };
	const uint8_t *mac = s->nic.link.lladdr;
	if (s->link_local_tries == 0 && s->nic.link.lladdr_len == 6) {
		/* RFC 4291, appendix A */
		const uint8_t eui64[8] = { mac[0] ^ 2, mac[1], mac[2], 0xff,
					   0xfe,       mac[3], mac[4], mac[5] };
		memcpy(&other.s6_addr[8], eui64, sizeof eui64);
	}
	if (s->link_local_tries > 0 || s->nic.link.lladdr_len != 6 ||
	    IN6_ARE_ADDR_EQUAL(&other, &s->link.link_local))
		if (getrandom(&other.s6_addr[8], 8, 0) != 8)
			return -EAGAIN;
	*ret_addr = other;
	return 0;
}

/* Somebody on the link has our link-local address: another one does as well (RFC 4862 §5.4.5, RFC
 * 8028). Several at a time are nobody's accident. */
static int choose_link_local(struct subscriber *s)
{
	struct in6_addr other;
	int r = other_link_local(s, &other);
	if (r < 0)
		return r;
	bool ask = s->link_local_tries++ < LINK_LOCAL_TRIES;
	(void)link_addr6_del(own(s), s->nic.link.ifindex, &s->link.link_local,
			     LINK_LOCAL_PLEN); /* gone is fine */
	char old_text[INET6_ADDRSTRLEN], new_text[INET6_ADDRSTRLEN];
	log_warn("subscriber",
		 ask ? "somebody on the link has our link-local address, taking another"
		     : "somebody claims every link-local address that we ask for, taking one "
		       "without asking",
		 kv_str("address", in6_format(&s->link.link_local, old_text)),
		 kv_str("instead", in6_format(&other, new_text)));
	s->link.link_local = other;
	return link_addr6_add(own(s), s->nic.link.ifindex, &s->link.link_local, LINK_LOCAL_PLEN,
			      !ask);
}

static uint8_t transfer_plen(const struct subscriber *s, size_t i)
{
	return s->config->transfers[i].plen;
}

static void tell_duplicate(const struct subscriber *s, size_t i)
{
	char address[INET6_ADDRSTRLEN], prefix[PREFIX6_STRLEN];
	log_error("subscriber",
		  "somebody on the link has our transfer address: a second instance with the same "
		  "TRANSFER_PREFIX there gives out the same addresses. Each needs a prefix of its "
		  "own",
		  kv_str("address", in6_format(&s->transfer_addrs[i], address)),
		  kv_str("TRANSFER_PREFIX", prefix6_format(&s->config->transfers[i], prefix)),
		  kv_u64("asking_again_ms", DUPLICATE_AGAIN_MS));
}

/* Whoever has our transfer address may leave: then it is ours after all. */
static void on_duplicate_timer(void *ctx)
{
	struct subscriber *s = (struct subscriber *)ctx;
	if (s->link.missing || !s->link.transfer_duplicate)
		return;
	for (size_t i = 0; i < s->config->n_transfers; i++) {
		if (!s->duplicate[i])
			continue;
		(void)link_addr6_del(own(s), s->nic.link.ifindex, &s->transfer_addrs[i],
				     transfer_plen(s, i)); /* gone is fine */
		int r = add_address(s, &s->transfer_addrs[i], transfer_plen(s, i));
		if (r < 0)
			log_warn("subscriber", "our transfer address cannot be added, trying again",
				 kv_errno(r), kv_u64("retry_ms", DUPLICATE_AGAIN_MS));
	}
	loop_timer_set(s->duplicate_timer, DUPLICATE_AGAIN_MS);
}

static void note_transfer(struct subscriber *s, size_t i, enum addr6_state state)
{
	bool was = s->duplicate[i];
	if (state == ADDR6_DUPLICATE)
		s->duplicate[i] = true;
	else if (state == ADDR6_USABLE)
		s->duplicate[i] = false;
	if (s->duplicate[i] == was)
		return;
	if (was) {
		log_info("subscriber", "our transfer address is ours alone now");
		return;
	}
	tell_duplicate(s, i);
	loop_timer_set(s->duplicate_timer, DUPLICATE_AGAIN_MS);
}

/* Whether none of them is still being asked for. */
static bool note_transfers(struct subscriber *s, const enum addr6_state *states)
{
	bool settled = true, duplicate = false;
	for (size_t i = 0; i < s->config->n_transfers; i++) {
		note_transfer(s, i, states[i]);
		duplicate |= s->duplicate[i];
		settled &= states[i] != ADDR6_TENTATIVE || s->duplicate[i];
	}
	if (!duplicate)
		loop_timer_stop(s->duplicate_timer);
	s->link.transfer_duplicate = duplicate;
	return settled;
}

static int read_states(const struct subscriber *s, enum addr6_state *link_local,
		       enum addr6_state *transfers)
{
	unsigned ifindex = s->nic.link.ifindex;
	int r = link_addr6_state(own(s), ifindex, &s->link.link_local, link_local);
	for (size_t i = 0; i < s->config->n_transfers && r == 0; i++)
		r = link_addr6_state(own(s), ifindex, &s->transfer_addrs[i], &transfers[i]);
	return r;
}

/* IPv6 keeps no address of an interface that somebody has set down; or somebody flushed them. */
static int put_back(struct subscriber *s, enum addr6_state *link_local, enum addr6_state *transfers)
{
	bool absent = *link_local == ADDR6_ABSENT;
	for (size_t i = 0; i < s->config->n_transfers; i++)
		absent |= transfers[i] == ADDR6_ABSENT;
	if (!absent)
		return 0;
	s->link.usable = false;
	tell(s);
	int r = 0;
	if (*link_local == ADDR6_ABSENT)
		r = add_address(s, &s->link.link_local, LINK_LOCAL_PLEN);
	for (size_t i = 0; i < s->config->n_transfers && r == 0; i++)
		if (transfers[i] == ADDR6_ABSENT)
			r = add_address(s, &s->transfer_addrs[i], transfer_plen(s, i));
	if (r < 0)
		return r;
	log_warn("subscriber", "our addresses were gone from the NIC, put back",
		 kv_str("interface", s->nic.link.name));
	return read_states(s, link_local, transfers);
}

static bool addresses_usable(struct subscriber *s)
{
	enum addr6_state ll = ADDR6_ABSENT, transfers[CONFIG_MAX_TRANSFERS] = { ADDR6_ABSENT };
	int r = read_states(s, &ll, transfers);
	if (r == 0)
		r = put_back(s, &ll, transfers);
	if (r < 0) {
		log_error("subscriber", "our addresses cannot be put on the NIC, trying again",
			  kv_errno(r), kv_u64("retry_ms", RETRY_MS));
		loop_timer_set(s->again_timer, RETRY_MS);
		return false;
	}
	if (ll == ADDR6_DUPLICATE) {
		r = choose_link_local(s);
		if (r < 0) {
			log_error("subscriber", "cannot take another link-local address",
				  kv_errno(r), kv_u64("retry_ms", RETRY_MS));
			loop_timer_set(s->again_timer, RETRY_MS);
		}
		return false;
	}
	if (!note_transfers(s, transfers) || ll != ADDR6_USABLE)
		return false;
	s->link_local_tries = 0;
	return true;
}

void subscriber_contested(struct subscriber *s)
{
	uint64_t now_ms = clock_mono_ms();
	if (!s->link.usable || s->link.missing ||
	    (s->contested_at_ms && now_ms - s->contested_at_ms < CONTEST_EVERY_MS))
		return;
	s->contested_at_ms = now_ms;
	char text[INET6_ADDRSTRLEN];
	log_warn("subscriber",
		 "another router advertises from our link-local address, asking whether it has it",
		 kv_str("address", in6_format(&s->link.link_local, text)));
	s->link.usable = false;
	tell(s);
	(void)link_addr6_del(own(s), s->nic.link.ifindex, &s->link.link_local,
			     LINK_LOCAL_PLEN); /* gone is fine */
	int r = add_address(s, &s->link.link_local, LINK_LOCAL_PLEN);
	if (r < 0) /* the look that follows adds it again */
		log_error("subscriber", "our link-local address cannot be added", kv_errno(r));
}

/* --- what is given back
 * ------------------------------------------------------------------------------------- */

struct removal {
	struct route_batch *b;
	unsigned ifindex;
};

/* Those of other interfaces are another instance's, or the tunnel's. */
static int remove_route(void *ctx, const struct route *r)
{
	const struct removal *removal = (const struct removal *)ctx;
	return r->oif == removal->ifindex ? route_del(removal->b, r, 0) : 0;
}

static int remove_neighbour(void *ctx, const struct neighbour *n)
{
	const struct removal *removal = (const struct removal *)ctx;
	return neighbour_del(removal->b, removal->ifindex, &n->addr, 0);
}

/* All that a dump tells of, more than a batch takes; bounded, should the kernel keep one that it
 * says it removed. */
static int remove_all(struct subscriber *s, bool neighbours)
{
	struct route_batch *removals = NULL;
	int r = route_batch_new(&removals);
	struct removal removal = { removals, s->nic.link.ifindex };
	if (r < 0)
		return r;
	for (int round = 0; round < REMOVAL_ROUNDS; round++) {
		r = neighbours
			    ? neighbour_dump(s->routes, removal.ifindex, remove_neighbour, &removal)
			    : route_dump(s->routes, remove_route, &removal);
		bool more = r == -ENOBUFS;
		if (r >= 0 || more)
			r = route_commit(removals, NULL, NULL);
		if (r < 0 || !more)
			break;
	}
	route_batch_free(removals);
	return r;
}

/* The server's routes and neighbours, whatever became of the server. They die with the NIC's move,
 * but in SUBSCRIBER_MODE=local it stays. */
static int undo_delegated(void *arg)
{
	struct subscriber *s = (struct subscriber *)arg;
	int routes = remove_all(s, false), neighbours = s->nic.gone ? 0 : remove_all(s, true);
	return routes < 0 ? routes : neighbours;
}

static int undo_transfer_addrs(void *arg)
{
	struct subscriber *s = (struct subscriber *)arg;
	int result = 0;
	for (size_t i = 0; i < s->config->n_transfers && !s->nic.gone; i++) {
		int r = link_addr6_del(own(s), s->nic.link.ifindex, &s->transfer_addrs[i],
				       transfer_plen(s, i));
		/* One that a failure kept us from adding is undone already. */
		if (r < 0 && r != -EADDRNOTAVAIL)
			result = r;
	}
	return result;
}

static int undo_link_local(void *arg)
{
	struct subscriber *s = (struct subscriber *)arg;
	return s->nic.gone ? 0
			   : link_addr6_del(own(s), s->nic.link.ifindex, &s->link.link_local,
					    LINK_LOCAL_PLEN);
}

/* --- the NIC
 * ------------------------------------------------------------------------------------------------
 */

/* Up, with our addresses. u: where the inverses go; NULL where they are there already. They speak
 * of the NIC that is there when they run, whichever that is. */
static int set_up(struct subscriber *s, struct undo *u)
{
	unsigned ifindex = s->nic.link.ifindex;
	int r = s->nic.moved || s->nic.made ? link_set_no_autoconf(own(s), ifindex) : 0;
	if (r < 0)
		return r;
	if (u)
		undo_push(u, "remove delegated prefixes' routes", undo_delegated, s);
	r = link_set_up(own(s), ifindex, true);
	if (r == 0) {
		if (u)
			undo_push(u, "remove our link-local address", undo_link_local, s);
		r = add_address(s, &s->link.link_local, LINK_LOCAL_PLEN);
	}
	if (r == 0 && u)
		undo_push(u, "remove our transfer addresses", undo_transfer_addrs, s);
	for (size_t i = 0; i < s->config->n_transfers && r == 0; i++)
		r = add_address(s, &s->transfer_addrs[i], transfer_plen(s, i));
	return r;
}

void subscriber_init(struct subscriber *s)
{
	s->link.link_local = s->config->link_local;
	for (size_t i = 0; i < s->config->n_transfers; i++)
		s->transfer_addrs[i] = prefix6_with_iid(&s->config->transfers[i], 1);
	s->events_fd = -1;
	s->host_events_fd = -1;
}

static const char *take_fault(const struct config *c, int r)
{
	bool vlan = c->subscriber_mode == SUBSCRIBER_VLAN;
	switch (r) {
	case -EEXIST:
		return vlan ? "the host has a link for that VLAN on it already, or the container "
			      "an interface of that name"
			    : "the container has an interface of that name already. Start with "
			      "--network none";
	case -ENETDOWN:
		return "it is down, and it is the host's to set it up (ip link set … up)";
	case -EBUSY:
		return "it cannot be shared as SUBSCRIBER_MODE says: is it part of a bridge or "
		       "bond?";
	case -EOPNOTSUPP:
		return vlan ? "VLANs cannot be made on it (modprobe 8021q on the host)"
			    : "macvlans cannot be made on it (modprobe macvlan on the host)";
	default:
		return "the interface cannot be taken";
	}
}

int subscriber_take(struct subscriber *s, struct undo *u, bool (*pause)(void *ctx), void *ctx,
		    const char **ret_why)
{
	char mode[NIC_MODE_MAX];
	s->nic.own_rt = s->at->own_rt;
	s->nic.host_rt = s->at->host_rt;
	s->nic.host_ns = s->at->host_ns;
	int r = nic_take(&s->nic, s->config, s->at->own_ns, pause, ctx);
	if (r < 0) {
		*ret_why = take_fault(s->config, r);
		return r;
	}
	undo_push(u, "give the subscriber's NIC back", nic_return, &s->nic);
	r = set_up(s, u);
	if (r < 0) {
		*ret_why = "it cannot be brought up with our addresses";
		return r;
	}
	log_info("subscriber", "NIC taken", kv_str("interface", s->nic.link.name),
		 kv_str("mode", nic_mode(&s->nic, s->config, mode)),
		 kv_u64("addresses_to_give_back", s->nic.n_addrs));
	if (nic_managed(&s->nic))
		log_info("subscriber",
			 "a network manager of the host configures this NIC, and will again when "
			 "it is back",
			 kv_str("interface", s->nic.link.name),
			 kv_str("to_prevent_that",
				"nmcli device set NIC managed no, or Unmanaged=yes "
				"in networkd's .network file"));
	return 0;
}

static void listen_to_host(struct subscriber *s, bool listen)
{
	if (s->host_events_fd < 0)
		return;
	int r = link_events_listen(s->host_events_fd,
				   listen ? LINK_EVENTS_LINKS : LINK_EVENTS_NONE);
	if (r < 0)
		log_error("subscriber", "the host's links cannot be watched", kv_errno(r));
	if (!listen)
		link_events_drain(s->host_events_fd);
}

static void lost(struct subscriber *s)
{
	if (!s->link.missing) {
		s->away_since_ms = clock_mono_ms();
		log_error("subscriber", "the NIC is gone, it will be taken again when it is back",
			  kv_str("interface", s->nic.link.name));
	}
	s->nic.gone = true;
	s->link.missing = true;
	s->again_error = 0;
	s->settled = false;
	s->link.carrier = false;
	s->link.usable = false;
	s->down = false;
	s->link.transfer_duplicate = false;
	memset(s->duplicate, 0, sizeof s->duplicate);
	loop_timer_stop(s->duplicate_timer);
	/* First, so that nothing that comes between this and the look is missed. */
	listen_to_host(s, true);
	tell(s);
}

/* True where it is back and set up. */
static bool take_again(struct subscriber *s)
{
	const struct link_info was = s->nic.link;
	bool wait = false;
	int r = s->nic.gone ? nic_retake(&s->nic, s->config, s->at->own_ns, s->settled, &wait) : 0;
	if (r == 0)
		r = set_up(s, NULL);
	if (r == -ENODEV) {
		if (!s->nic.gone) /* so soon */
			lost(s);
		if (wait)
			loop_timer_set(s->again_timer, CARD_SETTLE_MS);
		return false;
	}
	if (r < 0) {
		if (r != s->again_error)
			log_error("subscriber", "the NIC is back and cannot be taken, trying again",
				  kv_str("interface", was.name), kv_errno(r),
				  kv_u64("retry_ms", RETRY_MS));
		s->again_error = r;
		loop_timer_set(s->again_timer, RETRY_MS);
		return false;
	}
	listen_to_host(s, false);
	loop_timer_stop(s->again_timer);
	s->link.missing = false;
	s->settled = false;
	s->link_local_tries = 0;
	const struct link_info *is = &s->nic.link;
	bool same = is->lladdr_len == was.lladdr_len &&
		    memcmp(is->lladdr, was.lladdr, was.lladdr_len) == 0;
	log_info("subscriber", "the NIC is back and taken again", kv_str("interface", is->name),
		 kv_bool("same_address", same),
		 kv_u64("away_ms", clock_mono_ms() - s->away_since_ms));
	s->replaced(s->ctx);
	return true;
}

/* --- what happens to it
 * ------------------------------------------------------------------------------------- */

static void follow(struct subscriber *s, const struct link_info *link)
{
	bool was_carrier = s->link.carrier, was_down = s->down;
	s->down = !link->up;
	s->link.carrier = link->up && link->carrier;
	if (s->down)
		s->link.usable = false; /* the kernel has dropped our addresses */
	else if (s->link.carrier)
		s->link.usable = addresses_usable(s);
	if (s->down && !was_down)
		log_warn("subscriber", "somebody has set the NIC down",
			 kv_str("interface", link->name));
	else if (s->link.carrier != was_carrier)
		log_info("subscriber",
			 s->link.carrier ? "link up" : "link down: is the cable plugged in?",
			 kv_str("interface", link->name));
	tell(s);
}

static void look(struct subscriber *s)
{
	struct link_info link;
	int r = s->link.missing ? -ENODEV : link_get_by_index(own(s), s->nic.link.ifindex, &link);
	if (r == -ENODEV) {
		if (!s->link.missing)
			lost(s);
		if (!take_again(s))
			return;
		r = link_get_by_index(own(s), s->nic.link.ifindex, &link);
	}
	if (r == 0)
		follow(s, &link);
	else /* gone again at once, or the kernel is short of something */
		loop_timer_set(s->again_timer, RETRY_MS);
}

static void on_again_timer(void *ctx)
{
	struct subscriber *s = (struct subscriber *)ctx;
	s->settled = s->link.missing;
	look(s);
}

static void on_event(void *ctx, int fd)
{
	link_events_drain(fd);
	look((struct subscriber *)ctx);
}

static void on_host_event(void *ctx, int fd)
{
	struct subscriber *s = (struct subscriber *)ctx;
	link_events_drain(fd);
	if (s->link.missing)
		look(s);
}

int subscriber_watch(struct subscriber *s)
{
	int r = loop_timer_new(s->loop, on_again_timer, s, &s->again_timer);
	if (r == 0)
		r = loop_timer_new(s->loop, on_duplicate_timer, s, &s->duplicate_timer);
	if (r == 0)
		r = link_events_open(-1, &s->events_fd);
	if (r == 0)
		r = link_events_listen(s->events_fd, LINK_EVENTS_LINKS | LINK_EVENTS_ADDRS6);
	if (r == 0)
		r = loop_watch_fd(s->loop, s->events_fd, on_event, s, &s->events_watch);
	/* Deaf until the NIC is gone: a host with many containers has many links. */
	if (r == 0 && (s->nic.moved || s->nic.made))
		r = link_events_open(s->at->host_ns, &s->host_events_fd);
	if (r == 0 && s->host_events_fd >= 0)
		r = loop_watch_fd(s->loop, s->host_events_fd, on_host_event, s,
				  &s->host_events_watch);
	if (r == 0)
		look(s);
	return r;
}

void subscriber_done(struct subscriber *s)
{
	loop_unwatch(take_ptr(&s->events_watch));
	loop_unwatch(take_ptr(&s->host_events_watch));
	loop_timer_free(take_ptr(&s->again_timer));
	loop_timer_free(take_ptr(&s->duplicate_timer));
	subscriber_drop(s);
}

void subscriber_drop(struct subscriber *s)
{
	if (s->events_fd >= 0)
		(void)close(take_fd(&s->events_fd)); /* events nobody reads any more */
	if (s->host_events_fd >= 0)
		(void)close(take_fd(&s->host_events_fd)); /* likewise */
}

/* --- sockets
 * ------------------------------------------------------------------------------------------------
 */

int subscriber_close_sockets(void *arg)
{
	struct subscriber *s = (struct subscriber *)arg;
	dhcp6_frames_close(take_ptr(&s->dhcp6_frames));
	dhcp6_sock_close(take_ptr(&s->dhcp6_sock));
	nd_sock_close(take_ptr(&s->nd_sock));
	return 0;
}

int subscriber_open_sockets(struct subscriber *s, const char **ret_why)
{
	const struct link_info *l = &s->nic.link;
	struct subscriber fresh = { 0 };
	int r = dhcp6_sock_open(l->name, l->ifindex, &fresh.dhcp6_sock);
	/* A NIC may come back with the number of the one that went. */
	if (r == -EADDRINUSE && s->dhcp6_sock) {
		dhcp6_sock_close(take_ptr(&s->dhcp6_sock));
		r = dhcp6_sock_open(l->name, l->ifindex, &fresh.dhcp6_sock);
	}
	if (r < 0) {
		*ret_why = r == -EADDRINUSE
				   ? "DHCPv6's port 547: another DHCPv6 server is running in this "
				     "network namespace"
				   : "DHCPv6's port 547";
		return r;
	}
	r = dhcp6_frames_open(l->name, l->ifindex, &fresh.dhcp6_frames);
	if (r == -ENOTSUP) {
		log_info("subscriber",
			 "no Ethernet: the kernel's neighbour discovery finds subscribers",
			 kv_str("interface", l->name));
		r = 0;
	}
	if (r < 0)
		*ret_why = "the packet socket for DHCPv6";
	if (r == 0) {
		r = nd_sock_open(l->name, l->ifindex, &fresh.nd_sock);
		if (r < 0)
			*ret_why = "the socket for router advertisements";
	}
	if (r < 0) {
		(void)subscriber_close_sockets(&fresh); /* never fails */
		return r;
	}
	(void)subscriber_close_sockets(s); /* likewise */
	s->dhcp6_sock = fresh.dhcp6_sock;
	s->dhcp6_frames = fresh.dhcp6_frames;
	s->nd_sock = fresh.nd_sock;
	return 0;
}
