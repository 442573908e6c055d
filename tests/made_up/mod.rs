//! Teams and Blueprints, made up at random: everything that the kinds allow,
//! and mostly within what one can be planned with.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use strata::api::Quantity;
use strata::api::blueprint::{Addition, Archetype, BlueprintSpec, Cell, Role};
use strata::api::roles::BUILTIN;
use strata::api::team::{
    AITeam, AITeamSpec, Backbone, CapabilityBlock, Customer, Delivery, Live, Member, Project, ResourceList, Resources,
    Shared, Subjects, TeamType, Workspace,
};
use strata::api::vocabulary::{AddedRight, Layer};

/// Names that could collide if any could.
pub fn name_of_few_letters() -> BoxedStrategy<String> {
    "[ab]{1,3}(-[ab]{1,2}){0,2}"
        .prop_filter("reserved", |name| !["backbone", "shared", "live"].contains(&name.as_str()))
        .boxed()
}

/// A team that the API server would take.
pub fn team() -> BoxedStrategy<AITeam> {
    ("[a-z][a-z0-9]{2,8}(-[a-z0-9]{1,6})?", any::<u64>(), spec())
        .prop_map(|(name, uid, spec)| {
            let name = if name == "shared" || name == "backbone" { "other".to_owned() } else { name };
            let mut team = AITeam::new(&name, spec);
            team.metadata.uid = Some(format!("uid-{uid:x}"));
            team
        })
        .boxed()
}

fn spec() -> BoxedStrategy<AITeamSpec> {
    let who = (members(), of(subjects()), vec(customer(), 0..3));
    let what = (of(budget()), of(backbone()), of(shared()), projects());
    let kind = select(vec![TeamType::Infrastructure, TeamType::Applied, TeamType::Research]);
    let labels = btree_map(select(vec!["cost-center".to_owned(), "env".to_owned()]), "[a-z0-9]{1,8}", 0..3);
    (who, what, kind, labels)
        .prop_map(|((members, leads, customers), (budget, backbone, shared, projects), type_, labels)| {
            let mut seen = Vec::new();
            let customers = customers.into_iter().filter(|customer| {
                let fresh = !seen.contains(&customer.name);
                seen.push(customer.name.clone());
                fresh
            });
            AITeamSpec {
                type_,
                blueprint: "default".to_owned(),
                labels,
                leads,
                members,
                customers: customers.collect(),
                budget,
                backbone,
                shared,
                projects,
                ..AITeamSpec::default()
            }
        })
        .boxed()
}

fn subject_name() -> BoxedStrategy<String> {
    prop_oneof!["[a-z]{1,8}", "[a-z]{1,6}@example[.]com", "[A-Z ]{1,3}[a-zäöü:/-]{1,6}"].boxed()
}

fn subjects() -> BoxedStrategy<Subjects> {
    (btree_set(subject_name(), 0..3), btree_set(subject_name(), 1..3))
        .prop_map(|(groups, users)| Subjects {
            groups: groups.into_iter().collect(),
            users: users.into_iter().collect(),
        })
        .boxed()
}

/// Built-in roles, one that some sites have, and one that nobody defined.
fn role_name() -> BoxedStrategy<String> {
    let names = BUILTIN.iter().map(|role| role.name).chain(["Analyst", "Wizard"]);
    select(names.map(str::to_owned).collect::<Vec<_>>()).boxed()
}

fn members() -> BoxedStrategy<Vec<Member>> {
    btree_map(role_name(), subjects(), 0..6)
        .prop_map(|members| {
            let member = |(role, Subjects { groups, users })| Member { role, groups, users };
            members.into_iter().map(member).collect()
        })
        .boxed()
}

fn customer() -> BoxedStrategy<Customer> {
    (name_of_few_letters(), btree_set("[a-z]{2,6}-prod", 0..3), btree_set(subject_name(), 0..2))
        .prop_map(|(name, namespaces, groups)| Customer {
            name,
            namespaces: namespaces.into_iter().collect(),
            groups: groups.into_iter().collect(),
        })
        .boxed()
}

fn compute(cpu: i64, memory: i64) -> BoxedStrategy<ResourceList> {
    let list = |(cpu, memory): (Option<i64>, Option<i64>)| {
        let cpu = cpu.map(|cpu| ("cpu".to_owned(), amount(cpu * 250, "m")));
        let memory = memory.map(|memory| ("memory".to_owned(), amount(memory * 300, "Mi")));
        cpu.into_iter().chain(memory).collect()
    };
    (of(1..=cpu), of(1..=memory)).prop_map(list).boxed()
}

/// An amount, as a number where its unit allows that.
fn amount(number: i64, unit: &str) -> Quantity {
    if unit == "m" && number % 1000 == 0 {
        return Quantity::Number(number / 1000);
    }
    Quantity::Text(format!("{number}{unit}"))
}

fn resources(cpu: i64, memory: i64, storage: i64, devices: i64) -> BoxedStrategy<Resources> {
    let devices = btree_map(select(vec!["nvidia.com/gpu".to_owned()]), (0..=devices).prop_map(Quantity::Number), 0..2);
    let storage = of((1..=storage).prop_map(|size| ("storage".to_owned(), amount(size, "Gi"))));
    (compute(cpu, memory), storage, devices)
        .prop_map(|(mut requests, storage, devices)| {
            requests.extend(storage.into_iter().chain(devices));
            Resources { requests, limits: ResourceList::new() }
        })
        .boxed()
}

fn budget() -> BoxedStrategy<Resources> {
    (resources(400, 2000, 4000, 16), compute(800, 4000))
        .prop_map(|(resources, limits)| Resources { limits, ..resources })
        .boxed()
}

fn share() -> BoxedStrategy<Resources> {
    resources(2, 4, 20, 0).boxed()
}

fn block() -> BoxedStrategy<CapabilityBlock> {
    (of(any::<bool>()), of(1_i64..40))
        .prop_map(|(enabled, storage)| CapabilityBlock {
            enabled,
            storage: storage.map(|size| amount(size, "Gi")),
            ..CapabilityBlock::default()
        })
        .boxed()
}

fn backbone() -> BoxedStrategy<Backbone> {
    let egress = btree_set(select(vec!["packages".to_owned(), "everything".to_owned(), "objects".to_owned()]), 0..3);
    let delivery = of(any::<bool>().prop_map(|manages_team| Delivery {
        repository: Some("https://git.example.com/a/b".to_owned()),
        manages_team,
        ..Delivery::default()
    }));
    (egress, delivery, of(block()), of(block()), of(share()))
        .prop_map(|(egress, delivery, secrets, metrics, share)| Backbone {
            egress: egress.into_iter().collect(),
            delivery,
            secrets,
            metrics,
            share,
            ..Backbone::default()
        })
        .boxed()
}

fn shared() -> BoxedStrategy<Shared> {
    let blocks = (of(block()), of(block()), of(block()), of(block()), of(block()), of(block()));
    (blocks, of(share()))
        .prop_map(|((experiments, models, feature_store, pipelines, datasets, training), share)| Shared {
            experiments,
            models,
            feature_store,
            pipelines,
            datasets,
            training,
            share,
            ..Shared::default()
        })
        .boxed()
}

fn projects() -> BoxedStrategy<Vec<Project>> {
    btree_map(name_of_few_letters(), project(), 0..5)
        .prop_map(|projects| projects.into_iter().map(|(name, project)| Project { name, ..project }).collect())
        .boxed()
}

/// A project; its name is given to it by others.
pub fn project() -> BoxedStrategy<Project> {
    let workspace = (of(share()), of(0..5)).prop_map(|(share, weight)| Workspace { share, weight });
    let live = (of(share()), of(0..5)).prop_map(|(share, weight)| Live { share, weight });
    (members(), of(workspace), of(live))
        .prop_map(|(members, workspace, live)| Project {
            name: "p".to_owned(),
            purpose: None,
            priority: strata::api::team::Priority::default(),
            members,
            workspace,
            uses: Vec::new(),
            live,
        })
        .boxed()
}

/// A Blueprint whose profiles and labels are those that teams are made up with.
pub fn blueprint() -> BoxedStrategy<BlueprintSpec> {
    let archetype = select(vec![
        Archetype::AdHoc,
        Archetype::Research,
        Archetype::ProductEmbedded,
        Archetype::Division,
        Archetype::MLFirst,
    ]);
    let levels = select(vec![Cell::None, Cell::View, Cell::Use, Cell::Contribute, Cell::Own]);
    let roles = btree_map(
        role_name(),
        ([of(levels.clone()), of(levels.clone()), of(levels.clone()), of(levels)], any::<bool>()),
        0..4,
    );
    (archetype, roles, any::<[bool; 5]>()).prop_map(|(archetype, roles, set)| {
        let when = |set: bool, value: serde_json::Value| if set { value } else { serde_json::Value::Null };
        let mut site: BTreeMap<&str, serde_json::Value> = BTreeMap::from([
            ("labels", json!({"allowed": ["cost-center", "env"]})),
            (
                "egress",
                json!([
                    {"name": "packages", "to": [{"cidr": "203.0.113.0/24"}], "ports": [{"port": 443}], "env": {"HTTPS_PROXY": "http://203.0.113.1"}},
                    {"name": "everything", "to": [{"cidr": "0.0.0.0/0"}, {"cidr": "::/0"}]},
                    {"name": "objects", "to": [{"namespace": "minio", "podLabels": {"app": "minio"}}]},
                ]),
            ),
            (
                "registries",
                when(set[0], json!({"team": "r.example/${team}/", "mirrors": {"quay.io": "r.example/quay"}, "pullSecrets": ["p"]})),
            ),
            ("trustBundle", when(set[1], json!({"configMap": "site-ca"}))),
            ("ingress", when(set[2], json!({"metrics": {"namespace": "monitoring"}, "gateway": {"namespace": "gateways"}}))),
            ("serviceAccounts", when(set[3], json!({"annotations": {"role": "${team}/${project}/${identity}"}}))),
            ("budget", when(set[4], json!({"default": {"requests": {"cpu": "16", "memory": "64Gi"}}, "cpuLimits": true}))),
        ]);
        site.retain(|_, value| !value.is_null());
        let mut blueprint: BlueprintSpec = serde_json::from_value(json!(site)).unwrap();
        blueprint.archetype = archetype;
        let role = |(name, ([backbone, shared, workspace, live], more)): (String, ([Option<Cell>; 4], bool))| {
            let guardrails = Addition { layer: Layer::Live, right: AddedRight::Guardrails };
            let add = if more { vec![guardrails] } else { Vec::new() };
            Role { name, backbone, shared, workspace, live, add }
        };
        blueprint.roles = roles.into_iter().map(role).collect();
        blueprint
    })
    .boxed()
}
