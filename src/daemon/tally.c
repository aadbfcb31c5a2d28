/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/tally.h"

#include "base/cleanup.h"

#include <errno.h>
#include <sys/mman.h>

int tally_new(struct tally **ret_tally)
{
	void *m = mmap(NULL, sizeof(struct tally), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (m == MAP_FAILED)
		return -errno;
	*ret_tally = (struct tally *)m;
	return 0;
}

void tally_free(struct tally *t)
{
	if (t)
		(void)munmap(t, sizeof *t); /* it is ours: it cannot fail */
}

static void add(uint64_t *sum, const uint64_t *before, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum[i] += before[i];
}

static void add_dhcp6(struct dhcp6_stats *sum, const struct dhcp6_stats *before)
{
	sum->received += before->received;
	add(sum->by_type, before->by_type, ARRAY_LEN(sum->by_type));
	sum->answered += before->answered;
	add(sum->answers_by_type, before->answers_by_type, ARRAY_LEN(sum->answers_by_type));
	add(sum->drops, before->drops, ARRAY_LEN(sum->drops));
	sum->over_limit += before->over_limit;
	sum->over_station_limit.n += before->over_station_limit.n;
	sum->not_from_holder += before->not_from_holder;
	sum->recall.sent += before->recall.sent;
	sum->recall.heard += before->recall.heard;
	sum->recall.given_up += before->recall.given_up;
	sum->pd.exhausted += before->pd.exhausted;
	sum->na.exhausted += before->na.exhausted;
}

struct tally tally_sum(const struct tally *before, const struct tally *now)
{
	struct tally sum = *now;
	add_dhcp6(&sum.dhcp6, &before->dhcp6);
	sum.advertiser.rs_received += before->advertiser.rs_received;
	sum.advertiser.rs_dropped += before->advertiser.rs_dropped;
	sum.advertiser.ra_sent += before->advertiser.ra_sent;
	sum.advertiser.ra_failed += before->advertiser.ra_failed;
	sum.advertiser.rs_limited += before->advertiser.rs_limited;
	add(sum.advertiser.drops, before->advertiser.drops, ARRAY_LEN(sum.advertiser.drops));
	sum.intake.truncated += before->intake.truncated;
	sum.intake.foreign += before->intake.foreign;
	sum.intake.unknown_sender += before->intake.unknown_sender;
	sum.intake.crowded_out += before->intake.crowded_out;
	sum.intake.server_died += before->intake.server_died;
	sum.ra_heard += before->ra_heard;
	sum.ra_refused += before->ra_refused;
	sum.ra_untracked += before->ra_untracked;
	sum.routes_failed += before->routes_failed;
	sum.rejected += before->rejected;
	return sum;
}
