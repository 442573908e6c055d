"""Keeps one person's notebook server.

  workbench.py          starts the server, and ends it when nobody works in it
  workbench.py probe    whether the server answers; the exit code tells
  workbench.py url      where its owner opens it, once the port is forwarded

The server listens on loopback and asks for a token, whatever the configuration
in the home says: what is held below is set after the last file was read.
The token is new at every start. It stands in one file of the home, for its
owner alone, and never in an argument, in the environment or in the log.
"""
import os
import socket
import sys

PORT = int(os.environ.get("STRATA_PORT", "8888"))


def probe():
    """Whether the server answers. It runs every few seconds, so it loads next to nothing."""
    try:
        with socket.create_connection(("127.0.0.1", PORT), timeout=4) as stream:
            stream.sendall(b"GET /api HTTP/1.0\r\nHost: localhost\r\n\r\n")
            line = stream.recv(64).split(b" ")
    except OSError as error:
        print(f"no answer from 127.0.0.1:{PORT}: {error}")
        return 1
    if len(line) > 1 and line[0].startswith(b"HTTP/") and line[1] == b"200":
        return 0
    print("the server answers, but not as it should")
    return 1


if sys.argv[1:] == ["probe"]:
    sys.exit(probe())

import errno
import http.client
import importlib.util
import json
import secrets
import shutil
import signal
import tempfile
import time

HOME = os.environ.get("HOME", "/home/jovyan")
FOLDER = os.path.join(HOME, ".strata")
TOKEN = os.path.join(FOLDER, "token")
IDLE = float(os.environ.get("STRATA_IDLE_MINUTES", "0")) * 60
TICK = float(os.environ.get("STRATA_TICK_SECONDS", "30"))
SAID = os.environ.get("STRATA_TERMINATION_LOG", "/dev/termination-log")
# Left in the pod by an idle end. The kubelet starts the container again; the server stays down until its pod is gone.
RESTS = os.path.join(tempfile.gettempdir(), "ended-idle")
# How long the server may take to end its kernels.
GRACE = 45


def say(message):
    print(f"workbench: {message}", file=sys.stderr, flush=True)


def leave(text):
    """What the pod's status says of this end."""
    try:
        with open(SAID, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        say(f"{SAID} cannot be written: {error.strerror}")


def fail(message):
    say(message)
    leave(message)
    sys.exit(1)


def write_token():
    """A new token. The file is written in place, so that a full volume does not lock its owner out."""
    token = secrets.token_urlsafe(32)
    try:
        os.makedirs(FOLDER, mode=0o700, exist_ok=True)
        folder = os.open(FOLDER, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        os.fchmod(folder, 0o700)
        file = os.open("token", os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600, dir_fd=folder)
        os.fchmod(file, 0o600)
        os.ftruncate(file, os.pwrite(file, token.encode(), 0))
        modes = [os.fstat(each).st_mode & 0o077 for each in (folder, file)]
        os.close(file)
        os.close(folder)
    except OSError as error:
        reason = {
            errno.ENOSPC: "the home volume is full: raise spec.storage",
            errno.EDQUOT: "the home volume is full: raise spec.storage",
            errno.ENOTDIR: f"{FOLDER} is not a folder: remove it",
            errno.ELOOP: f"{TOKEN} is a link: remove it",
        }.get(error.errno, f"{HOME} cannot be written by user {os.getuid()}: its volume must honour fsGroup")
        fail(f"{reason} ({error.strerror})")
    if any(modes):
        say("the home volume keeps no permissions of files: whoever mounts it can read the token")
    return token


def read_token():
    with open(TOKEN, encoding="utf-8") as file:
        return file.read()


def ask(path, token=None):
    """Status and body of a GET of the server."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=5)
    try:
        connection.request("GET", path, headers={"Authorization": f"token {token}"} if token else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def interpreter():
    """The Python that has JupyterLab: this one, or that of the image's command."""
    if importlib.util.find_spec("jupyterlab"):
        return sys.executable
    for command in filter(None, map(shutil.which, ("jupyter-lab", "jupyter"))):
        with open(command, "rb") as file:
            words = file.readline().decode(errors="replace").removeprefix("#!").split()
        if words and "python" in os.path.basename(words[0]) and os.access(words[0], os.X_OK):
            return words[0]
    return fail("the image has no JupyterLab: a workbench needs one with python3 and jupyterlab")


# What no configuration in the home changes.
HELD = {
    # Reached through its owner's port-forward alone, at one address.
    "ip": "127.0.0.1", "port": PORT, "port_retries": 0, "sock": "", "base_url": "/",
    "certfile": "", "keyfile": "", "client_ca": "",
    "allow_remote_access": False, "local_hostnames": ["localhost"], "trust_xheaders": False,
    # No other page acts for the owner, and nobody without the token.
    "allow_origin": "", "allow_origin_pat": "", "allow_credentials": False, "disable_check_xsrf": False,
    "allow_unauthenticated_access": False, "authenticate_prometheus": True, "tornado_settings": {},
    "identity_provider_class": "jupyter_server.auth.identity.IdentityProvider",
    # The watch alone decides about the end.
    "shutdown_no_activity_timeout": 0, "quit_button": False, "autoreload": False,
    "open_browser": False,
    # A section within this one goes before one of the same name outside.
    "IdentityProvider": {
        "login_handler_class": "jupyter_server.auth.login.LoginFormHandler", "cookie_options": {},
    },
}
if IDLE:
    often = {"cull_interval": max(1, min(300, int(IDLE)))}
    kernels = {"cull_idle_timeout": max(1, int(IDLE)), "cull_connected": True, "cull_busy": False, **often}
    HELD["MappingKernelManager"] = HELD["AsyncMappingKernelManager"] = kernels
    HELD["TerminalManager"] = {"cull_inactive_timeout": max(1, int(IDLE)), **often}
# What is looked at once more before the first request is answered.
CERTAIN = ("ip", "port", "sock", "base_url", "allow_origin", "allow_origin_pat", "allow_remote_access",
           "disable_check_xsrf")


def serve():
    """The server itself, in a process of its own."""
    import jupyter_server
    from jupyter_server.serverapp import ServerApp
    from jupyterlab.labapp import LabApp
    from traitlets.config import Config

    if jupyter_server.version_info[0] < 2:
        fail(f"the image has Jupyter Server {jupyter_server.__version__}: a workbench needs 2.0 or newer")
    token, initialize = read_token(), ServerApp.init_configurables

    def init_configurables(self):
        """Comes after the last file was read: files of JupyterLab's own go before arguments of the command."""
        self.update_config(Config({"ServerApp": HELD}))
        initialize(self)
        # Not by the configuration, which a log in detail shows.
        self.cookie_secret = secrets.token_bytes(32)
        self.identity_provider.token = token
        self.identity_provider.token_generated = False

    ServerApp.init_configurables = init_configurables
    app = LabApp.initialize_server(argv=[])
    loose = [name for name in CERTAIN if getattr(app, name) != HELD[name]]
    if type(app.identity_provider).__name__ != "IdentityProvider" or app.identity_provider.token != token:
        loose.append("token")
    if loose:
        fail(f"the configuration in the home changes {', '.join(loose)} of the server: remove that from ~/.jupyter")
    app.start()


def start(bare):
    """The server's process; bare, it reads no configuration of the home."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JUPYTER_TOKEN")}
    # New at every start: what is left of an earlier server means nothing to this one.
    environment["JUPYTER_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="jupyter-")
    if bare:
        environment["JUPYTER_CONFIG_DIR"] = environment["JUPYTER_RUNTIME_DIR"]
    # -s: packages in the home are for kernels; they neither break the server nor change it.
    command = [interpreter(), "-s", os.path.abspath(__file__), "serve"]
    return os.posix_spawn(command[0], command, environment, setsigmask=())


def ended(server):
    """The server's exit code once it has one. This is the first process of its pod: it buries them all."""
    code = None
    try:
        while True:
            child, status = os.waitpid(-1, os.WNOHANG)
            if child == server:
                code = os.waitstatus_to_exitcode(status)
            elif child == 0:
                return code
    except ChildProcessError:
        return code


class Watch:
    """When the server was last worked with, by this process's own clock."""

    def __init__(self, token):
        self.token, self.looked, self.last, self.since = token, False, None, time.monotonic()

    def verdict(self):
        """`idle`, `open`, or nothing; a server that does not answer says nothing."""
        try:
            if not self.looked:
                # The server as a stranger meets it: a last look, from outside.
                status, _ = ask("/api/status")
                self.looked = True
                if status not in (401, 403):
                    return "open"
            status, body = ask("/api/status", self.token)
            also, kernels = ask("/api/kernels?no_track_activity=1", self.token)
            if (status, also) != (200, 200):
                return None
            last = json.loads(body)["last_activity"]
            busy = any(kernel["execution_state"] == "busy" for kernel in json.loads(kernels))
        except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException):
            return None
        if busy or last != self.last:
            self.last, self.since = last, time.monotonic()
        return "idle" if IDLE and time.monotonic() - self.since >= IDLE else None


def keep(token, bare):
    """Runs a server to its end: why it ended, and with what."""
    stops = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops | {signal.SIGCHLD})
    server, watch, reason, late = start(bare), Watch(token), None, None
    look = time.monotonic()
    while (code := ended(server)) is None:
        got = signal.sigtimedwait(stops | {signal.SIGCHLD}, max(0, look - time.monotonic()))
        if got and got.si_signo in stops:
            reason, late = reason or "signal", late or time.monotonic() + GRACE
            os.kill(server, signal.SIGTERM)
        now = time.monotonic()
        if now < look:
            continue
        look = now + (TICK if watch.looked and not late else min(TICK, 1))
        if late and now > late:
            os.kill(server, signal.SIGKILL)
        elif not late and (verdict := watch.verdict()):
            reason, late = verdict, time.monotonic() + GRACE
            os.kill(server, signal.SIGTERM)
    return reason or ("early" if code and not watch.looked else "ended"), code


def rest():
    leave(json.dumps({"ended": "idle"}))
    try:
        open(RESTS, "w", encoding="utf-8").close()
    except OSError as error:
        say(f"{RESTS} cannot be written: {error.strerror}")
    return 0


def main():
    if os.path.exists(RESTS):
        return rest()
    token = write_token()
    os.chdir(HOME)
    reason, code = keep(token, bare=False)
    if reason in ("early", "open"):
        # An owner without a server could not repair their home either.
        say("the server did not start as it should: trying without the configuration in ~/.jupyter")
        reason, code = keep(token, bare=True)
    if reason == "open":
        fail("the server answers without its token: this image cannot be used for a workbench")
    if reason == "idle":
        say(f"nobody worked here for {IDLE / 60:g} minutes")
        return rest()
    return code if code >= 0 else 128 - code


def url():
    try:
        print(f"http://127.0.0.1:{PORT}/lab?token={read_token()}")
    except OSError as error:
        print(f"there is no token yet: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    modes = {"": main, "serve": serve, "url": url}
    sys.exit(modes["".join(sys.argv[1:])]())
