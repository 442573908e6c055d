//! Records read back: of this program, of older and newer ones, and of the former format.

use super::*;
use crate::api::blueprint::EgressProfile;
use crate::api::engine::PodSecurity;
use crate::api::vocabulary::{Capability, Level};
use crate::plan::Choice;
use crate::plan::roles::rights;

const SPEC: &str = "{blueprint: site, labels: {cost-center: '4711'}, contact: anastasia@example.com, leads: {users: [zoe]},
    members: [{role: MLEngineer, users: [anastasia]}], customers: [{name: checkout, namespaces: [checkout-prod], groups: [devs]}],
    backbone: {egress: [objects]}, shared: {models: {}}, projects: [{name: p, members: [{role: MLEngineer, groups: [bobs]}]}]}";
const SITE: &str = "{archetype: Division, podSecurityVersion: v1.35,
    roles: [{name: DataScientist, live: Use, add: [{layer: Live, right: Pipelines}]}],
    registries: {team: 'r.example.com/${team}/', mirrors: {quay.io: 'r.example.com/quay'}}, images: {scipy: x/y:1},
    egress: [{name: objects, to: [{cidr: 10.0.0.0/8}], ports: [{port: 9000}], env: {A: b}}, {name: web, to: [{cidr: 0.0.0.0/0}]}],
    ingress: {gateway: {namespace: gateways}}, storageClasses: {home: gp3}, sizes: [{name: small}, {name: gpu, requests: {nvidia.com/gpu: 1}}],
    budget: {maximum: {requests: {cpu: 64, nvidia.com/mig: 4}}}}";

fn identity() -> Identity {
    Identity { name: "abc".to_owned(), uid: "u".to_owned() }
}

fn parsed() -> (AITeamSpec, BlueprintSpec) {
    (serde_saphyr::from_str(SPEC).unwrap(), serde_saphyr::from_str(SITE).unwrap())
}

fn record() -> Record {
    let (spec, site) = parsed();
    let mut choices = Choices::default();
    let choice = Choice {
        engine: "mlflow".to_owned(),
        revision: "3".to_owned(),
        ports: vec![5000],
        pod_security: PodSecurity::Baseline,
        ..Choice::default()
    };
    choices.insert("abc--shared", Capability::Models, choice);
    let removed = Retained {
        namespace: "abc--q".to_owned(),
        layer: Layer::Workspace,
        project: Some("q".to_owned()),
        pod_security: PodSecurity::Restricted,
        frozen: false,
        waits: false,
    };
    Record {
        uid: "u".to_owned(),
        namespaces: [("abc--backbone".to_owned(), "1".to_owned())].into(),
        choices,
        removed: vec![removed],
        kinds: [crate::engine::kinds::ObjectKind::new("example.com/v1", "Widget")].into(),
        prefixes: Some(Prefixes { user: "oidc:".to_owned(), group: String::new() }),
        ..Record::of("abc", &spec, &site)
    }
}

fn data(value: &Value) -> BTreeMap<String, String> {
    entry(&value.to_string())
}

fn entry(text: &str) -> BTreeMap<String, String> {
    [(ENTRY.to_owned(), text.to_owned())].into()
}

fn written(record: &Record) -> Value {
    let object = record.desired(&identity()).object;
    serde_json::from_str(object["data"][ENTRY].as_str().unwrap()).unwrap()
}

#[test]
fn a_record_reads_back_and_names_nobody() {
    let record = record();
    let written = record.desired(&identity()).object["data"].to_string();
    for somebody in ["anastasia", "zoe", "bobs", "devs"] {
        assert!(!written.contains(somebody), "{somebody}");
    }
    assert_eq!(Record::read(&serde_json::from_str(&written).unwrap()), Ok(record));
}

#[test]
fn the_guardrails_of_a_team_are_planned_from_its_record() {
    let (team, site) = Record::read(&data(&written(&record()))).unwrap().guarded("abc").unwrap();
    assert_eq!(team.spec.customers[0].namespaces, ["checkout-prod"]);
    assert_eq!(team.spec.labels["cost-center"], "4711");
    assert_eq!(crate::plan::check::allowed_registries("abc", &site), ["r.example.com/abc/", "r.example.com/quay/"]);
    assert_eq!(site.egress.iter().map(|profile| &profile.name).collect::<Vec<_>>(), ["objects"]);
    assert_eq!(site.pod_security_version, "v1.35");
    assert_eq!(site.ingress.unwrap().gateway.unwrap().namespace, "gateways");
    assert_eq!(crate::plan::check::check(&team, &record().guarded("abc").unwrap().1).map_err(|e| e.message), Ok(()));
}

/// The record of an operator that did not write down yet what pods may have.
#[test]
fn any_taint_is_tolerated_while_pod_rules_are_unknown() {
    let mut earlier = written(&record());
    earlier["site"].as_object_mut().unwrap().remove("pods").expect("what pods may have");
    let pods = |record: &Value| Record::read(&data(record)).unwrap().guarded("abc").unwrap().1.pods.unwrap();
    let tolerated = serde_json::to_value(pods(&earlier).tolerations).unwrap();
    assert_eq!(tolerated, json!([{"operator": "Exists"}]));
    assert_eq!(pods(&written(&record())).tolerations, []);
}

/// A program that knows `egress` alone reads a list without ports as all ports.
#[test]
fn ways_that_an_earlier_program_does_not_know_stay_closed_there() {
    let (mut spec, mut site) = parsed();
    spec.backbone = serde_saphyr::from_str("{egress: [objects, names, stores]}").unwrap();
    site.egress.extend(
        serde_saphyr::from_str::<Vec<EgressProfile>>(
            "[{name: names, to: [{cidr: 10.1.0.0/16}], ports: [{port: 53, protocol: UDP}]},
              {name: stores, to: [{namespace: minio, podLabels: {app: minio}}], env: {A: b}}]",
        )
        .unwrap(),
    );
    site.dns = serde_saphyr::from_str("{namespace: openshift-dns, ports: [5353]}").unwrap();
    site.namespaces =
        serde_saphyr::from_str("{labels: {mesh: 'on'}, layers: [{layer: Live, annotations: {a: b}}]}").unwrap();
    let record = Record { uid: "u".to_owned(), ..Record::of("abc", &spec, &site) };
    let text = written(&record);
    let names = |list: &Value| list.as_array().unwrap().iter().map(|way| way["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&text["site"]["egress"]), ["objects"]);
    assert_eq!(names(&text["site"]["ways"]), ["names", "stores"]);
    let read = Record::read(&data(&text)).unwrap();
    assert_eq!(read.site, record.site);
    let (team, guarded) = read.guarded("abc").unwrap();
    assert_eq!(team.spec.backbone.unwrap().egress, ["objects", "names", "stores"]);
    assert_eq!((&guarded.dns, &guarded.namespaces), (&site.dns, &site.namespaces));
    assert_eq!(guarded.egress.len(), 3);
    assert_eq!(guarded.egress_profile("names").unwrap().to, site.egress_profile("names").unwrap().to);
    // Settings are no guardrail.
    assert!(guarded.egress_profile("stores").unwrap().env.is_empty());
}

#[test]
fn what_no_guardrail_needs_leaves_the_record_as_it_is() {
    let (spec, site) = parsed();
    let text = |site: &BlueprintSpec| written(&Record::of("abc", &spec, site));
    let before = text(&site);
    let mut other = site.clone();
    other.images.insert("more".to_owned(), "x/more:1".to_owned());
    other.sizes.retain(|size| size.name != "small");
    other.egress.retain(|profile| profile.name != "web");
    other.engines = serde_saphyr::from_str("{parameters: [{engine: mlflow, values: {image: x}}]}").unwrap();
    assert_eq!(text(&other), before);
    for change in [
        |site: &mut BlueprintSpec| site.pod_security_version = "v1.36".to_owned(),
        |site: &mut BlueprintSpec| site.roles.clear(),
        |site: &mut BlueprintSpec| site.egress.retain(|profile| profile.name != "objects"),
        |site: &mut BlueprintSpec| site.registries = None,
        |site: &mut BlueprintSpec| {
            site.pods = Some(serde_saphyr::from_str("{devices: [example.com/fpga]}").unwrap());
        },
    ] {
        let mut other = site.clone();
        change(&mut other);
        assert_ne!(text(&other), before);
    }
}

#[test]
fn a_newer_record_is_read_as_far_as_it_is_known() {
    let mut newer = written(&record());
    newer["version"] = json!(7);
    newer["moons"] = json!([1, 2]);
    newer["site"]["moons"] = json!({});
    newer["site"]["egress"].as_array_mut().unwrap().push(json!({"name": "far", "blocks": {"moon": true}}));
    newer["team"]["customers"].as_array_mut().unwrap().push(json!({"name": "luna", "namespaces": "all"}));
    let telepathy = json!({"namespace": "abc--shared", "capability": "Telepathy", "engine": "mind", "revision": "9"});
    newer["choices"].as_array_mut().unwrap().push(telepathy.clone());
    newer["rights"]["MLEngineer"]["Live"] = json!(["Dream"]);
    newer["removed"].as_array_mut().unwrap().push(json!({"namespace": "abc--moon", "layer": "Orbit"}));
    let read = Record::read(&data(&newer)).unwrap();
    let old = record();
    assert_eq!(
        (&read.team, &read.site, &read.choices, &read.removed),
        (&old.team, &old.site, &old.choices, &old.removed)
    );
    let table = read.rights.clone().unwrap();
    assert_eq!(table.rights("MLEngineer", Layer::Live), None);
    assert_eq!(table.rights("MLEngineer", Layer::Workspace), Some(rights(&parsed().1, "MLEngineer", Layer::Workspace)));
    assert_eq!(read.engines().into_iter().collect::<Vec<_>>(), ["mind", "mlflow"]);
    // A choice that nobody here can read is there again for whoever can.
    let again = written(&old.with_unread(Some(&read)));
    assert!(again["choices"].as_array().unwrap().contains(&telepathy), "{again}");
}

#[test]
fn the_format_is_read_by_those_who_know_less_of_it() {
    let mut older = written(&record());
    for later in ["site", "prefixes", "rights", "removed", "choices", "team"] {
        older.as_object_mut().unwrap().remove(later);
    }
    let read = Record::read(&data(&older)).unwrap();
    assert_eq!((read.site, read.rights, read.prefixes), (None, None, None), "nothing is guessed");
    assert_eq!(read.uid, "u");
}

#[test]
fn what_says_nothing_is_unreadable_and_no_absence() {
    for broken in [
        BTreeMap::new(),
        entry("{"),
        entry("[]"),
        entry("{}"),
        data(&json!({"version": 1})),
        data(&json!({"version": 1, "uid": "u", "withdrawn": "yes"})),
    ] {
        assert!(matches!(Record::read(&broken), Err(Unread::Damaged(_))), "{broken:?}");
    }
    let newer = data(&json!({"version": 9, "team": "a"}));
    assert!(matches!(Record::read(&newer), Err(Unread::Newer(_))));
    // From where images may come must not be lost on the way.
    let mut opened = written(&record());
    opened["site"]["registries"] = json!([{"mirror": "x"}]);
    assert_eq!(Record::read(&data(&opened)).unwrap().site, None);
}

#[test]
fn the_former_record_is_read() {
    let (mut spec, site) = parsed();
    spec.members.clear();
    let mut site = json!(site);
    site["identity"] = json!({"userPrefix": "oidc:"});
    site["sizes"] = json!({"small": {}, "gpu": {"devices": {"nvidia.com/gpu": 1}}});
    site["egress"] = json!({"objects": {"cidrs": ["10.0.0.0/8"], "ports": [9000]}});
    site["engines"] = json!({"Models": ["mlflow"]});
    site["parameters"] = json!({"mlflow": {"image": "x"}});
    let cell = json!({"role": "DataScientist", "layer": "Live", "level": "Use", "pipelines": true});
    site.as_object_mut().unwrap().remove("roles");
    site["rights"] = json!([cell]);
    site["budget"] = json!({"maximum": {"requests": {"cpu": "64"}, "devices": {"nvidia.com/mig": 4}}});
    let former = json!({
        "uid": "u", "withdrawn": true, "spec": spec, "site": site, "blueprint": {"name": "site", "generation": 4},
        "namespaces": {"abc--backbone": "1"},
        "choices": {"abc--shared": {"Models": {"engine": "mlflow", "revision": "3", "ports": [5000], "podSecurity": "Baseline"}}},
        "removed": [{"namespace": "abc--q", "layer": "Workspace", "project": "q", "podSecurity": "Restricted"}],
    });
    assert_eq!(Record::read(&data(&former)), Ok(Record { withdrawn: true, kinds: BTreeSet::new(), ..record() }));
    // With a word in the Blueprint's part that nobody here knows.
    let mut unknown = former.clone();
    unknown["site"]["archetype"] = json!("Dream");
    let read = Record::read(&data(&unknown)).unwrap();
    assert_eq!((read.site, read.rights), (None, None));
    assert_eq!(read.prefixes.unwrap().user, "oidc:");
    assert_eq!(read.choices, record().choices);
    unknown = former;
    unknown["site"]["rights"] = json!([{"role": "MLEngineer", "layer": ["Live"]}]);
    let read = Record::read(&data(&unknown)).unwrap();
    assert!(read.site.is_some() && read.rights.is_none());
}

#[test]
fn cells_of_the_former_record_keep_their_meaning() {
    let table = |cells: Value| {
        let text = json!({"uid": "u", "spec": {}, "site": {"archetype": "AdHoc", "rights": cells}});
        Record::read(&data(&text)).unwrap().rights.unwrap()
    };
    let cell = |more: Value| {
        let mut cell = json!({"role": "CloudSecurityEngineer", "layer": "Shared"});
        cell.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let rights = table(json!([cell])).rights("CloudSecurityEngineer", Layer::Shared).unwrap();
        (rights.level, rights.guardrails)
    };
    assert_eq!(cell(json!({})), (None, false));
    assert_eq!(cell(json!({"level": "Own"})), (Some(Level::Own), true));
    assert_eq!(cell(json!({"level": "Own", "guardrails": false})), (Some(Level::Own), false));
    let unknown = table(json!([{"role": "MLEngineer", "layer": "Live", "level": "Dream"}]));
    assert_eq!(unknown.rights("MLEngineer", Layer::Live), None, "an unknown word costs its cell alone");
    assert!(unknown.rights("MLEngineer", Layer::Shared).is_some());
}

/// The text that the program wrote which knew devices beside the requests of a budget.
#[test]
fn record_of_an_earlier_form_of_the_api_reads_and_stays() {
    let text = include_str!("../../../tests/records/v1.json");
    let read = Record::read(&entry(text)).unwrap();
    let (team, site) = read.guarded("fraud").unwrap();
    assert_eq!(site.pods.unwrap().devices, ["nvidia.com/gpu", "nvidia.com/mig"]);
    assert_eq!(team.spec.customers[0].namespaces, ["checkout-prod"]);
    // What is written is what that program reads: the same to the byte.
    let again = read.desired(&Identity { name: "fraud".to_owned(), uid: "u".to_owned() }).object;
    assert_eq!(again["data"][ENTRY], text.trim_end());
}
