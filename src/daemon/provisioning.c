/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/provisioning.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/siphash.h"
#include "daemon/config_options.h"
#include "daemon/reservations_text.h"

#include <errno.h>
#include <string.h>

static void log_fault(void *ctx, const char *sentence)
{
	(void)ctx;
	log_error("reservations", sentence);
}

void provisioning_config(const struct config *c, struct dhcp6_config *ret_config)
{
	struct dhcp6_config *d = ret_config;
	*d = (struct dhcp6_config){
		.transfer = c->transfer,
		.pd_pool = c->pd_pool,
		.pd_len = c->pd_len,
		.pd_min_len = c->pd_min_len,
		.pd_max_len = c->pd_max_len,
		.pd_exclude_len = c->pd_exclude_len,
		.pd_exclude_subnet = c->pd_exclude_subnet,
		.preferred_lft_s = c->preferred_lft_s,
		.valid_lft_s = c->valid_lft_s,
		.ia_na = c->ia_na,
		.rapid_commit = c->rapid_commit,
		.n_nameservers = c->n_nameservers,
		.n_search = c->n_search,
		.n_more_transfers = c->n_transfers - 1,
		.max_bindings_per_client = c->client_limit,
		.max_bindings_per_station = c->station_limit,
		.reconfigure = c->reconfigure,
	};
	memcpy(d->more_transfers, c->transfers + 1,
	       d->n_more_transfers * sizeof d->more_transfers[0]);
	memcpy(d->nameservers, c->nameservers, c->n_nameservers * sizeof d->nameservers[0]);
	for (size_t i = 0; i < c->n_search; i++)
		d->search[i] = c->search[i];
	d->n_extra = config_options_list(c, D6_MAX_EXTRA_OPTIONS, d->extra);
}

int provisioning_reserve(const struct config *c, struct dhcp6_server *s, bool all)
{
	struct reservation_list list = { 0 };
	struct reservations *reserved = NULL;
	int r = reservations_load(c, log_fault, NULL, &list);
	if (r == 0 && all && list.n_faults)
		r = -EINVAL;
	if (r == 0 && list.n)
		r = reservations_new(list.list, list.n, &reserved, NULL);
	if (r == 0)
		dhcp6_server_reserve(s, reserved);
	if (r == 0 && (list.n || all))
		log_info("reservations", "read", kv_u64("reservations", list.n));
	reservation_list_done(&list);
	return r;
}

static void put_prefix(struct wr *w, const struct prefix6 *p)
{
	wr_in6(w, &p->addr);
	wr_u8(w, p->plen);
}

void provisioning_digest(const struct config *c, uint8_t ret_digest[static PROVISIONING_DIGEST_LEN])
{
	/* Longer than all that can stand in it. */
	uint8_t told[CONFIG_OPTION_BYTES + sizeof c->search + sizeof c->nameservers +
		     sizeof c->transfers + 256];
	struct wr w = wr_of(told, sizeof told);
	for (size_t i = 0; i < c->n_transfers; i++)
		put_prefix(&w, &c->transfers[i]);
	put_prefix(&w, &c->pd_pool);
	wr_u8(&w, c->pd_len);
	wr_u8(&w, c->pd_min_len);
	wr_u8(&w, c->pd_max_len);
	wr_u8(&w, c->pd_exclude_len);
	wr_be32(&w, (uint32_t)(c->pd_exclude_subnet >> 32));
	wr_be32(&w, (uint32_t)c->pd_exclude_subnet);
	wr_be32(&w, c->preferred_lft_s);
	wr_be32(&w, c->valid_lft_s);
	wr_u8(&w, c->ia_na);
	for (size_t i = 0; i < c->n_nameservers; i++)
		wr_in6(&w, &c->nameservers[i]);
	for (size_t i = 0; i < c->n_search; i++)
		wr_bytes(&w, c->search[i], strlen(c->search[i]) + 1);
	wr_bytes(&w, c->options, c->options_len);
	for (size_t part = 0; part < PROVISIONING_DIGEST_LEN / 8; part++) {
		const uint8_t key[16] = { 't', 'o', 'l', 'd', (uint8_t)part };
		uint64_t h = siphash24(key, told, wr_len(&w));
		memcpy(ret_digest + 8 * part, &h, sizeof h);
	}
}
