# SPDX-License-Identifier: GPL-2.0-or-later
"""A system call made by another process, as code that somebody smuggled into it would make it: by ptrace(2)."""
import ctypes
import ctypes.util
import os
import platform
import signal
import time

CAN = platform.machine() == "x86_64"

ATTACH, DETACH, CONT, SINGLESTEP, GETREGS, SETREGS, PEEKTEXT, POKETEXT = 16, 17, 7, 9, 12, 13, 1, 4
RED_ZONE = 128  # bytes below the stack that may be in use
REGISTERS = ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base ds es fs gs").split()
NUMBERS = {"execve": 59, "execveat": 322, "ptrace": 101, "mount": 165, "setns": 308, "unshare": 272, "bpf": 321, "init_module": 175, "finit_module": 313,
           "process_vm_readv": 310, "io_uring_setup": 425, "getpid": 39, "openat": 257, "close": 3, "socket": 41, "sendto": 44, "recvfrom": 45}
REFUSED = "SIGSYS"  # the kernel's filter has asked for a signal instead of the call
ENDED = "SIGKILL"   # somebody else ended it meanwhile


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


def put(pid, at, text):
    """A string, or bytes, below the stack; where it stands."""
    content = text if isinstance(text, bytes) else text.encode() + b"\0"
    content += bytes(-len(content) % 8)
    at = (at - RED_ZONE - len(content)) & ~0xf
    for n in range(0, len(content), 8):
        ptrace(POKETEXT, pid, at + n, int.from_bytes(content[n:n + 8], "little"))
    return at


def wait_for_rest(pid):
    """Until it waits for something, in a system call."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            if f.read().rpartition(")")[2].split()[0] == "S":
                return
        time.sleep(0.005)


def end_attempt(pid, before, places, after, signo):
    """It goes on as if nothing had been."""
    if after is not None:
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
            for at, size in places:
                mem.seek(at)
                after.append(mem.read(size))
    ptrace(SETREGS, pid, None, ctypes.byref(before))
    ptrace(DETACH, pid, None, signo)


def attempt(pid, name, *args, report=False, after=None):
    """What becomes of that call in that process, with impossible arguments (zeros) where none are given: its result, a negative errno,
    REFUSED, ENDED, or "killed" by the filter. A string, or bytes, are passed as their address; `after` is a list to which what became of bytes is added. With `report` the process sees the signal of the refusal itself. It goes on
    as if nothing had been."""
    wait_for_rest(pid)
    ptrace(ATTACH, pid)
    assert stop_of(pid) == signal.SIGSTOP
    before = Registers()
    ptrace(GETREGS, pid, None, ctypes.byref(before))
    assert ptrace(PEEKTEXT, pid, before.rip - 2) & 0xffff == 0x050f, "it waits in a system call"
    now = Registers.from_buffer_copy(before)
    now.rip -= 2
    now.rax, now.orig_rax = NUMBERS[name], 2**64 - 1
    now.rdi = now.rsi = now.rdx = now.r10 = now.r8 = now.r9 = 0
    for register, arg in zip(("rdi", "rsi", "rdx", "r10"), args):
        setattr(now, register, put(pid, before.rsp, arg) if isinstance(arg, (str, bytes)) else arg & 2**64 - 1)
    places = [(getattr(now, register), len(arg)) for register, arg in zip(("rdi", "rsi", "rdx", "r10"), args) if isinstance(arg, bytes)]
    ptrace(SETREGS, pid, None, ctypes.byref(now))
    ptrace(SINGLESTEP, pid)
    _, how = os.waitpid(pid, 0)
    if os.WIFSIGNALED(how):
        assert os.WTERMSIG(how) in (signal.SIGSYS, signal.SIGKILL), how
        return "killed" if os.WTERMSIG(how) == signal.SIGSYS else ENDED
    why = os.WSTOPSIG(how)
    assert why in (signal.SIGTRAP, signal.SIGSYS), why
    try:
        ptrace(GETREGS, pid, None, ctypes.byref(now))
        end_attempt(pid, before, places, after, signal.SIGSYS if report and why == signal.SIGSYS else 0)
    except ProcessLookupError:
        os.waitpid(pid, 0)  # else its parent would not see it end
        return ENDED
    if why == signal.SIGSYS:
        return REFUSED
    return now.rax - 2**64 if now.rax >= 2**63 else now.rax
