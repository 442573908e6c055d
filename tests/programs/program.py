"""Loads a program of an engine as a module, in an environment made for a test."""
import contextlib
import importlib.util
import os
import pathlib
import sys
import types
from unittest import mock

ENGINES = pathlib.Path(__file__).parents[2] / "engines"


def load(path, environment=None, modules=None, arguments=()):
    """`engines/<path>`, imported anew; it meets these variables, modules and arguments."""
    file = ENGINES / path
    spec = importlib.util.spec_from_file_location(path.replace("/", "_").removesuffix(".py"), file)
    module = importlib.util.module_from_spec(spec)
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ, environment or {}))
        stack.enter_context(mock.patch.dict(sys.modules, modules or {}))
        stack.enter_context(mock.patch.object(sys, "argv", [str(file), *arguments]))
        spec.loader.exec_module(module)
    return module


def stub(name, **content):
    """A module of this name that has this in it."""
    module = types.ModuleType(name)
    module.__dict__.update(content)
    return module
