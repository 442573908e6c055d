//! What a status said of each kind of trouble, for the list at the end.

use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::stage::{Stage, condition};

/// The reports so far.
#[derive(Default)]
pub struct Reports(Mutex<Vec<[String; 3]>>);

impl Reports {
    fn note(&self, what: &str, who: &str, said: String) {
        println!("        reported: {what}: {who}: {said}");
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push([what.to_owned(), who.to_owned(), said]);
    }

    /// The list.
    pub fn print(&self) {
        println!("\nwhat ran into trouble, and what was reported");
        for [what, who, said] in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            println!("  {what}\n    {who}\n    {said}");
        }
    }
}

impl Stage {
    /// Waits until a component of a team is not ready for this reason, in these
    /// words, and the team is not ready with them.
    pub async fn component_tells(&self, what: &str, team: &str, capability: &str, reason: &str, words: &[&str]) {
        let reported = |seen: &Value| -> Option<String> {
            let components = seen["status"]["components"].as_array()?;
            let component = components.iter().find(|component| component["capability"] == capability)?;
            let message = component["message"].as_str()?;
            let ready = condition(seen, "Ready");
            let of_team = ready["message"].as_str()?;
            let says = |text: &str| words.iter().all(|word| text.contains(word));
            let tells = component["state"] != "Ready" && component["reason"] == reason && says(message);
            (tells && ready["status"] == "False" && says(of_team)).then(|| format!("{reason}: {message}"))
        };
        let wanted = format!("tells of {capability}: {reason} {words:?}");
        let seen = self.until("default", &format!("aiteam/{team}"), &wanted, |seen| reported(seen).is_some()).await;
        self.reports.note(what, &format!("{capability} of {team}"), reported(&seen).unwrap_or_default());
    }

    /// Waits until an member's object is not ready for this reason, in these words.
    pub async fn object_tells(&self, what: &str, namespace: &str, object: &str, reason: &str, words: &[&str]) {
        let tells = |seen: &Value| {
            let ready = condition(seen, "Ready");
            let message = ready["message"].as_str().unwrap_or_default();
            ready["status"] == "False" && ready["reason"] == reason && words.iter().all(|word| message.contains(word))
        };
        let seen = self.until(namespace, object, &format!("tells {reason} {words:?}"), tells).await;
        let said = condition(&seen, "Ready")["message"].as_str().unwrap_or_default().to_owned();
        self.reports.note(what, &format!("{object} in {namespace}"), format!("{reason}: {said}"));
    }
}
