"""What must hold of speed on any machine, however busy: ratios with much room, measured in one run of half a minute.

    python3 tests/bench/check.py path/to/runpen

The targets themselves are bench.py's to show.
"""

import os
import sys
import traceback

sys.dont_write_bytecode = True
from bench import Server, docker_run, images, percentile, timed  # noqa: E402
from flood import flood  # noqa: E402

BINARY = os.path.abspath(sys.argv[1])
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def warm_runs(engine, language, runs):
    server = Server(BINARY, engine, warm={"perLanguage": 2})
    uri = server.open(language)
    firsts = []
    for _ in range(runs):
        server.full(language)
        first, _, warm = server.run(uri)
        assert warm, "a container waited and was not taken"
        firsts.append(first)
    peak = server.client.resident()[1]
    server.client.leave()
    return percentile(firsts, 0.5), peak


@check
def a_warm_run_is_a_small_part_of_docker_run():
    """Request to first byte of warm Python: less than a fifth of a whole `docker run` with the same flags."""
    image = images(os.environ["RUNPEN_CONFIG"])["python"]
    first, peak = warm_runs("docker", "python", 12)
    whole = percentile(timed(docker_run("python", image), 4), 0.5)
    print(f"      warm {first * 1000:.1f} ms, docker run {whole * 1000:.1f} ms, server {peak:.0f} MiB")
    assert first < whole / 5
    assert peak < 100


@check
def the_embedded_engine_is_as_quick():
    """The same without a daemon, beside the same interpreter started plainly: less than ten of its starts."""
    first, _ = warm_runs("embedded", "python", 12)
    bare = percentile(timed(["/usr/bin/python3", "-c", "print(6*7)"], 8), 0.5)
    print(f"      warm {first * 1000:.1f} ms, bare {bare * 1000:.1f} ms")
    assert first < bare * 10


@check
def a_flood_is_passed_on_in_little_memory():
    """100 MB through server and client: the server keeps none of it, and typing is answered meanwhile."""
    rate, peak, answers = flood(BINARY, "embedded", 100)
    worst = percentile(answers, 0.99) * 1000
    print(f"      {rate:.0f} MB/s, server peak {peak:.0f} MiB, {len(answers)} answers, p99 {worst:.1f} ms")
    assert peak < 100
    assert worst < 2000


def main():
    failed = 0
    for function in CHECKS:
        try:
            function()
            print(f"ok    {function.__name__}: {function.__doc__}", flush=True)
        except Exception:  # whatever it is, the others are measured
            failed += 1
            print(f"FAIL  {function.__name__}: {function.__doc__}", flush=True)
            traceback.print_exc(limit=-3, file=sys.stdout)
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
