//! The page of promises, docs/promises.md, against the sources: each test that it
//! names is there, each row leads to a section that is there, and no section of
//! docs/security.md, no policy of the chart and no sentence of the fence is left out.
//! The places that ARCHITECTURE.md names for what never happens are there, too.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const PAGE: &str = "docs/promises.md";
/// Below this heading the page lists sections of docs/security.md that promise nothing.
const NOTHING: &str = "Sections without a promise";
const NONE: [&str; 0] = [];

fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A row of a table: its line in the file, and its cells.
struct Row<'a> {
    line: usize,
    cells: Vec<&'a str>,
}

/// The rows of all tables, without their headings.
fn rows(text: &str) -> Vec<Row<'_>> {
    let lines: Vec<&str> = text.lines().collect();
    let is_rule = |line: &str| line.starts_with("|--");
    let mut rows = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let is_heading = lines.get(number + 1).is_some_and(|next| is_rule(next));
        if let Some(cells) = line.strip_prefix("| ").filter(|_| !is_heading) {
            let cells = cells.trim_end_matches('|').split(" | ").map(str::trim).collect();
            rows.push(Row { line: number + 1, cells });
        }
    }
    rows
}

/// The text below a heading, up to the next one of the same level.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let start = text.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("there is no {heading}"));
    let level = heading.split(' ').next().unwrap_or_default();
    let body = &text[start + heading.len() + 2..];
    body.find(&format!("\n{level} ")).map_or(body, |end| &body[..end])
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// What links lead to.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(text: &str) -> Vec<String> {
    let mut is_code = false;
    let mut anchors = Vec::new();
    for line in text.lines() {
        is_code ^= line.starts_with("```");
        let heading = line.trim_start_matches('#');
        if !is_code && line.starts_with('#') && heading.starts_with(' ') {
            let kept = heading.trim().to_lowercase();
            let kept = kept.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
            anchors.push(kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect());
        }
    }
    anchors
}

/// The functions of a source that are tests.
fn tests(source: &str) -> BTreeSet<&str> {
    let mut is_marked = false;
    let mut tests = BTreeSet::new();
    for line in source.lines().map(str::trim) {
        if line == "#[test]" || line.starts_with("#[tokio::test") {
            is_marked = true;
        } else if let Some(name) = function(line) {
            if is_marked {
                tests.insert(name);
            }
            is_marked = false;
        }
    }
    tests
}

/// The name of the function that a line begins.
fn function(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = line.strip_prefix("pub ").or(line.strip_prefix("pub(crate) ")).unwrap_or(line);
    let line = line.strip_prefix("const ").or(line.strip_prefix("async ")).unwrap_or(line);
    line.strip_prefix("fn ")?.split(['(', '<']).next()
}

/// The files that a test of this suite and module may stand in.
fn files(suite: &str, modules: &[&str]) -> Vec<String> {
    let module = modules.join("/");
    match suite {
        "unit" => unit_files(&module),
        "harness" => vec![format!("tests/harness/tests/{module}.rs")],
        _ if modules.is_empty() => vec![format!("tests/{suite}.rs")],
        _ => vec![format!("tests/{suite}/{module}.rs")],
    }
}

/// The file of a module, its tests beside it, and the parts of those: `MODULE_TOPIC_tests.rs`.
fn unit_files(module: &str) -> Vec<String> {
    let mut files: Vec<String> =
        ["", "/mod", "/tests", "_tests"].iter().map(|end| format!("src/{module}{end}.rs")).collect();
    let (directory, name) = module.rsplit_once('/').unwrap_or(("", module));
    let beside = fs::read_dir(at("src").join(directory)).into_iter().flatten().flatten();
    let topics = beside.filter_map(|entry| entry.file_name().into_string().ok()).filter(|file| {
        let topic = file.strip_prefix(name).and_then(|rest| rest.strip_prefix('_'));
        topic.is_some_and(|topic| topic.ends_with("_tests.rs"))
    });
    files.extend(topics.map(|file| format!("src/{directory}/{file}")));
    files
}

/// What is wrong with the name of a test, if anything is.
fn complaint(name: &str) -> Option<String> {
    let parts: Vec<&str> = name.split("::").collect();
    let [suite, modules @ .., test] = &parts[..] else {
        return Some(format!("`{name}` is no name of a test: write suite::module::test"));
    };
    let files = files(suite, modules);
    let sources: Vec<String> = files.iter().filter_map(|file| fs::read_to_string(at(file)).ok()).collect();
    if sources.is_empty() {
        return Some(format!("`{name}`: there is no {}", files.join(", and no ")));
    }
    let found = sources.iter().any(|source| tests(source).contains(test));
    (!found).then(|| format!("`{name}`: {} has no test {test}", files.join(" or ")))
}

/// The rows of the page that name tests: below its introduction, up to what no test holds.
fn promises(page: &str) -> Vec<Row<'_>> {
    let first = page.lines().position(|line| line.starts_with("## ")).expect("a section");
    let last = page.lines().position(|line| line == "## Held by no test").expect("a section of what no test holds");
    rows(page).into_iter().filter(|row| (first..last).contains(&row.line)).collect()
}

#[test]
fn every_test_that_is_named_is_there() {
    let page = read(PAGE);
    let mut wrong = Vec::new();
    let mut count = 0;
    for row in promises(&page) {
        let [promise, held] = row.cells[..] else { panic!("{PAGE}:{}: a row has two cells", row.line) };
        let names: Vec<&str> = quoted(held).collect();
        if names.is_empty() {
            wrong.push(format!("{PAGE}:{}: no test is named for: {promise}", row.line));
        }
        count += names.len();
        let complaints = names.into_iter().filter_map(complaint);
        wrong.extend(complaints.map(|complaint| format!("{PAGE}:{}: {complaint}", row.line)));
    }
    assert_eq!(wrong, NONE);
    assert!(count > 200, "{count}");
}

/// Otherwise the test above would say nothing.
#[test]
fn a_test_that_is_not_there_is_missed() {
    let there = "promises::a_test_that_is_not_there_is_missed";
    assert_eq!(complaint(there), None);
    let wrong = [
        "promises::a_test_that_was_renamed",
        "promises::complaint",
        "promises::module::a_test_that_is_not_there_is_missed",
        "unit::plan::a_test_that_is_not_there_is_missed",
        "nowhere::a_test",
        "a_test",
    ];
    for name in wrong {
        assert!(complaint(name).is_some(), "{name}");
    }
}

#[test]
fn every_promise_leads_to_its_section() {
    let page = read(PAGE);
    let mut wrong = Vec::new();
    for row in promises(&page) {
        if links(row.cells[0]).next().is_none() {
            wrong.push(format!("{PAGE}:{}: no link to the section", row.line));
        }
    }
    for link in links(&page).filter(|link| !link.contains("://")) {
        let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
        let path = if file.is_empty() { PAGE.to_owned() } else { format!("docs/{file}") };
        let Ok(text) = fs::read_to_string(at(&path)) else {
            wrong.push(format!("there is no {path}"));
            continue;
        };
        if !anchor.is_empty() && !anchors(&text).iter().any(|known| known == anchor) {
            wrong.push(format!("{path} has no section #{anchor}"));
        }
    }
    assert_eq!(wrong, NONE);
}

#[test]
fn every_section_on_security_is_there() {
    let page = read(PAGE);
    let nothing = section(&page, &format!("## {NOTHING}"));
    let in_rows: BTreeSet<&str> = promises(&page).iter().flat_map(|row| links(row.cells[0])).collect();
    let listed: BTreeSet<&str> = links(nothing).collect();
    // The first is the page's own heading.
    let sections = anchors(&read("docs/security.md")).split_off(1);
    assert!(sections.len() > 10);
    let expected = sections.iter().map(|anchor| format!("security.md#{anchor}"));
    let missing: Vec<String> =
        expected.filter(|link| !in_rows.contains(&**link) && !listed.contains(&**link)).collect();
    assert!(missing.is_empty(), "no row, and no word under `{NOTHING}`: {missing:?}");
    let both: Vec<_> = in_rows.intersection(&listed).collect();
    assert!(both.is_empty(), "there is a promise after all: {both:?}");
}

#[test]
fn every_policy_and_every_sentence_of_the_fence_is_there() {
    let (page, security) = (read(PAGE), read("docs/security.md"));
    let mut policies = BTreeSet::new();
    let folder = fs::read_dir(at("charts/strata/templates/admission")).expect("policies");
    for file in folder {
        let text = fs::read_to_string(file.expect("a file").path()).expect("a template");
        let lines: Vec<&str> = text.lines().collect();
        let kinds = lines.windows(3).filter(|next| next[0] == "kind: ValidatingAdmissionPolicy");
        let names =
            kinds.filter_map(|next| next[2].trim().strip_prefix("name: ")?.strip_suffix(".strata-operator.dev"));
        policies.extend(names.map(str::to_owned));
    }
    assert!(policies.len() > 15, "{policies:?}");
    let promised: BTreeSet<&str> = promises(&page).iter().flat_map(|row| quoted(row.cells[0])).collect();
    for policy in policies {
        assert!(promised.contains(&*policy), "{PAGE} has no row for the policy `{policy}`");
    }
    let fence = section(&page, "## The fence");
    for row in rows(section(&security, "## The fence")) {
        let number = format!("| {}. ", row.cells[0]);
        assert!(fence.contains(&number), "{PAGE} has no row for sentence {} of the fence", row.cells[0]);
    }
}

/// Files that a table names, and functions in the file that was named before them.
#[test]
fn every_place_that_the_architecture_names_is_there() {
    let text = read("ARCHITECTURE.md");
    let mut wrong = Vec::new();
    let never = rows(section(&text, "## What never happens"));
    assert!(never.len() > 40);
    for row in never {
        let mut source = String::new();
        for word in quoted(row.cells[1]) {
            let is_name =
                word.contains('_') && word.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '_' | '0'..='9'));
            if word.contains('/') || word == "Cargo.toml" {
                let path = at(word);
                if !path.exists() {
                    wrong.push(format!("ARCHITECTURE.md names {word}, which is not there"));
                }
                source = fs::read_to_string(path).unwrap_or_default();
            } else if is_name && !source.lines().any(|line| function(line) == Some(word)) {
                wrong.push(format!("ARCHITECTURE.md names {word}, which its file does not have"));
            }
        }
    }
    assert_eq!(wrong, NONE);
}

/// Every reason, with its class, in the table that says what to do.
#[test]
fn every_reason_says_what_to_do() {
    let (source, status) = (read("src/api/reason.rs"), read("docs/status.md"));
    let (_, words) = source.split_once("\nreasons! {").expect("the reasons");
    let mut expected = BTreeSet::new();
    for line in words.lines().take_while(|line| *line != "}").map(str::trim) {
        if let Some((reason, class)) = line.strip_suffix(',').and_then(|line| line.split_once(": "))
            && !line.starts_with("///")
        {
            expected.insert((reason.to_owned(), class.to_lowercase()));
        }
    }
    assert!(expected.len() > 30, "{expected:?}");
    let found: BTreeSet<_> = rows(section(&status, "## Reasons"))
        .iter()
        .map(|row| (row.cells[0].trim_matches('`').to_owned(), row.cells[1].to_owned()))
        .collect();
    assert_eq!(found, expected);
}

/// The names that the sources register, in the table of metrics.
#[test]
fn every_metric_is_explained() {
    let mut sources = Vec::new();
    collect(&at("src"), &mut sources);
    let is_name = |word: &&str| word.starts_with("strata_") && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let expected: BTreeSet<String> =
        sources.iter().flat_map(|source| source.split('"').filter(is_name)).map(str::to_owned).collect();
    assert!(expected.len() > 5, "{expected:?}");
    let operations = read("docs/operations.md");
    let metrics = rows(section(&operations, "## Metrics"));
    let names = metrics.iter().filter_map(|row| quoted(row.cells[0]).next()).filter(|name| name.starts_with("strata_"));
    let found: BTreeSet<String> = names
        .filter_map(|name| name.split('{').next())
        .map(|name| name.trim_end_matches("_total").to_owned())
        .collect();
    assert_eq!(found, expected);
}

/// What stands in the sources below a folder.
fn collect(folder: &Path, sources: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push(fs::read_to_string(&path).expect("a source"));
        }
    }
}
