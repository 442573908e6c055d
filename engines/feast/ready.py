"""Whether the registry answers, and whether the volume has room: on a full one
features are read, and none is written."""
import os
import socket
import sys

try:
    socket.create_connection(("127.0.0.1", 6570), timeout=4).close()
except OSError as error:
    sys.exit(f"the registry does not answer: {error}")
if os.path.ismount("/data"):
    volume = os.statvfs("/data")
    free = volume.f_bavail * volume.f_frsize >> 20
    if free < 16:
        sys.exit(f"the volume is full, with {free} MiB left, so no feature is written: delete what is not needed, or raise storage")
