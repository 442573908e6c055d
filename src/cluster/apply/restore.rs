//! Puts back what no apply can: one that adds to what it finds is refused where the key
//! of an item of a list was changed, or another of several fields of which only one may
//! be set.
//!
//! One write of the object as it is, its content put back to our intent. The apply that
//! follows makes the fields ours again.

use serde_json::Value;

use super::write::{CONFLICT, Failed, INVALID, Writer, conflict};
use crate::api::kinds::clearing::Clearing;
use crate::api::{Issue, ObjectKey};
use crate::cluster::cache::restored::restored;
use crate::cluster::watch::Watched;

/// So often an object is read again whose controller writes it meanwhile.
const TRIES: usize = 3;

/// One object that is to be applied, and what it takes to put it back.
pub struct Restorer<'a> {
    pub writer: &'a Writer,
    pub kind: &'a Watched,
    pub key: &'a ObjectKey,
    /// What may stand in the object besides our intent. Without it nothing is put back.
    pub clearing: Option<&'static Clearing>,
    pub intent: &'a Value,
    pub uid: &'a str,
}

impl Restorer<'_> {
    /// Applies the intent, and puts the object back first where that is refused.
    pub async fn apply(&self) -> Result<Value, Issue> {
        match (self.applied().await, self.clearing) {
            (Err(refused), Some(clearing)) if refused.code == INVALID => {
                self.put_back(clearing, refused.failure).await?;
                Ok(self.applied().await?)
            }
            (answer, _) => Ok(answer?),
        }
    }

    async fn applied(&self) -> Result<Value, Failed> {
        self.writer.apply(self.kind, self.key, self.intent, self.uid).await
    }

    /// Where that is refused as well, the first refusal counts: it names what we mean.
    async fn put_back(&self, clearing: &Clearing, refused: Issue) -> Result<(), Issue> {
        for _ in 0..TRIES {
            let live = match self.writer.get(self.kind, self.key).await? {
                Some(live) if !self.writer.is_ours(&live, self.key, self.intent) => {
                    return Err(conflict(self.key, &live));
                }
                Some(live) if live["metadata"]["uid"] == self.uid => live,
                // The watch tells how it is by now.
                _ => return Err(refused),
            };
            match self.writer.put(self.kind, self.key, &restored(&live, self.intent, clearing)).await {
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
