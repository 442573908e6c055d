//! What of a team may go with its data: what the annotation `allow-deletion` says,
//! under `deletionPolicy: Delete`. `true` is everything, for as long as it is there;
//! names are those namespaces and claims, and nothing that leaves the spec later.

use std::collections::BTreeSet;

use crate::api::team::DeletionPolicy;
use crate::api::{AITeam, labels};

/// The namespaces that may be deleted with their data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Allowed {
    /// Nothing.
    #[default]
    Nothing,
    /// Whatever leaves the spec.
    Everything,
    /// Namespaces by name, claims as `namespace/claim`.
    Named(BTreeSet<String>),
}

impl Allowed {
    /// The value of the team's annotation.
    #[must_use]
    pub fn of(team: &AITeam) -> Self {
        let annotations = team.metadata.annotations.as_ref();
        let value = annotations.and_then(|all| all.get(labels::ALLOW_DELETION)).map(String::as_str);
        match value {
            _ if team.spec.deletion_policy != DeletionPolicy::Delete => Self::Nothing,
            None | Some("" | "false") => Self::Nothing,
            Some("true") => Self::Everything,
            Some(names) => Self::Named(names.split(',').map(|name| name.trim().to_owned()).collect()),
        }
    }

    /// Whether the namespace may go.
    #[must_use]
    pub fn namespace(&self, name: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::Everything => true,
            Self::Named(names) => names.contains(name),
        }
    }

    /// Whether the claim may go.
    #[must_use]
    pub fn claim(&self, namespace: &str, name: &str) -> bool {
        self.namespace(&format!("{namespace}/{name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::AITeamSpec;

    fn allowed(value: Option<&str>, policy: DeletionPolicy) -> Allowed {
        let mut team = AITeam::new("a", AITeamSpec { deletion_policy: policy, ..AITeamSpec::default() });
        team.metadata.annotations = value.map(|value| [(labels::ALLOW_DELETION.to_owned(), value.to_owned())].into());
        Allowed::of(&team)
    }

    #[test]
    fn names_allow_what_they_name_and_nothing_else() {
        let named = allowed(Some("a--p, a--p--live,a--shared/mlflow"), DeletionPolicy::Delete);
        assert!(named.namespace("a--p") && named.namespace("a--p--live") && named.claim("a--shared", "mlflow"));
        assert!(!named.namespace("a--q") && !named.namespace("a--shared") && !named.namespace("true"));
        assert!(!named.claim("a--shared", "feast") && !named.claim("a--p", "data"));
        let all = allowed(Some("true"), DeletionPolicy::Delete);
        assert!(all.namespace("a--q") && all.claim("a--shared", "feast"));
        for value in [None, Some(""), Some("false"), Some("True"), Some(","), Some("a--q")] {
            let some = allowed(value, DeletionPolicy::Delete);
            assert!(!some.namespace("a--p") && !some.claim("a--p", "data"), "{value:?}");
        }
        assert_eq!(allowed(Some("true"), DeletionPolicy::Retain), Allowed::Nothing);
        assert_eq!(allowed(Some("a--p"), DeletionPolicy::Retain), Allowed::Nothing);
    }
}
