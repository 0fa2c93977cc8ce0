//! Chaining: middlewares in front of an application.

use super::link::exports_of;
use super::planner::{LinkOptions, Planner};
use crate::check::wasi_release::{HANDLER_0_2, HANDLER_0_3};
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
    let fix = match other_handler(interface, &imports) {
        Some(handler) => handler.remedy_for_middleware(),
        None => "put it at the end of the chain, or leave it out".to_owned(),
    };
    Diagnostic::error(
        Code::NotAMiddleware,
        format!(
            "`{name}` does not import `{interface}`, so that it cannot be a middleware; it imports \
             {}",
            or_nothing(&imports)
        ),
        fix,
    )
    .of_import(name, interface)
    .among(imports)
}

fn not_exported(component: &Component, interface: &str) -> Diagnostic {
    let name = component.name();
    let exports: Vec<&str> = component.exports().collect();
    let fix = match other_handler(interface, &exports) {
        Some(handler) if component.imports().any(|import| import == handler.name) => {
            handler.remedy_for_middleware()
        }
        Some(handler) => handler.remedy_for_app(name, interface),
        None => "leave it out, or chain on an interface that all of them export".to_owned(),
    };
    Diagnostic::error(
        Code::MissingExport,
        format!(
            "`{name}` does not export `{interface}`, the interface of the chain; it exports {}",
            or_nothing(&exports)
        ),
        fix,
    )
    .about(interface)
    .among(exports)
}

/// A handler of another release of WASI than the interface of the chain.
struct OtherHandler<'n> {
    name: &'n str,
    /// Its release.
    release: &'static str,
    /// The release of the chain.
    release_of_chain: &'static str,
}

/// The handler of the other release among `names`, if the chain is on a handler.
fn other_handler<'n>(interface: &str, names: &[&'n str]) -> Option<OtherHandler<'n>> {
    let handlers = [(HANDLER_0_2, "0.2"), (HANDLER_0_3, "0.3")];
    let is_of_chain = |(handler, _): &(&str, &str)| version_track::matches(interface, handler);
    let (_, release_of_chain) = handlers.into_iter().find(is_of_chain)?;
    let (handler, release) = handlers.into_iter().find(|other| !is_of_chain(other))?;
    Some(OtherHandler {
        name: version_track::find(handler, names.iter().copied())?,
        release,
        release_of_chain,
    })
}

impl OtherHandler<'_> {
    fn remedy_for_middleware(&self) -> String {
        let Self {
            name,
            release,
            release_of_chain,
        } = self;
        format!(
            "`{name}` is the handler of WASI {release}: chain on it, or use a middleware of WASI \
             {release_of_chain}"
        )
    }

    fn remedy_for_app(&self, app: &str, interface: &str) -> String {
        let Self { name, release, .. } = self;
        let handler = format!("`{name}` is the handler of WASI {release}");
        if self.release_of_chain == "0.2" {
            return format!("{handler}: use middleware of WASI {release}");
        }
        format!(
            "{handler}: serve `{app}` with component-runner, as a function with `middleware = \
             [...]`, or compose it with an adapter that exports `{interface}`"
        )
    }
}

fn or_nothing(names: &[&str]) -> String {
    if names.is_empty() {
        "nothing".to_owned()
    } else {
        quoted(names)
    }
}
