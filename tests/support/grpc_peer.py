#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A researcher and a node that speak real gRPC over TLS, without generated code.

  grpc_peer.py server CERT KEY PORT         serves until it is ended; says "ready"
  grpc_peer.py client CERT ADDRESS [COUNT [SECONDS]]
                                            asks COUNT times and takes a stream; exit 0 when every answer is right
                                            and comes within SECONDS (5)
  grpc_peer.py node ADDRESS [--once]        a node's life: probe, the researcher's certificate, three channels with
                                            keep-alives, one long request; a line for each thing that happens. What
                                            breaks is tried again after 2 s; with --once it is the end, exit 10
  WEIR_PACE_MS (50): between the parts of an answer without end; WEIR_KEEPALIVE_MS (60000)

The node fetches tasks and the researcher streams them, as Fed-BioMed does: the node always calls.
"""

import os
import queue
import signal
import socket
import ssl
import sys
import threading
import time
from concurrent import futures

import grpc

SERVICE = "weir.test.Researcher"
PACE = int(os.environ.get("WEIR_PACE_MS", "50")) / 1000


def echo(request, _context):
    return b"task for " + request


def stream(request, _context):
    for number in range(5):
        yield request + b" " + str(number).encode()


def feed(request, context):
    """A request as long as the node wants: something all the time."""
    number = 0
    while context.is_active():
        yield request + b" " + str(number).encode()
        number += 1
        time.sleep(PACE)


def server(certificate, key, port):
    with open(certificate, "rb") as file:
        chain = file.read()
    with open(key, "rb") as file:
        private = file.read()
    handlers = {
        "GetTask": grpc.unary_unary_rpc_method_handler(echo),
        "GetTasks": grpc.unary_stream_rpc_method_handler(stream),
        "Feed": grpc.unary_stream_rpc_method_handler(feed),
    }
    # A node's keep-alives may come as often as a test wants.
    options = [("grpc.http2.min_ping_interval_without_data_ms", 50), ("grpc.http2.max_ping_strikes", 0)]
    peer = grpc.server(futures.ThreadPoolExecutor(max_workers=16), options=options)
    peer.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    if peer.add_secure_port(f"[::]:{port}", grpc.ssl_server_credentials([(private, chain)])) == 0:
        sys.exit(f"grpc_peer: can't listen on port {port}")
    peer.start()
    print("ready", flush=True)
    peer.wait_for_termination()


def client(certificate, address, count="3", seconds="5"):
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
                if get_task(name, timeout=float(seconds)) != b"task for " + name:
                    sys.exit("grpc_peer: a wrong answer")
            tasks = list(get_tasks(b"task", timeout=float(seconds)))
        except grpc.RpcError as error:
            print(f"{error.code().name}: {error.details()}")
            sys.exit(10)
    if len(tasks) != 5:
        sys.exit("grpc_peer: the stream ended early")
    elapsed = (time.monotonic() - started) * 1000
    print(f"answered {count} calls and a stream of {len(tasks)} over TLS in {elapsed:.0f} ms")


def say(*words):
    print(*words, flush=True)


def live(host, port):
    """Until something breaks: says what, and returns."""
    with socket.create_connection((host, port), timeout=2):
        say("probed")
    certificate = ssl.get_server_certificate((host, port), timeout=5)
    say("certificate")
    keepalive = int(os.environ.get("WEIR_KEEPALIVE_MS", "60000"))
    options = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1),
               ("grpc.keepalive_time_ms", keepalive), ("grpc.keepalive_timeout_ms", 5000),
               ("grpc.keepalive_permit_without_calls", 1), ("grpc.http2.max_pings_without_data", 0)]
    credentials = grpc.ssl_channel_credentials(certificate.encode())
    name = host if ":" not in host else f"[{host}]"
    channels = [grpc.secure_channel(f"{name}:{port}", credentials, options) for _ in range(3)]
    ended = queue.Queue()

    def follow():
        last = -1
        try:
            for part in channels[0].unary_stream(f"/{SERVICE}/Feed")(b"feed"):
                number = int(part.split()[1])
                if number != last + 1:
                    ended.put(f"a gap from {last} to {number}")
                    return
                last = number
                if number % 10 == 0 or PACE >= 0.5:
                    say("fed", number)
            ended.put("the feed ended")
        except grpc.RpcError as error:
            ended.put(f"{error.code().name}: {error.details()}")

    threading.Thread(target=follow, daemon=True).start()
    number = 0
    try:
        while ended.empty():
            for channel in channels[1:]:
                channel.unary_unary(f"/{SERVICE}/GetTask")(b"NODE", timeout=5)
            if number % 5 == 0:
                say("asked", number)
            number += 1
            time.sleep(2 * PACE)
        raise OSError(ended.get())
    finally:
        for channel in channels:
            channel.close()


def node(address, *rest):
    host, port = address.rsplit(":", 1)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    while True:
        try:
            live(host.strip("[]"), int(port))
        except grpc.RpcError as error:
            say("broken:", f"{error.code().name}: {error.details()}")
        except OSError as error:
            say("broken:", error)
        if rest == ("--once",):
            os._exit(10)
        time.sleep(2)


def main():
    roles = {"server": server, "client": client, "node": node}
    if len(sys.argv) < 3 or sys.argv[1] not in roles:
        sys.exit(__doc__)
    roles[sys.argv[1]](*sys.argv[2:])


if __name__ == "__main__":
    main()
