import http.client, os, sys

try:
    server = http.client.HTTPConnection("127.0.0.1", 5000, timeout=4)
    server.request("GET", "/health")
    status = server.getresponse().status
except OSError as error:
    sys.exit(f"the server does not answer: {error}")
if status != 200:
    sys.exit(f"the server answers with {status}")
if os.path.ismount("/data"):
    volume = os.statvfs("/data")
    free = volume.f_bavail * volume.f_frsize >> 20
    if free < 16:
        sys.exit(f"the volume is full, with {free} MiB left, so nothing new is recorded: delete runs and artifacts, or raise storage")
