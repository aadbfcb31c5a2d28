/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/fib_shared.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "host/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sysexits.h>
#include <unistd.h>

enum { QUESTIONS_FD = 3 /* in the process, beside its standard ones */ };

struct fib {
	struct fib_bounds bounds;
	struct fib_shared *shared;
	int ours, its; /* ends of the socket pair */
	bool lost;
	uint32_t n;     /* requests collected */
	uint32_t asked; /* requests under way */
	uint32_t tags[FIB_BATCH_MAX];
};

/* --- init
 * -------------------------------------------------------------------------------------------------
 */

int fib_new(const struct fib_bounds *bounds, struct fib **ret_fib)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	AUTO_CLOSE int ours = pair[0];
	AUTO_CLOSE int its = pair[1];
	const struct timeval limit = { .tv_sec = FIB_ANSWER_MS / 1000 };
	const struct timeval rest = { .tv_sec = FIB_REST_MS / 1000 };
	if (setsockopt(ours, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0 ||
	    setsockopt(its, SOL_SOCKET, SO_RCVTIMEO, &rest, sizeof rest) < 0)
		return -errno;
	void *m = mmap(NULL, sizeof(struct fib_shared), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (m == MAP_FAILED)
		return -errno;
	struct fib *f = calloc(1, sizeof *f);
	if (!f) {
		(void)munmap(m, sizeof(struct fib_shared)); /* ours and whole: it cannot fail */
		return -ENOMEM;
	}
	f->bounds = *bounds;
	f->shared = (struct fib_shared *)m;
	f->ours = take_fd(&ours);
	f->its = take_fd(&its);
	*ret_fib = f;
	return 0;
}

static _Noreturn void life(const struct fib *f, pid_t parent)
{
	/* A terminal's ^C reaches the whole group; the server's end is ours. */
	static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE };
	if (prctl(PR_SET_NAME, "vbng-fib") < 0 || child_settle(parent) < 0)
		_exit(EX_OSERR);
	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		(void)signal(ignored[i], SIG_IGN); /* cannot fail for these */
	if (dup3(f->its, QUESTIONS_FD, O_CLOEXEC) < 0 || child_close_from(QUESTIONS_FD + 1) < 0)
		_exit(EX_OSERR);
	_exit(fib_process_run(QUESTIONS_FD, f->shared, &f->bounds));
}

int fib_fork(struct fib *f, void (*forget)(void *ctx), void *ctx, pid_t *ret_pid)
{
	pid_t parent;
	pid_t pid = child_fork(CHILD_OF_US, &parent);
	if (pid == 0) {
		forget(ctx);
		life(f, parent);
	}
	if (pid < 0)
		return (int)pid;
	*ret_pid = pid;
	return 0;
}

void fib_free(struct fib *f)
{
	if (!f)
		return;
	if (f->ours >= 0)
		(void)close(f->ours); /* nothing is pending on it */
	if (f->its >= 0)
		(void)close(f->its);                /* likewise */
	(void)munmap(f->shared, sizeof *f->shared); /* ours and whole: it cannot fail */
	free(f);
}

/* --- the server
 * -------------------------------------------------------------------------------------------
 */

void fib_be_server(struct fib *f)
{
	(void)close(take_fd(&f->its)); /* the other process has it: its end is to be seen */
}

const struct fib_bounds *fib_bounds(const struct fib *f)
{
	return &f->bounds;
}

bool fib_lost(const struct fib *f)
{
	return f->lost;
}

static int collect(struct fib *f, const struct fib_request *q, uint32_t tag)
{
	if (!fib_allows(&f->bounds, q))
		return -ERANGE;
	if (f->n == FIB_BATCH_MAX)
		return -ENOBUFS;
	f->tags[f->n] = tag;
	f->shared->requests[f->n++] = *q;
	return 0;
}

static int collect_about(struct fib *f, enum fib_kind kind, bool add, const struct prefix6 *p,
			 const uint8_t *lladdr, uint32_t tag)
{
	struct fib_request q = { .kind = (uint8_t)kind,
				 .add = add,
				 .plen = p->plen,
				 .has_lladdr = lladdr != NULL,
				 .addr = p->addr };
	if (lladdr)
		memcpy(q.lladdr, lladdr, sizeof q.lladdr);
	return collect(f, &q, tag);
}

int fib_route_put(struct fib *f, const struct prefix6 *prefix, const struct in6_addr *gateway,
		  uint32_t tag)
{
	const struct fib_request q = { .kind = FIB_ROUTE,
				       .add = 1,
				       .plen = prefix->plen,
				       .addr = prefix->addr,
				       .gateway = *gateway };
	return collect(f, &q, tag);
}

int fib_route_del(struct fib *f, const struct prefix6 *prefix, uint32_t tag)
{
	return collect_about(f, FIB_ROUTE, false, prefix, NULL, tag);
}

int fib_neighbour_put(struct fib *f, const struct in6_addr *a, const uint8_t *lladdr, uint32_t tag)
{
	const struct prefix6 p = { *a, 128 };
	return collect_about(f, FIB_NEIGHBOUR, true, &p, lladdr, tag);
}

int fib_neighbour_del(struct fib *f, const struct in6_addr *a, uint32_t tag)
{
	const struct prefix6 p = { *a, 128 };
	return collect_about(f, FIB_NEIGHBOUR, false, &p, NULL, tag);
}

int fib_station_put(struct fib *f, const uint8_t *lladdr, const struct in6_addr *addr)
{
	const struct prefix6 p = { *addr, 128 };
	return collect_about(f, FIB_STATION, true, &p, lladdr, 0);
}

int fib_station_del(struct fib *f, const uint8_t *lladdr, const struct in6_addr *addr)
{
	const struct prefix6 p = { *addr, 128 };
	return collect_about(f, FIB_STATION, false, &p, lladdr, 0);
}

int fib_source_put(struct fib *f, const struct prefix6 *prefix, const uint8_t *lladdr)
{
	return collect_about(f, FIB_SOURCE, true, prefix, lladdr, 0);
}

int fib_source_del(struct fib *f, const struct prefix6 *prefix, const uint8_t *lladdr)
{
	return collect_about(f, FIB_SOURCE, false, prefix, lladdr, 0);
}

int fib_element_del(struct fib *f, const struct nft_element *e)
{
	return e->set == NFT_STATION ? fib_station_del(f, e->lladdr, &e->prefix.addr)
				     : fib_source_del(f, &e->prefix, e->lladdr);
}

/* One question, one answer. */
static void question(struct fib *f, enum fib_op op, uint32_t n)
{
	const struct fib_question q = { op, n };
	f->lost |= send(f->ours, &q, sizeof q, MSG_NOSIGNAL) != (ssize_t)sizeof q;
}

/* -EPIPE: from now on nobody answers any more. */
static int answer(struct fib *f, struct fib_answer *ret_answer)
{
	struct fib_answer a;
	ssize_t r = -1;
	if (!f->lost)
		do
			r = recv(f->ours, &a, sizeof a, 0);
		while (r < 0 && errno == EINTR);
	if (!f->lost && r < 0 && errno == EAGAIN)
		log_error(
			"fib",
			"vbng-fib, which sets routes, does not answer: it and the server are made "
			"anew",
			kv_u64("waited_s", FIB_ANSWER_MS / 1000));
	f->lost = r != (ssize_t)sizeof a;
	if (f->lost)
		return -EPIPE;
	*ret_answer = a;
	return 0;
}

static int ask(struct fib *f, enum fib_op op, struct fib_answer *ret_answer)
{
	question(f, op, 0);
	return answer(f, ret_answer);
}

void fib_commit_begin(struct fib *f)
{
	f->asked = f->n;
	f->n = 0;
	if (f->asked)
		question(f, FIB_COMMIT, f->asked);
}

struct fib_result fib_commit_end(struct fib *f, void (*failed)(void *ctx, uint32_t tag, int err),
				 void *ctx)
{
	struct fib_answer a = { .result = 0 };
	if (f->asked == 0)
		return (struct fib_result){ 0, 0 };
	f->asked = 0;
	int r = answer(f, &a);
	if (r < 0)
		return (struct fib_result){ r, r };
	for (uint32_t i = 0; failed && i < a.n; i++)
		failed(ctx, f->tags[f->shared->refused[i].request], f->shared->refused[i].error);
	return (struct fib_result){ a.result, a.filter };
}

struct fib_result fib_commit(struct fib *f, void (*failed)(void *ctx, uint32_t tag, int err),
			     void *ctx)
{
	fib_commit_begin(f);
	return fib_commit_end(f, failed, ctx);
}

int fib_filter_read(struct fib *f)
{
	struct fib_answer a;
	int r = f->bounds.table[0] ? ask(f, FIB_READ, &a) : -ENOENT;
	return r < 0 ? r : a.result;
}

int fib_filter_read_some(struct fib *f, int (*fn)(void *ctx, const struct nft_element *e),
			 void *ctx)
{
	struct fib_answer a;
	int r = f->bounds.table[0] ? ask(f, FIB_READ_SOME, &a) : -ENOENT, wish = 0;
	for (uint32_t i = 0; r == 0 && wish == 0 && i < a.n; i++) {
		const struct fib_element *e = &f->shared->elements[i];
		const struct nft_element is = { .set = (enum nft_set)e->set,
						.prefix = { e->addr, e->plen },
						.lladdr = e->has_lladdr ? e->lladdr : NULL };
		wish = fn(ctx, &is);
	}
	return r < 0 ? r : wish < 0 ? wish : a.result;
}

int fib_counters_read(struct fib *f, uint64_t ret_packets[static NFT_REASONS])
{
	struct fib_answer a;
	int r = f->bounds.table[0] ? ask(f, FIB_COUNTERS, &a) : -ENOENT;
	if (r == 0)
		r = a.result;
	if (r == 0)
		memcpy(ret_packets, f->shared->packets, sizeof f->shared->packets);
	return r;
}
