//! The definitions of the kinds, without a cluster: that the files are what the
//! types say, that nothing in them makes trouble on an API server, and that the
//! rules refuse what they should and accept every example.

mod samples;
#[path = "crd/work.rs"]
mod work;

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use strata::api::Prefixes;
use strata::api::amounts::is_amount;
use strata::api::blueprint::DEFAULT_BLUEPRINT;
use strata::api::crd::definitions;
use strata::api::team::blocks::BLOCKS;
use strata::api::work::WorkKind;
use strata::cli::manifest::{Manifests, errors, generated};
use strata::cli::render::{default_blueprint, render};

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_generated_files_are_not_stale() {
    for definition in definitions() {
        let plural = definition["spec"]["names"]["plural"].as_str().unwrap();
        let path = repository().join(format!("crds/{plural}.yaml"));
        let present = fs::read_to_string(&path).unwrap_or_default();
        assert!(present == generated(&definition), "{} is stale: run `cargo xtask generate`", path.display());
    }
}

#[test]
fn each_kind_is_named_and_shown_as_people_expect() {
    let names: Vec<Value> = definitions().iter().map(|definition| definition["spec"]["names"].clone()).collect();
    assert_eq!(
        names,
        [
            json!({"kind": "AITeam", "plural": "aiteams", "singular": "aiteam", "shortNames": ["ait"], "categories": ["ai"]}),
            json!({"kind": "Blueprint", "plural": "blueprints", "singular": "blueprint", "shortNames": ["bp"], "categories": ["ai"]}),
            json!({"kind": "Engine", "plural": "engines", "singular": "engine", "shortNames": ["eng"], "categories": ["ai"]}),
            json!({"kind": "Component", "plural": "components", "singular": "component", "shortNames": ["comp"], "categories": ["ai"]}),
            json!({"kind": "Dataset", "plural": "datasets", "singular": "dataset", "shortNames": ["dset"], "categories": ["ai"]}),
            json!({"kind": "Workbench", "plural": "workbenches", "singular": "workbench", "shortNames": ["wb"], "categories": ["ai"]}),
            json!({"kind": "Pipeline", "plural": "pipelines", "singular": "pipeline", "shortNames": ["pipe"], "categories": ["ai"]}),
            json!({"kind": "Run", "plural": "runs", "singular": "run", "shortNames": ["run"], "categories": ["ai"]}),
            json!({"kind": "ModelService", "plural": "modelservices", "singular": "modelservice", "shortNames": ["ms"], "categories": ["ai"]}),
        ]
    );
    for definition in definitions() {
        let work_kind = definition["spec"]["names"]["kind"].as_str().and_then(WorkKind::of);
        assert_eq!(definition["spec"]["scope"], if work_kind.is_some() { "Namespaced" } else { "Cluster" });
        let version = &definition["spec"]["versions"][0];
        let mut subresources = json!({"status": {}});
        if work_kind == Some(WorkKind::ModelService) {
            subresources["scale"] = json!({"specReplicasPath": ".spec.replicas.min", "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".status.selector"});
        }
        assert_eq!(version["subresources"], subresources);
        let columns = version["additionalPrinterColumns"].as_array().unwrap();
        for name in ["Ready", "Age"] {
            assert!(columns.iter().any(|column| column["name"] == name), "{work_kind:?} has no column {name}");
        }
        assert!(!version["additionalPrinterColumns"].as_array().unwrap().is_empty());
        let status = &version["schema"]["openAPIV3Schema"]["properties"]["status"];
        assert_eq!(status["default"], json!({"observedGeneration": -1}));
    }
}

/// Calls `visit` with the path and the schema of everything below `schema`.
fn walk(path: &str, schema: &Value, visit: &mut impl FnMut(&str, &Value)) {
    visit(path, schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(&format!("{path}.{name}"), property, visit);
    }
    for (part, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
        if schema[part].is_object() {
            walk(&format!("{path}{mark}"), &schema[part], visit);
        }
    }
}

/// What `complain` says of each place of each schema.
fn complaints(complain: impl Fn(&str, &Value) -> Option<&'static str>) -> Vec<String> {
    let mut found = Vec::new();
    for definition in definitions() {
        let kind = definition["spec"]["names"]["kind"].as_str().unwrap();
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        walk(kind, schema, &mut |path, schema| {
            if let Some(complaint) = complain(path, schema) {
                found.push(format!("{path}: {complaint}"));
            }
        });
    }
    found
}

const NONE: [&str; 0] = [];

#[test]
fn every_field_says_what_it_is() {
    let found = complaints(|path, schema| {
        // The API server describes metadata, and lets nobody else do it.
        let field =
            !path.ends_with(']') && !path.ends_with('}') && !path.contains(".metadata") || path.contains("template");
        (field && schema["description"].as_str().is_none_or(|text| text.len() < 5)).then_some("has no description")
    });
    assert_eq!(found, NONE);
}

#[test]
fn every_word_of_a_closed_set_says_what_it_means() {
    let found = complaints(|_, schema| {
        let words = schema["enum"].as_array()?;
        let text = schema["description"].as_str().unwrap_or_default();
        // An amount of time says itself what it means.
        let amounts = words.iter().all(|word| word.as_str().unwrap().starts_with(|c: char| c.is_ascii_digit()));
        let described = words.len() < 2
            || amounts
            || words.iter().all(|word| text.contains(&format!("{}: ", word.as_str().unwrap())));
        (!described).then_some("does not say what each of its words means")
    });
    assert_eq!(found, NONE);
}

#[test]
fn everything_has_a_bound() {
    let found = complaints(|_, schema| match schema["type"].as_str().unwrap_or("string") {
        "string" if schema["maxLength"].is_null() && schema["enum"].is_null() => Some("a text without maxLength"),
        "array" if schema["maxItems"].is_null() => Some("a list without maxItems"),
        "object" if schema["additionalProperties"].is_object() && schema["maxProperties"].is_null() => {
            Some("a map without maxProperties")
        }
        _ => None,
    });
    assert_eq!(found, NONE);
}

#[test]
fn every_list_says_how_it_is_merged() {
    let found = complaints(|_, schema| {
        let how = schema["x-kubernetes-list-type"].as_str();
        let known = matches!(how, Some("map" | "set" | "atomic"));
        (schema["type"] == "array" && !known).then_some("a list without x-kubernetes-list-type")
    });
    assert_eq!(found, NONE);
}

#[test]
fn nothing_makes_trouble_on_an_api_server() {
    let blocks = BLOCKS.map(|block| format!("AITeam.{block}"));
    let free = [".parameters", ".parameters[].values", ".template", ".template.metadata"];
    let found = complaints(|path, schema| {
        let unknown = schema["x-kubernetes-preserve-unknown-fields"] == true;
        let format = schema["format"].as_str();
        match () {
            () if schema["type"].is_null() && !is_amount(schema) => Some("no type: not structural"),
            () if ["anyOf", "oneOf", "allOf", "not", "$ref"].iter().any(|word| schema.get(*word).is_some()) => {
                Some("a junctor")
            }
            () if schema.get("default") == Some(&Value::Null) => Some("a default of null"),
            () if schema.get("nullable").is_some() && !blocks.contains(&path.to_owned()) => Some("nullable"),
            () if schema.get("nullable").is_none() && blocks.contains(&path.to_owned()) => {
                Some("a block that drops null")
            }
            () if !matches!(format, None | Some("int32" | "int64" | "date-time")) => {
                Some("a format that the API server does not know")
            }
            () if unknown && !free.iter().any(|end| path.ends_with(end)) => {
                Some("unknown fields where a schema is possible")
            }
            () => None,
        }
    });
    assert_eq!(found, NONE);
}

#[test]
fn every_rule_says_what_to_do() {
    let found = complaints(|_, schema| {
        let rules = schema["x-kubernetes-validations"].as_array()?;
        rules
            .iter()
            .any(|rule| rule["message"].as_str().is_none_or(|text| text.len() < 30))
            .then_some("a rule without a message of use")
    });
    assert_eq!(found, NONE);
}

#[test]
fn the_definitions_fit_into_an_annotation() {
    // `kubectl apply` keeps the last object it applied in one, of 256 KiB at most.
    for definition in definitions() {
        assert!(definition.to_string().len() < 200_000, "{}", definition["metadata"]["name"]);
    }
}

#[test]
fn what_is_wrong_is_refused_with_field_and_rule() {
    let cases = samples::refused();
    assert!(cases.len() > 180);
    let mut wrong = Vec::new();
    for case in cases {
        let found = errors(&case.kind, &samples::object(&case.kind, &case.name, &case.spec));
        if !found.iter().any(|text| case.is_reported_by(text)) {
            wrong.push(format!("{}: expected {} {:?}, found {found:?}", case.what, case.field, case.message));
        }
    }
    assert_eq!(wrong, NONE);
}

#[test]
fn every_example_is_accepted_and_rendered() {
    let manifests =
        Manifests::read(&[repository().join("deploy/examples")]).unwrap_or_else(|errors| panic!("{errors:?}"));
    assert_eq!(manifests.skipped, NONE);
    let rendered = render(&manifests, &Prefixes::default());
    assert_eq!(rendered.refused, NONE);
    // The same twice, to the byte.
    assert!(rendered.text == render(&manifests, &Prefixes::default()).text);
    // A problem of an example may be that something is missing, never a mistake.
    let mistakes: Vec<&String> =
        rendered.warnings.iter().filter(|text| !text.ends_with("yet") && !text.contains("no effect yet")).collect();
    assert!(mistakes.is_empty(), "{mistakes:?}");
}

#[test]
fn every_blueprint_that_is_shown_bounds_what_a_namespace_holds() {
    for folder in ["blueprints", "deploy/examples", "deploy/tour"] {
        let files = fs::read_dir(repository().join(folder)).unwrap();
        let texts = files.map(|file| fs::read(file.unwrap().path()).unwrap());
        let texts: Vec<String> = texts.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
        let documents = texts.iter().flat_map(|text| text.split("\n---\n"));
        let blueprints: Vec<&str> = documents.filter(|text| text.contains("\nkind: Blueprint\n")).collect();
        assert!(!blueprints.is_empty(), "{folder}");
        for text in blueprints {
            let blueprint: Value = serde_saphyr::from_str(text).unwrap();
            let bounded = &blueprint["spec"]["limits"]["objects"];
            for kind in WorkKind::ALL {
                assert!(bounded[kind.plural()].is_number(), "{folder} {}: {bounded}", blueprint["metadata"]["name"]);
            }
        }
    }
}

#[test]
fn settings_without_credentials_are_accepted() {
    let env = json!({
        "HTTPS_PROXY": "http://203.0.113.10:3128", "HTTP_PROXY": "http://[2001:db8::1]:3128",
        "NO_PROXY": "10.0.0.0/8,.example.com,localhost", "PIP_INDEX_URL": "https://packages.example.com/simple/?format=json",
        "NPM_CONFIG_REGISTRY": "@scope:registry=https://npm.example.com/a@b/", "GIT_URL": "git@git.example.com:ai/fraud",
        "SSH_URL": "ssh://git@git.example.com/ai/fraud", "LAKE": "abfss://raw@account.dfs.core.windows.net/cards",
        "CONTACT": "platform@example.com", "TOKENIZERS_PARALLELISM": "false", "EXPERIMENTS_SECRET": "mlflow",
        "GOOGLE_APPLICATION_CREDENTIALS": "/etc/site/key.json",
    });
    let blueprint = samples::object("Blueprint", "a", &json!({"egress": [{"name": "a", "env": env}]}));
    assert_eq!(errors("Blueprint", &blueprint), NONE);
}

#[test]
fn a_branch_as_git_names_them_is_accepted() {
    for branch in ["main", "release/1.2", "feature/a-b_c", "v1.2.3", "user@host/x", "fix-#12", "ärger"] {
        let delivery = json!({"repository": "https://git.example.com/a", "branch": branch});
        let mut team = samples::object("AITeam", "acme", &json!({"backbone": {"delivery": delivery}}));
        team["spec"]["blueprint"] = json!("default");
        let found = errors("AITeam", &team);
        assert!(!found.iter().any(|text| text.contains("branch")), "{branch}: {found:?}");
    }
}

#[test]
fn the_minimal_team_has_ten_lines() {
    let text = fs::read_to_string(repository().join("deploy/examples/10-minimal.yaml")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(lines, 10);
}

#[test]
fn the_blueprint_that_comes_along_is_the_file() {
    let file = fs::read_to_string(repository().join("blueprints/default.yaml")).unwrap();
    assert!(DEFAULT_BLUEPRINT == file);
    assert!(default_blueprint().unwrap().budget.is_some());
}
