//! Plain text tables, as wide as their cells: for the commands here and for
//! `cargo xtask`.

/// Rows under a heading, columns three spaces apart.
#[must_use]
pub fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    lines(heading, rows, "", "   ")
}

/// Rows under a heading, columns two spaces apart, indented: a part of a report.
#[must_use]
pub fn indented(heading: &[&str], rows: &[Vec<String>]) -> String {
    lines(heading, rows, "  ", "  ")
}

fn lines(heading: &[&str], rows: &[Vec<String>], margin: &str, gap: &str) -> String {
    let heading: Vec<String> = heading.iter().map(ToString::to_string).collect();
    let width = |column: usize| {
        let cells = rows.iter().chain([&heading]).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("{margin}{}\n", cells.join(gap).trim_end())
    };
    std::iter::once(&heading).chain(rows).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [vec!["ä".into(), "long cell".into()], vec!["bb".into(), String::new()]];
        assert_eq!(indented(&["A", "B"], &rows), "  A   B\n  ä   long cell\n  bb\n");
        assert_eq!(table(&["A", "B"], &rows), "A    B\nä    long cell\nbb\n");
    }
}
