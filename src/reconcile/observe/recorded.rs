//! Reads the record of a team: from its ConfigMap, or from this process' last plan if the
//! ConfigMap is gone or damaged. It makes no API calls, and writes nothing.

use tracing::warn;

use crate::api::{AITeam, Issue, ObjectKey, Reason, labels};
use crate::cluster::cache::ObjectCache;
use crate::objects::record::{Record, Unread};
use crate::reconcile::snapshot::TeamSnapshot;

/// Where the record of a team is known from.
pub struct Recorded<'a> {
    /// The ConfigMap, among all existing objects.
    pub cache: &'a ObjectCache,
    /// The team as this process planned it last.
    pub snapshot: Option<&'a TeamSnapshot>,
}

impl Recorded<'_> {
    /// The record of a team whose object is gone, or nothing; and whether to write it
    /// again: this process knew it, and it was deleted or damaged.
    #[must_use]
    pub fn retained(&self, team: &str) -> Option<(Record, bool)> {
        match read(team, self.cache) {
            Ok(Some(found)) => return Some((found, false)),
            Ok(None) => {}
            Err(error) => {
                let known = self.known_whole().filter(|_| matches!(error, Unread::Damaged(_)));
                if known.is_none() {
                    warn!(team, "retained namespaces are not changed: {}", unreadable(team, &error));
                }
                return Some((known?, true));
            }
        }
        Some((self.known_whole()?, true))
    }

    fn known_whole(&self) -> Option<Record> {
        self.snapshot?.remembered_whole()
    }

    /// The record. A process that planned the team with it can write it again, so a record
    /// that was deleted or damaged since loses no choice of an engine. A record of a newer
    /// version stays.
    pub(super) fn record(&self, team: &AITeam) -> Result<Option<Record>, Issue> {
        let uid = team.metadata.uid.as_deref().unwrap_or_default();
        let remembered = || self.snapshot.and_then(|snapshot| snapshot.remembered(uid));
        let name = team.metadata.name.as_deref().unwrap_or_default();
        match read(name, self.cache) {
            Ok(found) => Ok(found.or_else(remembered)),
            Err(error) => {
                let known = remembered().filter(|_| matches!(error, Unread::Damaged(_)));
                known.map(Some).ok_or_else(|| unreadable(name, &error))
            }
        }
    }
}

/// The record of a team, from its Backbone namespace, if there is one; or the reason why
/// it cannot be read.
pub fn record(team: &str, cache: &ObjectCache) -> Result<Option<Record>, Issue> {
    read(team, cache).map_err(|error| unreadable(team, &error))
}

/// Why the record may not be written: a newer version of Strata wrote it, by now.
#[must_use]
pub fn newer(team: &str, cache: &ObjectCache) -> Option<Issue> {
    let error = read(team, cache).err().filter(|error| matches!(error, Unread::Newer(_)))?;
    Some(unreadable(team, &error))
}

fn read(team: &str, cache: &ObjectCache) -> Result<Option<Record>, Unread> {
    let namespace = format!("{team}--backbone");
    let Some(entry) = cache.get(&ObjectKey::new("", "ConfigMap", Some(&namespace), labels::RECORD)) else {
        return Ok(None);
    };
    let data = entry.state.record().map_err(|error| Unread::Damaged(error.to_string()))?;
    Record::read(&data).map(Some)
}

fn unreadable(team: &str, error: &Unread) -> Issue {
    let name = labels::RECORD;
    let remedy = match error {
        Unread::Newer(_) => "Run the version that wrote it",
        Unread::Damaged(_) => "Another writer changed it: restore its data from a backup",
    };
    let message = format!(
        "this version of Strata cannot read ConfigMap {name} in {team}--backbone, the record of the team, so the team \
         is held: {error}. {remedy}, or delete the ConfigMap: it is written again, and engines are chosen again"
    );
    Issue::new(Reason::RecordUnreadable, message)
}
