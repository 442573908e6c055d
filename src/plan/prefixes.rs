//! Which prefixes the names of people and groups have in a team: those that are
//! written on its namespaces, until the team accepts those of the operator's flags.
//!
//! Another prefix renames everybody who is bound, so a wrong flag must not take
//! effect without consent.

use super::{Problem, Scope};
use crate::api::prefixes::behind;
use crate::api::{AITeam, Prefixes, Reason, labels};

/// The prefixes on the namespaces of a team. `None` is not known, and
/// something else than a prefix that is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrittenPrefixes {
    /// Before the names of people.
    pub user: Option<String>,
    /// Before the names of groups.
    pub group: Option<String>,
}

impl WrittenPrefixes {
    /// The written prefixes, completed by these.
    #[must_use]
    pub fn or(&self, configured: &Prefixes) -> Prefixes {
        Prefixes {
            user: self.user.clone().unwrap_or_else(|| configured.user.clone()),
            group: self.group.clone().unwrap_or_else(|| configured.group.clone()),
        }
    }
}

/// The prefixes in effect for the team, and the problem to report if they differ from the
/// configured ones.
#[must_use]
pub fn in_effect(team: &AITeam, written: &WrittenPrefixes, configured: &Prefixes) -> (Prefixes, Option<Problem>) {
    let stays = written.or(configured);
    if stays == *configured || accepts(team, configured) {
        return (configured.clone(), None);
    }
    let problem = waits(team, &stays, configured);
    (stays, Some(problem))
}

/// The advice for a name that already begins with its prefix; `whose` is the place of the name.
#[must_use]
pub fn doubled(whose: &str, name: &str, prefix: &str) -> Option<String> {
    let said = format!("'{name}' of {whose} begins with the prefix {prefix}, which Strata adds itself");
    behind(prefix, name).map(|_| format!("{said}. Remove the prefix"))
}

/// The same advice for the owner of a work object, which cannot be changed.
#[must_use]
pub fn doubled_owner(owner: &str, kind: &str, prefixes: &Prefixes) -> Option<String> {
    let bare = behind(&prefixes.user, owner)?;
    Some(format!(
        "spec.owner '{owner}' begins with the prefix {}, which Strata adds itself, and cannot be changed. Create \
         another {kind} with the owner {bare}, and delete this one",
        prefixes.user
    ))
}

/// Whether the team accepts a change of all names to exactly these prefixes.
fn accepts(team: &AITeam, configured: &Prefixes) -> bool {
    let annotations = team.metadata.annotations.as_ref();
    annotations
        .and_then(|all| all.get(labels::ACCEPT_PREFIX))
        .is_some_and(|accepted| *accepted == configured.to_string())
}

fn waits(team: &AITeam, written: &Prefixes, configured: &Prefixes) -> Problem {
    let name = team.metadata.name.as_deref().unwrap_or_default();
    let message = format!(
        "people and groups keep the prefixes on the team's namespaces ({written}), which differ from those of the \
         operator ({configured}). If the operator's are right, rename everyone: `kubectl annotate aiteam {name} --overwrite \
         {key}='{configured}'`. If not, fix identity.userPrefix and identity.groupPrefix of the chart",
        key = labels::ACCEPT_PREFIX
    );
    Problem::advice(Scope::Team, Reason::PrefixNotAccepted, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefixes(user: &str, group: &str) -> Prefixes {
        Prefixes { user: user.to_owned(), group: group.to_owned() }
    }

    fn written(user: Option<&str>, group: Option<&str>) -> WrittenPrefixes {
        WrittenPrefixes { user: user.map(str::to_owned), group: group.map(str::to_owned) }
    }

    fn team(accepts: Option<&str>) -> AITeam {
        let mut team = AITeam::new("a", crate::api::AITeamSpec::default());
        let entry = |value: &str| [(labels::ACCEPT_PREFIX.to_owned(), value.to_owned())].into();
        team.metadata.annotations = accepts.map(entry);
        team
    }

    #[test]
    fn another_prefix_waits_until_it_is_accepted() {
        let (old, new) = (written(Some("oidc:"), Some("")), prefixes("", "g:"));
        for not_yet in [None, Some(""), Some("true"), Some("user=oidc:,group="), Some("user=,group=")] {
            let (stays, problem) = in_effect(&team(not_yet), &old, &new);
            assert_eq!(stays, prefixes("oidc:", ""), "{not_yet:?}");
            let problem = problem.unwrap();
            assert_eq!((problem.issue.reason, problem.blocking), (Reason::PrefixNotAccepted, false));
            for words in ["user=oidc:,group=)", "user=,group=g:)", "annotate aiteam a"] {
                assert!(problem.issue.message.contains(words), "{}", problem.issue.message);
            }
        }
        assert_eq!(in_effect(&team(Some("user=,group=g:")), &old, &new), (new, None));
    }

    #[test]
    fn a_new_team_and_one_with_equal_prefixes_wait_for_nothing() {
        let configured = prefixes("oidc:", "");
        for known in [written(None, None), written(Some("oidc:"), None), written(Some("oidc:"), Some(""))] {
            assert_eq!(in_effect(&team(None), &known, &configured), (configured.clone(), None), "{known:?}");
        }
    }

    #[test]
    fn an_empty_prefix_is_known() {
        let (stays, problem) = in_effect(&team(None), &written(Some(""), None), &prefixes("oidc:", "oidc:"));
        assert_eq!((stays, problem.is_some()), (prefixes("", "oidc:"), true));
    }
}
