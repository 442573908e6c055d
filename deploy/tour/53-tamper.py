# In a notebook: another file in version 2, which was released before. The registry
# knows no users, so it lets everybody of the team do that.
import mlflow
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

with open("/tmp/requirements.txt", "w") as file:
    file.write("something-else\n")
address = mlflow.MlflowClient().get_model_version_download_uri("default-risk", "2")
get_artifact_repository(address).log_artifact("/tmp/requirements.txt")
