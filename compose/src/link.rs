//! Linking: one root and the parts that provide what it imports.

use crate::component::Component;
use crate::plan::Plan;
use crate::planner::{LinkOptions, Planner};
use crate::report::Report;
use crate::structure::Export;

/// Plans to compose `root` with `parts`.
///
/// Every import of the root, and of the parts, is wired to the part that exports
/// it: the same name, or another version on the same version track. What no part
/// exports stays an import of the result, once for all who import it. The exports
/// of the root become the exports of the result. Each part is instantiated once
/// and shared by all of its importers. Neither the root nor a part provides
/// anything to itself, and nothing is provided by the root.
///
/// Equal inputs give equal plans, in whichever order the parts come.
///
/// # Errors
///
/// Returns a report if there is a choice that `options` do not make, or if one of
/// the parts is not needed: a part that nothing uses is more likely a mistake than
/// a wish. Whether the types fit is the matter of [`Plan::check`].
pub fn link(root: &Component, parts: &[Component], options: &LinkOptions) -> Result<Plan, Report> {
    let planner = Planner::new([root], parts, options);
    planner.finish(root.name(), exports_of(root))
}

/// Every export of `component`, to be exported under its own name.
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
