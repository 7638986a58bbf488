#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A researcher and a node that speak real gRPC over TLS, without generated code.

  grpc_peer.py server CERT KEY PORT         serves until it is ended; says "ready"
  grpc_peer.py client CERT ADDRESS [COUNT]  asks COUNT times and takes a stream; exit 0 when every answer is right

The node fetches tasks and the researcher streams them, as Fed-BioMed does: the node always calls.
"""

import sys
import time
from concurrent import futures

import grpc

SERVICE = "weir.test.Researcher"


def echo(request, _context):
    return b"task for " + request


def stream(request, _context):
    for number in range(5):
        yield request + b" " + str(number).encode()


def server(certificate, key, port):
    with open(certificate, "rb") as file:
        chain = file.read()
    with open(key, "rb") as file:
        private = file.read()
    handlers = {
        "GetTask": grpc.unary_unary_rpc_method_handler(echo),
        "GetTasks": grpc.unary_stream_rpc_method_handler(stream),
    }
    peer = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    peer.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    if peer.add_secure_port(f"[::]:{port}", grpc.ssl_server_credentials([(private, chain)])) == 0:
        sys.exit(f"grpc_peer: can't listen on port {port}")
    peer.start()
    print("ready", flush=True)
    peer.wait_for_termination()


def client(certificate, address, count="3"):
    with open(certificate, "rb") as file:
        credentials = grpc.ssl_channel_credentials(file.read())
    # The peer is named by its address, as sites without DNS do; no proxy may change it.
    options = [("grpc.enable_http_proxy", 0), ("grpc.max_reconnect_backoff_ms", 500)]
    started = time.monotonic()
    with grpc.secure_channel(address, credentials, options) as channel:
        get_task = channel.unary_unary(f"/{SERVICE}/GetTask")
        get_tasks = channel.unary_stream(f"/{SERVICE}/GetTasks")
        try:
            for number in range(int(count)):
                name = f"NODE_{number}".encode()
                if get_task(name, timeout=5) != b"task for " + name:
                    sys.exit("grpc_peer: a wrong answer")
            tasks = list(get_tasks(b"task", timeout=5))
        except grpc.RpcError as error:
            print(f"{error.code().name}: {error.details()}")
            sys.exit(10)
    if len(tasks) != 5:
        sys.exit("grpc_peer: the stream ended early")
    elapsed = (time.monotonic() - started) * 1000
    print(f"answered {count} calls and a stream of {len(tasks)} over TLS in {elapsed:.0f} ms")


def main():
    roles = {"server": server, "client": client}
    if len(sys.argv) < 4 or sys.argv[1] not in roles:
        sys.exit(__doc__)
    roles[sys.argv[1]](*sys.argv[2:])


if __name__ == "__main__":
    main()
