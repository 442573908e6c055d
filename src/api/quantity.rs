//! Amounts in Kubernetes' notation: `500m`, `4`, `16Gi`.
//!
//! The text is kept as it was written, so that nothing rewrites what GitOps
//! applied; arithmetic happens on [`Amount`], which is exact to a thousandth.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// An amount as it was written. The API server has checked the notation; use
/// [`Quantity::amount`] where the object may have come from a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Quantity {
    /// A whole number of units.
    Number(i64),
    /// Any other notation.
    Text(String),
}

impl Quantity {
    /// The amount, or why the text is none.
    pub fn amount(&self) -> Result<Amount, QuantityError> {
        Amount::parse(&self.text())
    }

    /// The amount as a text, as in objects of Kubernetes.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Number(number) => Cow::Owned(number.to_string()),
            Self::Text(text) => Cow::Borrowed(text),
        }
    }
}

impl Default for Quantity {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl From<&str> for Quantity {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl JsonSchema for Quantity {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kubernetes-int-or-string": true, "minLength": 1, "maxLength": 24,
            "pattern": PATTERN
        })
    }

    fn inline_schema() -> bool {
        true
    }
}

/// The notation of a resource quantity, without a sign: no share is negative.
const PATTERN: &str = "^([0-9]+([.][0-9]*)?|[.][0-9]+)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$";

/// The text is not an amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a quantity. Write a number with an optional suffix m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi or Ei"
)]
pub struct QuantityError(pub String);

/// An amount in thousandths of its unit, with the notation it is written in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Amount {
    thousandths: i128,
    binary: bool,
}

const THOUSAND: i128 = 1000;
const BINARY: [(&str, i128); 6] =
    [("Ei", 1 << 60), ("Pi", 1 << 50), ("Ti", 1 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];
const DECIMAL: [(&str, i128); 6] = [
    ("E", 1_000_000_000_000_000_000),
    ("P", 1_000_000_000_000_000),
    ("T", 1_000_000_000_000),
    ("G", 1_000_000_000),
    ("M", 1_000_000),
    ("k", 1_000),
];
/// More than any cluster holds, and far from overflow when summed.
const LARGEST: i128 = (1 << 62) * THOUSAND;

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self { thousandths: 0, binary: false };

    /// A whole number of units.
    #[must_use]
    pub fn whole(units: i64) -> Self {
        Self { thousandths: i128::from(units) * THOUSAND, binary: false }
    }

    /// Reads the notation of Kubernetes; what is finer than a thousandth is
    /// rounded up, as the API server does.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        let error = || QuantityError(text.to_owned());
        let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
        let (number, suffix) = text.split_at(split);
        let (scale, binary) = scale_of(suffix).ok_or_else(error)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) || text.len() > 24 {
            return Err(error());
        }
        let numerator: i128 = format!("0{whole}{fraction}").parse().map_err(|_| error())?;
        let exponent = u32::try_from(fraction.len()).map_err(|_| error())?;
        let denominator = 10_i128.checked_pow(exponent).ok_or_else(error)?;
        let scaled = numerator.checked_mul(scale).ok_or_else(error)?;
        let thousandths = (scaled + denominator - 1) / denominator;
        Ok(Self { thousandths: thousandths.min(LARGEST), binary })
    }

    /// The amount in thousandths of its unit.
    #[must_use]
    pub const fn thousandths(self) -> i128 {
        self.thousandths
    }

    /// Whether it is nothing at all.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.thousandths == 0
    }

    /// The sum, in the notation of the first that is written in powers of two.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { thousandths: (self.thousandths + other.thousandths).min(LARGEST), binary: self.binary || other.binary }
    }

    /// What is left, at least nothing.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self { thousandths: (self.thousandths - other.thousandths).max(0), binary: self.binary || other.binary }
    }

    /// The part `numerator / denominator`, rounded down to a whole unit of the
    /// smallest step that a quota can hold: a thousandth for decimal amounts, a
    /// byte for binary ones. A denominator of zero gives nothing.
    #[must_use]
    pub fn part(self, numerator: i128, denominator: i128) -> Self {
        if denominator == 0 {
            return Self { thousandths: 0, ..self };
        }
        let product = self.thousandths.checked_mul(numerator).unwrap_or(i128::MAX);
        let thousandths = (product / denominator).clamp(0, LARGEST);
        let step = if self.binary { THOUSAND } else { 1 };
        Self { thousandths: thousandths / step * step, ..self }
    }

    /// The form in which the API server gives a quantity back: no fraction, the
    /// largest suffix that loses nothing, powers of two only from 1024 on.
    /// Source: `k8s.io/apimachinery/pkg/api/resource`, `Quantity.CanonicalizeBytes`.
    #[must_use]
    pub fn canonical(self) -> String {
        let value = self.thousandths;
        if value % THOUSAND != 0 {
            return format!("{value}m");
        }
        let units = value / THOUSAND;
        // What has no power of two is written without a suffix, and so read as
        // decimal, which then has one.
        let binary = if self.binary && units >= 1024 { BINARY.as_slice() } else { &[] };
        for (suffix, scale) in binary.iter().chain(&DECIMAL) {
            if units >= *scale && units % scale == 0 {
                return format!("{}{suffix}", units / scale);
            }
        }
        units.to_string()
    }
}

fn scale_of(suffix: &str) -> Option<(i128, bool)> {
    match suffix {
        "" => Some((THOUSAND, false)),
        "m" => Some((1, false)),
        _ => {
            let find = |table: &[(&str, i128)]| {
                table.iter().find(|(name, _)| *name == suffix).map(|(_, scale)| scale * THOUSAND)
            };
            find(&BINARY).map(|scale| (scale, true)).or_else(|| find(&DECIMAL).map(|scale| (scale, false)))
        }
    }
}

impl PartialEq for Amount {
    fn eq(&self, other: &Self) -> bool {
        self.thousandths == other.thousandths
    }
}

impl Eq for Amount {}

impl PartialOrd for Amount {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Amount {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.thousandths.cmp(&other.thousandths)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.canonical())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        Amount::parse(text).unwrap().canonical()
    }

    #[test]
    fn reads_back_as_the_api_server_writes_it() {
        let cases = [
            ("1000m", "1"),
            ("1024Mi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("0.5", "500m"),
            ("100Gi", "100Gi"),
            ("1000", "1k"),
            ("1024", "1024"),
            ("512Ki", "512Ki"),
            ("0", "0"),
            ("0Gi", "0"),
            ("0.5Ki", "512"),
            ("2812.5Ki", "2880k"),
            (".5", "500m"),
            ("5.", "5"),
            ("1500m", "1500m"),
            ("2E", "2E"),
            ("1000Mi", "1000Mi"),
        ];
        for (text, expected) in cases {
            assert_eq!(canonical(text), expected, "{text}");
        }
    }

    #[test]
    fn an_amount_stays_as_it_was_written() {
        for (text, same) in [("4", "4"), ("\"4\"", "4"), ("\"0.5\"", "0.5"), ("0", "0")] {
            let quantity: Quantity = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&quantity).unwrap(), text);
            assert_eq!(quantity.text(), same);
        }
        assert!(serde_json::from_str::<Quantity>("0.5").is_err());
    }

    #[test]
    fn refuses_what_is_no_amount() {
        for text in ["", "-1", "1 Gi", "Gi", ".", "1gi", "1e3", "0x1", "1.2.3", "99999999999999999999999999"] {
            assert!(Amount::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn parts_never_add_up_to_more_than_the_whole() {
        let whole = Amount::parse("7Gi").unwrap();
        let parts = (0..3).fold(Amount::ZERO, |sum, _| sum.plus(whole.part(1, 3)));
        assert!(parts <= whole);
        assert_eq!(whole.part(1, 0), Amount::ZERO);
    }
}
