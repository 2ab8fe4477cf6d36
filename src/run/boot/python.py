# The interpreter was started as `python3 FILE`, and comes here by itself before it looks for FILE: this is a sitecustomize
# on a path of ours. It takes away every trace of that, lets the image's own sitecustomize run, and waits on standard input for
# one program: 32 bytes that say how long the arguments and the tar are, the arguments, the tar. Then it returns, and the
# interpreter goes on to FILE as it always does. It uses only what every interpreter has loaded by now, so that the program
# finds the modules of a plain start.
def boot():
    import posix
    import sys

    folder = "/tmp/.runpen"
    environ = sys.modules["os"].environ
    rest = environ["PYTHONPATH"][len(folder) + 1 :]
    if rest:
        environ["PYTHONPATH"] = rest
    else:
        del environ["PYTHONPATH"]
    sys.path.remove(folder)
    sys.path_importer_cache.pop(folder, None)
    for name in posix.listdir(folder):
        posix.unlink(folder + "/" + name)
    posix.rmdir(folder)

    del sys.modules["sitecustomize"]
    failure = None
    try:
        import sitecustomize  # noqa: F401
    except Exception as error:
        # Python says what it says without us: nothing when there is none.
        failure = error

    def take(length):
        taken = bytearray()
        while len(taken) < length:
            piece = posix.read(0, length - len(taken))
            if not piece:
                posix._exit(0)
            taken += piece
        return bytes(taken)

    posix.write(2, b"\x1eready\x1e")
    lengths = take(32).split()
    words = take(int(lengths[0])).decode("utf-8", "surrogateescape").split("\0")
    tar = take(int(lengths[1]))
    at = 0
    while at < len(tar) and tar[at]:
        name, size = tar[at : at + 100].rstrip(b"\0"), int(tar[at + 124 : at + 135], 8)
        fd = posix.open(name, posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC | posix.O_CLOEXEC, 0o644)
        rest = memoryview(tar)[at + 512 : at + 512 + size]
        while rest:
            rest = rest[posix.write(fd, rest) :]
        posix.close(fd)
        at += 512 + (size + 511) // 512 * 512
    sys.argv.extend(words[1:])
    getattr(sys, "orig_argv", []).extend(words[1:])
    if failure is not None:
        raise failure.with_traceback(None)


boot()
