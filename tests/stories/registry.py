"""A registry on loopback that does what a story says, in the standard library alone.

It serves one image of one layer under any repository; the repository's last part chooses how:

    good             as it should be
    held             the layer stops in the middle until `release` is set
    cut              the connection is cut in the middle of the layer, the first time
    broken           the layer is not what its digest says
    missing          404
    busy             429
    fault-N          500 for the first N times that the manifest is asked for, then good
    fault            500 always

With `user` and `password`, everything needs them (Basic).
"""

import base64
import gzip
import hashlib
import http.server
import io
import json
import os
import tarfile
import threading


def layer(size):
    """A layer that no other one equals."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("payload")
        entry.size = size
        archive.addfile(entry, io.BytesIO(os.urandom(size)))
    return packed.getvalue()


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Registry:
    def __init__(self, size=2_000_000, user=None, password=None):
        plain = layer(size)
        self.blob = gzip.compress(plain, compresslevel=1)
        config = {
            "architecture": "amd64", "os": "linux", "config": {"Cmd": ["/payload"]},
            "rootfs": {"type": "layers", "diff_ids": [digest(plain)]}, "history": [{"created_by": "story"}],
        }
        self.config = json.dumps(config).encode()
        kind = "application/vnd.docker."
        self.manifest = json.dumps({
            "schemaVersion": 2, "mediaType": kind + "distribution.manifest.v2+json",
            "config": {"mediaType": kind + "container.image.v1+json", "size": len(self.config), "digest": digest(self.config)},
            "layers": [{"mediaType": kind + "image.rootfs.diff.tar.gzip", "size": len(self.blob), "digest": digest(self.blob)}],
        }).encode()
        self.release = threading.Event()
        self.was_cut = threading.Event()
        self.asked = []  # (mode, what) of each request for a manifest or a blob
        self.authorization = None
        if user is not None:
            self.authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                registry.serve(self)

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def image(self, mode):
        return f"{self.host}/story/{mode}:1"

    def times(self, mode, what):
        return self.asked.count((mode, what))

    def close(self):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()

    def serve(self, request):
        if self.authorization and request.headers.get("Authorization") != self.authorization:
            return self.error(request, 401, "UNAUTHORIZED", "authentication required")
        parts = request.path.strip("/").split("/")
        if parts == ["v2"]:
            return self.send(request, 200, b"{}", "application/json")
        mode, what, name = parts[2], parts[3], parts[4]
        self.asked.append((mode, what))
        if what == "manifests":
            if mode == "missing":
                return self.error(request, 404, "MANIFEST_UNKNOWN", "manifest unknown")
            if mode == "busy":
                return self.error(request, 429, "TOOMANYREQUESTS", "too many requests")
            faults = {"fault": 10**6}.get(mode) or int(mode[6:] or 0) if mode.startswith("fault") else 0
            if self.times(mode, "manifests") <= faults:
                return self.send(request, 500, b"", "text/plain")
            kind = "application/vnd.docker.distribution.manifest.v2+json"
            return self.send(request, 200, self.manifest, kind, digest(self.manifest))
        if name == digest(self.config):
            return self.send(request, 200, self.config, "application/octet-stream")
        data = self.blob
        if mode == "broken":
            data = data[:-4] + b"\0\0\0\0"
        cut = mode == "cut" and not self.was_cut.is_set()
        if mode == "held" or cut:
            self.was_cut.set()
            request.send_response(200)
            request.send_header("Content-Length", str(len(data)))
            request.end_headers()
            try:
                request.wfile.write(data[: len(data) // 2])
                request.wfile.flush()
                if mode == "held" and self.release.wait(120):
                    request.wfile.write(data[len(data) // 2 :])
            except OSError:
                pass  # who asked has gone
            request.close_connection = True
            return None
        start = request.headers.get("Range", "bytes=0-")[6:].split("-")[0]
        if start != "0":  # the rest of what was cut
            return self.send(request, 206, data[int(start) :], "application/octet-stream", first=int(start), whole=len(data))
        return self.send(request, 200, data, "application/octet-stream")

    def error(self, request, status, code, message):
        body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        self.send(request, status, body, "application/json")

    def send(self, request, status, body, kind, name=None, first=0, whole=0):
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(body)))
        request.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        if status == 206:
            request.send_header("Content-Range", f"bytes {first}-{whole - 1}/{whole}")
        if status == 401:
            request.send_header("WWW-Authenticate", 'Basic realm="story"')
        if name:
            request.send_header("Docker-Content-Digest", name)
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)
