//! Revokes rights while nothing else may be written: under `suspend`, or with the
//! Blueprint missing. Revoking never stops; nothing is added.
//!
//! The plan's own grants decide who may stay ([`crate::plan::stay`]); this module gathers
//! the facts for that, and shrinks the bindings.

use k8s_openapi::api::rbac::v1::Subject;
use serde_json::json;

use crate::api::team::Readable;
use crate::api::{BlueprintSpec, ObjectKey, Prefixes, labels};
use crate::cluster::apply::Revocation;
use crate::cluster::cache::{Entry, ObjectCache};
use crate::objects::record::Record;
use crate::plan::Subject as Person;
use crate::plan::roles::rights;
use crate::plan::stay::{KnownPrefixes, Stay};
use crate::reconcile::observe;

/// Decides who may stay in a team's bindings, by its Blueprint, or else by its record; or
/// the reason why that is not known, so that nobody is removed.
pub fn staying(
    team: &str,
    people: &Readable,
    site: Option<&BlueprintSpec>,
    record: Option<&Record>,
    cache: &ObjectCache,
    configured: Option<&Prefixes>,
) -> Result<Stay, String> {
    if let Some(field) = people.lost {
        return Err(format!("{field} cannot be read at all"));
    }
    let prefixes = written_prefixes(team, cache, record, configured);
    if prefixes.users.is_empty() && prefixes.groups.is_empty() {
        return Err("the prefixes of people's names are not known".to_owned());
    }
    if let Some(site) = site {
        return Ok(Stay::of(team, people, &|role: &str, layer| Some(rights(site, role, layer)), prefixes));
    }
    let table = record.and_then(|record| record.rights.as_ref());
    let table = table.ok_or("neither the Blueprint nor the record has the rights of roles")?;
    Ok(Stay::of(team, people, &|role: &str, layer| table.rights(role, layer), prefixes))
}

/// The prefixes with which bindings may have been written: those on the namespaces, and
/// those in the record. Once any is known, the configured ones too, because a change of
/// prefixes may be half written.
fn written_prefixes(
    team: &str,
    cache: &ObjectCache,
    record: Option<&Record>,
    configured: Option<&Prefixes>,
) -> KnownPrefixes {
    let mut known = KnownPrefixes::default();
    for entry in observe::namespaces(team, cache).values() {
        let Ok(mut state) = entry.state.namespace() else { continue };
        known.users.extend(state.annotations.remove(labels::USER_PREFIX));
        known.groups.extend(state.annotations.remove(labels::GROUP_PREFIX));
    }
    if let Some(recorded) = record.and_then(|record| record.prefixes.as_ref()) {
        known.users.insert(recorded.user.clone());
        known.groups.insert(recorded.group.clone());
    }
    for (known, configured) in [
        (&mut known.users, configured.map(|configured| &configured.user)),
        (&mut known.groups, configured.map(|configured| &configured.group)),
    ] {
        if !known.is_empty() {
            known.extend(configured.cloned());
        }
    }
    known
}

/// The bindings with a subject that may not stay.
#[must_use]
pub fn revocations(stay: &Stay, bindings: Vec<(ObjectKey, Entry)>) -> Vec<(ObjectKey, Entry, Revocation)> {
    let ours = bindings.into_iter().filter(|(_, entry)| entry.is_ours());
    ours.filter_map(|(key, entry)| {
        let binding = entry.state.binding().ok()?;
        let stays = |subject: &&Subject| stays(stay, &key, &binding.role, subject);
        let kept: Vec<_> = binding.subjects.iter().filter(stays).collect();
        let revocation = match kept.len() {
            same if same == binding.subjects.len() => return None,
            // One that somebody's finalizer holds can only be emptied.
            0 if !entry.deleting => Revocation::Remove,
            _ => Revocation::Keep(json!(kept)),
        };
        Some((key, entry, revocation))
    })
    .collect()
}

fn stays(stay: &Stay, key: &ObjectKey, role: &str, subject: &Subject) -> bool {
    let subject = match subject.kind.as_str() {
        "User" => Person::User(subject.name.clone()),
        "Group" => Person::Group(subject.name.clone()),
        // Identities of work are no people.
        _ => return true,
    };
    stay.may(key.namespace.as_deref(), role, &subject)
}

#[cfg(test)]
#[path = "revoke_tests.rs"]
mod tests;
