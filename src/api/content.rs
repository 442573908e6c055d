//! One number for what something says: the same for the same content, whoever
//! holds it, wherever in memory it is.

use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Write};

use serde::Serialize;

struct Sink(DefaultHasher);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The number of a value written as JSON. Maps have to be sorted.
#[must_use]
pub fn number(content: &impl Serialize) -> u64 {
    let mut sink = Sink(DefaultHasher::new());
    // A sink takes everything, and what is numbered here has string keys.
    let _ = serde_json::to_writer(&mut sink, content);
    sink.0.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_same_content_has_the_same_number() {
        assert_eq!(number(&json!({"a": 1, "b": [2]})), number(&json!({"b": [2], "a": 1})));
        assert_ne!(number(&"a"), number(&"b"));
        assert_ne!(number(&["ab", "c"]), number(&["a", "bc"]));
    }
}
