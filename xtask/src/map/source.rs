//! A file of `src` as the map sees it: its module, what it imports, how long its
//! functions are. It reads text and no syntax tree, so it wants code as rustfmt writes it.

use std::fs;
use std::path::Path;

use crate::error::Error;

/// One file, without its tests.
pub struct Source {
    /// Its path below `src`.
    pub file: String,
    /// The path of its module.
    pub module: Vec<String>,
    /// Paths from the crate's root, of modules or of items in them.
    pub imports: Vec<Vec<String>>,
    /// Lines.
    pub lines: usize,
    /// Functions with their lines.
    pub functions: Vec<(String, usize)>,
}

impl Source {
    /// The file with this text.
    pub fn of(file: &str, text: &str) -> Self {
        let text = without_tests(text);
        let module = module(file);
        let imports = paths(&text).iter().filter_map(|path| absolute(&module, path)).collect();
        Self { file: file.to_owned(), imports, lines: text.lines().count(), functions: functions(&text), module }
    }

    /// Its folder of `src`.
    pub fn room(&self) -> Option<&str> {
        self.module.first().map(String::as_str)
    }
}

/// Every file below this folder that is compiled without tests.
pub fn sources(folder: &Path) -> Result<Vec<Source>, Error> {
    let (mut all, mut tests) = (Vec::new(), Vec::new());
    collect(folder, folder, &mut all, &mut tests)?;
    all.retain(|source| !tests.contains(&source.module) && source.room().is_some());
    all.sort_by(|one, other| one.file.cmp(&other.file));
    Ok(all)
}

fn collect(root: &Path, folder: &Path, all: &mut Vec<Source>, tests: &mut Vec<Vec<String>>) -> Result<(), Error> {
    let read = Error::file(format!("read {}", folder.display()));
    for entry in fs::read_dir(folder).map_err(read)?.filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            collect(root, &path, all, tests)?;
            continue;
        }
        let file = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        let is_test = file.ends_with("_tests.rs") || file.ends_with("/tests.rs");
        if path.extension().is_none_or(|extension| extension != "rs") || is_test {
            continue;
        }
        let text = fs::read_to_string(&path).map_err(Error::file(format!("read {}", path.display())))?;
        let module = module(&file);
        tests.extend(test_modules(&text).map(|name| [module.as_slice(), &[name.to_owned()]].concat()));
        all.push(Source::of(&file, &text));
    }
    Ok(())
}

/// The path of a file's module.
fn module(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').filter(|part| !matches!(*part, "lib" | "main")).map(ToOwned::to_owned).collect()
}

/// Modules of other files that are compiled for tests alone.
fn test_modules(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().zip(text.lines().skip(1)).filter(|(first, _)| *first == "#[cfg(test)]");
    lines.filter_map(|(_, line)| line.strip_suffix(';')?.rsplit_once("mod ").map(|(_, name)| name))
}

/// The text without its module of tests, and without comments.
fn without_tests(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let lines = text[..end].lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// Every path in the text that begins with `crate` or `super`, and those of `use` lines;
/// what stands in braces as paths of their own.
fn paths(text: &str) -> Vec<String> {
    let mut paths = Vec::new();
    let mut rest = text;
    while let Some(start) = next_path(rest) {
        rest = &rest[start..];
        let end = end_of_path(rest);
        expand("", &rest[..end].split_whitespace().collect::<String>(), &mut paths);
        rest = &rest[end.max(1)..];
    }
    paths
}

/// Where the next path begins.
fn next_path(text: &str) -> Option<usize> {
    let starts = ["crate::", "super::"].into_iter().flat_map(|word| text.match_indices(word));
    let is_word = |index: usize| !text[..index].ends_with(|last: char| last.is_alphanumeric() || last == '_');
    starts.map(|(index, _)| index).filter(|index| is_word(*index)).min()
}

/// Where a path ends that begins here, its braces included.
fn end_of_path(text: &str) -> usize {
    let mut depth = 0_usize;
    for (index, letter) in text.char_indices() {
        let before = &text[..index];
        match letter {
            '{' if depth > 0 || before.ends_with("::") => depth += 1,
            '}' if depth > 1 => depth -= 1,
            '}' if depth == 1 => return index + 1,
            _ if depth > 0 || letter.is_alphanumeric() || matches!(letter, '_' | ':') => {}
            _ => return index,
        }
    }
    text.len()
}

/// The paths of a tree of a `use` line.
fn expand(before: &str, tree: &str, paths: &mut Vec<String>) {
    match tree.split_once('{') {
        None => paths.push(format!("{before}{tree}")),
        Some((start, inner)) => {
            let inner = inner.strip_suffix('}').unwrap_or(inner);
            for part in parts(inner) {
                expand(&format!("{before}{start}"), part, paths);
            }
        }
    }
}

/// The parts between the commas of the outermost braces.
fn parts(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_i32, 0);
    for (index, letter) in text.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.into_iter().filter(|part| !part.is_empty()).collect()
}

/// A path from the crate's root.
fn absolute(module: &[String], path: &str) -> Option<Vec<String>> {
    let mut words: Vec<&str> = path.split("::").filter(|word| !word.is_empty() && *word != "self").collect();
    let supers = words.iter().take_while(|word| **word == "super").count();
    let base = match supers {
        0 if words.first() == Some(&"crate") => {
            words.remove(0);
            &[]
        }
        0 => return None,
        supers => &module[..module.len().checked_sub(supers)?],
    };
    let words = words.into_iter().skip(supers).map(ToOwned::to_owned);
    Some(base.iter().cloned().chain(words).collect())
}

/// Functions with their lines: from the line of the name to the brace that closes it.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let Some((before, after)) = line.split_once("fn ") else { continue };
        let is_definition = before.trim().split(' ').all(|word| {
            word.is_empty() || word.starts_with("pub") || matches!(word, "const" | "async") || word.ends_with(')')
        });
        if !is_definition {
            continue;
        }
        let name: String = after.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
        // A function of a trait may have no body.
        let signature = lines[number..].iter().find(|line| line.ends_with('{') || line.ends_with(';'));
        if signature.is_none_or(|line| line.ends_with(';')) {
            continue;
        }
        let closing = format!("{}}}", " ".repeat(indent));
        let end = lines[number..].iter().position(|line| *line == closing);
        found.extend(end.map(|end| (name, end + 1)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
//! use crate::comment;
use std::fmt;

use super::{one::A, two::{self, B as C}};
use crate::objects::record::Record;

pub(super) async fn first(
    x: u8,
) {
    super::super::far::f(x);
    if true {
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::x;
}
";

    #[test]
    fn imports_are_read_in_all_their_forms() {
        let source = Source::of("plan/work/run.rs", TEXT);
        let imports: Vec<String> = source.imports.iter().map(|path| path.join("::")).collect();
        let wanted = [
            "plan::work::one::A",
            "plan::work::two",
            "plan::work::two::BasC",
            "objects::record::Record",
            "plan::far::f",
        ];
        assert_eq!(imports, wanted);
        assert_eq!(source.room(), Some("plan"));
        assert_eq!(source.functions, [("first".to_owned(), 7)]);
    }

    #[test]
    fn a_file_is_a_module() {
        assert_eq!(module("plan/mod.rs"), ["plan"]);
        assert_eq!(module("plan/work/run.rs"), ["plan", "work", "run"]);
        assert!(module("lib.rs").is_empty());
        assert_eq!(test_modules("#[cfg(test)]\npub(crate) mod fixtures;\n").collect::<Vec<_>>(), ["fixtures"]);
    }
}
