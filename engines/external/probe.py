"""Says whether a service of the site can be reached, by its exit code and termination message.

An HTTP service is reached when it answers anything but an error of its own: that it wants
credentials is an answer. Any other service is reached when it accepts a connection.
"""
import json
import os
import socket
import sys
import urllib.error
import urllib.parse
import urllib.request

MESSAGE = os.environ.get("MESSAGE_FILE", "/dev/termination-log")
# Seconds for one attempt to connect, and for one answer.
PATIENCE = 10
PORTS = {"postgresql": 5432, "mysql": 3306, "redis": 6379, "rediss": 6379, "grpc": 50051}
REMEDY = "Check its address, and that an egress profile opens the way: parameters.egress, or spec.backbone.egress"


class Unreachable(Exception):
    """Why the service is not reached, for people."""


class Stay(urllib.request.HTTPRedirectHandler):
    """An answer that leads elsewhere is an answer."""

    def redirect_request(self, *_):
        return None


def ask(url):
    """Asks over HTTP, through the proxies of the environment."""
    try:
        urllib.request.build_opener(Stay).open(url, timeout=PATIENCE).close()
    except urllib.error.HTTPError as answer:
        if answer.code >= 500:
            raise Unreachable(f"{place(url)} answers with {answer.code} {answer.reason}") from answer
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise Unreachable(f"{place(url)} does not answer: {reason}. {REMEDY}") from error


def connect(address):
    """Opens a connection to `scheme://host:port` or `host:port`."""
    parts = urllib.parse.urlsplit(address if "://" in address else f"//{address}")
    try:
        host, port = parts.hostname, parts.port or PORTS.get(parts.scheme)
    except ValueError as error:
        raise Unreachable(f"{address} has no valid port: {error}") from error
    if not host or not port:
        # An object store such as s3://bucket is reached by its own client.
        return
    try:
        socket.create_connection((host, port), timeout=PATIENCE).close()
    except OSError as error:
        raise Unreachable(f"{host}:{port} accepts no connection: {error}. {REMEDY}") from error


def place(url):
    """The address without its path and parameters."""
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def main(addresses):
    try:
        for address in addresses:
            http = address.startswith(("http://", "https://"))
            ask(address) if http else connect(address)
    except Unreachable as error:
        with open(MESSAGE, "w", encoding="utf-8") as file:
            json.dump({"message": str(error)}, file)
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
