//! Schema fragments of the namespaced kinds.

use crate::api::image;
pub(crate) use crate::api::schema::{names, strings};
use crate::api::text::hidden_pattern;

use crate::api::schema::{CREDENTIALS, HIDDEN, WITHOUT_CREDENTIALS, visible};

use schemars::{Schema, SchemaGenerator, json_schema};

/// The owner, without the prefix of the API server.
pub(crate) fn owner(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": 253,
        "x-kubernetes-validations": [
            {"rule": "self == oldSelf", "message": "the owner cannot change: delete the object and create one with the \
                                                    other owner"},
            {"rule": "!self.startsWith('system:') && self.trim() == self && self != '*'",
             "message": "name one person as the identity provider spells them: no system:*, no spaces around it, no '*'"},
            {"rule": visible(), "message": HIDDEN}
        ]
    })
}

/// An image by its name, or a full reference with a tag or a digest.
pub(crate) fn named_image(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": 512,
        "x-kubernetes-validations": [{
            "rule": format!("self.matches('^[a-z0-9]([-a-z0-9]{{0,38}}[a-z0-9])?$') || (self.matches('{}') && !self.endsWith(':latest'))", image::full()),
            "message": "name an image of the team or of the Blueprint (`scipy`), or write a full reference as a registry takes it, without a scheme and in small letters, with a fixed tag or a digest of 64 digits: registry.example.com/ai/fraud/train:1"
        }]
    })
}

/// A size of the Blueprint, by its name.
pub(crate) fn size(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": 40, "default": "small",
        "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
    })
}

/// Words of a command. Twenty steps go into one Job, and are recorded in one
/// status: all of them together must be far from what the API server stores.
pub(crate) fn words(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "maxItems": 64, "x-kubernetes-list-type": "atomic",
        "items": {"type": "string", "maxLength": 4096},
        "x-kubernetes-validations": [{
            "rule": "size(self.join('')) <= 8192",
            "message": "the list has more than 8192 characters together: put the script into the image"
        }]
    })
}

/// Names of datasets.
pub(crate) fn datasets(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "maxItems": 16, "x-kubernetes-list-type": "set",
        "items": {"type": "string", "minLength": 1, "maxLength": 40, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"}
    })
}

/// Words of a command as they are reported.
pub(crate) fn recorded_words(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "maxItems": 128, "x-kubernetes-list-type": "atomic",
        "items": {"type": "string", "maxLength": 4096}
    })
}

/// The address of data, without credentials.
pub(crate) fn data_uri(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": 1024,
        "x-kubernetes-validations": [{
            "rule": "self.matches('^(wasbs?|abfss?)://[^\\\\s[:cntrl:]@:/%]+@[^\\\\s[:cntrl:]@]+$') || self.matches('^[a-z][a-z0-9+.-]*://[^\\\\s[:cntrl:]@]+$')",
            "message": "an address is written scheme://place: s3://cards/v7, without a user or password in it: put \
                        credentials into a Secret. Of wasb and abfs the container stands before an '@': \
                        abfss://raw@account.dfs.core.windows.net/cards"
        }, {
            "rule": WITHOUT_CREDENTIALS, "message": CREDENTIALS
        }, {
            "rule": visible(), "message": HIDDEN
        }]
    })
}

/// Parts of a dataset by name, each a path below it.
pub(crate) fn splits(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object", "maxProperties": 16,
        "additionalProperties": {"type": "string", "minLength": 1, "maxLength": 512},
        "x-kubernetes-validations": [
            {"rule": "self.all(key, key.matches('^[a-z]([a-z0-9_]{0,30}[a-z0-9])?$') && !(key in ['uri', 'path']))",
             "message": "a split has at most 32 characters, lower-case letters, digits and '_', and is called neither uri nor path: train"},
            {"rule": "self.all(key, !self[key].startsWith('/') && !self[key].matches('(^|/)[.][.](/|$)'))",
             "message": "a split is a path below the dataset: parts/train, not /parts/train, and without '..'"},
            {"rule": format!("self.all(key, !self[key].matches('{}'))", hidden_pattern()),
             "message": "a split is one line of characters that can be seen: parts/train"}
        ]
    })
}

/// Values by the name of a parameter.
pub(crate) fn arguments(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object", "maxProperties": 32,
        "additionalProperties": {"type": "string", "maxLength": 1024},
        "x-kubernetes-validations": [{
            "rule": "self.all(key, key.matches('^[a-z]([a-z0-9_]{0,38}[a-z0-9])?$'))",
            "message": "a parameter is named with lower-case letters, digits and '_': learning_rate"
        }]
    })
}

/// Names of steps.
pub(crate) fn step_names(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "maxItems": 20, "x-kubernetes-list-type": "set",
        "items": {"type": "string", "minLength": 1, "maxLength": 40}
    })
}

/// Names of steps in their order.
pub(crate) fn ordered_steps(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "maxItems": 20, "x-kubernetes-list-type": "atomic",
        "items": {"type": "string", "maxLength": 40}
    })
}

/// When a pipeline runs by itself: what CronJob takes, less what its parser
/// forgives (empty list entries, `*-5`) and less `@every`, which counts from a
/// time that nobody can look up.
pub(crate) fn schedule(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": 128,
        "x-kubernetes-validations": [
            {"rule": format!("self.matches('^@(hourly|daily|midnight|weekly|monthly|yearly|annually)$') || self.matches('{}')", five_fields()),
             "message": "a schedule has five fields: minute 0-59, hour 0-23, day 1-31, month 1-12 or jan-dec, weekday \
                         0-6 or sun-sat: `0 3 * * 1-5`; or it is one of @hourly, @daily, @weekly, @monthly, @yearly. \
                         There is no @every, and the time zone goes into timeZone"},
            {"rule": "self.findAll('[0-9]{1,2}-[0-9]{1,2}').all(range, int(range.split('-')[0]) <= int(range.split('-')[1]))",
             "message": "a range of the schedule ends before it begins: write `22-23,0-4`, not `22-4`"},
            {"rule": format!("self.lowerAscii().findAll('[a-z]{{3}}-[a-z]{{3}}').all(range, '{ORDER}'.indexOf(range.substring(0, 3)) <= '{ORDER}'.indexOf(range.substring(4, 7)))"),
             "message": "a range of the schedule ends before it begins: weeks begin with sun, years with jan; write `fri,sat,sun`, not `fri-sun`"}
        ]
    })
}

const MONTHS: &str = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec";
const WEEKDAYS: &str = "sun|mon|tue|wed|thu|fri|sat";
/// The order in which ranges of names run.
const ORDER: &str = "sun,mon,tue,wed,thu,fri,sat,jan,feb,mar,apr,may,jun,jul,aug,sep,oct,nov,dec";

/// The pattern of minute, hour, day, month and weekday.
fn five_fields() -> String {
    let field = |number: &str, names: &str| {
        let named = if names.is_empty() { String::new() } else { format!("|(?i:{names})(-(?i:{names}))?") };
        let entry = format!("([*?]|({number})(-({number}))?{named})(/[1-9][0-9]?)?");
        format!("{entry}(,{entry})*")
    };
    let fields = [
        field("[0-5]?[0-9]", ""),
        field("[01]?[0-9]|2[0-3]", ""),
        field("0?[1-9]|[12][0-9]|3[01]", ""),
        field("0?[1-9]|1[0-2]", MONTHS),
        field("0?[0-6]", WEEKDAYS),
    ];
    format!("^{}$", fields.join(" +"))
}

/// A time zone by its name in the IANA database. The names there begin with a
/// capital letter; what the API server's own files hold besides (`localtime`)
/// does not. An offset and the empty name pass its function for time zones, and
/// are refused by CronJob.
pub(crate) fn time_zone(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "maxLength": 64,
        "x-kubernetes-validations": [
            {"rule": "self.matches('^[A-Z]') && self != 'Local'",
             "message": "a time zone is named as in the IANA database: Europe/Berlin or UTC; neither `Local` nor an offset like +02:00, and none at all is UTC"},
            {"rule": "!self.matches('^[A-Z]') || self == 'Local' || timestamp('2026-01-01T00:00:00Z').getHours(self) >= 0",
             "message": NO_ZONE}
        ]
    })
}

/// The message for a name that is not in the database.
pub const NO_ZONE: &str = "the IANA database has no time zone of this name: write for example Europe/Berlin";

/// The least number of pods that serve. It is 0 in the schema, so that whoever asks for
/// none reads why that is refused.
pub(crate) fn least(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "integer", "format": "int32", "minimum": 0, "maximum": 100, "default": 1,
        "x-kubernetes-validations": [{
            "rule": "self >= 1",
            "message": "a model in production has at least one pod: ask for 1 or more, or delete the ModelService"
        }]
    })
}
