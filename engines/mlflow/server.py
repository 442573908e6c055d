import os, subprocess, sys

class Become(subprocess.Popen):
    def __init__(self, command, *others, env=None, **more):
        if isinstance(command, list) and "uvicorn" in command:
            sys.stdout.flush()
            os.execve(command[0], command, env or os.environ)
        super().__init__(command, *others, env=env, **more)

subprocess.Popen = Become
from mlflow.cli import cli

cli(prog_name="mlflow")
