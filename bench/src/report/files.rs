//! The files of a release: one of Markdown and one of JSON with the latest report of each series,
//! and the pictures.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use crate::programs::workspace;

/// Puts a report into both files, in the place of the previous one of its series. `order` has the
/// names of all series.
pub(super) fn write(
    folder: &Path,
    order: &[&str],
    series: &str,
    text: &str,
    json: Value,
) -> Result<()> {
    let path = release(folder, "md");
    let markdown = read(&path)?.unwrap_or_default();
    save(&path, &replace_section(&markdown, order, series, text))?;

    let path = release(folder, "json");
    let mut all: Map<String, Value> = match read(&path)? {
        Some(text) => serde_json::from_str(&text)
            .with_context(|| format!("cannot read `{}`", path.display()))?,
        None => Map::new(),
    };
    all.insert(series.to_owned(), json);
    save(&path, &one_series_per_line(&all, order))
}

/// The content of a file, if it exists.
fn read(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        read => read
            .map(Some)
            .with_context(|| format!("cannot read `{}`", path.display())),
    }
}

/// Writes the picture of a series.
pub(super) fn write_picture(folder: &Path, series: &str, svg: &str) -> Result<()> {
    save(&folder.join(format!("{series}.svg")), svg)
}

/// The file of this release.
fn release(folder: &Path, extension: &str) -> PathBuf {
    folder.join(format!("{}.{extension}", env!("CARGO_PKG_VERSION")))
}

fn save(path: &Path, text: &str) -> Result<()> {
    let shown = path.strip_prefix(workspace()).unwrap_or(path).display();
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create the folder of `{shown}`"))?;
    }
    fs::write(path, text).with_context(|| format!("cannot write `{shown}`"))?;
    println!("written: {shown}");
    Ok(())
}

/// The same text with another section of this series. Sections are in the order of the series.
fn replace_section(markdown: &str, order: &[&str], series: &str, section: &str) -> String {
    const HEADING: &str = "## ";

    let name = |section: &str| section.lines().next().unwrap_or_default().to_owned();
    let mut sections: Vec<String> = format!("\n{markdown}")
        .split(&format!("\n{HEADING}"))
        .skip(1)
        .map(|section| format!("{}\n", section.trim_end()))
        .filter(|section| name(section) != series)
        .collect();
    sections.push(section.trim_start_matches(HEADING).to_owned());
    sections.sort_by_key(|section| position(order, &name(section)));
    let sections = sections.iter().map(|section| format!("{HEADING}{section}"));
    sections.collect::<Vec<_>>().join("\n")
}

/// JSON in which a new measurement of one series changes one line.
fn one_series_per_line(all: &Map<String, Value>, order: &[&str]) -> String {
    let mut series: Vec<_> = all.iter().collect();
    series.sort_by_key(|(name, _)| position(order, name));
    let line = |(name, value): &(&String, &Value)| format!("\"{name}\": {value}");
    let lines: Vec<_> = series.iter().map(line).collect();
    format!("{{\n{}\n}}\n", lines.join(",\n"))
}

/// Position of a series; those that are not measured any more are last.
fn position(order: &[&str], series: &str) -> usize {
    let found = order.iter().position(|name| *name == series);
    found.unwrap_or(order.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: [&str; 3] = ["main", "parts", "audit"];

    #[test]
    fn a_section_replaces_that_of_its_series_and_sections_are_in_order() {
        let before = "## main\n\nold\n\n## audit\n\nkept\n";
        let after = replace_section(before, &ORDER, "main", "## main\n\nnew\n");
        assert_eq!(after, "## main\n\nnew\n\n## audit\n\nkept\n");
        let after = replace_section(&after, &ORDER, "parts", "## parts\n\nmore\n");
        assert_eq!(
            after,
            "## main\n\nnew\n\n## parts\n\nmore\n\n## audit\n\nkept\n"
        );
        assert_eq!(
            replace_section("", &ORDER, "main", "## main\n"),
            "## main\n"
        );
    }

    #[test]
    fn json_has_one_series_per_line() {
        let folder = tempfile::tempdir().unwrap();
        for (series, figure) in [("audit", 1), ("main", 2), ("audit", 3)] {
            write(folder.path(), &ORDER, series, "", figure.into()).unwrap();
        }
        let text = fs::read_to_string(release(folder.path(), "json")).unwrap();
        assert_eq!(text, "{\n\"main\": 2,\n\"audit\": 3\n}\n");
    }
}
