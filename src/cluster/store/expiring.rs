//! The ended runs, by the time of their deletion: the first of a team is found without a
//! look at the others.
//!
//! A run without a time of its own is kept by its end, so that another default of the
//! Blueprint moves all of them at once.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::work::Object;
use crate::plan::work::run::{expires, is_kept};

/// A time in seconds, and a run as the store names it.
type Entry = (i64, Box<str>);

/// The runs of a team that ended.
#[derive(Debug, Default)]
struct Ended {
    /// Those that say how long they stay, by the time at which that is over.
    own: BTreeSet<Entry>,
    /// The others, by their end.
    others: BTreeSet<Entry>,
}

/// What is to be deleted of a team.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// The runs, as the store names them.
    pub runs: Vec<String>,
    /// When the next one is, in seconds.
    pub next: Option<i64>,
}

/// The runs that ended, by their team.
#[derive(Debug, Default)]
pub struct Expiring {
    teams: BTreeMap<String, Ended>,
}

impl Expiring {
    /// Takes note of a run that came.
    pub fn enter(&mut self, team: &str, key: &str, object: &Object) {
        let Some((time, own)) = time(object) else { return };
        let ended = self.teams.entry(team.to_owned()).or_default();
        let set = if own { &mut ended.own } else { &mut ended.others };
        set.insert((time, key.into()));
    }

    /// Takes note of a run that went.
    pub fn leave(&mut self, team: &str, key: &str, object: &Object) {
        let (Some((time, _)), Some(ended)) = (time(object), self.teams.get_mut(team)) else { return };
        let entry = (time, key.into());
        ended.own.remove(&entry);
        ended.others.remove(&entry);
        if ended.own.is_empty() && ended.others.is_empty() {
            self.teams.remove(team);
        }
    }

    /// What is due of a team now, so many at most, of what may be deleted.
    pub fn due(&self, team: &str, now: i64, default: Option<i64>, most: usize, may: impl Fn(&str) -> bool) -> Due {
        let Some(ended) = self.teams.get(team) else { return Due::default() };
        let own = ended.own.iter().map(|(time, key)| (*time, key));
        let others = ended.others.iter().filter_map(|(time, key)| Some((time.saturating_add(default?), key)));
        let mut due = Due::default();
        for times in [
            &mut own.filter(|(_, key)| may(key)) as &mut dyn Iterator<Item = _>,
            &mut others.filter(|(_, key)| may(key)),
        ] {
            for (time, key) in times {
                if time > now || due.runs.len() == most {
                    due.next = Some(due.next.map_or(time, |next: i64| next.min(time)));
                    break;
                }
                due.runs.push(key.to_string());
            }
        }
        due
    }
}

/// When the run is over, and whether that is its own word; else when it ended.
fn time(object: &Object) -> Option<(i64, bool)> {
    let Object::Run(run) = object else { return None };
    if run.metadata.deletion_timestamp.is_some() || is_kept(run) {
        return None;
    }
    let ended = expires(run, Some(0))?;
    Some(match run.spec.ttl_seconds_after_finished {
        Some(_) => (expires(run, None)?, true),
        None => (ended, false),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::work::WorkKind;

    fn run(finished: Option<&str>, ttl: Option<i64>, metadata: &Value, conditions: &Value) -> Object {
        let state = if finished.is_some() { "Failed" } else { "Running" };
        let run = json!({
            "metadata": metadata, "spec": {"pipeline": "p", "ttlSecondsAfterFinished": ttl},
            "status": {"state": state, "completionTime": finished, "conditions": conditions},
        });
        Object::read(WorkKind::Run, &run).unwrap()
    }

    /// A run that ended at this second of the day.
    fn ended(second: i64, ttl: Option<i64>) -> Object {
        run(Some(&format!("1970-01-01T00:00:{second:02}Z")), ttl, &json!({"name": "r"}), &json!([]))
    }

    #[test]
    fn what_is_due_is_found_and_when_the_next_one_is() {
        let mut all = Expiring::default();
        for (name, second, ttl) in [("a", 10, Some(0)), ("b", 10, Some(30)), ("c", 5, None), ("d", 20, None)] {
            all.enter("t", &format!("t--p/{name}"), &ended(second, ttl));
        }
        let due = |now, default| {
            let due = all.due("t", now, default, 9, |_| true);
            (due.runs.iter().map(|key| key.replace("t--p/", "")).collect::<String>(), due.next)
        };
        assert_eq!(due(9, None), (String::new(), Some(10)));
        assert_eq!(due(10, None), ("a".to_owned(), Some(40)));
        assert_eq!(due(40, None), ("ab".to_owned(), None));
        assert_eq!(due(10, Some(5)), ("ac".to_owned(), Some(25)));
        assert_eq!(due(10, Some(100)), ("a".to_owned(), Some(40)));
        assert_eq!(due(99, Some(0)), ("abcd".to_owned(), None));
        // So many at a time, and the next one at once.
        let few = all.due("t", 99, Some(0), 3, |_| true);
        assert_eq!((few.runs.len(), few.next), (3, Some(20)));
        let elsewhere = all.due("t", 99, Some(0), 3, |key| !key.starts_with("t--p/"));
        assert_eq!(elsewhere, Due::default());
        assert_eq!(all.due("other", 99, Some(0), 9, |_| true), Due::default());
        all.leave("t", "t--p/a", &ended(10, Some(0)));
        assert_eq!(all.due("t", 10, None, 9, |_| true), Due { runs: vec![], next: Some(40) });
        for (name, second, ttl) in [("b", 10, Some(30)), ("c", 5, None), ("d", 20, None)] {
            all.leave("t", &format!("t--p/{name}"), &ended(second, ttl));
        }
        assert!(all.teams.is_empty(), "{all:?}");
    }

    #[test]
    fn what_goes_on_what_goes_and_what_is_kept_is_never_due() {
        let end = Some("1970-01-01T00:00:10Z");
        let expired = json!([{"type": "Expired", "status": "True", "reason": "Tracked", "message": "stays",
            "lastTransitionTime": "1970-01-01T00:00:11Z"}]);
        let tracked = json!({"name": "r", "annotations": {"argocd.argoproj.io/tracking-id": ""}});
        for (metadata, conditions, finished, due) in [
            (json!({"name": "r"}), json!([]), end, 1),
            (json!({"name": "r"}), json!([]), None, 0),
            (json!({"name": "r", "deletionTimestamp": "1970-01-01T00:00:11Z"}), json!([]), end, 0),
            // It is due once, to be reported.
            (tracked.clone(), json!([]), end, 1),
            (tracked, expired.clone(), end, 0),
            // Nobody tracks it any more.
            (json!({"name": "r"}), expired, end, 1),
        ] {
            for ttl in [Some(0), None] {
                let mut all = Expiring::default();
                all.enter("t", "t--p/r", &run(finished, ttl, &metadata, &conditions));
                assert_eq!(all.due("t", 99, Some(0), 9, |_| true).runs.len(), due, "{metadata} {conditions}");
            }
        }
    }
}
