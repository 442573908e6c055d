//! What the API server puts before the names of people and groups: one fact of the
//! cluster, set by flags of the operator and written on each namespace of a team.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest prefix: issuers are URLs, and names have to fit behind it.
const LONGEST: usize = 256;
/// The prefix of Kubernetes' own subjects.
const OWN: &str = "system:";

/// The prefixes of people and of groups; empty where the API server puts nothing
/// before them. As text it is `user=oidc:,group=oidc:`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Prefixes {
    /// Before the names of people.
    pub user: String,
    /// Before the names of groups.
    pub group: String,
}

impl fmt::Display for Prefixes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "user={},group={}", self.user, self.group)
    }
}

/// The name behind the prefix, if it begins with one: the API server would put the prefix
/// before it once more.
#[must_use]
pub fn behind<'a>(prefix: &str, name: &'a str) -> Option<&'a str> {
    name.strip_prefix(prefix).filter(|rest| !prefix.is_empty() && !rest.is_empty())
}

/// Parses one prefix of the command line; the error is the reason for a refusal.
pub fn prefix(text: &str) -> Result<String, String> {
    if !text.is_empty() && (text.starts_with(OWN) || OWN.starts_with(text)) {
        let why = "with this prefix a name could become a system:* subject of Kubernetes. Set the prefix that the API \
                   server is configured with";
        return Err(why.to_owned());
    }
    if text.len() > LONGEST || text.chars().any(char::is_control) {
        return Err(format!("a prefix has at most {LONGEST} characters, all of them printable"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_makes_nobody_one_of_kubernetes_own() {
        for own in ["system:", "sys", "system:serviceaccount:", "s"] {
            assert!(prefix(own).is_err(), "{own}");
        }
        assert!(prefix("a\nb").is_err() && prefix(&"a".repeat(LONGEST + 1)).is_err());
        for sound in ["", "oidc:", "https://login.example.com/0c1d/v2.0#"] {
            assert_eq!(prefix(sound).as_deref(), Ok(sound));
        }
    }

    #[test]
    fn both_prefixes_are_one_plain_text() {
        let prefixes = Prefixes { user: "oidc:".to_owned(), group: String::new() };
        assert_eq!(prefixes.to_string(), "user=oidc:,group=");
    }
}
