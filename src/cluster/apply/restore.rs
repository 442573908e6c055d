//! Repairs changes that make every server-side apply invalid: a changed key of a list's
//! item, or another one of several exclusive fields.
//!
//! One PUT of the live object with its content set back to our intent. The apply that
//! follows makes the fields ours again.

use serde_json::Value;

use super::write::{CONFLICT, INVALID, Writer, conflict};
use crate::api::kinds::clearing::{self, Clearing};
use crate::api::{Issue, ObjectKey};
use crate::cluster::cache::restored::restored;
use crate::cluster::watch::Watched;

/// The number of attempts while the object's controller writes it at the same time.
const TRIES: usize = 3;

impl Writer {
    /// Applies an object that is known by this UID. If the apply is refused as invalid, it
    /// first restores the content that others may not add to.
    pub async fn apply(&self, kind: &Watched, key: &ObjectKey, intent: &Value, uid: &str) -> Result<Value, Issue> {
        match (self.apply_once(kind, key, intent, uid).await, clearing::of(kind.write_strategy, intent)) {
            (Err(refused), Some(clearing)) if refused.code == INVALID => {
                self.restore(kind, key, intent, clearing, uid, refused.failure).await?;
                Ok(self.apply_once(kind, key, intent, uid).await?)
            }
            (answer, _) => Ok(answer?),
        }
    }

    /// If the PUT is refused as well, the first refusal is reported: it names our fields.
    async fn restore(
        &self,
        kind: &Watched,
        key: &ObjectKey,
        intent: &Value,
        clearing: &Clearing,
        uid: &str,
        refused: Issue,
    ) -> Result<(), Issue> {
        for _ in 0..TRIES {
            let live = match self.get(kind, key).await? {
                Some(live) if !self.is_ours(&live, key, intent) => return Err(conflict(key, &live)),
                Some(live) if live["metadata"]["uid"] == uid => live,
                // The watch tells how it is by now.
                _ => return Err(refused),
            };
            match self.put(kind, key, &restored(&live, intent, clearing)).await {
                Ok(_) => return Ok(()),
                // Its controller was quicker.
                Err(failed) if failed.code == CONFLICT => {}
                Err(failed) if (400..500).contains(&failed.code) => return Err(refused),
                Err(failed) => return Err(failed.failure),
            }
        }
        Err(refused)
    }
}
