/* SPDX-License-Identifier: GPL-2.0-or-later */
/* launch: starts a server in one network namespace and times it from another.
 *
 *   launch SERVER_NS CLIENT_NS CLIENT_IFACE WANT LOG -- COMMAND...
 *
 * WANT is what to wait for: any of the letters  p (ADVERTISE with IA_PD)  n (ADVERTISE with IA_NA)
 * r (router advertisement). From the client's side it sends a SOLICIT every 2 ms and a router
 * solicitation every 2 ms for 40 ms, then every 50 ms, until it has all of them, or 30 s.
 * Prints one line of JSON (pid, milliseconds from exec to the first answers), then waits. On
 * SIGTERM or end of its input it terminates the server and prints a second line with the time that
 * the server took to go.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
static void enter(const char *ns)
{
	char p[256];
	snprintf(p, sizeof p, "/run/netns/%s", ns);
	int f = open(p, O_RDONLY | O_CLOEXEC);
	if (f < 0 || setns(f, CLONE_NEWNET)) {
		perror(p);
		exit(1);
	}
	close(f);
}
static volatile sig_atomic_t quit;
static void on_term(int s)
{
	(void)s;
	quit = 1;
}

int main(int argc, char **argv)
{
	if (argc < 8) {
		fprintf(stderr, "see the head of launch.c\n");
		return 2;
	}
	const char *sns = argv[1], *cns = argv[2], *ifn = argv[3], *want = argv[4], *log = argv[5];
	char **cmd = argv + 7;
	struct sigaction sa = { .sa_handler = on_term };
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	int go[2];
	if (pipe2(go, O_CLOEXEC))
		return 1;
	pid_t pid = fork();
	if (pid == 0) {
		setsid();
		signal(SIGTERM, SIG_DFL);
		signal(SIGINT, SIG_DFL);
		enter(sns);
		int l = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
		dup2(l, 1);
		dup2(l, 2);
		int n = open("/dev/null", O_RDONLY);
		dup2(n, 0);
		char c;
		if (read(go[0], &c, 1) != 1)
			_exit(127);
		execvp(cmd[0], cmd);
		perror(cmd[0]);
		_exit(127);
	}
	enter(cns);
	unsigned ifi = if_nametoindex(ifn);
	int one = 1;
	int d = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setsockopt(d, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	setsockopt(d, SOL_SOCKET, SO_BINDTODEVICE, ifn, (socklen_t)strlen(ifn) + 1);
	struct sockaddr_in6 me = { .sin6_family = AF_INET6, .sin6_port = htons(546) };
	if (bind(d, (void *)&me, sizeof me)) {
		perror("bind 546");
		kill(pid, SIGKILL);
		return 1;
	}
	struct sockaddr_in6 all = { .sin6_family = AF_INET6,
				    .sin6_port = htons(547),
				    .sin6_scope_id = ifi };
	inet_pton(AF_INET6, "ff02::1:2", &all.sin6_addr);
	int ic = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);
	struct icmp6_filter f;
	ICMP6_FILTER_SETBLOCKALL(&f);
	ICMP6_FILTER_SETPASS(ND_ROUTER_ADVERT, &f);
	setsockopt(ic, IPPROTO_ICMPV6, ICMP6_FILTER, &f, sizeof f);
	setsockopt(ic, SOL_SOCKET, SO_BINDTODEVICE, ifn, (socklen_t)strlen(ifn) + 1);
	int h = 255;
	setsockopt(ic, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &h, sizeof h);
	struct sockaddr_in6 rtr = { .sin6_family = AF_INET6, .sin6_scope_id = ifi };
	inet_pton(AF_INET6, "ff02::2", &rtr.sin6_addr);
	/* one client, DUID-LL, IA_NA or IA_PD or both as wanted */
	uint8_t s[64] = { 1, 0x77, 0x77, 0x77, 0, 1, 0, 10, 0, 3, 0, 1,
			  2, 0x42, 0xfe, 0,    0, 1, 0, 8,  0, 2, 0, 0 };
	size_t n = 24;
	if (strchr(want, 'p')) {
		uint8_t ia[16] = { 0, 25, 0, 12, 0, 0, 0, 1 };
		memcpy(s + n, ia, 16);
		n += 16;
	}
	if (strchr(want, 'n')) {
		uint8_t ia[16] = { 0, 3, 0, 12, 0, 0, 0, 1 };
		memcpy(s + n, ia, 16);
		n += 16;
	}
	int need_adv = strpbrk(want, "pn") != NULL, need_ra = strchr(want, 'r') != NULL;
	uint64_t t_adv = 0, t_ra = 0, t0 = now(), next_s = 0, next_r = 0;
	if (write(go[1], "g", 1) != 1)
		return 1;
	int dead = 0, status = 0;
	while (!quit && now() - t0 < 30000000000ull &&
	       ((need_adv && !t_adv) || (need_ra && !t_ra))) {
		uint64_t t = now();
		if (need_adv && !t_adv && t >= next_s) {
			sendto(d, s, n, 0, (void *)&all, sizeof all);
			next_s = t + 2000000;
		}
		if (need_ra && !t_ra && t >= next_r) {
			uint8_t rs[8] = { ND_ROUTER_SOLICIT };
			sendto(ic, rs, 8, 0, (void *)&rtr, sizeof rtr);
			next_r = t + (t - t0 < 40000000 ? 2000000 : 50000000);
		}
		struct pollfd p[2] = { { d, POLLIN, 0 }, { ic, POLLIN, 0 } };
		poll(p, 2, 1);
		uint8_t b[1500];
		ssize_t r;
		while ((r = recv(d, b, sizeof b, MSG_DONTWAIT)) > 0) {
			if (b[0] != 2 || t_adv)
				continue;
			int ok = 0; /* an ADVERTISE that offers something: an IA option longer than
				       its header */
			for (ssize_t i = 4; i + 4 <= r;) {
				int c = b[i] << 8 | b[i + 1], l = b[i + 2] << 8 | b[i + 3];
				if ((c == 25 && l >= 12 + 29) || (c == 3 && l >= 12 + 28))
					ok = 1;
				i += 4 + l;
			}
			if (ok)
				t_adv = now();
		}
		if (recv(ic, b, sizeof b, MSG_DONTWAIT) > 0 && !t_ra)
			t_ra = now();
		if (waitpid(pid, &status, WNOHANG) == pid) {
			dead = 1;
			break;
		}
	}
	close(d);
	close(ic);
	printf("{\"pid\":%d,\"dead\":%d,\"advertise_ms\":%.2f,\"ra_ms\":%.2f}\n", pid, dead,
	       t_adv ? (double)(t_adv - t0) / 1e6 : -1, t_ra ? (double)(t_ra - t0) / 1e6 : -1);
	fflush(stdout);
	while (!quit && !dead) {
		struct pollfd p = { 0, POLLIN, 0 };
		poll(&p, 1, 200);
		char c;
		if (p.revents && read(0, &c, 1) <= 0)
			quit = 1;
		if (waitpid(pid, &status, WNOHANG) == pid)
			dead = 1;
	}
	int early = dead;
	uint64_t ts = now();
	if (!dead) {
		kill(pid, SIGTERM);
		while (now() - ts < 10000000000ull) {
			if (waitpid(pid, &status, WNOHANG) == pid) {
				dead = 1;
				break;
			}
			usleep(500);
		}
	}
	double stop = (double)(now() - ts) / 1e6;
	kill(-pid, SIGKILL);
	if (!dead)
		waitpid(pid, &status, 0);
	printf("{\"stop_ms\":%.2f,\"exit\":%d,\"killed\":%d,\"died_early\":%d}\n", stop, status,
	       !dead, early);
	return 0;
}
