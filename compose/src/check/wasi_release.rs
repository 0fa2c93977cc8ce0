//! Releases of WASI, 0.2 and 0.3: the built-in world that a component is made for.

use crate::model::component::Component;
use crate::model::version_track::{find, same_track};
use crate::wit::world::World;
use crate::wit::world_name::WorldName;

// Interfaces, each on its version track.

/// The handler of WASI 0.3.
pub(crate) const HANDLER_0_3: &str = "wasi:http/handler@0.3.0";
/// The handler of WASI 0.2.
pub(crate) const HANDLER_0_2: &str = "wasi:http/incoming-handler@0.2.0";
/// The entry point of programs of WASI 0.2.
const RUN_0_2: &str = "wasi:cli/run@0.2.0";
/// The entry point of programs of WASI 0.3.
const RUN_0_3: &str = "wasi:cli/run@0.3.0";
/// The environment of WASI 0.3.
pub(crate) const ENVIRONMENT_0_3: &str = "wasi:cli/environment@0.3.0";
/// The environment of WASI 0.2.
pub(crate) const ENVIRONMENT_0_2: &str = "wasi:cli/environment@0.2.0";

/// The built-in world that `component` is made for, with the export that shows it.
pub(super) fn world_of(component: &Component) -> Option<(WorldName, &str)> {
    let export = |name| find(name, component.exports());
    if let Some(handler) = export(HANDLER_0_3) {
        let is_middleware = component
            .imports()
            .any(|import| same_track(import, HANDLER_0_3));
        let world = if is_middleware {
            WorldName::Middleware
        } else {
            WorldName::Service
        };
        return Some((world, handler));
    }
    let command_0_3 = || WorldName::Wasi("wasi:cli/command@0.3.0".to_owned());
    export(HANDLER_0_2)
        .map(|handler| (WorldName::Proxy, handler))
        .or_else(|| Some((WorldName::Command, export(RUN_0_2)?)))
        .or_else(|| Some((command_0_3(), export(RUN_0_3)?)))
}

/// Whether `component` has an export that `world` expects.
pub(super) fn is_made_for(component: &Component, world: &World) -> bool {
    let mut expected = world.world().exports.keys();
    expected.any(|expected| find(expected, component.exports()).is_some())
}

/// The release of WASI that `import` belongs to, if `world` has interfaces of another release
/// only.
pub(super) fn other_release(import: &str, world: &World) -> Option<&'static str> {
    let own = release(import)?;
    let world = world.world();
    let names = world.imports.keys().chain(world.exports.keys());
    let mut releases = names.filter_map(|name| release(name)).peekable();
    releases.peek()?;
    releases.all(|other| other != own).then_some(own)
}

/// The release of WASI that the interface `name` belongs to, such as `0.3`.
fn release(name: &str) -> Option<&'static str> {
    let (_, version) = name.strip_prefix("wasi:")?.split_once('@')?;
    ["0.2", "0.3"].into_iter().find(|release| {
        version
            .strip_prefix(release)
            .is_some_and(|rest| rest.starts_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::release;

    #[test]
    fn the_release_of_an_interface_is_its_version_track() {
        assert_eq!(release("wasi:http/types@0.3.2"), Some("0.3"));
        assert_eq!(release("wasi:http/types@0.2.12"), Some("0.2"));
        for other in ["wasi:http/types@0.20.1", "wasi:http/types", "a:b/c@0.3.0"] {
            assert_eq!(release(other), None, "{other}");
        }
    }
}
