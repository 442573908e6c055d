//! The size of an existing volume, compared with the size in the spec.
//!
//! Pure. A volume never shrinks, and grows only if its class and its driver allow it. A
//! difference is reported, and blocks nothing.

use serde_json::Value;

use crate::api::quantity::Amount;

/// The size to write to a claim: the wanted one, or that of the claim if it is larger.
#[must_use]
pub fn kept(wanted: &str, claim: &Value) -> String {
    requested(claim).filter(|there| is_less(wanted, there)).unwrap_or(wanted).to_owned()
}

/// The message for a volume that is larger or smaller than the field. `refused` is the API
/// server's answer to a larger size.
#[must_use]
pub fn difference(field: &str, wanted: &str, name: &str, claim: &Value, refused: Option<&str>) -> Option<String> {
    let there = requested(claim)?;
    if is_less(wanted, there) {
        return Some(format!(
            "{field} is {wanted}, less than the {there} of volume {name}, which is kept: a volume can only grow. Set \
             {field} to {there}"
        ));
    }
    if is_less(there, wanted) {
        let why = refused.map(|why| format!(": {why}")).unwrap_or_default();
        return Some(format!("{field} is {wanted}, but volume {name} keeps its {there}{why}"));
    }
    let has = claim["status"]["capacity"]["storage"].as_str()?;
    is_less(has, wanted).then(|| {
        format!(
            "{field} is {wanted}, but volume {name} still has {has}. If it does not grow, the Events of the claim say \
             why"
        )
    })
}

/// Whether a claim requests more than the existing one.
#[must_use]
pub fn is_growth(desired: &Value, live: &Value) -> bool {
    requested(live).zip(requested(desired)).is_some_and(|(there, wanted)| is_less(there, wanted))
}

fn requested(claim: &Value) -> Option<&str> {
    claim["spec"]["resources"]["requests"]["storage"].as_str()
}

fn is_less(one: &str, other: &str) -> bool {
    matches!((Amount::parse(one), Amount::parse(other)), (Ok(one), Ok(other)) if one < other)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claim(asks: &str, has: &str) -> Value {
        json!({"spec": {"resources": {"requests": {"storage": asks}}}, "status": {"capacity": {"storage": has}}})
    }

    #[test]
    fn difference_of_a_volume_is_reported_with_what_to_do() {
        let advice = |wanted: &str, claim: &Value, refused: Option<&str>| {
            difference("spec.storage", wanted, "home", claim, refused).unwrap_or_default()
        };
        assert_eq!(
            advice("10Gi", &claim("20Gi", "20Gi"), None),
            "spec.storage is 10Gi, less than the 20Gi of volume home, which is kept: a volume can only grow. Set \
             spec.storage to 20Gi"
        );
        assert_eq!(
            advice("20Gi", &claim("20Gi", "10Gi"), None),
            "spec.storage is 20Gi, but volume home still has 10Gi. If it does not grow, the Events of the claim say why"
        );
        assert_eq!(
            advice("20Gi", &claim("10Gi", "10Gi"), Some("its class cannot")),
            "spec.storage is 20Gi, but volume home keeps its 10Gi: its class cannot"
        );
        // Volumes of the requested size, larger because a driver rounds up, or not bound yet.
        for (wanted, claim) in [
            ("20Gi", claim("20Gi", "20480Mi")),
            ("20Gi", claim("20Gi", "21Gi")),
            ("20Gi", json!({"spec": {"resources": {"requests": {"storage": "20Gi"}}}})),
            ("20Gi", Value::Null),
        ] {
            assert_eq!(advice(wanted, &claim, None), "", "{wanted} {claim}");
        }
    }

    #[test]
    fn volume_is_never_asked_to_shrink() {
        assert_eq!(kept("10Gi", &claim("20Gi", "20Gi")), "20Gi");
        assert_eq!(kept("20Gi", &claim("10Gi", "10Gi")), "20Gi");
        assert_eq!(kept("20Gi", &Value::Null), "20Gi");
    }
}
