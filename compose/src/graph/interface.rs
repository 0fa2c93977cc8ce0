//! The names of interfaces, taken apart: `wasi:io/streams@0.2.12` is `streams` of
//! the package `wasi:io@0.2.12`.

/// A name that was taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Interface<'a> {
    /// The package with its version; the whole name if it has no package.
    pub(super) package: String,
    /// The interface within the package.
    pub(super) item: Option<&'a str>,
}

impl<'a> Interface<'a> {
    /// Takes `name` apart. Any string will do.
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

/// Whether a host that offers only WASI may have what is called `name`: an
/// interface or a package.
pub(super) fn is_wasi(name: &str) -> bool {
    name.starts_with("wasi:")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken_apart(name: &str) -> (String, Option<&str>) {
        let Interface { package, item } = Interface::new(name);
        (package, item)
    }

    #[test]
    fn the_version_belongs_to_the_package() {
        assert_eq!(
            taken_apart("wasi:io/streams@0.2.12"),
            ("wasi:io@0.2.12".to_owned(), Some("streams"))
        );
        assert_eq!(
            taken_apart("runner:audit/audit-log"),
            ("runner:audit".to_owned(), Some("audit-log"))
        );
    }

    #[test]
    fn a_name_without_a_package_stays_whole() {
        for name in ["run", "", "a/b", "https-like@1"] {
            assert_eq!(taken_apart(name), (name.to_owned(), None));
        }
    }
}
