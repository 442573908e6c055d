//! The items of a list, one by one while its body is read: a page holds hundreds of
//! objects, and as a whole would take several times the memory of its text.
//!
//! The caller gets the same list without the items that were taken out. The items are not
//! interpreted here.

use bytes::Bytes;
use futures::stream;
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::Sender;

/// How much room the next item finds that came after a large one.
const USUAL: usize = 16 * 1024;

/// The body of a list without its items, which are sent on as they arrive. An unreadable
/// item stays in the list, so that its reader reports the cause. The turn is kept until
/// the body is read.
pub fn without_items<K, B, T>(body: B, items: Sender<Box<K>>, turn: T) -> UnsyncBoxBody<Bytes, B::Error>
where
    K: DeserializeOwned + Send + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Send,
    T: Send + 'static,
{
    let reading = Reading { body, splitter: Splitter::default(), items, _turn: turn };
    StreamBody::new(stream::unfold(reading, Reading::next)).boxed_unsync()
}

/// A list during the read of its body.
struct Reading<K, B, T> {
    body: B,
    splitter: Splitter,
    /// In boxes: a channel has room for many items as soon as it is there.
    items: Sender<Box<K>>,
    _turn: T,
}

impl<K: DeserializeOwned, B: Body<Data = Bytes> + Unpin, T> Reading<K, B, T> {
    /// The next frame, without the items of which it has the end.
    async fn next(mut self) -> Option<(Result<Frame<Bytes>, B::Error>, Self)> {
        let frame = match self.body.frame().await?.map(Frame::into_data) {
            Ok(Ok(bytes)) => Ok(Frame::data(self.split(&bytes).await)),
            Ok(Err(other)) => Ok(other),
            Err(error) => Err(error),
        };
        Some((frame, self))
    }

    async fn split(&mut self, mut bytes: &[u8]) -> Bytes {
        while !bytes.is_empty() {
            bytes = self.splitter.until_item(bytes);
            let Some(item) = self.splitter.item() else { continue };
            match serde_json::from_slice(item) {
                // Where nobody takes it any more, nobody reads the list either.
                Ok(item) => drop(self.items.send(Box::new(item)).await),
                Err(_) => self.splitter.put_back(),
            }
            self.splitter.go_on();
        }
        self.splitter.passed().into()
    }
}

/// Where in a list the next byte is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Outside of its items.
    #[default]
    Around,
    /// Between two items.
    Between,
    /// In an item.
    Within,
    /// Behind an item that is whole.
    Behind,
    /// In something that is no list as the API server writes it: all of that is passed on.
    Strange,
}

/// Splits the text of a list, which comes in parts, into its items and the rest.
#[derive(Default)]
struct Splitter {
    place: Place,
    /// How many objects and arrays are open.
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// The last text in the outermost object, as far as it matters.
    word: Vec<u8>,
    /// The item under way.
    item: Vec<u8>,
    /// The parts beside items.
    rest: Vec<u8>,
    /// Whether an item was left in the list.
    left: bool,
}

/// The name of the field that has the items, and where they are in it.
const ITEMS: &[u8] = b"items";
const OUTERMOST: usize = 1;
const IN_ITEMS: usize = 2;

impl Splitter {
    /// Takes bytes until an item is whole, and gives back those behind it.
    fn until_item<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        for (position, byte) in bytes.iter().enumerate() {
            self.take(*byte);
            if self.place == Place::Behind {
                return &bytes[position + 1..];
            }
        }
        &[]
    }

    /// The item that is whole.
    fn item(&self) -> Option<&[u8]> {
        (self.place == Place::Behind).then_some(&self.item)
    }

    /// Leaves the item in the list.
    fn put_back(&mut self) {
        if std::mem::replace(&mut self.left, true) {
            self.rest.push(b',');
        }
        self.rest.extend_from_slice(&self.item);
    }

    /// Goes on behind the item.
    fn go_on(&mut self) {
        self.place = Place::Between;
        self.item.clear();
        self.item.shrink_to(USUAL);
    }

    /// What is no item, of what was taken since this was asked last.
    fn passed(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.rest)
    }

    fn take(&mut self, byte: u8) {
        match self.place {
            Place::Within => {
                self.item.push(byte);
                self.look(byte);
                if self.depth == IN_ITEMS {
                    self.place = Place::Behind;
                }
            }
            Place::Between => self.between(byte),
            Place::Around => {
                self.rest.push(byte);
                self.look(byte);
                if byte == b'[' && !self.in_string && self.depth == IN_ITEMS && self.word == ITEMS {
                    self.place = Place::Between;
                }
            }
            Place::Behind | Place::Strange => self.rest.push(byte),
        }
    }

    fn between(&mut self, byte: u8) {
        match byte {
            b'{' => {
                self.place = Place::Within;
                self.item.push(byte);
                self.look(byte);
            }
            b']' => {
                self.place = Place::Around;
                self.rest.push(byte);
                self.look(byte);
                self.word.clear();
            }
            b',' | b' ' | b'\n' | b'\r' | b'\t' => {}
            _ => {
                self.place = Place::Strange;
                if self.left {
                    self.rest.push(b',');
                }
                self.rest.push(byte);
            }
        }
    }

    /// Follows what is open.
    fn look(&mut self, byte: u8) {
        if self.in_string {
            self.look_in_string(byte);
            return;
        }
        match byte {
            b'"' => {
                self.in_string = true;
                self.word.clear();
            }
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }

    fn look_in_string(&mut self, byte: u8) {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = true,
            b'"' => self.in_string = false,
            _ if self.depth == OUTERMOST && self.word.len() <= ITEMS.len() => self.word.push(byte),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use serde::Deserialize;
    use serde_json::{Value, json};
    use tokio::sync::mpsc::channel;

    use super::*;

    /// Something that not every object is.
    #[derive(Debug, Deserialize, PartialEq)]
    struct Named {
        name: String,
    }

    /// What is taken out of a text that comes in parts of this length, and what is left of it.
    async fn split(text: &str, length: usize) -> (Vec<String>, String) {
        let parts = text.as_bytes().chunks(length).map(Bytes::copy_from_slice).collect::<Vec<_>>();
        let frames = stream::iter(parts.into_iter().map(|part| Ok::<_, Infallible>(Frame::data(part))));
        let (send, mut items) = channel::<Box<Named>>(1);
        let body = without_items(StreamBody::new(frames), send, ());
        let taken = async {
            let mut names = Vec::new();
            while let Some(item) = items.recv().await {
                names.push(item.name);
            }
            names
        };
        let (rest, taken) = tokio::join!(body.collect(), taken);
        (taken, String::from_utf8(rest.unwrap().to_bytes().to_vec()).unwrap())
    }

    fn named(name: &str) -> Value {
        json!({"name": name, "spec": {"items": [{"text": "a \"quoted\" } ] , {"}, {}], "items": "\\"}})
    }

    #[tokio::test]
    async fn the_items_of_a_list_are_taken_out_of_it_however_it_comes() {
        let metadata = json!({"resourceVersion": "7", "continue": "items\":["});
        let items = [named("a"), named("b"), named("\u{1f512}"), named("]")];
        let list = json!({"apiVersion": "v1", "items": items, "kind": "items", "metadata": metadata, "more": [{"items": [{}]}]});
        for text in [list.to_string(), serde_json::to_string_pretty(&list).unwrap()] {
            for length in [1, 2, 3, 7, 64, text.len()] {
                let (names, rest) = split(&text, length).await;
                assert_eq!(names, ["a", "b", "\u{1f512}", "]"]);
                let rest: Value = serde_json::from_str(&rest).unwrap();
                assert_eq!(rest["items"], json!([]));
                assert_eq!((&rest["metadata"], &rest["more"]), (&metadata, &list["more"]));
            }
        }
    }

    #[tokio::test]
    async fn what_cannot_be_read_stays_in_the_list() {
        let list = json!({"items": [{"no": 1}, named("a"), {"name": 2}, named("b"), {}], "metadata": {}});
        for length in [1, 5, 1000] {
            let (names, rest) = split(&list.to_string(), length).await;
            assert_eq!(names, ["a", "b"]);
            let rest: Value = serde_json::from_str(&rest).unwrap();
            assert_eq!(rest, json!({"items": [{"no": 1}, {"name": 2}, {}], "metadata": {}}));
        }
    }

    #[tokio::test]
    async fn what_is_no_list_is_passed_on() {
        for text in [
            r#"{"items":null,"metadata":{}}"#,
            r#"{"kind":"items","spec":[{"name":"a"}]}"#,
            r#"{"items":[1,{"name":"a"}]}"#,
            r#"[{"items":[{"name":"a"}]}]"#,
            r#"{"items":{"a":[{"name":"a"}]}}"#,
            r#"{"items":[],"metadata":{"continue":"x"}}"#,
            "no JSON",
        ] {
            for length in [1, 1000] {
                assert_eq!(split(text, length).await, (Vec::new(), text.to_owned()));
            }
        }
        // An end that comes too early stays one.
        let (names, rest) = split(r#"{"items":[{"name":"a"},{"name":"b"#, 4).await;
        assert_eq!(names, ["a"]);
        assert!(serde_json::from_str::<Value>(&rest).is_err());
    }

    #[tokio::test]
    async fn no_more_is_read_than_is_taken() {
        let items: Vec<Value> = (0..100).map(|number| named(&number.to_string())).collect();
        let text = json!({"items": items}).to_string();
        let read = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = std::sync::Arc::clone(&read);
        let parts = text.as_bytes().chunks(50).map(Bytes::copy_from_slice).collect::<Vec<_>>();
        let frames = stream::iter(parts.into_iter().map(move |part| {
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Ok::<_, Infallible>(Frame::data(part))
        }));
        let (send, mut items) = channel::<Box<Named>>(4);
        let body = tokio::spawn(without_items(StreamBody::new(frames), send, ()).collect());
        items.recv().await.unwrap();
        tokio::task::yield_now().await;
        assert!(read.load(std::sync::atomic::Ordering::Relaxed) < 30);
        while items.recv().await.is_some() {}
        assert!(body.await.unwrap().unwrap().to_bytes().starts_with(b"{\"items\":[]"));
    }
}
