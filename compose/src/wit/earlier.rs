//! The standard packages in an earlier version.

use semver::Version;

/// `text`, a standard package of version `latest`, as one of `version`: without functions
/// that were added later.
///
/// Types that were added later are kept: they are aliases, which earlier functions use.
pub(super) fn earlier(text: &str, latest: &Version, version: &Version) -> String {
    let text = text.replace(&format!("@{latest}"), &format!("@{version}"));
    let mut lines = text.lines();
    let mut earlier = String::with_capacity(text.len());
    let mut keep = |line: &str| {
        earlier.push_str(line);
        earlier.push('\n');
    };
    while let Some(line) = lines.next() {
        let is_later = |gate| version_of(line, gate).is_some_and(|since| since > *version);
        if is_later("@deprecated") {
            continue;
        }
        if !is_later("@since") {
            keep(line);
            continue;
        }
        let Some(item) = lines.next() else {
            continue;
        };
        if !item.contains(": func(") {
            keep(&format!("@since(version = {version})"));
            keep(item);
        } else if !item.ends_with(';') {
            // The rest of the function.
            lines.by_ref().find(|line| line.ends_with(';'));
        }
    }
    earlier
}

/// The version of a gate line, such as `@since(version = 0.2.1)`.
fn version_of(line: &str, gate: &str) -> Option<Version> {
    let version = line.trim().strip_prefix(gate)?;
    let version = version.strip_prefix("(version = ")?.strip_suffix(')')?;
    Version::parse(version).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_drops_later_functions_and_keeps_later_types() {
        let text = "package wasi:a@0.2.12;
@since(version = 0.2.0)
interface a {
  @since(version = 0.2.3)
  type name = string;
  @since(version = 0.2.12)
  one: func();
  @since(version = 0.2.12)
  two: func(
    a: u8,
  );
  @deprecated(version = 0.2.9)
  @since(version = 0.2.2)
  three: func();
}
";
        let expected = "package wasi:a@0.2.2;
@since(version = 0.2.0)
interface a {
@since(version = 0.2.2)
  type name = string;
  @since(version = 0.2.2)
  three: func();
}
";
        let latest = Version::new(0, 2, 12);
        assert_eq!(earlier(text, &latest, &Version::new(0, 2, 2)), expected);
    }
}
