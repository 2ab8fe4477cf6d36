# Comes up with the interpreter and waits on standard input for one program: 32 bytes that say how long the arguments and the
# tar are, the arguments, the tar. Then it makes itself look like `python3 FILE ARGS...` and runs it. It uses only what every
# interpreter has loaded at its start, so that the program finds the modules of a plain start.
def boot():
    import sys, posix

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
    argv = take(int(lengths[0])).decode("utf-8", "surrogateescape").split("\0")
    tar = take(int(lengths[1]))
    at = 0
    while at < len(tar) and tar[at]:
        name, size = tar[at : at + 100].rstrip(b"\0"), int(tar[at + 124 : at + 135], 8)
        fd = posix.open(name, posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC, 0o644)
        rest = memoryview(tar)[at + 512 : at + 512 + size]
        while rest:
            rest = rest[posix.write(fd, rest) :]
        posix.close(fd)
        at += 512 + (size + 511) // 512 * 512
    path = posix.getcwd() + "/" + argv[0]
    sys.argv[:] = argv
    sys.orig_argv[1:] = argv
    sys.path[0] = posix.getcwd()
    loader = sys.modules["_frozen_importlib_external"].SourceFileLoader("__main__", path)
    scope = sys.modules["__main__"].__dict__
    scope.update(__file__=path, __cached__=None, __loader__=loader)
    fd = posix.open(path, posix.O_RDONLY)
    source = bytearray()
    while piece := posix.read(fd, 1 << 20):
        source += piece
    posix.close(fd)
    del scope["boot"]
    # 3.13 loads it for the sake of `-c`.
    sys.modules.pop("linecache", None)
    code = 0
    try:
        program = compile(bytes(source), path, "exec", dont_inherit=True)
    except BaseException as error:
        sys.excepthook(type(error), error.with_traceback(None), None)
        code = 1
    else:
        del source, tar, rest, piece, lengths, fd, name, at
        try:
            exec(program, scope)
        except SystemExit:
            raise
        except BaseException as error:
            # Without this frame, as if the interpreter had called it.
            trace = error.__traceback__.tb_next
            sys.last_type, sys.last_value, sys.last_traceback = type(error), error, trace
            sys.excepthook(type(error), error.with_traceback(trace), trace)
            code = 130 if isinstance(error, KeyboardInterrupt) else 1
    if code:
        raise SystemExit(code)


boot()
