/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PID 1: holds what must not be lost and serves nobody. It boots (every acquisition with its undo),
 * forks the server and watches it, keeps the tunnel alive, and gives everything back on every way
 * out. It reads nothing that a subscriber sent.
 */
#pragma once

/* The whole life of the appliance. Returns an exit code of the contract (0, 69, 70, 77, 78). */
int init_run(const char *version);
