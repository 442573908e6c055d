//! The ways out of a team's namespaces to services that its engines stand for.
//!
//! A profile of the Blueprint, if the engine names one; else the namespace of each service of
//! this cluster. Any other host needs no way here or has one by `backbone.egress`; whether it
//! is reached, a probe of the engine says.

use std::collections::BTreeSet;

use http::Uri;

use super::{Instance, Way};
use crate::api::BlueprintSpec;
use crate::api::vocabulary::Layer;
use crate::engine::Egress;

/// The ways that an instance opens; the error is the refusal of one of them.
pub fn ways(egress: &Egress, path: &str, blueprint: (&str, &BlueprintSpec)) -> Result<Vec<Way>, String> {
    let (name, site) = blueprint;
    if let Some(profile) = &egress.profile {
        if site.egress_profile(profile).is_some() {
            return Ok(vec![Way::Profile(profile.clone())]);
        }
        let known: Vec<&str> = site.egress.iter().map(|profile| profile.name.as_str()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(format!("{path}: '{profile}' is no egress profile of Blueprint {name}. Available: {known}"));
    }
    let namespaces: BTreeSet<String> = egress.services.iter().filter_map(|service| namespace_of(service)).collect();
    for namespace in &namespaces {
        if namespace.contains("--") {
            return Err(format!(
                "{path}: '{namespace}' is a namespace of a team. Let that team offer its service under `shared.offers`"
            ));
        }
        if namespace.starts_with("kube-") {
            return Err(format!(
                "{path}: '{namespace}' is a namespace of Kubernetes itself, to which no way is opened. Name an egress \
                 profile of the Blueprint"
            ));
        }
    }
    Ok(namespaces.into_iter().map(Way::Namespace).collect())
}

/// The namespace of a Service of this cluster, by the host of its address.
fn namespace_of(address: &str) -> Option<String> {
    let address: Uri = address.parse().ok()?;
    let host = address.host()?;
    let host = host.strip_suffix('.').unwrap_or(host);
    let host = host.strip_suffix(".cluster.local").unwrap_or(host);
    let (service, namespace) = host.strip_suffix(".svc")?.rsplit_once('.')?;
    let label = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    (label(namespace) && service.split('.').all(label)).then(|| namespace.to_owned())
}

/// The profiles of a namespace: the team's own, and those of the engines that it uses.
#[must_use]
pub(super) fn with_ways(own: &[String], layer: Layer, instances: &[Instance]) -> Vec<String> {
    let more = of_layer(layer, instances).filter_map(|way| match way {
        Way::Profile(profile) => Some(profile),
        Way::Namespace(_) => None,
    });
    let mut all = own.to_vec();
    for profile in more {
        if !all.contains(profile) {
            all.push(profile.clone());
        }
    }
    all
}

/// The namespaces of this cluster that a namespace may reach: sorted, each once.
#[must_use]
pub(super) fn services(layer: Layer, instances: &[Instance]) -> Vec<String> {
    let all = of_layer(layer, instances).filter_map(|way| match way {
        Way::Namespace(namespace) => Some(namespace.clone()),
        Way::Profile(_) => None,
    });
    all.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The ways in the choices: they stay open while an engine is held.
fn of_layer(layer: Layer, instances: &[Instance]) -> impl Iterator<Item = &Way> {
    let uses = layer != Layer::Backbone;
    instances
        .iter()
        .filter(move |_| uses)
        .filter_map(|instance| instance.choice.as_ref())
        .flat_map(|choice| &choice.ways)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(profile: Option<&str>, services: &[&str]) -> Result<Vec<Way>, String> {
        let site: BlueprintSpec =
            serde_saphyr::from_str("{egress: [{name: tools, to: [{cidr: 203.0.113.0/24}]}]}").unwrap();
        let services = services.iter().map(|&service| service.to_owned()).collect();
        ways(&Egress { profile: profile.map(str::to_owned), services }, "spec.shared.models", ("default", &site))
    }

    #[test]
    fn a_service_of_the_cluster_is_known_by_its_host() {
        for (address, namespace) in [
            ("http://mlflow.tools.svc:5000/path", Some("tools")),
            ("https://mlflow.tools.svc.cluster.local", Some("tools")),
            ("postgresql://db-0.db.tools.svc.cluster.local.:5432/x?y=z", Some("tools")),
            ("mlflow.tools.svc:8815", Some("tools")),
            ("https://mlflow.example.com", None),
            ("http://mlflow.tools.svc.example.com", None),
            ("http://mlflow.tools", None),
            ("http://example.com/mlflow.tools.svc", None),
            ("http://tools.svc", None),
            ("http://a..svc", None),
            ("http://A.B.svc", None),
            ("http://a.b.svc@example.com", None),
            ("", None),
        ] {
            assert_eq!(namespace_of(address).as_deref(), namespace, "{address}");
        }
    }

    #[test]
    fn a_profile_opens_the_way_instead_of_a_namespace() {
        assert_eq!(of(Some("tools"), &["http://a.b.svc"]), Ok(vec![Way::Profile("tools".to_owned())]));
        let two = of(None, &["http://a.d.svc", "b.c.svc:1", "http://b.c.svc", "https://example.com"]);
        assert_eq!(two, Ok(["c", "d"].map(|name| Way::Namespace(name.to_owned())).to_vec()));
    }

    #[test]
    fn a_way_that_may_not_be_opened_is_refused_by_name() {
        let unknown = of(Some("packages"), &[]).unwrap_err();
        assert_eq!(
            unknown,
            "spec.shared.models: 'packages' is no egress profile of Blueprint default. Available: tools"
        );
        assert!(of(None, &["http://mlflow.risk--shared.svc"]).unwrap_err().contains("is a namespace of a team"));
        assert!(of(None, &["http://x.kube-system.svc"]).unwrap_err().contains("of Kubernetes itself"));
    }
}
