"""Stories of images: fetched from registries that work and from ones that do not, listed, pruned.

    python3 tests/stories/images.py path/to/runpen [STORY...]

Needs a Docker that answers; RUNPEN_TEST_REGISTRY names a real registry that serves runpen/alpine:3.23. Each story has its own
cache folder, configuration and registry, and removes the images that it brought.
"""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lsp"))
from client import Client  # noqa: E402
from tally import Tally  # noqa: E402
from registry import Registry  # noqa: E402

BINARY = os.path.abspath(sys.argv[1])
REAL = os.environ.get("RUNPEN_TEST_REGISTRY", "127.0.0.1:5055") + "/runpen/alpine:3.23"
STORIES = []


def story(tell):
    STORIES.append(tell)
    return tell


def docker(*words):
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=120)
    return done.stdout.strip() if done.returncode == 0 else None


class Place:
    """A machine's state of one story: configuration, cache, Docker credentials."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="runpen-images-")
        self.path = pathlib.Path(self.folder.name)
        (self.path / "docker").mkdir()
        self.environment = dict(
            os.environ, RUNPEN_CONFIG=str(self.path / "config.toml"), RUNPEN_CACHE_DIR=str(self.path / "cache"),
            DOCKER_CONFIG=str(self.path / "docker"), PATH=f"{self.path}:{os.environ['PATH']}",
        )
        self.brought = []
        self.use({})

    def use(self, images):
        """These languages have these images, and all others none that could be here."""
        self.brought += images.values()
        rows = "".join(f'[languages.{name}]\nimage = "{image}"\n' for name, image in images.items())
        (self.path / "config.toml").write_text(f'engine = "docker"\n{rows}')

    def runpen(self, *words, stdin=""):
        done = subprocess.run(
            [BINARY, *words], input=stdin, capture_output=True, text=True, env=self.environment, timeout=300
        )
        return done.returncode, done.stdout, done.stderr

    def pull(self, image):
        self.use({"shell": image})
        return self.runpen("images", "pull", "shell")

    def close(self):
        for image in self.brought:
            docker("rmi", image)
            # What lost its name to another image.
            ids = docker("images", "--quiet", image.rsplit(":", 1)[0]) if "/story/" in image else ""
            for left in set((ids or "").split()):
                docker("rmi", left)
        self.folder.cleanup()


def one_line(text, *words):
    lines = text.splitlines()
    assert len(lines) == 1 and lines[0].startswith("runpen: "), text
    for word in words:
        assert word in lines[0], f"{word!r} is not in {lines[0]!r}"


def here(image):
    return docker("image", "inspect", "--format", "{{.Id}}", image) is not None


@story
def a_run_brings_the_image_it_needs(place):
    """A run fetches its image from a real registry, once, and the image is Runpen's from then on."""
    docker("rmi", REAL)
    place.use({"shell": REAL})
    code, out, err = place.runpen("run", "--lang", "shell", "--json", "-", stdin="echo hello")
    events = [json.loads(line) for line in out.splitlines()]
    assert code == 0, err
    assert [e["phase"] for e in events if e["event"] == "phase" and e["state"] == "begin"] == ["pull", "run"], events
    assert "".join(e["text"] for e in events if e["event"] == "output") == "hello\n", events
    rows = json.loads(place.runpen("images", "list", "--json")[1])
    row = next(row for row in rows if row["image"] == REAL)
    assert row["present"] and row["brought"] and row["size"] > 1e6 and row["languages"] == ["shell"], row
    assert row["unusedSeconds"] < 600, row
    code, out, err = place.runpen("images", "pull", "shell")
    assert code == 0 and "is here" in err, err


@story
def registries_that_fail_are_said_in_one_line(place):
    """404, 429, 500, a broken layer, nobody there: one clear line each, after as many attempts as make sense."""
    registry = Registry()
    cases = {
        "missing": ["manifest unknown", "check its name and tag"],
        "broken": ["could not be fetched", "try again"],
        "fault": ["500", "try again"],
        "busy": ["fetch no more for now", "docker login"],
    }

    def pull(mode):
        own = Place()
        try:
            return own.pull(registry.image(mode))
        finally:
            own.close()

    # Side by side, since some are waited out.
    with concurrent.futures.ThreadPoolExecutor() as pool:
        ends = dict(zip(cases, pool.map(pull, cases)))
    for mode, words in cases.items():
        code, _, err = ends[mode]
        assert code == 125, (mode, err)
        one_line(err, registry.image(mode), *words)
        assert not here(registry.image(mode)), mode
    assert registry.times("missing", "manifests") <= 2, "what cannot pass is not tried again"
    for mode in ("fault", "busy"):
        assert registry.times(mode, "manifests") >= 4, registry.asked
    registry.close()
    code, _, err = place.pull(registry.image("good"))
    assert code == 125
    one_line(err, "cannot be reached", "offline")


@story
def a_fault_that_passes_is_not_noticed(place):
    """Two answers of 500, or a connection that is cut in the middle of a layer, and the image comes all the same."""
    registry = Registry()
    for mode in ("fault-2", "cut"):
        code, _, err = place.pull(registry.image(mode))
        assert code == 0, err
        assert here(registry.image(mode))
        docker("rmi", registry.image(mode))
    assert registry.was_cut.is_set()


@story
def the_users_credentials_are_used(place):
    """401 without them; with `auths`, and with a credential helper, the image comes. No secret is printed."""
    registry = Registry(user="ada", password="s3cret-w0rd")
    config = place.path / "docker" / "config.json"
    image = registry.image("good")
    code, _, err = place.pull(image)
    assert code == 125
    one_line(err, f"docker login {registry.host}")
    config.write_text(json.dumps({"auths": {registry.host: {"auth": "YWRhOndyb25n"}}}))
    code, _, err = place.pull(image)
    assert code == 125 and "wrong" not in err, err
    config.write_text(json.dumps({"auths": {registry.host: {"auth": "YWRhOnMzY3JldC13MHJk"}}}))
    code, _, err = place.pull(image)
    assert code == 0 and here(image), err
    docker("rmi", image)
    helper = place.path / "docker-credential-story"
    helper.write_text('#!/bin/sh\nread -r server\necho "{\\"ServerURL\\":\\"$server\\",\\"Username\\":\\"ada\\",\\"Secret\\":\\"s3cret-w0rd\\"}"\n')
    helper.chmod(0o755)
    config.write_text(json.dumps({"credHelpers": {registry.host: "story"}}))
    code, _, err = place.pull(image)
    assert code == 0 and here(image) and "s3cret" not in err, err
    docker("rmi", image)
    config.write_text(json.dumps({"credsStore": "not-there"}))
    code, _, err = place.pull(image)
    assert code == 125 and "docker-credential-not-there could not be asked" in err, err
    config.write_text('{"auths": {')
    code, _, err = place.pull(image)
    assert code == 125 and "is not what Docker writes" in err and "Traceback" not in err, err


@story
def an_open_document_fetches_its_image_and_the_button_stops_it(place):
    """Bytes and layers are told, the editor stays responsive, cancelling stops the engine's pull, a command begins it anew."""
    registry = Registry(size=8_000_000)
    place.use({"shell": registry.image("held")})
    editor = Client(BINARY, environment=place.environment, capabilities={"window": {"workDoneProgress": True}})
    editor.initialize()
    uri = f"file://{place.path}/a.sh"
    editor.open(uri, "shellscript", "echo hello\n")

    def told(word, since=0):
        def fits(message):
            return message.get("method") == "$/progress" and word in str(message["params"]["value"].get("message"))
        return editor.wait(fits, since)

    message, place_in_log = told(" of 1 layers")
    token = message["params"]["token"]
    begin = next(p for p in editor.notifications("$/progress") if p["value"]["kind"] == "begin")
    assert registry.image("held") in begin["value"]["title"] and begin["value"]["cancellable"], begin
    worst = 0
    for version in range(2, 52):
        begun = time.monotonic()
        editor.change(uri, version, (0, 0), (0, 0), "#\n")
        editor.request("textDocument/codeLens", {"textDocument": {"uri": uri}})
        worst = max(worst, time.monotonic() - begun)
    assert worst < 5, f"an answer took {worst} s while an image was fetched"
    editor.notify("window/workDoneProgress/cancel", {"token": token})
    _, place_in_log = told("cancelled", place_in_log)
    assert not here(registry.image("held"))
    registry.release.set()
    answer = editor.command("runpen.pullImages", {"wait": True})
    assert [(i["present"], i.get("error")) for i in answer["images"]] == [(True, None)], answer
    assert here(registry.image("held"))
    assert editor.leave() == 0


@story
def a_server_that_is_killed_stops_its_pull(place):
    """SIGKILL in the middle of a pull: no image comes, and nothing is noted as brought."""
    registry = Registry(size=8_000_000)
    place.use({"shell": registry.image("held")})
    editor = Client(BINARY, environment=place.environment)
    editor.initialize()
    editor.open(f"file://{place.path}/a.sh", "shellscript", "echo hello\n")
    deadline = time.monotonic() + 60
    while registry.times("held", "blobs") < 2:
        assert time.monotonic() < deadline, registry.asked
        time.sleep(0.02)
    editor.kill()
    registry.release.set()
    rows = json.loads(place.runpen("images", "list", "--json")[1])
    assert not any(row["brought"] for row in rows), rows


@story
def a_prune_takes_what_runpen_brought_and_nothing_else(place):
    """A dry run tells and takes nothing; a prune takes what no language uses; the user's own image and name stay."""
    registry = Registry(size=3_000_000)
    image, other = registry.image("good"), Registry().image("good")
    assert place.pull(image)[0] == 0
    docker("pull", other)  # the user's own
    place.use({"shell": other})
    code, out, err = place.runpen("images", "prune", "--dry-run")
    assert code == 0 and f"would remove {image}" in out and "1 image, would free" in out, (out, err)
    assert here(image)
    docker("tag", "runpen-test/alpine:3.23", f"{registry.host}/mine:1")
    container = docker("create", "--label", "story=1", image, "/payload")
    code, out, err = place.runpen("images", "prune")
    assert code == 125 and here(image), "a container uses it"
    one_line(err, image)
    docker("rm", container)
    code, out, err = place.runpen("images", "prune")
    assert code == 0 and f"removed {image}" in out, (out, err)
    assert not here(image) and here(other) and here(f"{registry.host}/mine:1")
    code, out, err = place.runpen("images", "prune", "--unused-for", "1ms")
    assert code == 0 and out.startswith("0 images"), (out, err)
    assert here(other), "it was never Runpen's"
    # Fetched by Runpen, then fetched anew by the user with other content: it is the user's now.
    assert place.pull(image)[0] == 0
    place.use({"shell": other})
    docker("tag", "runpen-test/alpine:3.23", image)
    code, out, err = place.runpen("images", "prune")
    assert here(image) and out.startswith("0 images"), (out, err)
    docker("rmi", f"{registry.host}/mine:1")


@story
def wrong_words_are_refused_in_one_line(place):
    """An unknown language, no language, a bad time."""
    for words, part in [
        (("pull", "klingon"), "there is no language `klingon`"),
        (("pull",), "required"),
        (("prune", "--unused-for", "soon"), "a duration"),
    ]:
        code, out, err = place.runpen("images", *words)
        assert code == 2 and not out, (words, code, out)
        one_line(err, part)


def main():
    tally = Tally()
    for tell in STORIES:
        if sys.argv[2:] and tell.__name__ not in sys.argv[2:]:
            continue
        place = Place()
        tally.tell(tell, place)
        place.close()
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
