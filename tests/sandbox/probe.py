"""Tries what a sandbox must refuse, and prints what it saw as one JSON object.

Run inside a container: python3 -c <this file> SECTION [ARGUMENT]. Nothing here sends a byte to another machine: a UDP
connect sends nothing, TCP goes to the loopback device only.
"""

import ctypes
import errno
import json
import os
import platform
import resource
import socket
import subprocess
import sys

LIBC = ctypes.CDLL(None, use_errno=True)


def attempt(action):
    """Name of the error that an action gives, or "done"."""
    try:
        action()
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))
    return "done"


def write_file(path):
    with open(path, "w") as file:
        file.write("x")
    os.unlink(path)


def status():
    fields = {}
    for line in open("/proc/self/status"):
        name, _, value = line.partition(":")
        fields[name] = value.split()
    return fields


def identity(_):
    fields = status()
    return {
        "uids": fields["Uid"],
        "gids": fields["Gid"],
        "groups": fields["Groups"],
        "capabilities": {name: fields[name][0] for name in fields if name.startswith("Cap")},
        "no_new_privs": fields.get("NoNewPrivs", ["unseen"])[0],
        "seccomp": fields.get("Seccomp", ["unseen"])[0],
        "environment": dict(os.environ),
        "hostname": socket.gethostname(),
        "working_folder": os.getcwd(),
        "pid": os.getpid(),
        "processes": [name for name in os.listdir("/proc") if name.isdigit()],
        "cgroup": open("/proc/self/cgroup").read().splitlines(),
        "engine_sockets": [
            path
            for path in ["/var/run/docker.sock", "/run/docker.sock", "/run/podman/podman.sock", "/run/containerd/containerd.sock"]
            if os.path.exists(path)
        ],
        "limits": {
            "nofile": resource.getrlimit(resource.RLIMIT_NOFILE),
            "nproc": resource.getrlimit(resource.RLIMIT_NPROC),
            "core": resource.getrlimit(resource.RLIMIT_CORE),
            "msgqueue": resource.getrlimit(12),
        },
        "setuid": attempt(lambda: os.setuid(0)),
        "setgroups": attempt(lambda: os.setgroups([0])),
        "chroot": attempt(lambda: os.chroot("/tmp")),
        "raise_nofile": type(_try(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096)))).__name__,
        "devices": sorted(os.listdir("/dev")),
        "shm_limits": {
            name: open("/proc/sys/" + name).read().split()[0]
            for name in ["kernel/shmall", "kernel/shmmax", "kernel/shmmni", "kernel/msgmni", "fs/mqueue/queues_max"]
            if os.path.exists("/proc/sys/" + name)
        },
    }


def _try(action):
    try:
        return action()
    except Exception as error:
        return error


def mounts():
    """Mount points, last one wins, with type and options."""
    found = {}
    for line in open("/proc/self/mounts"):
        _, point, kind, options, *_ = line.split()
        found[point.encode().decode("unicode_escape")] = {"type": kind, "options": options.split(",")}
    return found


def writable_folders():
    """Every folder in which a file can be made, found by trying all of them."""
    found = []
    for folder, below, _ in os.walk("/", followlinks=False):
        if folder in ("/proc", "/sys"):
            # Thousands of processes' and devices' folders; the ones that matter are tried by name.
            below[:] = [name for name in below if name in ("sys", "self", "fs", "kernel", "1", "tty")]
        path = os.path.join(folder, ".runpen-probe")
        if attempt(lambda: write_file(path)) == "done":
            found.append(folder)
            below[:] = []
    return sorted(found)


def writes(_):
    named = ["/", "/etc", "/usr", "/usr/bin", "/var", "/root", "/home", "/opt", "/srv", "/run", "/dev", "/sys",
             "/sys/fs/cgroup", "/proc", "/proc/sys", "/proc/sys/kernel", "/runpen", "/tmp", "/var/tmp", "/dev/shm"]
    files = ["/etc/passwd", "/etc/hosts", "/etc/resolv.conf", "/etc/hostname", "/proc/sys/kernel/core_pattern",
             "/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/sys/kernel/uevent_helper",
             "/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory.max",
             "/sys/fs/cgroup/pids/pids.max", "/sys/fs/cgroup/pids.max", "/dev/mem", "/dev/kmsg", "/proc/kcore"]
    return {
        "folders": {path: attempt(lambda: write_file(path + "/.runpen-probe")) for path in named},
        "files": {path: attempt(lambda: open(path, "r+b").close()) for path in files if os.path.exists(path)},
        "found": writable_folders(),
        "mounts": mounts(),
    }


def network(argument):
    port, abstract = argument.split(",")
    result = {
        "interfaces": [name for _, name in socket.if_nameindex()],
        "routes": [line.split()[:2] for line in open("/proc/net/route").read().splitlines()[1:]],
        "routes6": [line.split()[-1] for line in open("/proc/net/ipv6_route")] if os.path.exists("/proc/net/ipv6_route") else [],
    }

    def udp(family, address):
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))

    def tcp(address, port):
        with socket.socket() as probe:
            probe.settimeout(2)
            probe.connect((address, port))

    def unix(name):
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(name)

    result["udp"] = attempt(lambda: udp(socket.AF_INET, "192.0.2.1"))
    result["udp6"] = attempt(lambda: udp(socket.AF_INET6, "2001:db8::1"))
    result["host_loopback"] = attempt(lambda: tcp("127.0.0.1", int(port)))
    result["host_abstract_socket"] = attempt(lambda: unix("\0" + abstract))
    result["raw"] = attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP).close())
    result["packet"] = attempt(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close())

    def loopback():
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen()
            with socket.create_connection(server.getsockname(), 2) as client:
                peer, _ = server.accept()
                client.sendall(b"ping")
                assert peer.recv(4) == b"ping"
                peer.close()

    result["loopback"] = attempt(loopback)
    return result


# number on x86-64, number on AArch64, arguments
CALLS = {
    "mount": (165, 40, [b"tmpfs", b"/tmp", b"tmpfs", 0, 0]),
    "umount2": (166, 39, [b"/tmp", 2]),
    "pivot_root": (155, 41, [b"/tmp", b"/tmp"]),
    "unshare_user": (272, 97, [0x10000000]),
    "unshare_mount": (272, 97, [0x00020000]),
    "unshare_network": (272, 97, [0x40000000]),
    "setns": (308, 268, [0, 0]),
    "keyctl": (250, 219, [0, -3, 0]),
    "add_key": (248, 217, [b"user", b"runpen", b"x", 1, -3]),
    "request_key": (249, 218, [b"user", b"runpen", 0, -3]),
    "bpf": (321, 280, [0, 0, 0]),
    "perf_event_open": (298, 241, [0, 0, -1, -1, 0]),
    "userfaultfd": (323, 282, [0]),
    "init_module": (175, 105, [0, 0, b""]),
    "kexec_load": (246, 104, [0, 0, 0, 0]),
    "open_by_handle_at": (304, 265, [-100, 0, 0]),
    "reboot": (169, 142, [0xFEE1DEAD, 672274793, 0, 0]),
    "swapon": (167, 224, [b"/tmp/x", 0]),
    "settimeofday": (164, 170, [0, 0]),
    "acct": (163, 89, [0]),
    "quotactl": (179, 60, [0, 0, 0, 0]),
    "lookup_dcookie": (212, 18, [0, 0, 0]),
    "syslog": (103, 116, [2, 0, 0]),
    "iopl": (172, None, [3]),
}


def calls(_):
    index = {"x86_64": 0, "aarch64": 1}[platform.machine()]
    seen = {}
    for name, row in CALLS.items():
        if row[index] is None:
            continue
        ctypes.set_errno(0)
        arguments = [ctypes.c_long(value) if isinstance(value, int) else value for value in row[2]]
        answer = LIBC.syscall(ctypes.c_long(row[index]), *arguments)
        seen[name] = "done" if answer != -1 else errno.errorcode.get(ctypes.get_errno(), str(ctypes.get_errno()))
    return seen


def execute(_):
    """Puts a program into every writable folder and executes it there, directly and by mapping."""
    import mmap

    result = {}
    for folder in writable_folders():
        path = os.path.join(folder, "program")
        try:
            with open(path, "w") as file:
                file.write("#!/bin/sh\necho ran\n")
        except OSError as error:
            result[folder] = {"script": "cannot write: " + errno.errorcode[error.errno]}
            continue
        os.chmod(path, 0o755)
        with open("/proc/self/exe", "rb") as own, open(path + ".elf", "wb") as copy:
            copy.write(own.read(4096))
        os.chmod(path + ".elf", 0o755)

        def mapped():
            with open(path + ".elf", "r+b") as file:
                mmap.mmap(file.fileno(), 4096, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC).close()

        result[folder] = {
            "script": attempt(lambda: subprocess.run([path], check=True, stdout=subprocess.DEVNULL)),
            "mapped": attempt(mapped),
        }
        os.unlink(path)
        os.unlink(path + ".elf")
    return result


def fill(only):
    """Fills every writable folder by bytes, all of them full at once; then, unless only bytes are wanted, by inodes."""
    folders = writable_folders()
    result = {folder: {} for folder in folders}
    block = b"x" * 65536
    for folder in folders:
        written, path = 0, os.path.join(folder, "fill")
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
            while True:
                written += os.write(descriptor, block)
        except OSError as error:
            result[folder]["bytes_error"] = errno.errorcode[error.errno]
        result[folder]["bytes"] = written
    if only == "bytes":
        return result
    for keep in (False, True):
        for folder in folders:
            if not keep:
                attempt(lambda: os.unlink(os.path.join(folder, "fill")))
            count = 0
            try:
                while count < 1_000_000:
                    os.close(os.open(os.path.join(folder, "i%d" % count), os.O_WRONLY | os.O_CREAT | os.O_EXCL))
                    count += 1
            except OSError as error:
                result[folder]["inodes_error" if not keep else "again"] = errno.errorcode[error.errno]
            if not keep:
                result[folder]["inodes"] = count
    # Bytes and inodes full at once: one file of each folder takes what is left.
    for folder in folders:
        try:
            descriptor = os.open(os.path.join(folder, "i0"), os.O_WRONLY)
            while True:
                os.write(descriptor, block)
        except OSError as error:
            result[folder]["both_error"] = errno.errorcode[error.errno]
    return result


def shared_memory(_):
    """Fills System V shared memory and message queues as far as they go."""
    segments, total, reason = [], 0, None
    size = 1 << 20
    while True:
        ctypes.set_errno(0)
        segment = LIBC.shmget(0, ctypes.c_size_t(size), 0o1600)
        if segment == -1:
            reason = errno.errorcode.get(ctypes.get_errno())
            break
        LIBC.shmat.restype = ctypes.c_void_p
        address = LIBC.shmat(segment, None, 0)
        ctypes.memset(address, 1, size)
        segments.append(segment)
        total += size
    queues = 0
    while LIBC.msgget(0, 0o1600) != -1:
        queues += 1
    return {"bytes": total, "error": reason, "queues": queues}


def processes(_):
    """Makes children until it is refused, then one again after they are gone."""
    children, reason = [], None
    while len(children) < 10_000:
        try:
            child = os.fork()
        except OSError as error:
            reason = errno.errorcode[error.errno]
            break
        if child == 0:
            import signal

            signal.pause()
            os._exit(0)
        children.append(child)
    for child in children:
        os.kill(child, 9)
        os.waitpid(child, 0)
    return {"children": len(children), "error": reason}


def allocate_in_child(_):
    """A child takes memory without end; this process survives and tells."""
    child = os.fork()
    if child == 0:
        hoard = []
        while True:
            hoard.append(bytearray(b"x" * (1 << 20)))
    _, code = os.waitpid(child, 0)
    return {"signal": os.WTERMSIG(code) if os.WIFSIGNALED(code) else None}


def allocate(_):
    hoard = []
    while True:
        hoard.append(bytearray(b"x" * (1 << 20)))


def fork_bomb(_):
    while True:
        attempt(os.fork)


def files(_):
    """Opens until it is refused."""
    opened = []
    try:
        while True:
            opened.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as error:
        count = len(opened)
        for descriptor in opened:
            os.close(descriptor)
        return {"opened": count, "error": errno.errorcode[error.errno]}


def leave(secret):
    """Leaves a secret wherever it can, says so, and stays."""
    for folder in writable_folders():
        attempt(lambda: open(os.path.join(folder, "secret"), "w").write(secret))
    LIBC.shmget(4711, ctypes.c_size_t(4096), 0o1666)
    print(json.dumps({"ready": True}), flush=True)
    sys.stdin.read()


def find(secret):
    """Looks for another run's secret."""
    seen = []
    for folder in writable_folders():
        for name in os.listdir(folder):
            seen.append(os.path.join(folder, name))
    return {
        "files": seen,
        "shared_memory": LIBC.shmget(4711, ctypes.c_size_t(4096), 0o666),
        "processes": [name for name in os.listdir("/proc") if name.isdigit()],
        "in_environment": secret in str(os.environ),
    }


if __name__ == "__main__":
    section = globals()[sys.argv[1]]
    answer = section(sys.argv[2] if len(sys.argv) > 2 else "")
    if answer is not None:
        print(json.dumps(answer))
