//! Chaining: middlewares in front of an application.

use super::link::exports_of;
use super::planner::{LinkOptions, Planner};
use crate::model::component::Component;
use crate::model::composition::{Export, Wire};
use crate::model::diagnostics::missing_export;
use crate::model::plan::Plan;
use crate::model::report::{Code, Diagnostic, Report, quoted};
use crate::model::version_track;

/// Plans to put `middlewares` in front of `app`, the first of them outermost.
///
/// Each of them imports and exports `interface`; without a version, it matches every
/// version. A call to the result reaches the first middleware, whose calls reach the second,
/// and so on up to `app`. The result has the exports of the first middleware, and those of
/// `app` that [`LinkOptions::also_export`] names, which bypass the middlewares. Imports of
/// other interfaces are wired to `parts`, as in [`link`](crate::link()); the result imports
/// what no part exports.
///
/// # Errors
///
/// Returns a report if a component does not import or export the interface, if `app` does
/// not export what `also_export` names, and for the reasons of [`link`](crate::link()).
pub fn chain(
    interface: &str,
    middlewares: &[Component],
    app: &Component,
    parts: &[Component],
    options: &LinkOptions,
) -> Result<Plan, Report> {
    let mut planner = Planner::new(middlewares.iter().chain([app]), parts, options);
    let mut importers = middlewares.iter();
    for provider in middlewares.iter().skip(1).chain([app]) {
        let Some(importer) = importers.next() else {
            break;
        };
        match connect(interface, importer, provider) {
            Ok(wires) => wires.into_iter().for_each(|wire| planner.wire(wire)),
            Err(diagnostics) => diagnostics
                .into_iter()
                .for_each(|diagnostic| planner.report(diagnostic)),
        }
    }
    let first = middlewares.first().unwrap_or(app);
    if highest_match(interface, first.exports()).is_none() {
        planner.report(not_exported(first, interface));
    }
    let mut exports = exports_of(first);
    for name in &options.also_export {
        match bypassing_exports(name, first, app) {
            Ok(others) => exports.extend(others),
            Err(diagnostic) => planner.report(*diagnostic),
        }
    }
    planner.finish(app.name(), exports)
}

/// The wires between two neighbours of the chain: one for each version that the importer
/// imports.
fn connect(
    interface: &str,
    importer: &Component,
    provider: &Component,
) -> Result<Vec<Wire>, Vec<Diagnostic>> {
    let mut diagnostics = Vec::new();
    let imports: Vec<&str> = importer
        .imports()
        .filter(|import| version_track::matches(interface, import))
        .collect();
    if imports.is_empty() {
        diagnostics.push(not_imported(importer, interface));
    }
    let exported = highest_match(interface, provider.exports());
    if exported.is_none() {
        diagnostics.push(not_exported(provider, interface));
    }
    let (Some(exported), true) = (exported, diagnostics.is_empty()) else {
        return Err(diagnostics);
    };
    let wire = |import: &str| Wire {
        importer: importer.name().to_owned(),
        import: import.to_owned(),
        provider: provider.name().to_owned(),
        export: version_track::find(import, provider.exports())
            .unwrap_or(exported)
            .to_owned(),
    };
    Ok(imports.into_iter().map(wire).collect())
}

/// The highest version that matches `interface`.
fn highest_match<'n>(interface: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let names: Vec<&str> = names
        .filter(|name| version_track::matches(interface, name))
        .collect();
    let first = *names.first()?;
    Some(version_track::highest(first, names))
}

/// The exports of `app` that match `interface` and bypass the middlewares, without those
/// that the first component exports itself.
fn bypassing_exports(
    interface: &str,
    first: &Component,
    app: &Component,
) -> Result<Vec<Export>, Box<Diagnostic>> {
    let mut exports = exports_of(app);
    exports.retain(|export| version_track::matches(interface, &export.name));
    if exports.is_empty() {
        return Err(Box::new(missing_export(app, interface)));
    }
    exports.retain(|export| {
        let mut names = first.exports();
        !names.any(|name| version_track::same_track(name, &export.name))
    });
    Ok(exports)
}

fn not_imported(component: &Component, interface: &str) -> Diagnostic {
    let name = component.name();
    let imports: Vec<&str> = component.imports().collect();
    Diagnostic::error(
        Code::NotAMiddleware,
        format!(
            "`{name}` does not import `{interface}`, so that it cannot be a middleware; it imports \
             {}",
            or_nothing(&imports)
        ),
        "put it at the end of the chain, or leave it out",
    )
    .of_import(name, interface)
    .among(imports)
}

fn not_exported(component: &Component, interface: &str) -> Diagnostic {
    let name = component.name();
    let exports: Vec<&str> = component.exports().collect();
    Diagnostic::error(
        Code::MissingExport,
        format!(
            "`{name}` does not export `{interface}`, the interface of the chain; it exports {}",
            or_nothing(&exports)
        ),
        "leave it out, or chain on an interface that all of them export",
    )
    .about(interface)
    .among(exports)
}

fn or_nothing(names: &[&str]) -> String {
    if names.is_empty() {
        "nothing".to_owned()
    } else {
        quoted(names)
    }
}
