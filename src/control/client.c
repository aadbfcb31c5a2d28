/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/client.h"

#include "base/cleanup.h"
#include "control/render.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sysexits.h>

enum { ANSWER_TIMEOUT_S = 4 };

const char *control_request_word(enum control_request r)
{
	static const char *const words[] = { "status", "leases", "health", "clear" };
	return (size_t)r < ARRAY_LEN(words) ? words[r] : NULL;
}

/* Connects and asks; argument NULL: none. A stream of the answer, or NULL with errno set. */
static FILE *ask(enum control_request request, const char *argument)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return NULL;
	struct timeval limit = { .tv_sec = ANSWER_TIMEOUT_S };
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0)
		return NULL;
	struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = CONTROL_SOCKET };
	if (connect(fd, (const struct sockaddr *)&at, sizeof at) < 0)
		return NULL;
	char line[CONTROL_LINE_MAX];
	int n = snprintf(line, sizeof line, "%s%s%s\n", control_request_word(request),
			 argument ? " " : "", argument ? argument : "");
	if (n >= (int)sizeof line) {
		errno = EMSGSIZE;
		return NULL;
	}
	if (send(fd, line, (size_t)n, MSG_NOSIGNAL) != n)
		return NULL;
	FILE *answer = fdopen(fd, "r");
	if (answer)
		(void)take_fd(&fd); /* the stream's now */
	return answer;
}

static int no_answer(int err)
{
	if (err == ENOENT || err == ECONNREFUSED)
		fprintf(stderr,
			"vbng: no instance is running here (%s: %s). Run this inside its "
			"container: "
			"docker exec NAME vbng status\n",
			CONTROL_SOCKET, strerror(err));
	else if (err == EACCES || err == EPERM)
		fprintf(stderr,
			"vbng: %s: %s. Run this as the user that the instance runs as (root)\n",
			CONTROL_SOCKET, strerror(err));
	else
		fprintf(stderr, "vbng: the instance does not answer on %s: %s\n", CONTROL_SOCKET,
			strerror(err));
	return EX_UNAVAILABLE;
}

/* Parses the only option there is; more: what else the verb takes. False: usage. */
static bool parse_json_flag(const char *verb, const char *more, int argc, char **argv,
			    bool *ret_json)
{
	bool json = false;
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--json") != 0) {
			fprintf(stderr,
				"vbng %s: unknown argument '%s'. Usage: vbng %s [--json]%s\n", verb,
				argv[i], verb, more);
			return false;
		}
		json = true;
	}
	*ret_json = json;
	return true;
}

/* As text; out of memory it shows nothing. -ENOMEM, -EIO. */
static int show(void (*render)(const json_t *what, FILE *out), const json_t *what, FILE *terminal)
{
	AUTO_FREE char *shown = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&shown, &n);
	if (!f)
		return -ENOMEM;
	render(what, f);
	if (fclose(f) != 0)
		return -ENOMEM;
	render_disarm(shown, n);
	return fwrite(shown, 1, n, terminal) == n ? 0 : -EIO;
}

int verb_status(int argc, char **argv)
{
	bool json = false;
	if (!parse_json_flag("status", "", argc, argv, &json))
		return EX_USAGE;
	FILE *answer = ask(CONTROL_STATUS, NULL);
	if (!answer)
		return no_answer(errno);
	json_error_t fault;
	errno = 0;
	json_t *status = json_loadf(answer, 0, &fault);
	int err = errno;
	(void)fclose(answer); /* only read from */
	if (!status)
		return no_answer(err ? err : EPROTO);
	int r;
	if (json)
		r = json_dumpf(status, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII) == 0 &&
				    puts("") >= 0
			    ? 0
			    : -EIO;
	else
		r = show(render_status, status, stdout);
	json_decref(status);
	return r < 0 ? EX_SOFTWARE : 0;
}

static void render_fault(const json_t *result, FILE *out)
{
	fprintf(out, "%s\n", json_string_value(json_object_get(result, "fault")));
}

static int clear(int argc, char **argv)
{
	bool all = argc == 1 && strcmp(argv[0], "--all") == 0;
	if (argc != 1 || (!all && argv[0][0] == '-')) {
		fputs("vbng leases clear: say which: a prefix, an address, a DUID, or --all. "
		      "Usage: "
		      "vbng leases clear PREFIX|ADDRESS|DUID|--all\n",
		      stderr);
		return EX_USAGE;
	}
	FILE *answer = ask(CONTROL_CLEAR, all ? "all" : argv[0]);
	if (!answer)
		return no_answer(errno);
	errno = 0;
	json_t *result = json_loadf(answer, 0, NULL);
	int err = errno;
	(void)fclose(answer); /* only read from */
	if (!result)
		return no_answer(err ? err : EPROTO);
	bool fault = json_is_string(json_object_get(result, "fault"));
	json_int_t n = json_integer_value(json_object_get(result, "cleared"));
	/* None at all is what --all is about. */
	int code = fault ? EX_USAGE : n || all ? 0 : EX_UNAVAILABLE;
	if (fault) {
		fprintf(stderr, "vbng leases clear: '%s' ", argv[0]);
		(void)show(render_fault, result, stderr); /* the exit code says it, too */
	} else if (n || all) {
		printf("%" JSON_INTEGER_FORMAT " cleared\n", n);
	} else {
		fputs("vbng leases clear: there is no such binding\n", stderr);
	}
	json_decref(result);
	return code;
}

int verb_leases(int argc, char **argv)
{
	bool json = false;
	if (argc > 0 && strcmp(argv[0], "clear") == 0)
		return clear(argc - 1, argv + 1);
	if (!parse_json_flag("leases", " | clear PREFIX|ADDRESS|DUID|--all", argc, argv, &json))
		return EX_USAGE;
	FILE *answer = ask(CONTROL_LEASES, NULL);
	if (!answer)
		return no_answer(errno);
	AUTO_FREE char *line = NULL;
	size_t size = 0, n = 0;
	bool complete = false;
	int r = 0;
	if (json)
		fputs("[", stdout);
	else
		render_leases_head(stdout);
	while (r == 0 && getline(&line, &size, answer) > 0) {
		json_t *lease = json_loads(line, 0, NULL);
		if (!lease)
			break;
		/* The last line says how many there were, so that a cut stream is noticed. */
		complete = json_object_get(lease, "leases") != NULL;
		if (!complete && json) {
			fputs(n ? ",\n  " : "\n  ", stdout);
			r = json_dumpf(lease, stdout, JSON_COMPACT | JSON_ENSURE_ASCII) < 0 ? -EIO
											    : 0;
		} else if (!complete) {
			r = show(render_lease, lease, stdout);
		}
		n += !complete;
		json_decref(lease);
		if (complete)
			break;
	}
	int err = errno;
	(void)fclose(answer); /* only read from */
	if (json)
		puts(n ? "\n]" : "]");
	if (r < 0)
		return EX_SOFTWARE;
	if (complete)
		return 0;
	return no_answer(err == EAGAIN ? ETIMEDOUT : EPROTO);
}

static void render_health(const json_t *health, FILE *out)
{
	const char *state = json_string_value(json_object_get(health, "state"));
	fprintf(out, "%s\n", state ? state : "no answer");
}

int verb_healthcheck(int argc, char **argv)
{
	if (argc > 0) {
		fprintf(stderr,
			"vbng healthcheck: unknown argument '%s'. Usage: vbng healthcheck\n",
			argv[0]);
		return EX_USAGE;
	}
	FILE *answer = ask(CONTROL_HEALTH, NULL);
	if (!answer)
		return no_answer(errno);
	json_t *health = json_loadf(answer, 0, NULL);
	(void)fclose(answer); /* only read from */
	bool serving = json_is_true(json_object_get(health, "healthy"));
	(void)show(render_health, health, stdout); /* the exit code says it, too */
	json_decref(health);
	return serving ? 0 : EX_UNAVAILABLE;
}
