//! The built-in engines, as teams would use them.

#[path = "deployment_tests.rs"]
mod deployment;

use serde_json::{Value, json};

use super::*;
use crate::api::engine::PodSecurity;
use crate::api::vocabulary::Layer;
use crate::engine::inputs::{
    BlueprintInputs, CredentialsInputs, Inputs, NamespaceInputs, RegistryInputs, StorageClassInputs, TeamInputs,
    TeamNamespaces,
};
use crate::engine::pods::{self, CONTAINERS};
use crate::engine::{RenderedObject, Verdict, objects_input, pod_security};

pub(super) fn inputs(layer: Layer, capabilities: &[Capability], parameters: Value) -> Inputs {
    let namespace = format!("fraud-team--{}", layer.kebab());
    Inputs {
        team: TeamInputs {
            name: "fraud-team".to_owned(),
            r#type: "Applied".to_owned(),
            namespaces: TeamNamespaces {
                backbone: "fraud-team--backbone".to_owned(),
                shared: "fraud-team--shared".to_owned(),
            },
            ..TeamInputs::default()
        },
        project: None,
        namespace: namespace.clone(),
        layer,
        capabilities: capabilities.to_vec(),
        parameters,
        storage: None,
        credentials: None,
        blueprint: BlueprintInputs::default(),
        namespaces: vec![NamespaceInputs { name: namespace, layer, project: None }],
        repository: None,
        work: crate::engine::work::WorkInputs::default(),
    }
}

pub(super) fn builtin(name: &str) -> Arc<CompiledEngine> {
    Catalogue::builtin().get(name).unwrap().compiled.clone().unwrap_or_else(|error| panic!("{error}"))
}

/// Every variant of inputs that a built-in engine is rendered with here.
fn variants() -> Vec<(&'static str, Inputs)> {
    use Capability::{Delivery, Experiments, FeatureStore, Models};
    let mut variants = vec![
        ("mlflow", inputs(Layer::Shared, &[Experiments, Models], json!({}))),
        ("mlflow", inputs(Layer::Shared, &[Models], json!({"hosts": ["ai.example.com"], "workers": 4}))),
        ("mlflow", inputs(Layer::Shared, &[Experiments], json!({"database": "Secret"}))),
        (
            "mlflow",
            inputs(
                Layer::Shared,
                &[Experiments, Models],
                json!({"database": "Secret", "artifactsDestination": "s3://bucket/fraud", "replicas": 3}),
            ),
        ),
        ("feast", inputs(Layer::Shared, &[FeatureStore], json!({}))),
        ("feast", inputs(Layer::Shared, &[FeatureStore], json!({"registry": "Secret", "onlineStore": "Secret"}))),
        ("deployer", inputs(Layer::Backbone, &[Delivery], json!({}))),
        ("external", inputs(Layer::Shared, &[FeatureStore], json!({"url": "https://features.example.com"}))),
        ("jupyterlab", jupyterlab_tests::inputs(false)),
        ("jupyterlab", jupyterlab_tests::inputs(true)),
    ];
    for (index, (_, inputs)) in variants.iter_mut().enumerate() {
        if index % 2 == 1 {
            inputs.storage = Some("20Gi".to_owned());
            inputs.credentials = Some(CredentialsInputs { secret: "store".to_owned() });
            inputs.blueprint.cpu_limits = true;
            inputs.blueprint.storage_classes = StorageClassInputs { home: Some("gp3".to_owned()), shared: None };
            inputs.blueprint.registries =
                RegistryInputs { pull_secrets: vec!["site-pull".to_owned()], ..RegistryInputs::default() };
        }
    }
    variants
}

pub(super) fn find<'a>(objects: &'a [RenderedObject], kind: &str) -> Option<&'a Value> {
    objects.iter().map(|rendered| &rendered.object).find(|object| object["kind"] == kind)
}

#[test]
fn every_built_in_file_is_sound_and_named_after_its_engine() {
    let catalogue = Catalogue::builtin();
    for (name, text) in FILES {
        let engine: Engine = serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(engine.metadata.name.as_deref(), Some(*name));
        let entry = catalogue.get(name).unwrap();
        assert!(entry.compiled.is_ok(), "{:?}", entry.compiled);
        assert_eq!(entry.spec.pod_security, PodSecurity::Restricted);
        assert!(!entry.spec.needs_api_server && !entry.spec.runs_with_own_rights);
    }
    assert_eq!(catalogue.iter().count(), FILES.len());
}

#[test]
fn every_capability_has_a_plain_engine_that_provides_it() {
    for capability in Capability::ALL {
        if let Some(name) = plain(*capability) {
            assert!(builtin(name).provides(*capability), "{name} {capability}");
        }
    }
    let shared = [Capability::Experiments, Capability::FeatureStore, Capability::Training];
    assert!(shared.iter().all(|capability| builtin("external").provides(*capability)));
}

#[test]
fn every_pod_is_restricted_and_says_what_it_takes() {
    for (name, inputs) in variants() {
        let engine = builtin(name);
        let value = inputs.to_value();
        assert_eq!(engine.parameters_valid(&value["parameters"]), Vec::<String>::new());
        for rendered in engine.render(&value).unwrap_or_else(|error| panic!("{error}")) {
            let object = &rendered.object;
            assert_eq!(object["metadata"]["namespace"], value["namespace"]);
            assert_eq!(pod_security::check(object, PodSecurity::Restricted), Ok(()));
            assert!(!object.to_string().contains("${") || object["kind"] == "ConfigMap", "{object}");
            let Some((template, _)) = pods::template(object) else { continue };
            let spec = &template["spec"];
            assert_eq!(spec["automountServiceAccountToken"], false);
            assert_eq!(spec["enableServiceLinks"], false);
            for container in CONTAINERS.iter().flat_map(|list| spec[*list].as_array().into_iter().flatten()) {
                let resources = &container["resources"];
                for pointer in [
                    "/requests/cpu",
                    "/requests/memory",
                    "/requests/ephemeral-storage",
                    "/limits/memory",
                    "/limits/ephemeral-storage",
                ] {
                    assert!(resources.pointer(pointer).is_some(), "{name} {pointer}");
                }
                assert_eq!(resources.pointer("/limits/cpu").is_some(), inputs.blueprint.cpu_limits, "{name}");
                assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
                // What ends by itself has no probes.
                let ends = matches!(object["kind"].as_str(), Some("Job" | "CronJob"));
                let init = ends || spec["initContainers"].as_array().is_some_and(|list| list.contains(container));
                assert!(
                    init || ["startupProbe", "readinessProbe", "livenessProbe"]
                        .iter()
                        .all(|probe| !container[probe].is_null())
                );
            }
            for volume in spec["volumes"].as_array().into_iter().flatten() {
                assert!(volume["emptyDir"].is_null() || !volume["emptyDir"]["sizeLimit"].is_null(), "{volume}");
            }
            mounts_have_volumes(spec);
        }
    }
}

fn mounts_have_volumes(spec: &Value) {
    let names: Vec<&Value> = spec["volumes"].as_array().into_iter().flatten().map(|volume| &volume["name"]).collect();
    for container in CONTAINERS.iter().flat_map(|list| spec[*list].as_array().into_iter().flatten()) {
        for mount in container["volumeMounts"].as_array().into_iter().flatten() {
            assert!(names.contains(&&mount["name"]), "{mount}");
        }
    }
}

#[test]
fn mlflow_by_default_is_one_pod_on_a_volume() {
    let (_, inputs) = variants().swap_remove(0);
    let value = inputs.to_value();
    let engine = builtin("mlflow");
    let objects = engine.render(&value).unwrap();
    let kinds: Vec<_> = objects.iter().map(|rendered| rendered.object["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["ServiceAccount", "PersistentVolumeClaim", "Deployment", "Service"]);
    assert!(objects.iter().all(|rendered| rendered.object["metadata"]["name"] == "mlflow"));
    let claim = &find(&objects, "PersistentVolumeClaim").unwrap()["spec"];
    assert_eq!(claim["resources"]["requests"]["storage"], "10Gi");
    assert!(claim.get("storageClassName").is_none());
    let server = &find(&objects, "Deployment").unwrap()["spec"];
    assert_eq!((&server["replicas"], &server["strategy"]["type"]), (&json!(1), &json!("Recreate")));
    let container = &server["template"]["spec"]["containers"][0];
    let arguments: Vec<_> =
        container["args"].as_array().unwrap().iter().map(|argument| argument.as_str().unwrap()).collect();
    assert!(arguments.contains(&"--workers=1") && arguments.contains(&"--backend-store-uri=sqlite:////data/mlflow.db"));
    assert!(arguments.contains(&"--artifacts-destination=/data/artifacts"));
    let hosts = arguments.iter().find_map(|argument| argument.strip_prefix("--allowed-hosts=")).unwrap();
    for host in [
        "mlflow",
        "mlflow.fraud-team--shared",
        "mlflow.fraud-team--shared.svc",
        "mlflow.fraud-team--shared.svc.cluster.local",
    ] {
        assert!(
            hosts.split(',').any(|each| each == host) && hosts.split(',').any(|each| each == format!("{host}:5000"))
        );
    }
    assert!(container.get("envFrom").is_none());
    let connections = engine.connections(&value).unwrap();
    assert_eq!(connections["MLFLOW_TRACKING_URI"], "http://mlflow.fraud-team--shared.svc:5000");
    assert_eq!(connections["MLFLOW_REGISTRY_URI"], connections["MLFLOW_TRACKING_URI"]);
    assert_eq!(engine.endpoint(&value).unwrap().as_ref(), Some(&connections["MLFLOW_TRACKING_URI"]));
}

#[test]
fn mlflow_on_a_database_and_an_object_store_needs_no_volume() {
    let (_, inputs) = variants().swap_remove(3);
    let objects = builtin("mlflow").render(&inputs.to_value()).unwrap();
    assert!(find(&objects, "PersistentVolumeClaim").is_none());
    let identity = find(&objects, "ServiceAccount").unwrap();
    assert_eq!(identity["imagePullSecrets"], json!([{"name": "site-pull"}]));
    let server = &find(&objects, "Deployment").unwrap()["spec"];
    assert_eq!((&server["replicas"], &server["strategy"]["type"]), (&json!(3), &json!("RollingUpdate")));
    let container = &server["template"]["spec"]["containers"][0];
    assert_eq!(container["envFrom"], json!([{"secretRef": {"name": "store"}}]));
    assert!(!container["args"].to_string().contains("backend-store-uri"));
    assert!(container["args"].to_string().contains("--artifacts-destination=s3://bucket/fraud"));
}

#[test]
fn mlflow_without_its_secret_is_reported() {
    let inputs = inputs(Layer::Shared, &[Capability::Experiments], json!({"database": "Secret"}));
    let verdict = builtin("mlflow").judge(&inputs.with_objects(json!({})));
    assert!(matches!(verdict, Verdict::Failing { reason, .. } if reason == "Invalid"));
}

#[test]
fn mlflow_and_feast_take_one_gibibyte_between_them() {
    let mut requested = 0;
    for (name, capability) in [("mlflow", Capability::Models), ("feast", Capability::FeatureStore)] {
        let objects = builtin(name).render(&inputs(Layer::Shared, &[capability], json!({})).to_value()).unwrap();
        let containers =
            find(&objects, "Deployment").unwrap()["spec"]["template"]["spec"]["containers"].as_array().unwrap().clone();
        for container in containers {
            let memory = container["resources"]["requests"]["memory"].as_str().unwrap().to_owned();
            requested += memory.strip_suffix("Mi").unwrap().parse::<u32>().unwrap();
        }
    }
    assert!(requested <= 1024, "{requested} Mi");
}

#[test]
fn feast_reads_credentials_from_the_environment_alone() {
    let (_, inputs) = variants().swap_remove(5);
    let engine = builtin("feast");
    let objects = engine.render(&inputs.to_value()).unwrap();
    let text = objects[1].object["data"]["feature_store.yaml"].as_str().unwrap();
    let parsed: Value = serde_saphyr::from_str(text).unwrap();
    assert_eq!(
        parsed["registry"],
        json!({"registry_type": "sql", "path": "${FEAST_REGISTRY_URL}", "cache_ttl_seconds": 60})
    );
    assert_eq!(parsed["online_store"], json!({"type": "redis", "connection_string": "${FEAST_REDIS}"}));
    assert_eq!(parsed["project"], "fraud_team");
    assert!(find(&objects, "PersistentVolumeClaim").is_none());
}

#[test]
fn feast_file_and_connections_agree() {
    let (_, inputs) = variants().swap_remove(4);
    let engine = builtin("feast");
    let objects = engine.render(&inputs.to_value()).unwrap();
    let server: Value =
        serde_saphyr::from_str(objects[1].object["data"]["feature_store.yaml"].as_str().unwrap()).unwrap();
    assert_eq!(server["online_store"], json!({"type": "sqlite", "path": "/data/online_store.db"}));
    let file: Value =
        serde_saphyr::from_str(objects[2].object["data"]["feature_store.yaml"].as_str().unwrap()).unwrap();
    assert_eq!(objects[2].object["metadata"]["name"], "feast-client");
    let connections = engine.connections(&inputs.to_value()).unwrap();
    assert_eq!(connections["FEAST_ONLINE_URL"], file["online_store"]["path"]);
    assert_eq!(connections["FEAST_REGISTRY"], file["registry"]["path"]);
    assert_eq!(connections["FEAST_OFFLINE_HOST"], file["offline_store"]["host"]);
    assert_eq!(connections["FEAST_OFFLINE_PORT"], file["offline_store"]["port"].to_string());
    let encoded = &connections["FEATURE_STORE_YAML_BASE64"];
    let expression = format!("string(base64.decode('{encoded}'))");
    let decoded =
        crate::engine::expression::Expression::compile(&expression, &crate::engine::expression::Variables::default())
            .unwrap();
    let decoded = decoded.evaluate(&crate::engine::expression::Scope::new(&json!({}))).unwrap();
    assert_eq!(serde_json::from_str::<Value>(decoded.as_str().unwrap()).unwrap(), file);
}

#[test]
fn what_is_written_is_ready_when_kubernetes_says_so() {
    let (_, inputs) = variants().swap_remove(0);
    let engine = builtin("mlflow");
    let rendered = engine.render(&inputs.to_value()).unwrap();
    let none = engine.judge(&inputs.with_objects(objects_input(&rendered, |_| None)));
    assert_eq!(none, Verdict::waiting("ServiceAccount (identity) does not exist yet"));
    let live = |status: &Value| {
        let objects = objects_input(&rendered, |wanted| {
            let mut live = wanted.object.clone();
            live["metadata"]["generation"] = json!(1);
            match live["kind"].as_str() {
                Some("PersistentVolumeClaim") => live["status"] = json!({"phase": "Bound"}),
                Some("Deployment") => live["status"] = status.clone(),
                _ => {}
            }
            Some(live)
        });
        engine.judge(&inputs.with_objects(objects))
    };
    let ready = json!({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1,
                       "conditions": [{"type": "Available", "status": "True"}]});
    assert_eq!(live(&ready), Verdict::Ready);
    assert!(matches!(live(&json!({})), Verdict::Waiting { .. }));
    let refused = json!({"observedGeneration": 1, "conditions": [
        {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}]});
    assert_eq!(live(&refused), Verdict::failing("FailedCreate", "Deployment mlflow: exceeded quota"));
}

#[test]
fn rendering_is_the_same_every_time() {
    for (name, inputs) in variants() {
        let engine = builtin(name);
        let first = serde_json::to_string(
            &engine.render(&inputs.to_value()).unwrap().iter().map(|o| &o.object).collect::<Vec<_>>(),
        )
        .unwrap();
        for _ in 0..8 {
            let again = engine.render(&inputs.to_value()).unwrap();
            assert_eq!(serde_json::to_string(&again.iter().map(|o| &o.object).collect::<Vec<_>>()).unwrap(), first);
        }
    }
}

#[test]
fn engine_object_replaces_the_built_in_one_of_its_name() {
    let spec = |text: &str| serde_saphyr::from_str::<EngineSpec>(text).unwrap();
    let fixed = spec("{capabilities: [Models], revision: '2'}");
    let broken = spec("{capabilities: [Data], revision: '1', endpoint: '${'}");
    let catalogue = Catalogue::with([("mlflow", &fixed), ("broken", &broken)]);
    let mlflow = catalogue.get("mlflow").unwrap();
    assert_eq!((mlflow.origin, mlflow.spec.revision.as_str()), (Origin::Object, "2"));
    let error = catalogue.get("broken").unwrap().compiled.as_ref().unwrap_err();
    assert_eq!(error.to_string(), "engine broken: endpoint: `${` without its `}`");
    assert!(catalogue.get("feast").unwrap().compiled.is_ok());
    let data = catalogue.iter().filter(|(_, entry)| entry.spec.capabilities.contains(&Capability::Data));
    let names: Vec<_> = data.map(|(name, _)| name).collect();
    assert_eq!(names, ["broken", "external", "references"]);

    let refreshed = catalogue.refreshed([("mlflow", Ok(&fixed))]);
    assert!(Arc::ptr_eq(&refreshed.get("mlflow").unwrap().spec, &mlflow.spec));
    assert!(refreshed.get("broken").is_none());
    assert_eq!(catalogue.refreshed([]).get("mlflow").unwrap().origin, Origin::BuiltIn);
}

#[test]
fn unreadable_engine_does_not_fall_back_to_the_built_in_one() {
    let refreshed = Catalogue::builtin().refreshed([("mlflow", Err("unknown variant `Vectors`"))]);
    let mlflow = refreshed.get("mlflow").unwrap();
    assert_eq!(mlflow.origin, Origin::Object);
    assert_eq!(
        mlflow.compiled.as_ref().unwrap_err().to_string(),
        "engine mlflow: spec: this version of Strata cannot read the Engine: unknown variant `Vectors`"
    );
    assert!(
        refreshed.agrees_on(&Catalogue::builtin(), "feast") && !refreshed.agrees_on(&Catalogue::builtin(), "mlflow")
    );
}

#[test]
fn the_engines_that_come_along_cost_a_fifth_of_what_they_may() {
    use crate::engine::expression::bounds::TOGETHER;
    for (name, entry) in Catalogue::builtin().iter() {
        let cost = entry.compiled.as_ref().unwrap().cost();
        assert!(cost < TOGETHER / 5, "{name}: {cost}");
    }
}
