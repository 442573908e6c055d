//! Access to namespaces of teams beside that of AITeams: people and groups that a
//! ClusterRoleBinding lets read Secrets or write everywhere.
//!
//! It listens to the watches of both kinds and keeps only what it reports: what a role
//! allows, and the role and first subject of a binding. Everything else is dropped at
//! once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kube::runtime::watcher;
use serde_json::Value;
use tokio::sync::Notify;

use super::Lean;

/// How many bindings are named, and how many of those that one names.
const NAMED: usize = 5;
const SUBJECTS: usize = 2;

/// Groups of Kubernetes that contain everybody or every pod; all other `system:*` groups
/// are parts of the control plane.
const EVERYBODY: [&str; 3] = ["system:authenticated", "system:serviceaccounts", "system:unauthenticated"];

/// The resources in namespaces of teams, by group.
const INSIDE: [(&str, &[&str]); 9] = [
    (
        "",
        &[
            "configmaps",
            "persistentvolumeclaims",
            "pods",
            "pods/attach",
            "pods/ephemeralcontainers",
            "pods/exec",
            "pods/portforward",
            "replicationcontrollers",
            "secrets",
            "serviceaccounts",
            "serviceaccounts/token",
            "services",
        ],
    ),
    ("apps", &["daemonsets", "deployments", "replicasets", "statefulsets"]),
    ("autoscaling", &["horizontalpodautoscalers"]),
    ("batch", &["cronjobs", "jobs"]),
    ("networking.k8s.io", &["ingresses", "networkpolicies"]),
    ("policy", &["poddisruptionbudgets"]),
    ("rbac.authorization.k8s.io", &["rolebindings", "roles"]),
    ("strata-operator.dev", &["components", "datasets", "modelservices", "pipelines", "runs", "workbenches"]),
    ("gateway.networking.k8s.io", &["httproutes"]),
];
const READ: [&str; 3] = ["get", "list", "watch"];
const WRITE: [&str; 5] = ["create", "delete", "deletecollection", "patch", "update"];

/// The relevant rights of a role that is bound in the whole cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lets {
    read_secrets: bool,
    write: bool,
}

impl Lets {
    fn of(role: &Value) -> Self {
        let rules = role["rules"].as_array().into_iter().flatten();
        rules.fold(Self::default(), |lets, rule| Self {
            read_secrets: lets.read_secrets || grants(rule, "", &["secrets"], &READ),
            write: lets.write || INSIDE.iter().any(|(group, resources)| grants(rule, group, resources, &WRITE)),
        })
    }

    const fn words(self) -> Option<&'static str> {
        match (self.read_secrets, self.write) {
            (false, false) => None,
            (true, false) => Some("reads Secrets"),
            (false, true) => Some("writes"),
            (true, true) => Some("reads Secrets and writes"),
        }
    }
}

/// Whether a rule grants one of the verbs on one of the resources.
fn grants(rule: &Value, group: &str, resources: &[&str], verbs: &[&str]) -> bool {
    let names = |field: &str, wanted: &[&str]| {
        let given = rule[field].as_array().into_iter().flatten().filter_map(Value::as_str);
        given.into_iter().any(|name| name == "*" || wanted.contains(&name))
    };
    names("apiGroups", &[group]) && names("verbs", verbs) && names("resources", resources)
}

/// A binding that names people.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Binding {
    role: String,
    named: Vec<String>,
    count: usize,
}

impl Binding {
    fn of(binding: &Value) -> Option<Self> {
        let subjects = binding["subjects"].as_array().into_iter().flatten();
        let people: Vec<String> = subjects.filter_map(person).collect();
        let role = binding["roleRef"]["name"].as_str()?.to_owned();
        let count = people.len();
        (count > 0).then(|| Self { role, named: people.into_iter().take(SUBJECTS).collect(), count })
    }

    fn words(&self, name: &str, lets: &str) -> String {
        let rest = self.count - self.named.len();
        let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        format!("{name} ({}{more} by ClusterRole {}: {lets})", self.named.join(", "), self.role)
    }
}

/// A person, or a group of people.
fn person(subject: &Value) -> Option<String> {
    let (kind, name) = (subject["kind"].as_str()?, subject["name"].as_str()?);
    let is_person = matches!(kind, "User" | "Group");
    let of_system = name.starts_with("system:") && !(kind == "Group" && EVERYBODY.contains(&name));
    (is_person && !of_system).then(|| format!("{} {name}", kind.to_lowercase()))
}

#[derive(Default)]
struct Known {
    bindings: BTreeMap<String, Binding>,
    roles: BTreeMap<String, Lets>,
    /// The names of a running list so far.
    listed: [BTreeSet<String>; 2],
    report: String,
}

/// Their state.
#[derive(Default)]
pub struct Outsiders {
    known: Mutex<Known>,
    /// Notified when what is reported of them may have changed.
    pub changed: Notify,
}

impl Outsiders {
    /// Takes what a watch of `ClusterRole` or `ClusterRoleBinding` says.
    pub(super) fn take(&self, kind: &str, event: &watcher::Event<Lean>) {
        let is_role = match kind {
            "ClusterRole" => true,
            "ClusterRoleBinding" => false,
            _ => return,
        };
        let mut known = self.lock();
        let list = usize::from(is_role);
        match event {
            watcher::Event::Init => known.listed[list].clear(),
            watcher::Event::InitApply(object) => {
                let object = object.value();
                let name = name(&object).to_owned();
                known.put(is_role, &object);
                known.listed[list].insert(name);
                return;
            }
            watcher::Event::Apply(object) => known.put(is_role, &object.value()),
            watcher::Event::Delete(object) => known.remove(is_role, name(&object.value())),
            watcher::Event::InitDone => known.end_list(is_role),
        }
        let report = known.sentence();
        if known.report != report {
            known.report = report;
            self.changed.notify_one();
        }
    }

    /// The message about them; none if there is no such access.
    #[must_use]
    pub fn report(&self) -> Option<String> {
        Some(self.lock().report.clone()).filter(|report| !report.is_empty())
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn put(&mut self, is_role: bool, object: &Value) {
        let name = name(object);
        if is_role {
            match Lets::of(object) {
                lets if lets.words().is_some() => drop(self.roles.insert(name.to_owned(), lets)),
                _ => drop(self.roles.remove(name)),
            }
        } else {
            match Binding::of(object) {
                Some(binding) => drop(self.bindings.insert(name.to_owned(), binding)),
                None => drop(self.bindings.remove(name)),
            }
        }
    }

    fn remove(&mut self, is_role: bool, name: &str) {
        if is_role {
            self.roles.remove(name);
        } else {
            self.bindings.remove(name);
        }
    }

    fn end_list(&mut self, is_role: bool) {
        let listed = std::mem::take(&mut self.listed[usize::from(is_role)]);
        if is_role {
            self.roles.retain(|name, _| listed.contains(name));
        } else {
            self.bindings.retain(|name, _| listed.contains(name));
        }
    }

    fn sentence(&self) -> String {
        let lets = |binding: &Binding| self.roles.get(&binding.role)?.words();
        let all = self.bindings.iter().filter_map(|(name, binding)| Some((name, binding, lets(binding)?)));
        let mut words: Vec<String> = all.map(|(name, binding, lets)| binding.words(name, lets)).collect();
        let count = words.len();
        if count == 0 {
            return String::new();
        }
        words.truncate(NAMED);
        let rest = count - words.len();
        let more = if rest > 0 { format!(", and {rest} more") } else { String::new() };
        let who = if count == 1 {
            "1 ClusterRoleBinding lets".to_owned()
        } else {
            format!("{count} ClusterRoleBindings let")
        };
        // The remedy first: what is too long is cut at its end.
        format!(
            "{who} people into every namespace of teams, beside the rights of AITeams; nothing is blocked by it. Bind \
             them in their own namespaces instead, or keep the bindings on purpose: {}{more}",
            words.join(", ")
        )
    }
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn role(name: &str, group: &str, resource: &str, verb: &str) -> Lean {
        let rule = json!({"apiGroups": [group], "resources": [resource], "verbs": [verb]});
        Lean::from(json!({"metadata": {"name": name}, "rules": [rule]}))
    }

    fn binding(name: &str, role: &str, subjects: &[(&str, &str)]) -> Lean {
        let subjects: Vec<_> = subjects.iter().map(|(kind, name)| json!({"kind": kind, "name": name})).collect();
        let role = json!({"kind": "ClusterRole", "name": role});
        Lean::from(json!({"metadata": {"name": name}, "roleRef": role, "subjects": subjects}))
    }

    fn bind(outsiders: &Outsiders, binding: Lean) {
        outsiders.take("ClusterRoleBinding", &watcher::Event::Apply(binding));
    }

    fn give(outsiders: &Outsiders, role: Lean) {
        outsiders.take("ClusterRole", &watcher::Event::Apply(role));
    }

    #[test]
    fn rights_that_reach_into_a_team_are_distinguished() {
        for (group, resource, verb, says) in [
            ("", "secrets", "get", Some("reads Secrets")),
            ("*", "secrets", "list", Some("reads Secrets")),
            ("", "*", "watch", Some("reads Secrets")),
            ("*", "*", "*", Some("reads Secrets and writes")),
            ("", "secrets", "*", Some("reads Secrets and writes")),
            ("", "pods/exec", "create", Some("writes")),
            ("apps", "deployments", "patch", Some("writes")),
            ("strata-operator.dev", "runs", "create", Some("writes")),
            ("rbac.authorization.k8s.io", "rolebindings", "create", Some("writes")),
            ("", "pods", "list", None),
            ("apps", "secrets", "get", None),
            ("", "nodes", "update", None),
            ("strata-operator.dev", "aiteams", "get", None),
            ("authorization.k8s.io", "selfsubjectaccessreviews", "create", None),
        ] {
            assert_eq!(Lets::of(&role("r", group, resource, verb).value()).words(), says, "{verb} {group} {resource}");
        }
    }

    #[test]
    fn people_are_named_and_the_control_plane_is_not() {
        let outsiders = Outsiders::default();
        give(&outsiders, role("edit", "", "pods", "create"));
        for (kind, name) in [
            ("ServiceAccount", "argocd"),
            ("User", "system:kube-scheduler"),
            ("Group", "system:masters"),
            ("Group", "system:nodes"),
            ("User", "system:authenticated"),
        ] {
            bind(&outsiders, binding("b", "edit", &[(kind, name)]));
            assert_eq!(outsiders.report(), None, "{kind} {name}");
        }
        let all = [("Group", "system:authenticated"), ("User", "ana"), ("Group", "developers"), ("User", "bo")];
        bind(&outsiders, binding("b", "edit", &all));
        let says = "1 ClusterRoleBinding lets people into every namespace of teams, beside the rights of AITeams; \
                    nothing is blocked by it. Bind them in their own namespaces instead, or keep the bindings on \
                    purpose: b (group system:authenticated, user ana and 2 more by ClusterRole edit: writes)";
        assert_eq!(outsiders.report().as_deref(), Some(says));
    }

    #[test]
    fn the_first_are_named_and_the_rest_counted() {
        let outsiders = Outsiders::default();
        give(&outsiders, role("edit", "", "pods", "create"));
        for number in 0..1000 {
            bind(&outsiders, binding(&format!("b{number:03}"), "edit", &[("User", "ana")]));
        }
        let report = outsiders.report().unwrap();
        assert!(report.starts_with("1000 ClusterRoleBindings let people") && report.contains("b004 ("), "{report}");
        assert!(report.ends_with(", and 995 more") && !report.contains("b005"), "{report}");
    }

    #[tokio::test]
    async fn only_a_change_of_the_report_enqueues_a_request() {
        let outsiders = Outsiders::default();
        let woken =
            async || tokio::time::timeout(std::time::Duration::ZERO, outsiders.changed.notified()).await.is_ok();
        bind(&outsiders, binding("b", "edit", &[("User", "ana")]));
        assert!(!woken().await, "its role is not known");
        give(&outsiders, role("edit", "", "pods", "create"));
        assert!(woken().await);
        give(&outsiders, role("edit", "", "pods", "delete"));
        give(&outsiders, role("view", "", "pods", "get"));
        bind(&outsiders, binding("a", "view", &[("User", "ana")]));
        assert!(!woken().await, "nothing else is reported");
        // A list in which it is not any more.
        outsiders.take("ClusterRoleBinding", &watcher::Event::Init);
        outsiders.take("ClusterRoleBinding", &watcher::Event::InitApply(binding("a", "view", &[("User", "ana")])));
        assert!(outsiders.report().is_some(), "a list that is under way takes nothing away");
        outsiders.take("ClusterRoleBinding", &watcher::Event::InitDone);
        assert!(woken().await && outsiders.report().is_none());
        bind(&outsiders, binding("b", "edit", &[("User", "ana")]));
        outsiders.take("ClusterRole", &watcher::Event::Delete(role("edit", "", "pods", "delete")));
        assert!(outsiders.report().is_none(), "a binding to a role that is gone gives nothing");
    }
}
