/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line. */
#include "base/cleanup.h"
#include "control/client.h"
#include "daemon/init.h"
#include "daemon/verb_check.h"
#include "daemon/verb_keys.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static int verb_version(int argc, char **argv)
{
	if (argc > 0) {
		fprintf(stderr, "vbng version: unknown argument '%s'\n", argv[0]);
		return EX_USAGE;
	}
	puts("vbng " VBNG_VERSION);
	return 0;
}

static int verb_run(int argc, char **argv)
{
	if (argc > 0) {
		fprintf(stderr,
			"vbng run: unknown argument '%s'. It is configured by its environment "
			"alone\n",
			argv[0]);
		return EX_USAGE;
	}
	return init_run(VBNG_VERSION);
}

static const struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *arguments;
	const char *summary;
	const char *help;
} verbs[] = {
	{ "run", verb_run, "", "the appliance, as PID 1 or not",
	  "Creates the tunnel, takes the subscriber's NIC and serves until SIGTERM or SIGINT; then "
	  "everything is given back.\n"
	  "Configured by the environment: see 'vbng check --reference'.\n"
	  "SIGUSR1 logs a summary. SIGHUP reads the reservations again and sends router "
	  "advertisements at "
	  "once.\n" },
	{ "check", verb_check, "[--runtime | --reference | --example]",
	  "every fault of the environment, or the effective configuration",
	  "Reads the environment as 'run' would and touches nothing. Secrets are masked.\n"
	  "--runtime looks for what 'run' needs of its surroundings instead: capabilities, "
	  "namespaces, devices, kernel\nsettings, other instances. It changes nothing either.\n"
	  "--reference prints all variables as Markdown tables, --example as a commented env "
	  "file.\n" },
	{ "status", verb_status, "[--json]",
	  "tunnel, subscriber link, pools and services of the running instance",
	  "--json prints the same for programs.\n" },
	{ "leases", verb_leases, "[--json] | clear PREFIX|ADDRESS|DUID|--all",
	  "the bindings: who, what, until when; or forgets some",
	  "--json prints them as an array.\n"
	  "clear forgets bindings, their routes, and what is remembered of former ones. Clients "
	  "that "
	  "accept it are told to\ncome back at once (RECONFIGURE); others find out when they "
	  "renew.\n" },
	{ "healthcheck", verb_healthcheck, "", "exit status 0 when the appliance serves",
	  "For Docker's HEALTHCHECK.\n" },
	{ "genkey", verb_genkey, "", "a new WireGuard private key, as 'wg genkey' makes it", "" },
	{ "pubkey", verb_pubkey, "", "the public key of the private key on standard input", "" },
	{ "version", verb_version, "", "the version", "" },
};

static void usage(FILE *out)
{
	fputs("vbng: an internet provider's edge in one container\n\nUsage: vbng VERB "
	      "[ARGUMENTS]\n\n",
	      out);
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		fprintf(out, "  %-12s %s\n", verbs[i].name, verbs[i].summary);
	fputs("\n'vbng VERB --help' says more of one. As PID 1 with no verb it is 'vbng run'.\n"
	      "Exit codes: 0 clean stop, 64 usage, 69 something needed is missing, 70 a fault of "
	      "ours,\n"
	      "77 a privilege is missing, 78 configuration.\n",
	      out);
}

static bool wants_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : getpid() == 1 ? "run" : NULL;
	if (!word) {
		usage(stderr);
		return EX_USAGE;
	}
	if (wants_help(word) || strcmp(word, "help") == 0) {
		usage(stdout);
		return 0;
	}
	if (strcmp(word, "--version") == 0)
		word = "version";
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		const struct verb *v = &verbs[i];
		if (strcmp(word, v->name) != 0)
			continue;
		if (argc > 2 && wants_help(argv[2])) {
			printf("Usage: vbng %s%s%s\n\n%s.\n%s", v->name, *v->arguments ? " " : "",
			       v->arguments, v->summary, v->help);
			return 0;
		}
		return v->run(argc > 2 ? argc - 2 : 0, argv + (argc > 2 ? 2 : argc));
	}
	fprintf(stderr, "vbng: there is no verb '%s'\n\n", word);
	usage(stderr);
	return EX_USAGE;
}
