"""A Docker daemon of a story's own, on a disk of its own: it can be stopped, filled up and looked at without harm to others."""

import os
import pathlib
import subprocess
import tempfile
import time


class Daemon:
    def __init__(self, megabytes):
        self.folder = tempfile.TemporaryDirectory(prefix="runpen-daemon-")
        self.path = pathlib.Path(self.folder.name)
        self.disk = self.path / "disk"
        self.disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "runpen-story", self.disk], check=True)
        self.host = f"unix://{self.path}/docker.sock"
        self.process = None
        self.start()

    def start(self):
        log = open(self.path / "log", "ab")
        command = ["dockerd", "--host", self.host, "--data-root", self.disk / "data", "--exec-root", self.path / "exec",
                   "--pidfile", self.path / "pid", "--bridge", "none", "--iptables=false", "--ip6tables=false"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 120
        while self.docker("version", "--format", "{{.Server.Version}}") is None:
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise SystemExit((self.path / "log").read_text()[-3000:])
            time.sleep(0.1)

    def stop(self):
        self.process.terminate()
        self.process.wait(120)

    def docker(self, *words, **more):
        done = subprocess.run(["docker", "--host", self.host, *words], capture_output=True, text=True, timeout=120, **more)
        return done.stdout.strip() if done.returncode == 0 else None

    def bring(self, image):
        """Copies an image from the machine's own daemon."""
        save = subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE)
        assert self.docker("load", stdin=save.stdout) is not None, f"{image} could not be copied"
        save.wait()

    def containers(self, *more):
        # Docker 20.10 may go on listing one that it has removed, without a name, and knows nothing of it when asked.
        listed = self.docker("ps", "--no-trunc", "--format", "{{.ID}} {{.Names}}", *more) or ""
        return {words[0] for words in map(str.split, listed.splitlines()) if len(words) == 2}

    def close(self):
        for container in self.containers("--all"):
            self.docker("rm", "--force", container)
        self.stop()
        # The daemon's own mounts below it go first.
        with open("/proc/mounts", encoding="utf-8") as mounts:
            below = [line.split()[1] for line in mounts if line.split()[1].startswith(f"{self.path}/")]
        for mount in sorted(below, key=len, reverse=True):
            subprocess.run(["umount", "--lazy", mount], check=False)
        self.folder.cleanup()


def environment(daemon, folder, **more):
    return dict(os.environ, DOCKER_HOST=daemon.host, RUNPEN_CACHE_DIR=str(folder), **more)
