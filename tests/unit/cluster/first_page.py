"""Reads a page in eight threads at once, in processes that have read none; fails if one ends."""

import os
import sys
import threading

from stillpoint.cluster.api_request import ApiRequest, ApiResponse
from stillpoint.model import kinds

REQUEST = ApiRequest("list", kinds.CLAIM, "shop", "", 0.0)
PAGE = ApiResponse(200, "", b'{"metadata": {"resourceVersion": "1"}, "items": [{"metadata": {}}]}')
THREADS, PROCESSES = 8, 60


def read(start: threading.Barrier) -> None:
    start.wait()
    REQUEST.read_page(PAGE, lambda _fields: None)


def read_side_by_side() -> None:
    start = threading.Barrier(THREADS)
    threads = [threading.Thread(target=read, args=(start,)) for _ in range(THREADS)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()


def main() -> None:
    sys.setswitchinterval(1e-6)
    for _ in range(PROCESSES):
        if not (child := os.fork()):
            read_side_by_side()
            os._exit(0)
        if status := os.waitpid(child, 0)[1]:
            sys.exit(f"a reader ended with status {status}")


if __name__ == "__main__":
    main()
