//! The parameters of an engine: its JSON schema, checked once, and what it says
//! of a team's values.

use std::collections::BTreeMap;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, ValidationError, ValidationOptions, Validator};
use serde_json::{Map, Value, json};

use super::Fault;
use super::expression::Bound;
use crate::api::image;
use crate::api::text::bounded;

/// The most errors in one message.
const ERRORS: usize = 8;
/// The depth to which defaults are read.
const DEPTH: usize = 8;

/// The largest program that a `pattern` may become, in bytes.
const PROGRAM: usize = 256 * 1024;
/// The most attempts of a `pattern` that looks around.
const ATTEMPTS: usize = 100_000;

/// The message for a parameter of format `image` that is not an image.
const IMAGE: &str = "name an image as a registry takes it, in small letters, without a scheme, a user or '..': registry.example.com/ai/mlflow:1";

/// A compiled schema of parameters.
#[derive(Clone, Debug)]
pub struct Parameters {
    schema: Value,
    validator: Validator,
}

impl Parameters {
    /// Checks and compiles the schema. Other fields are refused, unless
    /// it allows them: a misspelt parameter is an error, not a default.
    pub fn compile(schema: &BTreeMap<String, Value>) -> Result<Self, Fault> {
        let mut entries: Map<String, Value> = schema.clone().into_iter().collect();
        entries.entry("type").or_insert_with(|| json!("object"));
        entries.entry("additionalProperties").or_insert(Value::Bool(false));
        let mut schema = Value::Object(entries);
        if schema["type"] != "object" {
            return Err(Fault::at("type", "parameters are an object"));
        }
        // A reference could lead out of the file, or back to itself for ever.
        if let Some(path) = find_reference(&schema, 0) {
            return Err(Fault::at(path, "references are not followed here. Write the schema in full"));
        }
        spell_images(&mut schema, 0);
        let validator = options()
            .build(&schema)
            .map_err(|error| Fault::at(dotted(&error.instance_path().to_string()), error.to_string()))?;
        let compiled = Self { schema, validator };
        compiled.check_defaults()?;
        Ok(compiled)
    }

    /// The values, completed by the schema's defaults.
    #[must_use]
    pub fn with_defaults(&self, values: &Value) -> Value {
        let mut filled = if values.is_null() { json!({}) } else { values.clone() };
        fill(&self.schema, &mut filled, 0);
        filled
    }

    /// The most that values can be which hold to the schema.
    #[must_use]
    pub fn bound(&self) -> Bound {
        Bound::of_schema(&self.schema)
    }

    /// The faults of the values: field and rule, at most eight of them.
    #[must_use]
    pub fn errors(&self, values: &Value) -> Vec<String> {
        let filled = self.with_defaults(values);
        self.validator
            .iter_errors(&filled)
            .take(ERRORS)
            .map(|error| {
                let path = dotted(&error.instance_path().to_string());
                let field = if path.is_empty() { "parameters".to_owned() } else { format!("parameters.{path}") };
                format!("{field}: {}", bounded(self.sentence(&error), 256))
            })
            .collect()
    }

    /// What is wrong with one value, in words: all parameters that there are not, and
    /// instead of a pattern what the parameter is.
    fn sentence(&self, error: &ValidationError<'_>) -> String {
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                format!("the engine has no {}", unexpected.join(", "))
            }
            ValidationErrorKind::Pattern { pattern } if *pattern == image::any() => IMAGE.to_owned(),
            ValidationErrorKind::Pattern { .. } => {
                let path = error.schema_path().to_string();
                let property = path.strip_suffix("/pattern").and_then(|path| self.schema.pointer(path));
                let said = property.and_then(|property| property["description"].as_str());
                said.map_or_else(
                    || error.masked_with("the value").to_string(),
                    |said| format!("the value does not have the form: {}", said.trim_end_matches('.')),
                )
            }
            _ => error.masked_with("the value").to_string(),
        }
    }

    fn check_defaults(&self) -> Result<(), Fault> {
        for (name, property) in self.schema["properties"].as_object().into_iter().flatten() {
            let Some(default) = property.get("default") else { continue };
            let fault = |message: String| Fault::at("default", message).under(name).under("properties");
            let validator = options().build(property).map_err(|error| fault(error.to_string()))?;
            if let Err(error) = validator.validate(default) {
                return Err(fault(error.to_string()));
            }
        }
        Ok(())
    }
}

/// Nothing is fetched, and a pattern neither becomes large nor takes long.
fn options() -> ValidationOptions<'static> {
    let patterns = PatternOptions::fancy_regex().backtrack_limit(ATTEMPTS).size_limit(PROGRAM).dfa_size_limit(PROGRAM);
    jsonschema::options().offline().with_pattern_options(patterns)
}

/// Fills in defaults, in objects that are there and in those that consist of
/// defaults alone.
fn fill(schema: &Value, value: &mut Value, depth: usize) {
    let (Some(properties), Some(entries)) = (schema["properties"].as_object(), value.as_object_mut()) else { return };
    if depth > DEPTH {
        return;
    }
    for (name, property) in properties {
        if let Some(present) = entries.get_mut(name) {
            fill(property, present, depth + 1);
            continue;
        }
        let mut default = property.get("default").cloned().unwrap_or_else(|| json!({}));
        fill(property, &mut default, depth + 1);
        if property.get("default").is_some() || default.as_object().is_some_and(|entries| !entries.is_empty()) {
            entries.insert(name.clone(), default);
        }
    }
}

fn find_reference(schema: &Value, depth: usize) -> Option<String> {
    const REFERENCES: &[&str] = &["$ref", "$dynamicRef", "$recursiveRef"];
    if depth > 64 {
        return Some(String::new());
    }
    let children: Vec<(String, &Value)> = match schema {
        Value::Object(entries) => entries.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect(),
        _ => return None,
    };
    children.into_iter().find_map(|(key, value)| {
        if REFERENCES.contains(&key.as_str()) && value.is_string() {
            return Some(key);
        }
        let below = find_reference(value, depth + 1)?;
        Some(if below.is_empty() { key } else { format!("{key}.{below}") })
    })
}

/// The words of a schema below which values stand, not schemas.
const VALUES: [&str; 4] = ["const", "default", "enum", "examples"];

/// Gives every text of the format `image` the pattern of one: formats themselves are not
/// checked.
fn spell_images(schema: &mut Value, depth: usize) {
    if depth > DEPTH {
        return;
    }
    if let Some(entries) = schema.as_object_mut().filter(|entries| entries.get("format") == Some(&json!("image"))) {
        // Beside a pattern of the engine's own, which may name a registry.
        if let Some(all) = entries.entry("allOf").or_insert_with(|| json!([])).as_array_mut() {
            all.push(json!({"pattern": image::any()}));
        }
    }
    let children: Vec<&mut Value> = match schema {
        Value::Object(entries) => {
            let schemas = entries.iter_mut().filter(|(key, _)| !VALUES.contains(&key.as_str()));
            schemas.map(|(_, value)| value).collect()
        }
        Value::Array(items) => items.iter_mut().collect(),
        _ => Vec::new(),
    };
    for child in children {
        spell_images(child, depth + 1);
    }
}

fn dotted(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(schema: Value) -> Result<Parameters, Fault> {
        Parameters::compile(&serde_json::from_value(schema).unwrap())
    }

    #[test]
    fn an_image_is_spelt_as_registries_read_it() {
        let format = json!({"type": "string", "format": "image"});
        let schema = json!({"properties": {"image": format, "other": {"properties": {"images": {"items": format}}}}});
        let parameters = compile(schema).unwrap();
        for bad in ["r.example.com/a/../x:1", "r.example.com/a/@evil.example.com/x:1", "https://r.example.com/x:1"] {
            let says = format!("parameters.image: {IMAGE}");
            assert_eq!(parameters.errors(&json!({"image": bad})), [says], "{bad}");
            assert_eq!(parameters.errors(&json!({"other": {"images": [bad]}})).len(), 1, "{bad}");
        }
        assert_eq!(parameters.errors(&json!({"image": "r.example.com/mlflow:1"})), Vec::<String>::new());
    }

    #[test]
    fn a_pattern_of_the_engines_own_stays_and_values_are_left_alone() {
        let image = json!({"type": "string", "format": "image", "pattern": "^r[.]example[.]com/"});
        let default = json!({"format": "image"});
        let parameters = compile(json!({"properties": {"image": image, "what": {"default": default}}})).unwrap();
        assert_eq!(parameters.errors(&json!({"image": "evil.example.com/x:1"})).len(), 1);
        assert_eq!(parameters.errors(&json!({"image": "r.example.com/a/../x:1"})).len(), 1);
        assert_eq!(parameters.errors(&json!({"image": "r.example.com/x:1"})), Vec::<String>::new());
        assert_eq!(parameters.with_defaults(&json!({}))["what"], default);
    }

    #[test]
    fn defaults_are_filled_in_at_any_depth() {
        let parameters = compile(json!({"properties": {
            "workers": {"type": "integer", "default": 1, "minimum": 1},
            "resources": {"type": "object", "properties": {"memory": {"type": "string", "default": "1Gi"}}},
            "url": {"type": "string"}
        }}))
        .unwrap();
        assert_eq!(parameters.with_defaults(&Value::Null), json!({"workers": 1, "resources": {"memory": "1Gi"}}));
        let given = json!({"workers": 2, "resources": {"memory": "2Gi"}, "url": "x"});
        assert_eq!(parameters.with_defaults(&given), given);
    }

    #[test]
    fn errors_name_field_and_rule() {
        let parameters = compile(json!({"required": ["url"], "properties": {
            "workers": {"type": "integer", "minimum": 1}, "url": {"type": "string"}}}))
        .unwrap();
        assert_eq!(parameters.errors(&json!({"url": "x"})), Vec::<String>::new());
        let errors = parameters.errors(&json!({"workers": 0, "worker": 1}));
        assert!(errors.iter().any(|error| error.starts_with("parameters.workers: ")), "{errors:?}");
        assert!(errors.iter().any(|error| error.contains("worker")), "{errors:?}");
        assert!(errors.iter().any(|error| error.contains("url")), "{errors:?}");
    }

    #[test]
    fn a_schema_that_is_none_is_refused() {
        assert!(compile(json!({"properties": {"a": {"type": "nonsense"}}})).is_err());
        assert!(compile(json!({"type": "string"})).is_err());
        assert!(compile(json!({"properties": {"a": {"type": "integer", "default": "b"}}})).is_err());
        let pattern = |pattern: &str| compile(json!({"properties": {"a": {"type": "string", "pattern": pattern}}}));
        assert!(pattern("^((((a{99}){99}){99}){99})$").is_err());
        assert_eq!(pattern("^(?!b)[a-z]+$").unwrap().errors(&json!({"a": "abc"})), Vec::<String>::new());
        let reference = compile(json!({"properties": {"a": {"$ref": "#"}}})).unwrap_err();
        assert_eq!(reference.path, "properties.a.$ref");
    }

    #[test]
    fn an_engine_without_a_schema_takes_no_parameters() {
        let parameters = compile(json!({})).unwrap();
        assert_eq!(parameters.errors(&json!({})), Vec::<String>::new());
        assert_eq!(parameters.errors(&json!({"a": 1})).len(), 1);
    }

    #[test]
    fn addresses_of_the_built_in_engines_open_nothing() {
        let catalogue = crate::engine::Catalogue::builtin();
        let refuses = |engine: &str, values: Value| {
            let engine = catalogue.get(engine).unwrap().compiled.as_ref().unwrap();
            !engine.parameters_valid(&values).is_empty()
        };
        let store = |address: &str| refuses("mlflow", json!({"database": "Secret", "artifactsDestination": address}));
        let outside = |address: &str| refuses("external", json!({"url": address}));
        for query in ["?password=x", "?a=1&pass=x", "?db_pass=x", "?passphrase=x", "?%70assword=x", "?sig=x"] {
            assert!(store(&format!("s3://a/b{query}")), "{query}");
            assert!(outside(&format!("https://a.example.com/b{query}")), "{query}");
        }
        assert!(store("abfss://raw%3Apw@a.net/x") && store("abfss://raw:pw@a.net/x"));
        for good in ["s3://a/b", "abfss://raw@a.net/x", "s3://a/b?compass=north"] {
            assert!(!store(good), "{good}");
        }
        assert!(!outside("https://a.example.com/b?bypass=1&page=2"));
    }
}
