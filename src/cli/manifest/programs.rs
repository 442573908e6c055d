//! Programs beside manifests: a line whose value is `"${program('NAME')}"` stands
//! for the text of the file NAME in the manifest's folder.
//!
//! From text to text. Everything else in the manifest stays as it was written, so
//! that comments and anchors are kept.

use std::fs;
use std::path::Path;

use super::ManifestError;

/// The text before and after the name of a program.
const MARK: (&str, &str) = ("\"${program('", "')}\"");

/// The manifest with the programs of this folder in it.
pub(super) fn put_in(file: &str, text: &str, folder: &Path) -> Result<String, ManifestError> {
    let mut whole = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match marked(line) {
            Some((lead, name)) => {
                whole.push_str(lead);
                whole.push_str(&block(&read(file, folder, name)?, indent(lead)));
            }
            None => whole.push_str(line),
        }
    }
    Ok(whole)
}

/// The text before the mark of a line, and the name in the mark.
fn marked(line: &str) -> Option<(&str, &str)> {
    let (lead, name) = line.trim_end().strip_suffix(MARK.1)?.split_once(MARK.0)?;
    let value = lead.ends_with(": ") || lead.ends_with("- ");
    let comment = lead.trim_start().starts_with('#');
    (value && !comment).then_some((lead, name))
}

fn read(file: &str, folder: &Path, name: &str) -> Result<String, ManifestError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.starts_with('.') || name.is_empty() || !name.bytes().all(plain) {
        return Err(ManifestError::NoProgram { place: file.to_owned(), name: name.to_owned() });
    }
    let path = folder.join(name);
    fs::read_to_string(&path).map_err(|error| ManifestError::Read { path, error })
}

/// The column in which the lines of the value begin: two more than its key or item.
fn indent(lead: &str) -> usize {
    let mut rest = lead.trim_start();
    let mut column = lead.len() - rest.len();
    while let Some(key) = rest.strip_prefix("- ") {
        column += 2;
        rest = key;
    }
    if rest.is_empty() { column } else { column + 2 }
}

/// The program as a block of YAML; nothing in it is an expression.
fn block(program: &str, indent: usize) -> String {
    let margin = " ".repeat(indent);
    // Without a number, YAML takes the indentation of the first line that is not empty.
    let first = program.lines().find(|line| !line.is_empty());
    let mut block = if first.is_some_and(|line| line.starts_with(' ')) { "|2\n" } else { "|\n" }.to_owned();
    for line in program.trim_end().lines() {
        if !line.is_empty() {
            block.push_str(&margin);
            block.push_str(&line.replace("${", "$${"));
        }
        block.push('\n');
    }
    block
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// The text with `print.py` beside it.
    fn with(program: &str, text: &str) -> Result<String, ManifestError> {
        let name = std::thread::current().name().unwrap_or_default().replace("::", "-");
        let folder = std::env::temp_dir().join(format!("strata-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("print.py"), program).unwrap();
        let whole = put_in("a", text, &folder);
        fs::remove_dir_all(folder).unwrap();
        whole
    }

    #[test]
    fn a_program_may_begin_with_blanks() {
        let program = "\n  <<END\n x\n";
        for text in ["spec:\n  run: \"${program('print.py')}\"\n", "spec:\n- \"${program('print.py')}\"\n"] {
            let value: Value = serde_saphyr::from_str(&with(program, text).unwrap()).unwrap();
            let run = value["spec"].get("run").unwrap_or(&value["spec"][0]);
            assert_eq!(run.as_str(), Some(program), "{text}");
        }
    }

    #[test]
    fn a_program_is_the_text_of_its_file() {
        let program = "import os\n\nif os:\n    print('a: #b')\n";
        let text = "# c\nmap:\n  print.py: \"${program('print.py')}\"\nlist:\n- -c\n- \"${program('print.py')}\"\n- - a: \"${program('print.py')}\"\n";
        let whole = with(program, text).unwrap();
        assert!(whole.starts_with("# c\nmap:\n  print.py: |\n    import os\n\n    if os:\n"), "{whole}");
        let value: Value = serde_saphyr::from_str(&whole).unwrap();
        assert_eq!(value["map"]["print.py"], program);
        assert_eq!(value["list"][1], program);
        assert_eq!(value["list"][2][0]["a"], program);
    }

    #[test]
    fn nothing_in_a_program_is_an_expression() {
        let whole = with("print('${HOME}')\n", "a: \"${program('print.py')}\"\n").unwrap();
        assert_eq!(whole, "a: |\n  print('$${HOME}')\n");
    }

    #[test]
    fn other_lines_stay_as_they_are() {
        let text = "a: \"x ${program('print.py')}\"\n# b: \"${program('print.py')}\"\nc: \"${program}\"";
        assert_eq!(with("", text).unwrap(), text);
    }

    #[test]
    fn a_program_that_is_not_beside_the_manifest_is_an_error() {
        for name in ["../print.py", "/etc/passwd", "..", ""] {
            let text = format!("a: \"${{program('{name}')}}\"");
            let error = with("", &text).unwrap_err();
            assert!(matches!(error, ManifestError::NoProgram { .. }), "{error}");
        }
        let error = with("", "a: \"${program('other.py')}\"").unwrap_err().to_string();
        assert!(error.contains("other.py"), "{error}");
    }
}
