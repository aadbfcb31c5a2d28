/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * For a process whose start is over: gives back the heap that is free, and lets go of all code and
 * constants that are mapped, ours and the libraries'. What goes on being used comes back from the
 * page cache when it is touched, a few dozen short faults in all; what the start alone needed
 * stays away. Nothing that can be written is touched.
 */
void memory_settle(void);
