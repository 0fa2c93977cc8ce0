//! Which packages a text uses, and which components they are.

use semver::Version;
use wac_parser::Document;
use wac_parser::lexer::{Lexer, Token};
use wac_types::BorrowedPackageKey;

use crate::component::Component;
use crate::wac::excerpt::Source;
use crate::wac::{WacError, id};

/// The packages that a text uses, each once, in the order of the text.
pub(super) struct Packages<'t> {
    packages: Vec<Package<'t>>,
}

/// A package where it is used first.
struct Package<'t> {
    name: &'t str,
    version: Option<Version>,
    offset: usize,
    len: usize,
}

impl<'t> Packages<'t> {
    /// Reads the packages from the words of the text: there are names of packages
    /// in many places of the grammar, and they all look the same.
    pub(super) fn used_by(document: &Document<'_>, text: &'t str) -> Self {
        let mut packages: Vec<Package<'t>> = Vec::new();
        for (token, span) in Lexer::new(text).into_iter().flatten() {
            if !matches!(token, Ok(Token::PackageName | Token::PackagePath)) {
                continue;
            }
            let written = text.get(span.offset()..span.offset() + span.len());
            let (path, version) = split(written.unwrap_or_default(), '@');
            let (name, _) = split(path, '/');
            let version = Version::parse(version).ok();
            let is_known = packages
                .iter()
                .any(|package| package.name == name && package.version == version);
            if name != document.directive.package.name && !is_known {
                packages.push(Package {
                    name,
                    version,
                    offset: span.offset(),
                    len: span.len(),
                });
            }
        }
        Self { packages }
    }

    /// The component of each package, in the form that `wac` takes.
    pub(super) fn bytes<'p, T>(
        &'p self,
        source: &Source<'_>,
        components: &[Component],
    ) -> Result<T, WacError>
    where
        T: FromIterator<(BorrowedPackageKey<'p>, Vec<u8>)>,
    {
        let found = self.packages.iter().map(|package| {
            let version = package.version.as_ref();
            let key = BorrowedPackageKey::from_name_and_version(package.name, version);
            let component = package.find(components).ok_or(package)?;
            Ok((key, component.bytes().to_vec()))
        });
        let found: Result<T, &Package<'_>> = found.collect();
        found.map_err(|_| self.missing(source, components))
    }

    fn missing(&self, source: &Source<'_>, components: &[Component]) -> WacError {
        let missing: Vec<&Package<'_>> = self
            .packages
            .iter()
            .filter(|package| package.find(components).is_none())
            .collect();
        let mut excerpts: Vec<String> = missing
            .iter()
            .map(|package| {
                let message = format!(
                    "the package `{}` is missing; give it with `--with {}=FILE`",
                    package.full_name(),
                    package.last_word(),
                );
                source.at(package.offset, package.len, &message)
            })
            .collect();
        let given: Vec<String> = components
            .iter()
            .map(|component| format!("`{}`", component.name()))
            .collect();
        if !given.is_empty() {
            excerpts.push(format!("given: {}", given.join(", ")));
        }
        WacError::MissingPackages {
            names: missing.iter().map(|package| package.full_name()).collect(),
            excerpt: excerpts.join("\n"),
        }
    }
}

impl Package<'_> {
    fn full_name(&self) -> String {
        match &self.version {
            Some(version) => format!("{}@{version}", self.name),
            None => self.name.to_owned(),
        }
    }

    fn last_word(&self) -> &str {
        let word = self.name.rsplit(':').next().unwrap_or(self.name);
        word.strip_prefix('%').unwrap_or(word)
    }

    fn find<'c>(&self, components: &'c [Component]) -> Option<&'c Component> {
        let named = |name: &str| components.iter().find(|other| other.name() == name);
        named(&self.full_name())
            .or_else(|| named(self.name))
            .or_else(|| named(self.last_word()))
            .or_else(|| {
                let mut similar = components
                    .iter()
                    .filter(|other| id::kebab(other.name()) == self.last_word());
                let only = similar.next();
                only.filter(|_| similar.next().is_none())
            })
    }
}

/// What is before and what is after the first `separator`.
fn split(text: &str, separator: char) -> (&str, &str) {
    text.split_once(separator).unwrap_or((text, ""))
}
