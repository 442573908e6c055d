# What ana runs in her notebook. Everything she needs to know is in the environment:
# the connections of her project.
import base64, os
import mlflow, pandas
from feast import FeatureStore

print("settings:", *sorted(name for name in os.environ if name.startswith(("DATASET_", "FEAST_", "MLFLOW_"))))

# The training split of the team's dataset.
split = mlflow.artifacts.download_artifacts(os.environ["DATASET_APPLICATIONS_TRAIN"], dst_path="/tmp/split")
loans = pandas.read_csv(f"{split}/applications.csv")
print("applications:", len(loans))

# The team's feature store, online.
os.makedirs("/tmp/features", exist_ok=True)
with open("/tmp/features/feature_store.yaml", "wb") as file:
    file.write(base64.b64decode(os.environ["FEATURE_STORE_YAML_BASE64"]))
store = FeatureStore("/tmp/features")
known = store.get_online_features(features=["customers:income"], entity_rows=[{"customer": 7}]).to_dict()
print("income of customer 7:", round(known["income"][0]))

# The team's experiments.
mlflow.set_experiment("look")
with mlflow.start_run(run_name="ana"):
    mlflow.log_metric("defaulted", loans.defaulted.mean())
print("runs:", list(mlflow.search_runs(experiment_names=["look"])["metrics.defaulted"].round(2)))

# A file that stays when the server ends.
with open(os.path.expanduser("~/notes.txt"), "w") as file:
    file.write("amounts, months, incomes")
