//! The merged values of several blocks that one instance of an engine serves.

use std::collections::BTreeMap;

use serde_json::Value;

use super::choice::CapabilityRequest;

/// The values of several blocks that one instance answers.
#[derive(Clone, Debug, Default)]
pub struct Merged {
    /// Parameters by name.
    pub parameters: BTreeMap<String, Value>,
    /// The size of the volume.
    pub storage: Option<String>,
    /// The Secret with the credentials.
    pub secret: Option<String>,
    /// The conflicts between two blocks.
    pub contradiction: Option<String>,
}

impl Merged {
    /// The values of all of these, and the first contradiction between two.
    #[must_use]
    pub fn of(wants: &[CapabilityRequest<'_>]) -> Self {
        let mut merged = Self::default();
        let mut said: BTreeMap<String, (&'static str, Value)> = BTreeMap::new();
        for want in wants {
            let parameters = want.parameters.into_iter().flatten();
            let mut values: Vec<(String, Value)> =
                parameters.map(|(name, value)| (format!("parameters.{name}"), value.clone())).collect();
            values.extend(want.storage.map(|size| ("storage".to_owned(), Value::from(size.text()))));
            values.extend(want.secret.map(|secret| ("credentials.secret".to_owned(), Value::from(secret))));
            for (field, value) in values {
                match said.get(&field) {
                    Some((other, before)) if *before != value && merged.contradiction.is_none() => {
                        let text = format!(
                            "{other}.{field} ({before}) conflicts with {}.{field} ({value}): one instance of the \
                             engine serves both. Set it in one of them",
                            want.path()
                        );
                        merged.contradiction = Some(text);
                    }
                    Some(_) => {}
                    None => {
                        said.insert(field, (want.path(), value));
                    }
                }
            }
        }
        for (field, (_, value)) in said {
            match (field.strip_prefix("parameters."), value) {
                (Some(name), value) => {
                    merged.parameters.insert(name.to_owned(), value);
                }
                (None, Value::String(text)) if field == "storage" => merged.storage = Some(text),
                (None, Value::String(text)) => merged.secret = Some(text),
                (None, _) => {}
            }
        }
        merged
    }
}
