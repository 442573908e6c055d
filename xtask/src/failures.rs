//! Which tests failed, and with what message, read from what cargo prints. A long log
//! hides both; they are repeated at its end. This module reads lines, and runs nothing.

/// The most lines of one message that are repeated.
const LINES: usize = 12;

/// The failed tests of one step, in the order in which they were printed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Failures {
    messages: Vec<String>,
    test: Option<String>,
    /// Whether the lines are of tests that passed.
    passed: bool,
    /// Lines of the present message that may still follow.
    room: usize,
}

impl Failures {
    /// Takes the next line that cargo printed.
    pub fn read(&mut self, line: &str) {
        if let Some(test) = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----")) {
            self.test = (!self.passed).then(|| test.to_owned());
            self.room = 0;
        } else if matches!(line, "successes:" | "failures:") || line.starts_with("test result: ") {
            self.passed = line == "successes:";
            self.test = None;
            self.room = 0;
        } else if let Some((_, place)) = line.split_once("' panicked at ").or(line.split_once(") panicked at ")) {
            if let Some(test) = &self.test {
                self.messages.push(format!("{test}, at {}", place.trim_end_matches(':')));
                self.room = LINES;
            }
        } else if line == "stack backtrace:" || line.starts_with("note: ") {
            self.room = 0;
        } else if let (1.., Some(message)) = (self.room, self.messages.last_mut()) {
            self.room -= 1;
            message.push_str("\n    ");
            message.push_str(line);
        }
    }

    /// A paragraph for each message, with the kind of test; nothing where nothing failed.
    pub fn text(&self, kind: &str) -> String {
        self.messages.iter().flat_map(|message| ["failed: ", kind, ": ", message, "\n"]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "\
test a::fails ... FAILED

failures:

---- a::fails stdout ----
measured: 3 ms

thread 'a::fails' (17) panicked at tests/a.rs:7:5:
assertion failed: left == right
  left: 1
stack backtrace:
   0: rust_begin_unwind
note: run with `RUST_BACKTRACE=full`

failures:
    a::fails

test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out
successes:

---- a::passes stdout ----
thread 'x' (18) panicked at src/x.rs:1:1:";

    #[test]
    fn a_message_is_repeated_without_its_backtrace() {
        let mut failures = Failures::default();
        PRINTED.lines().for_each(|line| failures.read(line));
        let wanted =
            "failed: cluster: a::fails, at tests/a.rs:7:5\n    assertion failed: left == right\n      left: 1\n";
        assert_eq!(failures.text("cluster"), wanted);
        assert_eq!(Failures::default().text("cluster"), "");
    }

    #[test]
    fn a_long_message_is_cut() {
        let mut failures = Failures::default();
        failures.read("---- a stdout ----");
        failures.read("thread 'a' (1) panicked at a.rs:1:1:");
        (0..100).for_each(|number| failures.read(&number.to_string()));
        assert_eq!(failures.text("unit").lines().count(), 1 + LINES);
    }
}
