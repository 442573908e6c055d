//! Whether anything may be written for a team: its `managementPolicy`.
//!
//! Manifests of the earlier form had `suspend` and `mode`. The API server drops both without
//! an error, so a team that was suspended then is known by its status alone.

use crate::api::status::{Condition, ConditionStatus, READY};
use crate::api::team::ManagementPolicy;
use crate::api::{AITeam, Issue, Reason};

/// What the messages of such teams have, in the earlier form and in this one. Another cause
/// that holds the team may stand before it.
const MESSAGES: [&str; 3] =
    ["spec.suspend is true", "spec.mode Observe", "was suspended by `suspend` or `mode`, which are no longer fields"];

/// Why nothing but removals of rights is written for this team, if so.
#[must_use]
pub fn held(team: &AITeam) -> Option<Issue> {
    match team.spec.management_policy {
        Some(ManagementPolicy::Enforce) => None,
        Some(ManagementPolicy::Suspend) => {
            Some(Issue::new(Reason::Suspended, "spec.managementPolicy is Suspend: only removals of rights are written"))
        }
        Some(ManagementPolicy::Observe) => Some(Issue::new(
            Reason::NotImplemented,
            "spec.managementPolicy is Observe: only removals of rights are written, and changes are not reported \
             yet. `strata render` shows what Enforce would write",
        )),
        None => not_migrated(team),
    }
}

/// That the team was suspended in the earlier form, if its status says so.
#[must_use]
pub fn not_migrated(team: &AITeam) -> Option<Issue> {
    let mut conditions = team.status.iter().flat_map(|status| &status.conditions);
    let earlier = |ready: &Condition| MESSAGES.iter().any(|words| ready.message.contains(words));
    conditions.any(|found| found.type_ == READY && found.status == ConditionStatus::False && earlier(found)).then(|| {
        Issue::new(
            Reason::NotMigrated,
            "the team was suspended by `suspend` or `mode`, which are no longer fields, so it stays suspended: only \
             removals of rights are written. Set spec.managementPolicy to Suspend or to Enforce",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn team(policy: Option<&str>, reason: &str, message: &str) -> AITeam {
        let mut spec = json!({});
        if let Some(policy) = policy {
            spec["managementPolicy"] = json!(policy);
        }
        let ready = json!({"type": "Ready", "status": "False", "reason": reason, "message": message,
            "lastTransitionTime": "2026-01-01T00:00:00Z"});
        serde_json::from_value(json!({
            "apiVersion": "strata-operator.dev/v1alpha1", "kind": "AITeam", "metadata": {"name": "a"},
            "spec": spec, "status": {"conditions": [ready]}
        }))
        .unwrap()
    }

    fn why(policy: Option<&str>, reason: &str, message: &str) -> Option<Reason> {
        held(&team(policy, reason, message)).map(|issue| issue.reason)
    }

    #[test]
    fn each_policy_says_what_is_written() {
        assert_eq!(why(Some("Enforce"), "Suspended", "spec.suspend is true: x"), None);
        assert_eq!(why(Some("Suspend"), "Ready", ""), Some(Reason::Suspended));
        assert_eq!(why(Some("Observe"), "Ready", ""), Some(Reason::NotImplemented));
        assert_eq!(why(None, "Ready", ""), None);
    }

    #[test]
    fn a_team_suspended_in_the_earlier_form_stays_so_until_it_is_migrated() {
        assert_eq!(why(None, "Suspended", "spec.suspend is true: only removals"), Some(Reason::NotMigrated));
        assert_eq!(why(None, "NotYet", "spec.mode Observe: only removals"), Some(Reason::NotMigrated));
        let again = held(&team(None, "Suspended", "spec.suspend is true: only removals")).unwrap();
        assert_eq!(why(None, again.reason.name(), &again.message), Some(Reason::NotMigrated), "also in later passes");
        let unread = Issue::new(Reason::RecordUnreadable, "the record cannot be read").and(&again.message);
        assert_eq!(why(None, "RecordUnreadable", &unread.message), Some(Reason::NotMigrated), "behind another cause");
        // The field of the present form was removed, which means Enforce.
        let present = held(&team(Some("Suspend"), "Ready", "")).unwrap();
        assert_eq!(why(None, present.reason.name(), &present.message), None);
    }
}
