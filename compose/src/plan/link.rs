//! Linking: a root and the parts that provide its imports.

use super::planner::{LinkOptions, Planner};
use crate::model::component::Component;
use crate::model::composition::Export;
use crate::model::plan::Plan;
use crate::model::report::Report;

/// Plans to compose `root` with `parts`.
///
/// Every import of the root, and of the parts, is wired to the part that exports it: the
/// same name, or another version on the same version track. The result imports what no part
/// exports, once for all importers. The exports of the root become the exports of the
/// result. Each part is instantiated once and shared by all of its importers. No component
/// provides an import of itself, and the root provides none at all.
///
/// Equal inputs give equal plans, for any order of the parts.
///
/// # Errors
///
/// Returns a report if several parts export an interface and `options` prefer none of them,
/// or if a part is unused, which is probably a mistake. [`Plan::check`] checks the types.
pub fn link(root: &Component, parts: &[Component], options: &LinkOptions) -> Result<Plan, Report> {
    let planner = Planner::new([root], parts, options);
    planner.finish(root.name(), exports_of(root))
}

/// Every export of `component`, under its own name.
pub(crate) fn exports_of(component: &Component) -> Vec<Export> {
    component
        .exports()
        .map(|name| Export {
            name: name.to_owned(),
            provider: component.name().to_owned(),
            export: name.to_owned(),
        })
        .collect()
}
