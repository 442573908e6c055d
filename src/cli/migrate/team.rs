//! The changes of AITeams: devices and storage are resources like the others, and a project's
//! shares are fields of its Workspace and of its Live side.

use serde_json::Value;

use super::draft::{Draft, below, dotted};

/// Migrates an AITeam.
pub fn migrate(draft: &mut Draft) {
    for place in ["/spec/budget", "/spec/backbone/share", "/spec/shared/share"] {
        resources(draft, place);
    }
    management_policy(draft);
    for index in 0..draft.count("/spec/projects") {
        project(draft, &format!("/spec/projects/{index}"));
    }
}

/// Migrates `suspend` and `mode`: both say what is written, and `suspend` wins.
fn management_policy(draft: &mut Draft) {
    let (suspend, mode, policy) = ("/spec/suspend", "/spec/mode", "/spec/managementPolicy");
    let word = match (draft.get(suspend), draft.get(mode)) {
        (None, None) => return,
        (Some(Value::Bool(true)), _) => "Suspend",
        (None | Some(Value::Bool(false) | Value::Null), None | Some(Value::Null)) => "Enforce",
        (None | Some(Value::Bool(false) | Value::Null), Some(Value::String(mode))) if mode == "Observe" => "Observe",
        (None | Some(Value::Bool(false) | Value::Null), Some(Value::String(mode))) if mode == "Enforce" => "Enforce",
        _ => {
            return draft.leave(format!(
                "{} and {} are now spec.managementPolicy: Enforce, Observe or Suspend. Write the one that is meant",
                dotted(suspend),
                dotted(mode)
            ));
        }
    };
    let old: Vec<&str> = [suspend, mode].into_iter().filter(|field| draft.has(field)).collect();
    let names: Vec<String> = old.iter().map(|field| dotted(field)).collect();
    draft.change(format!("{} is now {}: {word}", names.join(" with "), dotted(policy)), |draft| {
        if let [_, second] = old[..] {
            draft.remove(second)?;
        }
        draft.rename(old[0], "managementPolicy")?;
        draft.set(policy, &Value::from(word))
    });
}

/// Migrates a budget, a share or a size.
pub fn resources(draft: &mut Draft, place: &str) {
    for side in ["requests", "limits"] {
        let old = format!("{place}/{side}/ephemeralStorage");
        if draft.has(&old) {
            let change = format!("{} renamed to ephemeral-storage", dotted(&old));
            draft.change(change, |draft| draft.rename(&old, "ephemeral-storage"));
        }
    }
    // The storage of a size or a budget is a text or a number; a mapping has another meaning.
    if draft.get(&format!("{place}/storage")).is_some_and(|storage| !storage.is_object()) {
        let storage = format!("{place}/storage");
        let change = format!("{} moved to {}.requests", dotted(&storage), dotted(place));
        draft.change(change, |draft| into_requests(draft, place, &storage, "storage"));
    }
    if draft.get(&format!("{place}/devices")).is_some_and(Value::is_object) {
        let devices = format!("{place}/devices");
        let change = format!("{} moved to {}.requests", dotted(&devices), dotted(place));
        draft.change(change, |draft| {
            let names = draft.keys(&devices);
            if !draft.has(&format!("{place}/requests")) && !names.is_empty() {
                return draft.rename(&devices, "requests");
            }
            for name in names {
                into_requests(draft, place, &below(&devices, &name), &name)?;
            }
            draft.remove(&devices)
        });
    }
}

/// Moves an entry into the requests, and adds the requests if they are missing.
fn into_requests(draft: &mut Draft, place: &str, entry: &str, key: &str) -> super::draft::Edited {
    let requests = format!("{place}/requests");
    if draft.has(&requests) { draft.carry(entry, &requests, key) } else { draft.wrap(entry, "requests") }
}

/// Migrates a project: `share` becomes `workspace`, and its part for Live moves to `live`.
fn project(draft: &mut Draft, place: &str) {
    let share = format!("{place}/share");
    for side in ["workspace", "live"] {
        resources(draft, &format!("{share}/{side}"));
    }
    if draft.has(&format!("{share}/live")) {
        let (from, to) = (format!("{share}/live"), format!("{place}/live"));
        let change = format!("{} moved to {}.share", dotted(&from), dotted(&to));
        if draft.has(&to) {
            draft.change(change, |draft| draft.carry(&from, &to, "share"));
        } else {
            draft.leave(format!(
                "{} is a share of a production side that is not there. Add `live: {{}}`, or remove it",
                dotted(&from)
            ));
        }
    }
    let keys = draft.keys(&share);
    if draft.get(&share).is_none_or(|share| !share.is_object()) || keys.iter().any(|key| key == "live") {
        return;
    }
    if keys.is_empty() {
        return draft.change(format!("{} removed: it is empty", dotted(&share)), |draft| draft.remove(&share));
    }
    let change = format!("{} is now {}.workspace", dotted(&share), dotted(place));
    draft.change(change, |draft| {
        if draft.has(&format!("{share}/workspace")) {
            draft.rename(&format!("{share}/workspace"), "share")?;
        }
        draft.rename(&share, "workspace")
    });
}
