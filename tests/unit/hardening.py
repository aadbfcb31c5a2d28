#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What compiler and linker were to do for the program's safety, looked up in the program itself.

    tests/unit/hardening.py PROGRAM [sanitized]
"""
import re
import subprocess
import sys

PROGRAM = sys.argv[1]
SANITIZED = "sanitized" in sys.argv[2:]


def tool(*cmd):
    return subprocess.run([*cmd, PROGRAM], capture_output=True, text=True, check=True, timeout=60).stdout


def segment(name):
    return re.search(rf"^\s*{name}\s.*\s([R ][W ][E ])\s+0x\w+\s*$", tool("readelf", "-lW"), re.M)


def imports():
    return set(re.findall(r"UND (\w+)", tool("readelf", "--dyn-syms", "-W")))


def is_position_independent():
    return "Type:                              DYN" in tool("readelf", "-hW") and re.search(r"FLAGS_1.*\bPIE\b", tool("readelf", "-dW"))


def binds_everything_at_the_start():
    return re.search(r"\(FLAGS\).*BIND_NOW", tool("readelf", "-dW")) and re.search(r"\(FLAGS_1\).*\bNOW\b", tool("readelf", "-dW"))


def has_a_read_only_relocation_table():
    return segment("GNU_RELRO") and not re.search(r"\s\.got\.plt\s", tool("readelf", "-SW")) or is_full_relro_with_plt()


def is_full_relro_with_plt():
    # With BIND_NOW the linker puts .got.plt, where there is one, within the RELRO segment.
    relro = re.search(r"GNU_RELRO\s+\S+\s+0x(\w+)\s+\S+\s+\S+\s+0x(\w+)", tool("readelf", "-lW"))
    got = re.search(r"\.got\.plt\s+\S+\s+(\w+)\s+\w+\s+(\w+)", tool("readelf", "-SW"))
    if not relro or not got:
        return False
    begin, end = int(relro[1], 16), int(relro[1], 16) + int(relro[2], 16)
    return begin <= int(got[1], 16) and int(got[1], 16) + int(got[2], 16) <= end


def has_no_executable_stack():
    return segment("GNU_STACK")[1] == "RW "


def has_no_segment_that_is_writable_and_executable():
    return not re.search(r"^\s*LOAD\s.*\sRWE\s", tool("readelf", "-lW"), re.M)


def guards_its_stack():
    return "__stack_chk_fail" in imports()


def uses_fortified_functions():
    return len([i for i in imports() if i.endswith("_chk") and i != "__stack_chk_fail"]) >= 5


def marks_where_indirect_jumps_may_land():
    head = tool("readelf", "-hW")
    code = tool("objdump", "-d", "--no-show-raw-insn", "--disassemble=main", "-j", ".text")
    first = re.search(r"<main>:\n\s*\w+:\s*(\w+)", code)[1]
    return first in (["endbr64"] if "X86-64" in head else ["bti", "paciasp", "hint"])


def names_no_path_for_libraries():
    return not re.search(r"\((RPATH|RUNPATH)\)", tool("readelf", "-dW"))


TESTS = [is_position_independent, binds_everything_at_the_start, has_a_read_only_relocation_table, has_no_executable_stack,
         has_no_segment_that_is_writable_and_executable, guards_its_stack, uses_fortified_functions, marks_where_indirect_jumps_may_land,
         names_no_path_for_libraries]
print(f"1..{len(TESTS)}")
for number, test in enumerate(TESTS, 1):
    if SANITIZED and test in (uses_fortified_functions, names_no_path_for_libraries):
        print(f"ok {number} {test.__name__} # SKIP the sanitizers take its place")
    else:
        print(f"{'ok' if test() else 'not ok'} {number} {test.__name__}")
