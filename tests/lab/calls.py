# SPDX-License-Identifier: GPL-2.0-or-later
"""A system call made by another process, as code that somebody smuggled into it would make it: by ptrace(2)."""
import ctypes
import ctypes.util
import os
import platform
import signal

CAN = platform.machine() == "x86_64"

ATTACH, DETACH, CONT, SINGLESTEP, GETREGS, SETREGS, PEEKTEXT = 16, 17, 7, 9, 12, 13, 1
REGISTERS = ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base ds es fs gs").split()
NUMBERS = {"execve": 59, "execveat": 322, "ptrace": 101, "mount": 165, "setns": 308, "unshare": 272, "bpf": 321, "init_module": 175, "finit_module": 313,
           "process_vm_readv": 310, "io_uring_setup": 425, "getpid": 39}
REFUSED = "SIGSYS"  # the kernel's filter has asked for a signal instead of the call


class Registers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in REGISTERS]


libc = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def ptrace(request, pid, addr=None, data=None):
    ctypes.set_errno(0)
    r = libc.ptrace(request, pid, addr, data)
    if r == -1 and ctypes.get_errno():
        raise OSError(ctypes.get_errno(), f"ptrace({request})")
    return r


def stop_of(pid):
    """The signal that it stopped with; a death is an error."""
    _, how = os.waitpid(pid, 0)
    assert os.WIFSTOPPED(how), f"the process ended: {how:#x}"
    return os.WSTOPSIG(how)


def attempt(pid, name, report=False):
    """What becomes of that call, with impossible arguments, in that process: a negative errno, REFUSED, or "killed". With `report` the
    process sees the signal of the refusal itself. It goes on as if nothing had been."""
    ptrace(ATTACH, pid)
    assert stop_of(pid) == signal.SIGSTOP
    before = Registers()
    ptrace(GETREGS, pid, None, ctypes.byref(before))
    assert ptrace(PEEKTEXT, pid, before.rip - 2) & 0xffff == 0x050f, "it waits in a system call"
    now = Registers.from_buffer_copy(before)
    now.rip -= 2
    now.rax, now.orig_rax = NUMBERS[name], 2**64 - 1
    now.rdi = now.rsi = now.rdx = now.r10 = now.r8 = now.r9 = 0
    ptrace(SETREGS, pid, None, ctypes.byref(now))
    ptrace(SINGLESTEP, pid)
    _, how = os.waitpid(pid, 0)
    if os.WIFSIGNALED(how):
        assert os.WTERMSIG(how) == signal.SIGSYS, how
        return "killed"
    why = os.WSTOPSIG(how)
    assert why in (signal.SIGTRAP, signal.SIGSYS), why
    ptrace(GETREGS, pid, None, ctypes.byref(now))
    ptrace(SETREGS, pid, None, ctypes.byref(before))
    ptrace(DETACH, pid, None, signal.SIGSYS if report and why == signal.SIGSYS else 0)
    if why == signal.SIGSYS:
        return REFUSED
    return now.rax - 2**64 if now.rax >= 2**63 else now.rax
