//! One manifest on its way to the present form.
//!
//! Each edit is made twice: on the value and on the text. If the edited text does not parse to
//! the edited value, the edit is undone and reported, so no manifest gets another meaning.

use serde_json::{Map, Value};

use super::text::Text;
use super::tree::steps;

/// An edit that is not possible in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unclear;

/// The outcome of an edit.
pub type Edited = Result<(), Unclear>;

/// A document, and the object in it that is migrated.
///
/// Pointers are JSON pointers from the object: `/spec/budget/devices`.
#[derive(Clone, Debug)]
pub struct Draft {
    text: String,
    value: Value,
    /// The pointer to the object in the document: empty, or an item of a List.
    base: String,
    changes: Vec<String>,
    left: Vec<String>,
}

impl Draft {
    /// The object at a pointer of a document.
    #[must_use]
    pub const fn new(text: String, value: Value, base: String) -> Self {
        Self { text, value, base, changes: Vec::new(), left: Vec::new() }
    }

    /// The text and the value of the document, the changes, and the fields that need a decision.
    #[must_use]
    pub fn done(self) -> (String, Value, Vec<String>, Vec<String>) {
        (self.text, self.value, self.changes, self.left)
    }

    /// The value at the pointer.
    #[must_use]
    pub fn get(&self, pointer: &str) -> Option<&Value> {
        self.value.pointer(&self.whole(pointer))
    }

    /// Whether there is anything at the pointer.
    #[must_use]
    pub fn has(&self, pointer: &str) -> bool {
        self.get(pointer).is_some()
    }

    /// The keys of the mapping at the pointer; none where there is no mapping.
    #[must_use]
    pub fn keys(&self, pointer: &str) -> Vec<String> {
        self.get(pointer).and_then(Value::as_object).map(|map| map.keys().cloned().collect()).unwrap_or_default()
    }

    /// The number of items of the list at the pointer.
    #[must_use]
    pub fn count(&self, pointer: &str) -> usize {
        self.get(pointer).and_then(Value::as_array).map_or(0, Vec::len)
    }

    /// Makes all of the edits, reported as `change`, or none of them.
    pub fn change(&mut self, change: String, edits: impl FnOnce(&mut Self) -> Edited) {
        let before = self.clone();
        if edits(self).is_ok() {
            self.changes.push(change);
        } else {
            *self = before;
            self.left.push(format!("{change}: not possible in the way that it is written. Edit it by hand"));
        }
    }

    /// Reports a field that needs a person's decision.
    pub fn leave(&mut self, why: String) {
        self.left.push(why);
    }

    /// Gives the entry at the pointer another key.
    pub fn rename(&mut self, pointer: &str, key: &str) -> Edited {
        let mut value = self.value.clone();
        let (map, old) = parent(&mut value, &self.whole(pointer))?;
        if map.contains_key(key) {
            return Err(Unclear);
        }
        let content = map.remove(&old).ok_or(Unclear)?;
        map.insert(key.to_owned(), content);
        self.accept(value, |text, pointer| text.rename(pointer, key), pointer)
    }

    /// Replaces the scalar at the pointer.
    pub fn set(&mut self, pointer: &str, scalar: &Value) -> Edited {
        let mut value = self.value.clone();
        *value.pointer_mut(&self.whole(pointer)).ok_or(Unclear)? = scalar.clone();
        self.accept(value, |text, pointer| text.set(pointer, scalar), pointer)
    }

    /// Replaces the list at the pointer by mappings, whose entries keep their order; the
    /// comments in it stay above them.
    pub fn set_list(&mut self, pointer: &str, items: &[Vec<(String, Value)>]) -> Edited {
        let mut value = self.value.clone();
        let maps = items.iter().map(|entries| Value::Object(entries.iter().cloned().collect()));
        *value.pointer_mut(&self.whole(pointer)).ok_or(Unclear)? = maps.collect();
        self.accept(value, |text, pointer| text.set_list(pointer, items), pointer)
    }

    /// Puts the entry at the pointer into a new mapping `key` in its place.
    pub fn wrap(&mut self, pointer: &str, key: &str) -> Edited {
        let mut value = self.value.clone();
        let (map, inner) = parent(&mut value, &self.whole(pointer))?;
        if map.contains_key(key) {
            return Err(Unclear);
        }
        let content = map.remove(&inner).ok_or(Unclear)?;
        map.insert(key.to_owned(), Value::Object(Map::from_iter([(inner, content)])));
        self.accept(value, |text, pointer| text.wrap(pointer, key), pointer)
    }

    /// Removes the entry at the pointer; its comments stay.
    pub fn remove(&mut self, pointer: &str) -> Edited {
        let mut value = self.value.clone();
        let (map, key) = parent(&mut value, &self.whole(pointer))?;
        map.remove(&key).ok_or(Unclear)?;
        self.accept(value, Text::remove, pointer)
    }

    /// Adds an entry to the mapping at the pointer.
    pub fn add(&mut self, pointer: &str, key: &str, content: &Value) -> Edited {
        let mut value = self.value.clone();
        let map = value.pointer_mut(&self.whole(pointer)).and_then(Value::as_object_mut).ok_or(Unclear)?;
        if map.insert(key.to_owned(), content.clone()).is_some() {
            return Err(Unclear);
        }
        self.accept(value, |text, pointer| text.put(pointer, key, text.new_entry(content), content), pointer)
    }

    /// Turns the mapping at the pointer into a list, in the order of the text: each key stands
    /// under `name` in its item, and each value is the item, or stands in it under `inner`.
    pub fn list(&mut self, pointer: &str, name: &str, inner: Option<&str>) -> Edited {
        let mut value = self.value.clone();
        let place = value.pointer_mut(&self.whole(pointer)).ok_or(Unclear)?;
        let keys = Text::of(&self.text).and_then(|text| text.keys(&self.whole(pointer))).ok_or(Unclear)?;
        let map = place.as_object_mut().ok_or(Unclear)?;
        let mut items = Vec::new();
        for key in keys {
            let content = map.remove(&key).ok_or(Unclear)?;
            let mut item = match (inner, content) {
                (Some(inner), content) => Map::from_iter([(inner.to_owned(), content)]),
                (None, Value::Object(fields)) if !fields.contains_key(name) => fields,
                (None, Value::Null) => Map::new(),
                (None, _) => return Err(Unclear),
            };
            item.insert(name.to_owned(), Value::from(key));
            items.push(Value::Object(item));
        }
        *place = Value::Array(items);
        self.accept(value, |text, pointer| text.list(pointer, name, inner), pointer)
    }

    /// Puts each scalar of the list at the pointer into a mapping under `key`.
    pub fn items_in(&mut self, pointer: &str, key: &str) -> Edited {
        let mut value = self.value.clone();
        let items = value.pointer_mut(&self.whole(pointer)).and_then(Value::as_array_mut).ok_or(Unclear)?;
        for item in items {
            *item = Value::Object(Map::from_iter([(key.to_owned(), item.take())]));
        }
        self.accept(value, |text, pointer| text.items_in(pointer, key), pointer)
    }

    /// Moves the entry at the pointer into the mapping at `to`, with its comments.
    pub fn carry(&mut self, pointer: &str, to: &str, key: &str) -> Edited {
        let mut value = self.value.clone();
        let (map, old) = parent(&mut value, &self.whole(pointer))?;
        let content = map.remove(&old).ok_or(Unclear)?;
        let target = value.pointer_mut(&self.whole(to)).and_then(Value::as_object_mut).ok_or(Unclear)?;
        if target.insert(key.to_owned(), content.clone()).is_some() {
            return Err(Unclear);
        }
        let to = self.whole(to);
        let carry = |text: &Text, pointer: &str| {
            let (rest, cut) = text.cut(pointer)?;
            Text::of(&rest)?.put(&to, key, cut, &content)
        };
        self.accept(value, carry, pointer)
    }

    /// Accepts the edited text, if it parses to the edited value.
    fn accept(&mut self, value: Value, edit: impl FnOnce(&Text, &str) -> Option<String>, pointer: &str) -> Edited {
        let text = Text::of(&self.text).and_then(|text| edit(&text, &self.whole(pointer))).ok_or(Unclear)?;
        let read: Value = serde_saphyr::from_str(&text).map_err(|_| Unclear)?;
        if read != value {
            return Err(Unclear);
        }
        (self.text, self.value) = (text, value);
        Ok(())
    }

    fn whole(&self, pointer: &str) -> String {
        format!("{}{pointer}", self.base)
    }
}

/// The mapping that holds the entry at the pointer, and the entry's key.
fn parent<'a>(value: &'a mut Value, pointer: &str) -> Result<(&'a mut Map<String, Value>, String), Unclear> {
    let (place, _) = pointer.rsplit_once('/').ok_or(Unclear)?;
    let key = steps(pointer).last().ok_or(Unclear)?;
    let map = value.pointer_mut(place).and_then(Value::as_object_mut).ok_or(Unclear)?;
    Ok((map, key))
}

/// The pointer of an entry below another.
#[must_use]
pub fn below(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// A pointer as people write it: `spec.projects[0].share`.
#[must_use]
pub fn dotted(pointer: &str) -> String {
    let join = |path: String, step: String| match step.parse::<usize>() {
        Ok(index) => format!("{path}[{index}]"),
        Err(_) if path.is_empty() => step,
        Err(_) => format!("{path}.{step}"),
    };
    steps(pointer).fold(String::new(), join)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn edited(text: &str, edits: impl FnOnce(&mut Draft) -> Edited) -> String {
        let mut draft = Draft::new(text.to_owned(), serde_saphyr::from_str(text).unwrap(), String::new());
        draft.change("edited".to_owned(), edits);
        let (text, _, changes, left) = draft.done();
        assert_eq!((changes.len(), left.len()), (1, 0), "{left:?}");
        text
    }

    #[test]
    fn an_entry_is_renamed_set_added_or_removed_in_its_place() {
        let text = "a: 1  # one\n# two\nb: {c: x, d: y}\n";
        assert_eq!(edited(text, |d| d.rename("/a", "e")), "e: 1  # one\n# two\nb: {c: x, d: y}\n");
        assert_eq!(edited(text, |d| d.set("/b/c", &json!("8"))), "a: 1  # one\n# two\nb: {c: \"8\", d: y}\n");
        assert_eq!(edited(text, |d| d.add("/b", "e", &json!(true))), "a: 1  # one\n# two\nb: {c: x, d: y, e: true}\n");
        assert_eq!(edited(text, |d| d.add("", "e", &json!({"f": 1}))), format!("{text}e: {{f: 1}}\n"));
        assert_eq!(edited(text, |d| d.remove("/a")), "# one\n# two\nb: {c: x, d: y}\n");
        assert_eq!(edited(text, |d| d.remove("/b/c")), "a: 1  # one\n# two\nb: {d: y}\n");
        assert_eq!(edited(text, |d| d.remove("/b/d")), "a: 1  # one\n# two\nb: {c: x}\n");
        assert_eq!(edited(text, |d| d.wrap("/a", "f")), "f: {a: 1}  # one\n# two\nb: {c: x, d: y}\n");
    }

    #[test]
    fn a_list_is_replaced_in_its_place() {
        let items = [
            vec![("b".to_owned(), json!("x")), ("a".to_owned(), json!([{"c": 1}]))],
            vec![("b".to_owned(), json!("z"))],
        ];
        for (text, expected) in [
            ("a: {l: [1, 2]}  # x\n", "a: {l: [{b: x, a: [{c: 1}]}, {b: z}]}  # x\n"),
            ("l:\n- 1  # one\n# two\n- 2\nm: 3\n", "l:\n# one\n# two\n- {b: x, a: [{c: 1}]}\n- {b: z}\nm: 3\n"),
            ("l:\n  - d: 1\n    e: 2  # two\nm: 3\n", "l:\n  # two\n  - {b: x, a: [{c: 1}]}\n  - {b: z}\nm: 3\n"),
            ("l: [1,  # one\n  2]\n", "# one\nl: [{b: x, a: [{c: 1}]}, {b: z}]\n"),
        ] {
            let pointer = if text.starts_with('a') { "/a/l" } else { "/l" };
            assert_eq!(edited(text, |d| d.set_list(pointer, &items)), expected, "{text}");
        }
        assert_eq!(edited("l: [1]\n", |d| d.set_list("/l", &[])), "l: []\n");
        assert_eq!(edited("{\"l\": [1]}", |d| d.set_list("/l", &items[1..])), "{\"l\": [{\"b\": \"z\"}]}");
    }

    #[test]
    fn an_entry_moves_with_its_comments() {
        for (text, expected) in [
            ("a: {x: 1}\n# two\nb: 2  # too\nc: 3\n", "# two\n# too\na: {x: 1, b: 2}\nc: 3\n"),
            ("a:\n  x: 1\n# two\nb: 2  # too\n", "a:\n  x: 1\n  # two\n  b: 2  # too\n"),
            ("a: {}\nb:  # of it\n  # two\n  d: 2\n", "a:\n  b:  # of it\n    # two\n    d: 2\n"),
            ("a: {x: 1}\nb:\n  # two\n  d: [2]\n", "# two\na: {x: 1, b: {d: [2]}}\n"),
            ("b: {y: 1,\n  z: 2}\na: {}\n", "a: {b: {y: 1,\n  z: 2}}\n"),
            ("a:\n  x: |\n    text\n\nb: 2", "a:\n  x: |\n    text\n  b: 2\n"),
            ("{\"a\": {}, \"b\": \"2\"}", "{\"a\": {\"b\": \"2\"}}"),
            (
                "{\n  \"a\": {\n    \"x\": 1\n  },\n  \"b\": 2\n}\n",
                "{\n  \"a\": {\n    \"x\": 1,\n    \"b\": 2\n  }\n}\n",
            ),
        ] {
            assert_eq!(edited(text, |d| d.carry("/b", "/a", "b")).trim_end(), expected.trim_end(), "{text}");
        }
        let only = "a: {}\nc:\n  # two\n  b:\n    d: 2\n";
        assert_eq!(edited(only, |d| d.carry("/c/b", "/a", "b")), "a:\n  # two\n  b:\n    d: 2\nc:\n  {}\n");
        assert_eq!(edited("c:\n  b: 2  # two\n", |d| d.remove("/c/b")), "c:\n  # two\n  {}\n");
        let item = "- b: {z: 1}\n  # x\n  x: {}\n";
        assert_eq!(edited(item, |d| d.carry("/0/b", "/0/x", "b")), "# x\n- x: {b: {z: 1}}\n");
    }

    #[test]
    fn what_cannot_be_edited_stays_whole_and_is_reported() {
        for text in ["a: &a {x: 1}\nb: *a\n", "b: 1\na: 2\n"] {
            let value: Value = serde_saphyr::from_str(text).unwrap();
            let mut draft = Draft::new(text.to_owned(), value.clone(), String::new());
            draft.change("moved".to_owned(), |draft| draft.carry("/b", "/a", "b"));
            let (after, same, changes, left) = draft.done();
            assert_eq!((after.as_str(), same, changes.len()), (text, value, 0));
            assert_eq!(left, ["moved: not possible in the way that it is written. Edit it by hand"]);
        }
    }
}
