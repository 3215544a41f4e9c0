"""Work in a forked child, which may crash, be killed, or run into limits without harm to the tests."""

import os
import pickle
import signal
from pathlib import Path

import pytest

fork_only = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="children are made by fork, which POSIX systems have"
)


def in_child(work, *, more_memory=None, seconds=60):
    """What `work()` returns, run in a child that may take `more_memory` bytes and `seconds`; else the test fails."""
    return started(work, more_memory=more_memory, seconds=seconds)()


def started(work, *, more_memory=None, seconds=60):
    """Starts `work()` in a child; returns a function that waits for its result, as `in_child` does."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _run_and_exit(work, writer, more_memory, seconds)
    os.close(writer)

    def result():
        with os.fdopen(reader, "rb") as pipe:
            data = pipe.read()
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status < 0:
            pytest.fail(f"the child died of {signal.Signals(-status).name}")
        succeeded, answer = pickle.loads(data)
        if not succeeded:
            pytest.fail(f"the child raised:\n{answer}")
        return answer

    return result


def _run_and_exit(work, writer, more_memory, seconds):
    signal.alarm(seconds)
    try:
        if more_memory is not None:
            limit_memory(more_memory)
        answer = pickle.dumps((True, work()))
    except BaseException:
        import traceback

        answer = pickle.dumps((False, traceback.format_exc()))
    with os.fdopen(writer, "wb") as pipe:
        pipe.write(answer)
    os._exit(0)


def limit_memory(more):
    """Lets this process take `more` bytes of address space than it has."""
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
