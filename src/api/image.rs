//! How images and the places of registries are spelt: as registries and container
//! runtimes read them. Every field that takes one has its rule from here.

/// A host, with its port: small letters, no user.
const HOST: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*(:[0-9]{1,5})?";
/// One part of a path: never empty, `.` or `..`.
const PART: &str = "[a-z0-9]+(([.]|__?|-+)[a-z0-9]+)*";
/// A tag, a digest, or both.
const FIXED: &str = "(:[A-Za-z0-9_][-A-Za-z0-9_.]{0,127}|(:[A-Za-z0-9_][-A-Za-z0-9_.]{0,127})?@sha256:[a-f0-9]{64})";

/// An image with a tag or a digest.
pub(crate) fn tagged() -> String {
    format!("^(({HOST}|{PART})/)?{PART}(/{PART})*{FIXED}$")
}

/// The same with a registry or a folder before it, so that it is no name of the Blueprint's.
pub(crate) fn full() -> String {
    format!("^({HOST}|{PART})(/{PART})+{FIXED}$")
}

/// An image of an engine, pinned or not.
pub(crate) fn any() -> String {
    format!("^(({HOST}|{PART})/)?{PART}(/{PART})*{FIXED}?$")
}

/// A registry's host.
pub(crate) fn host() -> String {
    format!("^{HOST}$")
}

/// A registry, or a folder in one, without a slash at its end.
pub(crate) fn place() -> String {
    format!("^{HOST}(/{PART})*$")
}

/// The same, ending with a slash.
pub(crate) fn folder() -> String {
    format!("^{HOST}(/{PART})*/$")
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    const DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    /// What no registry reads as one name, in a place where a path goes on.
    const NEVER: [&str; 22] = [
        "r.example.com/ai/team/../../evil/x",
        "r.example.com/ai/team/@evil.example.com/x",
        "r.example.com/../x",
        "r.example.com/./x",
        "r.example.com//x",
        "//r.example.com/x",
        "r.example.com@evil.example.com/x",
        "me:secret@r.example.com/x",
        "r.example.com/Team/x",
        "R.example.com/x",
        "r.example.com:/x",
        "r.example.com:https/x",
        "r.example.com:443443/x",
        "r..example.com/x",
        "r.example.com./x",
        "-r.example.com/x",
        "https://r.example.com/x",
        "r.example.com/%2e%2e/x",
        "r.example.com/x?y=z",
        "r.example.com/x#y",
        "r.example.com/a\\b",
        "r.example.com/a b",
    ];

    #[test]
    fn what_no_registry_reads_is_refused_everywhere() {
        let read = |pattern: String| Regex::new(&pattern).unwrap();
        for name in NEVER {
            let digested = format!("{name}@sha256:{DIGEST}");
            for pattern in [tagged(), full(), any()].map(read) {
                assert!(!pattern.is_match(&format!("{name}:1")) && !pattern.is_match(&digested), "{name}");
            }
            assert!(!read(any()).is_match(name) && !read(place()).is_match(name), "{name}");
            assert!(!read(folder()).is_match(&format!("{name}/")), "{name}");
        }
        for host in ["", "r.example.com:", "r.example.com:x", "a@r.example.com", "R.example.com", "r.example.com/x"] {
            assert!(!read(super::host()).is_match(host), "{host}");
        }
    }

    #[test]
    fn what_registries_read_passes() {
        let read = |pattern: String| Regex::new(&pattern).unwrap();
        for name in [
            "r.example.com/x",
            "r.example.com:5000/ai/fraud/train",
            "localhost:5000/x",
            "my_org/x",
            "a/b__c/d--e/f.g",
            "x-y/z",
        ] {
            for image in
                [format!("{name}:v1.0_a"), format!("{name}@sha256:{DIGEST}"), format!("{name}:1@sha256:{DIGEST}")]
            {
                for pattern in [tagged(), full(), any()].map(read) {
                    assert!(pattern.is_match(&image), "{image}");
                }
            }
            assert!(read(any()).is_match(name) && !read(tagged()).is_match(name), "{name}");
        }
        assert!(read(tagged()).is_match("python:3") && !read(full()).is_match("python:3"));
        for place in ["r.example.com", "r.example.com:5000", "m.example/quay", "r.example.com/a/b-c"] {
            assert!(read(super::place()).is_match(place) && read(folder()).is_match(&format!("{place}/")), "{place}");
        }
        assert!(!read(super::place()).is_match("r.example.com/") && !read(folder()).is_match("r.example.com"));
    }
}
