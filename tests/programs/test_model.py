"""`engines/deployment/model.py`: a model is looked up, downloaded and summed up."""
import json
import os
import pathlib
import sys
import tempfile
import types
import unittest
from unittest import mock

import program


class RestError(Exception):
    def __init__(self, code, text="refused"):
        super().__init__(text)
        self.error_code = code


class ConnectionError_(Exception):
    pass


class Registry:
    """A registry with the model `fraud`, its versions 1, 2 and 10, and one alias."""

    def __init__(self):
        self.files = {"MLmodel": "flavors: {}", "data/weights": "123"}
        self.status = "READY"

    def get_registered_model(self, name):
        if name != "fraud":
            raise RestError("RESOURCE_DOES_NOT_EXIST")
        return types.SimpleNamespace(aliases={"champion": "2"})

    def search_model_versions(self, _filter, max_results):
        return [types.SimpleNamespace(version=version) for version in ("10", "2", "1")][:max_results]

    def get_model_version(self, _name, version):
        if version not in ("1", "2", "10"):
            raise RestError("RESOURCE_DOES_NOT_EXIST")
        return types.SimpleNamespace(version=version, status=self.status)

    def download_artifacts(self, artifact_uri, dst_path):
        self.downloaded = artifact_uri
        for path, text in self.files.items():
            file = pathlib.Path(dst_path, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return dst_path


class Model(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.registry = Registry()
        errors = program.stub("mlflow.exceptions", RestException=RestError, MlflowException=ConnectionError_)
        mlflow = program.stub(
            "mlflow",
            exceptions=errors,
            artifacts=self.registry,
            MlflowClient=lambda: self.registry,
            set_tracking_uri=lambda _: None,
            set_registry_uri=lambda _: None,
        )
        patch = mock.patch.dict(sys.modules, {"mlflow": mlflow, "mlflow.exceptions": errors})
        patch.start()
        self.addCleanup(patch.stop)

    def model(self, **environment):
        """The program, with the model `fraud` and what else is asked for."""
        defaults = {
            "MODEL_FILES": str(self.folder / "files"),
            "TERMINATION_LOG": str(self.folder / "said"),
            "MODEL_NAME": "fraud",
            "MLFLOW_REGISTRY_URI": "http://ana:secret@mlflow.fraud--shared.svc:5000",
        }
        return program.load("deployment/model.py", {**defaults, **environment})

    def said(self):
        return (self.folder / "said").read_text(encoding="utf-8")

    def fails(self, action, code=1):
        """What the program says of its failure."""
        with mock.patch("sys.stderr"), self.assertRaises(SystemExit) as left:
            action()
        self.assertEqual(left.exception.code, code)
        return self.said()

    def released(self, **environment):
        with mock.patch("builtins.print"):
            self.model(**environment).release()
        return json.loads(self.said())

    def test_an_alias_is_released_by_its_number(self):
        released = self.released(MODEL_ALIAS="champion")
        self.assertEqual(released["version"], "2")
        self.assertEqual(self.registry.downloaded, "models:/fraud/2")
        self.assertRegex(released["digest"], "^sha256:[0-9a-f]{64}$")

    def test_the_same_files_have_one_digest_and_others_another(self):
        first = self.released(MODEL_VERSION="1")["digest"]
        self.registry.files = dict(reversed(self.registry.files.items()))
        self.assertEqual(self.released(MODEL_VERSION="1")["digest"], first)
        self.registry.files["data/weights"] = "124"
        self.assertNotEqual(self.released(MODEL_VERSION="1")["digest"], first)

    def test_the_digest_is_that_of_sha256sum(self):
        """So that anybody can repeat it with a shell."""
        digest = self.released(MODEL_VERSION="1")["digest"]
        command = "find . -type f -printf '%P\\n' | LC_ALL=C sort | xargs sha256sum | sha256sum"
        said = os.popen(f"cd {self.folder}/files && {command}").read()
        self.assertEqual(digest, "sha256:" + said.split()[0])

    def test_what_the_client_adds_is_no_file_of_the_model(self):
        digest = self.released(MODEL_VERSION="1")["digest"]
        self.registry.files["registered_model_meta"] = "model_version: 1"
        self.assertEqual(self.released(MODEL_VERSION="1")["digest"], digest)

    def test_what_was_released_is_fetched_and_nothing_else(self):
        digest = self.released(MODEL_VERSION="1")["digest"]
        expected = {"MODEL_VERSION": "1", "EXPECTED_DIGEST": digest}
        with mock.patch.dict(os.environ, expected), mock.patch("builtins.print"):
            self.model(**expected).fetch()
        self.registry.files["MLmodel"] = "flavors: {python_function: {}}"
        with mock.patch.dict(os.environ, expected):
            said = self.fails(self.model(**expected).fetch)
        self.assertIn("is not what was released", said)
        self.assertFalse((self.folder / "files").exists())

    def test_a_missing_version_is_reported_with_the_existing_ones(self):
        said = self.fails(self.model(MODEL_VERSION="3").release)
        self.assertIn("model fraud has no version 3 (it has: 1, 2, 10)", said)

    def test_a_missing_alias_and_a_missing_model_are_reported(self):
        self.assertIn("(it has: champion)", self.fails(self.model(MODEL_ALIAS="best").release))
        self.assertIn("no model cards", self.fails(self.model(MODEL_NAME="cards", MODEL_VERSION="1").release))

    def test_a_link_is_no_file_of_a_model(self):
        model = self.model(MODEL_VERSION="1")
        folder = self.folder / "linked"
        folder.mkdir()
        (folder / "weights").symlink_to("/etc/passwd")
        self.assertIn("is no plain file", self.fails(lambda: model.digest(str(folder))))

    def test_what_is_no_model_of_mlflow_is_not_released(self):
        del self.registry.files["MLmodel"]
        self.assertIn("has no file MLmodel", self.fails(self.model(MODEL_VERSION="1").release))

    def test_a_version_that_is_not_ready_is_not_released(self):
        self.registry.status = "PENDING_REGISTRATION"
        self.assertIn("is PENDING_REGISTRATION", self.fails(self.model(MODEL_VERSION="1").release))

    def test_a_registry_that_does_not_answer_is_tried_again(self):
        def refuse(_):
            raise ConnectionError_("Max retries exceeded (Caused by NewConnectionError: connection refused)")

        self.registry.get_registered_model = refuse
        said = self.fails(self.model(MODEL_VERSION="1").release, code=75)
        self.assertIn("connection refused", said)
        self.assertNotIn("secret", said)

    def test_a_registry_that_refuses_is_not_tried_again(self):
        def refuse(_):
            raise RestError("PERMISSION_DENIED", "not yours")

        self.registry.get_registered_model = refuse
        self.assertIn("refuses: not yours", self.fails(self.model(MODEL_VERSION="1").release))

    def test_a_team_without_a_registry_is_reported(self):
        model = self.model(MLFLOW_REGISTRY_URI="", MLFLOW_TRACKING_URI="", MODEL_VERSION="1")
        self.assertIn("the team has no model registry", self.fails(model.release))

    def test_a_long_message_is_cut_between_characters(self):
        model = self.model()
        model.say("ä" * 4000)
        self.assertEqual(self.said(), "ä" * 2000)
