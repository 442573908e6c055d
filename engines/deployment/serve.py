"""Serves the model that was fetched with mlflow's own scoring server, from its files alone.

With capture, a share of the requests and their answers is written to a
dataset's volume, a file per pod and hour, and deleted when it is as old as it
may become. Serving never waits for that: what cannot be written in time is left
out.
"""
import datetime
import json
import logging
import os
import queue
import random
import re
import sys
import threading
import time

FILES = os.environ.get("MODEL_FILES", "/model/files")
SAYS = os.environ.get("TERMINATION_LOG", "/dev/termination-log")
PORT = int(os.environ.get("PORT", "8080"))
MODEL = os.environ["MODEL_NAME"]
VERSION = os.environ["MODEL_VERSION"]
# How often files that are too old are looked for, in seconds.
LOOK = 3600
# Of larger requests and answers the beginning is kept.
LARGEST = 1 << 20
log = logging.getLogger("uvicorn.error")


def expire(folder, days, today):
    """Deletes the files of all pods whose day is more than so many days ago."""
    for name in os.listdir(folder):
        day = re.fullmatch(r"(\d{4}-\d{2}-\d{2})T\d{2}-.+\.jsonl", name)
        try:
            if day is None or today - datetime.date.fromisoformat(day[1]) <= datetime.timedelta(days=days):
                continue
        except ValueError:
            continue  # The name has no day of the calendar: the file is another's.
        try:
            os.remove(os.path.join(folder, name))
        except FileNotFoundError:
            pass  # Another pod was first.


class Writer(threading.Thread):
    """Appends records to the volume, apart from the server."""

    def __init__(self, folder, pod, days=0):
        super().__init__(name="capture", daemon=True)
        self.folder, self.pod, self.days = folder, pod, days
        self.looked = None
        self.waiting = queue.Queue(maxsize=256)
        self.failing = False

    def add(self, record):
        try:
            self.waiting.put_nowait(record)
        except queue.Full:
            pass

    def clean(self):
        """Deletes what is too old, once an hour."""
        if self.days < 1 or (self.looked is not None and time.monotonic() - self.looked < LOOK):
            return
        self.looked = time.monotonic()
        try:
            expire(self.folder, self.days, datetime.datetime.now(datetime.timezone.utc).date())
        except FileNotFoundError:
            pass  # Nothing was captured yet.
        except (OSError, ValueError) as error:
            log.error("captured requests are not deleted after %s days: %s. Check the dataset's volume", self.days, error)

    def next(self):
        """The next record, or none at the end; what is too old goes meanwhile."""
        while True:
            self.clean()
            try:
                return self.waiting.get(timeout=LOOK)
            except queue.Empty:
                continue

    def run(self):
        while (record := self.next()) is not None:
            try:
                os.makedirs(self.folder, exist_ok=True)
                name = f"{record['time'][:13].replace(':', '')}-{self.pod}.jsonl"
                with open(os.path.join(self.folder, name), "a", encoding="utf-8") as file:
                    file.write(json.dumps(record) + "\n")
                self.failing = False
            except OSError as error:
                if not self.failing:
                    log.error("requests are not captured: %s. Check the space on the dataset's volume", error)
                self.failing = True

    def close(self):
        """What waits is still written, as far as two seconds go."""
        try:
            self.waiting.put(None, timeout=1)
        except queue.Full:
            return
        self.join(timeout=2)


def text(body):
    return body[:LARGEST].decode("utf-8", "replace")


class Capture:
    """Around the server: keeps a share of what passes through."""

    def __init__(self, app, share, writer):
        self.app, self.share, self.writer = app, share, writer

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return self.writer.close()
        if scope["type"] != "http" or scope["path"] != "/invocations" or random.random() >= self.share:
            return await self.app(scope, receive, send)
        asked, answered, status = bytearray(), bytearray(), [0]
        kinds = {}

        async def receiving():
            message = await receive()
            if message["type"] == "http.request" and len(asked) <= LARGEST:
                asked.extend(message.get("body", b"")[: LARGEST + 1])
            return message

        async def sending(message):
            if message["type"] == "http.response.start":
                status[0] = message["status"]
            elif message["type"] == "http.response.body" and len(answered) <= LARGEST:
                answered.extend(message.get("body", b"")[: LARGEST + 1])
            await send(message)

        for name, value in scope["headers"]:
            if name == b"content-type":
                kinds["contentType"] = value.decode("latin-1")
        began = datetime.datetime.now(datetime.timezone.utc)
        try:
            await self.app(scope, receiving, sending)
        finally:
            took = datetime.datetime.now(datetime.timezone.utc) - began
            self.writer.add({
                "time": began.isoformat(timespec="milliseconds"), "model": MODEL, "version": VERSION, **kinds,
                "status": status[0], "milliseconds": round(took.total_seconds() * 1000),
                "request": text(asked), "response": text(answered),
                "truncated": len(asked) > LARGEST or len(answered) > LARGEST,
            })


def fail(words):
    print(words, file=sys.stderr, flush=True)
    try:
        with open(SAYS, "w", encoding="utf-8") as message:
            message.write(words.encode()[:4000].decode(errors="ignore"))
    except OSError:
        pass
    sys.exit(1)


def load():
    from mlflow.pyfunc import scoring_server

    try:
        return scoring_server.init(scoring_server.load_model_with_mlflow_config(FILES))
    except Exception as error:
        logging.exception("the model cannot be loaded")
        words = " ".join(str(error).split())[:500]
        fail(f"version {VERSION} of model {MODEL} cannot be loaded: {type(error).__name__}: {words}. Where the image lacks "
             "what the model needs, build one that has it and name it: spec.image, or the Blueprint's parameter image of engine deployment")


def main():
    import uvicorn

    app = load()
    share = int(os.environ.get("CAPTURE_SAMPLE", "0")) / 100
    if share > 0:
        folder = os.path.join(os.environ["CAPTURE_PATH"], "requests", os.environ["SERVICE_NAME"])
        days = int(os.environ.get("CAPTURE_RETENTION_DAYS", "0"))
        writer = Writer(folder, os.environ.get("HOSTNAME", "pod"), days)
        writer.start()
        app = Capture(app, share, writer)
    # What is under way when the pod ends is still answered.
    uvicorn.run(app, host="0.0.0.0", port=PORT, access_log=False,
                timeout_graceful_shutdown=int(os.environ.get("GRACE", "30")))


if __name__ == "__main__":
    main()
