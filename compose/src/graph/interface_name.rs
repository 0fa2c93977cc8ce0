//! Interface names split into package and item: `wasi:io/streams@0.2.12` is `streams` of
//! the package `wasi:io@0.2.12`.

/// A split name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InterfaceName<'a> {
    /// The package with its version; the whole name if it has no package.
    pub(super) package: String,
    /// The interface within the package.
    pub(super) item: Option<&'a str>,
}

impl<'a> InterfaceName<'a> {
    /// Splits `name`, which may be any string.
    pub(super) fn new(name: &'a str) -> Self {
        let Some((package, item)) = name
            .split_once('/')
            .filter(|(package, _)| package.contains(':'))
        else {
            return Self {
                package: name.to_owned(),
                item: None,
            };
        };
        match item.rsplit_once('@') {
            Some((item, version)) => Self {
                package: format!("{package}@{version}"),
                item: Some(item),
            },
            None => Self {
                package: package.to_owned(),
                item: Some(item),
            },
        }
    }
}

/// Whether the interface or package `name` belongs to WASI.
pub(super) fn is_wasi(name: &str) -> bool {
    name.starts_with("wasi:")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(name: &str) -> (String, Option<&str>) {
        let InterfaceName { package, item } = InterfaceName::new(name);
        (package, item)
    }

    #[test]
    fn the_version_belongs_to_the_package() {
        assert_eq!(
            split("wasi:io/streams@0.2.12"),
            ("wasi:io@0.2.12".to_owned(), Some("streams"))
        );
        assert_eq!(
            split("runner:audit/audit-log"),
            ("runner:audit".to_owned(), Some("audit-log"))
        );
    }

    #[test]
    fn a_name_without_a_package_is_not_split() {
        for name in ["run", "", "a/b", "https-like@1"] {
            assert_eq!(split(name), (name.to_owned(), None));
        }
    }
}
