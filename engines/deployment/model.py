"""Releases a model, or fetches what was released. Neither loads it: loading can run code.

`release` looks the version up, downloads its files, sums them up and reports both.
`fetch` downloads the same version once more and refuses files that add up to
anything else than what was reported then.
"""
import hashlib
import json
import os
import re
import shutil
import stat
import sys

FILES = os.environ.get("MODEL_FILES", "/model/files")
SAYS = os.environ.get("TERMINATION_LOG", "/dev/termination-log")
MODEL = os.environ["MODEL_NAME"]
VERSION = os.environ.get("MODEL_VERSION", "")
ALIAS = os.environ.get("MODEL_ALIAS", "")
REGISTRY = os.environ.get("MLFLOW_REGISTRY_URI") or os.environ.get("MLFLOW_TRACKING_URI") or ""
# The registry's client writes it beside the files that it downloads: no file of
# the model, and another client may write it differently.
NOT_THE_MODELS = "registered_model_meta"
# What passes by itself ends with this code: the Job tries again.
PASSES = 75


def say(text):
    with open(SAYS, "w", encoding="utf-8") as message:
        message.write(text.encode()[:4000].decode(errors="ignore"))


def fail(text, code=1):
    print(text, file=sys.stderr, flush=True)
    say(text)
    sys.exit(code)


def words(error):
    """What the error says, in short: of a connection that failed, why it did."""
    text = " ".join(str(error).split())
    if cause := re.search(r"Caused by .*?: (.*)", text):
        text = cause[1].rstrip(")").strip("\"'")
    # Addresses may carry a user and a password.
    return re.sub(r"//[^/@\s]*@", "//", text)[:500] or type(error).__name__


def connect():
    if not REGISTRY:
        fail("the team has no model registry: its AITeam must ask for shared.models")
    import mlflow

    mlflow.set_tracking_uri(os.environ.get("MLFLOW_TRACKING_URI") or REGISTRY)
    mlflow.set_registry_uri(REGISTRY)
    return mlflow


def ask(question, missing):
    """The answer of the registry; what `missing` says where it knows of no such thing."""
    from mlflow.exceptions import MlflowException, RestException

    address = words(REGISTRY)
    try:
        return question()
    except RestException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            fail(missing())
        if error.error_code in ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED"):
            fail(f"the registry at {address} fails: {words(error)}. See its log", PASSES)
        fail(f"the registry at {address} refuses: {words(error)}. Check that its credentials let this project read")
    except MlflowException as error:
        fail(f"the registry at {address} does not answer as it should: {words(error)}. "
             "Check that it is ready, and that the network lets this project reach it", PASSES)


def look_up(mlflow):
    """The version that is asked for, by its number."""
    client = mlflow.MlflowClient()
    model = ask(
        lambda: client.get_registered_model(MODEL),
        lambda: f"the registry has no model {MODEL}: register it, or fix spec.model.name",
    )
    version = VERSION
    if not version:
        aliases = ", ".join(sorted(model.aliases)) or "none"
        if ALIAS not in model.aliases:
            fail(f"model {MODEL} has no alias {ALIAS} (it has: {aliases}): set it in the registry, "
                 "or name another alias or a version in spec.model")
        version = str(model.aliases[ALIAS])

    def missing():
        known = client.search_model_versions("name='" + MODEL.replace("'", "") + "'", max_results=100)
        known = ", ".join(sorted((str(one.version) for one in known), key=lambda one: (len(one), one))[-20:]) or "none"
        return (f"model {MODEL} has no version {version} (it has: {known}): register it, "
                "or name another in spec.model.version")

    found = ask(lambda: client.get_model_version(MODEL, version), missing)
    if found.status != "READY":
        fail(f"version {version} of model {MODEL} is {found.status} in the registry: "
             "finish registering it, or release another version")
    if str(found.version) != version:
        fail(f"the registry calls version {version} of model {MODEL} {found.version}: write that in spec.model.version")
    return version


def download(mlflow, version):
    """Puts the version's files into the folder, and nothing else."""
    shutil.rmtree(FILES, ignore_errors=True)
    os.makedirs(FILES)
    try:
        folder = mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{MODEL}/{version}", dst_path=FILES)
    except Exception as error:
        if "No space left" in str(error):
            fail(f"the files of version {version} of model {MODEL} do not fit: name a size with more ephemeral storage in spec.size")
        fail(f"the files of version {version} of model {MODEL} could not be downloaded: {words(error)}. "
             "Check that they are still where the registry says, and that the network lets this project reach them", PASSES)
    if os.path.realpath(folder) != os.path.realpath(FILES):
        fail(f"version {version} of model {MODEL} came down as {folder} instead of a folder of files: log it again")
    meta = os.path.join(FILES, NOT_THE_MODELS)
    if os.path.lexists(meta):
        os.remove(meta)
    if not os.path.isfile(os.path.join(FILES, "MLmodel")):
        fail(f"version {version} of model {MODEL} has no file MLmodel, so that mlflow cannot serve it: "
             "log it as an mlflow model, or build an image of your own and name it in spec.image")


def digest(folder):
    """sha256 over the lines `<sha256>  <path>`, sorted by the bytes of the path."""
    folder = os.fsencode(folder)
    sums = []
    for place, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(place, name)
            shown = os.path.relpath(path, folder)
            mode = os.lstat(path).st_mode
            if stat.S_ISDIR(mode):
                continue
            # A link could lead out of the folder, to what nobody summed up.
            if not stat.S_ISREG(mode) or b"\n" in shown:
                fail(f"{os.fsdecode(shown)!r} of model {MODEL} is no plain file: "
                     "log the model again without links, and with ordinary names")
            with open(path, "rb") as file:
                sums.append((shown, of_file(file)))
    total = hashlib.sha256()
    for shown, sum_of_file in sorted(sums):
        total.update(sum_of_file.encode() + b"  " + shown + b"\n")
    return "sha256:" + total.hexdigest()


def of_file(file):
    total = hashlib.sha256()
    while block := file.read(1 << 20):
        total.update(block)
    return total.hexdigest()


def release():
    mlflow = connect()
    version = look_up(mlflow)
    download(mlflow, version)
    said = json.dumps({"version": version, "digest": digest(FILES)})
    print(said, flush=True)
    say(said)


def fetch():
    expected = os.environ["EXPECTED_DIGEST"]
    mlflow = connect()
    download(mlflow, VERSION)
    found = digest(FILES)
    if found != expected:
        shutil.rmtree(FILES, ignore_errors=True)
        fail(f"version {VERSION} of model {MODEL} is not what was released: its files add up to {found}, "
             f"and were {expected}. Somebody changed them in the registry: register a new version and release that")
    print(f"version {VERSION} of model {MODEL} is what was released: {found}", flush=True)


if __name__ == "__main__":
    try:
        {"release": release, "fetch": fetch}[sys.argv[1]]()
    except SystemExit:
        raise
    except Exception as error:
        fail(f"the release failed unexpectedly: {type(error).__name__}: {words(error)}", PASSES)
