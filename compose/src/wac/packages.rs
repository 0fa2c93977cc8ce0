//! The packages that a text uses, and their components.

use semver::Version;
use wac_parser::Document;
use wac_parser::lexer::{Lexer, Token};
use wac_types::BorrowedPackageKey;
use wit_parser::{PackageName, Resolve};

use super::source::Source;
use super::{WacError, id};
use crate::catch_panic::catch_panic;
use crate::model::component::Component;
use crate::wit;

/// The packages that a text uses, deduplicated, in text order.
pub(super) struct Packages<'t> {
    packages: Vec<Package<'t>>,
}

/// A package at its first use.
struct Package<'t> {
    name: &'t str,
    version: Option<Version>,
    offset: usize,
    len: usize,
}

impl<'t> Packages<'t> {
    /// Reads the packages from the tokens of the text: package names occur in many rules of
    /// the grammar, always as the same tokens.
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

    /// The bytes of each package, as the parameter of `wac`. Packages without a component are
    /// WIT packages, of `texts` or of WASI.
    pub(super) fn bytes<'p, T>(
        &'p self,
        source: &Source<'_>,
        components: &[Component],
        texts: &[(String, String)],
    ) -> Result<T, WacError>
    where
        T: FromIterator<(BorrowedPackageKey<'p>, Vec<u8>)>,
    {
        let mut others: Vec<&Package<'_>> = Vec::new();
        let mut found = Vec::new();
        for package in &self.packages {
            match package.find(components) {
                Some(component) => found.push((package.key(), component.bytes().to_vec())),
                None => others.push(package),
            }
        }
        if !others.is_empty() {
            let names: Vec<PackageName> = others.iter().filter_map(|other| other.wit()).collect();
            let resolve = wit::parse_with(texts, &names)
                .map_err(|error| WacError::Wit {
                    excerpt: error.to_string(),
                })?
                .resolve;
            let mut missing = Vec::new();
            for package in others {
                let bytes = package.wit().and_then(|name| encoded(&resolve, &name));
                match bytes {
                    Some(bytes) => found.push((package.key(), bytes)),
                    None => missing.push(package),
                }
            }
            if !missing.is_empty() {
                return Err(missing_packages(&missing, source, components));
            }
        }
        Ok(found.into_iter().collect())
    }
}

/// The package `name` in binary form.
fn encoded(resolve: &Resolve, name: &PackageName) -> Option<Vec<u8>> {
    let package = *resolve.package_names.get(name)?;
    catch_panic(|| wit_component::encode(resolve, package))
        .ok()?
        .ok()
}

fn missing_packages(
    missing: &[&Package<'_>],
    source: &Source<'_>,
    components: &[Component],
) -> WacError {
    let mut excerpts: Vec<String> = missing
        .iter()
        .map(|package| {
            let message = format!(
                "the package `{}` is missing; give it with `--with {}=FILE`, or with `--wit PATH` \
                 if it is a package of WIT",
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

impl Package<'_> {
    fn key(&self) -> BorrowedPackageKey<'_> {
        BorrowedPackageKey::from_name_and_version(self.name, self.version.as_ref())
    }

    /// The name as a WIT package name; `None` if it has more than two parts.
    fn wit(&self) -> Option<PackageName> {
        let (namespace, name) = self.name.split_once(':')?;
        (!name.contains(':')).then(|| PackageName {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            version: self.version.clone(),
        })
    }

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

/// The texts before and after the first `separator`.
fn split(text: &str, separator: char) -> (&str, &str) {
    text.split_once(separator).unwrap_or((text, ""))
}
