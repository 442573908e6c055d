//! Whether anything may be written for a team: its `managementPolicy`.
//!
//! Manifests of the earlier form had `suspend` and `mode`. The API server drops both without
//! an error, so a team that was suspended then is known by its status alone.

use crate::api::status::{Condition, ConditionStatus, READY};
use crate::api::team::ManagementPolicy;
use crate::api::{AITeam, Issue, Reason};

/// The messages of the earlier form, by their reason.
const EARLIER: [(&str, &str); 2] = [
    ("Suspended", "spec.suspend is true: only removals of rights are written"),
    ("NotYet", "spec.mode Observe: only removals of rights are written"),
];
const MESSAGE: &str = "the team was suspended by `suspend` or `mode`, which are no longer fields, so it stays \
                       suspended: only removals of rights are written. Set spec.managementPolicy to Suspend or to \
                       Enforce";
/// Causes that may stand before these messages. Members have no part in their texts: others,
/// such as `Contested`, repeat words that members choose.
const BEFORE: [Reason; 2] = [Reason::RecordUnreadable, Reason::Invalid];

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
    let found =
        conditions.any(|known| known.type_ == READY && known.status == ConditionStatus::False && earlier(known));
    found.then(|| Issue::new(Reason::NotMigrated, MESSAGE))
}

fn earlier(ready: &Condition) -> bool {
    let is = |(reason, message): &(&str, &str)| ready.reason == *reason && ready.message.starts_with(message);
    let has = |message: &str| ready.message.contains(message);
    let behind = BEFORE.iter().any(|reason| ready.reason == reason.name());
    ready.reason == Reason::NotMigrated.name()
        || EARLIER.iter().any(is)
        || (behind && (has(MESSAGE) || EARLIER.iter().any(|(_, message)| has(message))))
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
        assert_eq!(
            why(None, "Suspended", "spec.suspend is true: only removals of rights are written"),
            Some(Reason::NotMigrated)
        );
        assert_eq!(
            why(None, "NotYet", "spec.mode Observe: only removals of rights are written, and"),
            Some(Reason::NotMigrated)
        );
        let again =
            held(&team(None, "Suspended", "spec.suspend is true: only removals of rights are written")).unwrap();
        assert_eq!(why(None, again.reason.name(), &again.message), Some(Reason::NotMigrated), "also in later passes");
        let unread = Issue::new(Reason::RecordUnreadable, "the record cannot be read").and(&again.message);
        assert_eq!(why(None, "RecordUnreadable", &unread.message), Some(Reason::NotMigrated), "behind another cause");
        let said = format!("field manager {} changes it again and again", again.message);
        assert_eq!(why(None, "Contested", &said), None, "a member chose these words");
        // The field of the present form was removed, which means Enforce.
        let present = held(&team(Some("Suspend"), "Ready", "")).unwrap();
        assert_eq!(why(None, present.reason.name(), &present.message), None);
    }
}
