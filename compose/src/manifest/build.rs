//! Makes the components of a manifest.

use std::collections::BTreeMap;

use super::entry::Recipe;
use super::{Declared, Manifest};
use crate::chain::chain;
use crate::check::check;
use crate::component::{Component, ComponentError};
use crate::deny::deny_imports;
use crate::environment::{EnvironmentError, environment};
use crate::fuse::{FuseError, fuse};
use crate::link::link;
use crate::plan::Plan;
use crate::planner::LinkOptions;
use crate::provenance::record;
use crate::report::Report;
use crate::structure::Structure;
use crate::stub::{StubError, StubSource, stub};
use crate::swap::swap;
use crate::wac::{WacError, run_wac_with_wit};
use crate::world::WorldError;

/// A component that a manifest wants written.
#[derive(Debug, Clone)]
pub struct BuiltOutput {
    /// Its name in the manifest.
    pub name: String,
    /// Where it goes, as the manifest says.
    pub path: String,
    /// Its binary form.
    pub bytes: Vec<u8>,
    /// What it consists of.
    pub structure: Structure,
    /// Warnings.
    pub report: Report,
}

/// Why a component of a manifest was not made.
#[derive(Debug, thiserror::Error)]
#[error("`components.{name}`")]
pub struct BuildError {
    /// The component.
    pub name: String,
    /// Why.
    #[source]
    pub kind: BuildErrorKind,
}

/// The kinds of reasons why a component of a manifest was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildErrorKind {
    /// A file was not given.
    #[error("the file `{0}` was not read")]
    Unread(String),
    /// A file that holds text is not UTF-8.
    #[error("the file `{0}` is not text in UTF-8")]
    NotText(String),
    /// The component cannot be composed.
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// The parts do not fit, or the result does not fit its world.
    #[error(transparent)]
    Report(#[from] Report),
    /// An `env` cannot be made.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// A `stub` cannot be made.
    #[error(transparent)]
    Stub(#[from] StubError),
    /// A `wac` cannot be carried out.
    #[error(transparent)]
    Wac(#[from] WacError),
    /// A `fuse` is not possible.
    #[error(transparent)]
    Fuse(#[from] FuseError),
    /// The `world` is not known.
    #[error(transparent)]
    World(#[from] WorldError),
}

/// The contents of files by the paths that the manifest names.
type Files = BTreeMap<String, Vec<u8>>;

impl Manifest {
    /// Makes every component and returns those that have an output, sorted by name.
    ///
    /// `files` has the contents of [`Self::files`] by these very paths.
    ///
    /// # Errors
    ///
    /// Returns a [`BuildError`] for the first component that cannot be made.
    pub fn build(&self, files: &Files) -> Result<Vec<BuiltOutput>, BuildError> {
        let mut made = BTreeMap::new();
        let mut outputs = Vec::new();
        for (name, declared) in &self.components {
            let failed = |kind| BuildError {
                name: name.clone(),
                kind,
            };
            let Made {
                component,
                structure,
                warnings,
            } = make(name, declared, &made, files).map_err(failed)?;
            if let Some(path) = &declared.output {
                outputs.push(BuiltOutput {
                    name: name.clone(),
                    path: path.clone(),
                    bytes: component.bytes().to_vec(),
                    structure,
                    report: warnings,
                });
            }
            made.insert(name.as_str(), component);
        }
        outputs.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(outputs)
    }
}

struct Made {
    component: Component,
    structure: Structure,
    warnings: Report,
}

fn make(
    name: &str,
    declared: &Declared,
    made: &BTreeMap<&str, Component>,
    files: &Files,
) -> Result<Made, BuildErrorKind> {
    let recipe = &declared.recipe;
    let ingredients = Ingredients { made, files };
    let (bytes, warnings) = match recipe {
        Recipe::File { path } => (ingredients.bytes(path)?.to_vec(), Report::default()),
        Recipe::Env { variables } => (environment(variables.clone())?, Report::default()),
        Recipe::Stub {
            interfaces,
            imports_of,
            wit,
        } => {
            let texts = ingredients.texts(wit)?;
            let source = match imports_of {
                Some(component) => StubSource::ImportsOf(ingredients.get(component)?),
                None => StubSource::Wit(&texts),
            };
            (stub(interfaces, source)?, Report::default())
        }
        Recipe::Link { root, with, prefer } => {
            let parts = ingredients.copies(with)?;
            let root = ingredients.get(root)?;
            let options = LinkOptions {
                prefer: prefer.clone(),
                ..LinkOptions::default()
            };
            let plan = link(root, &parts, &options)?;
            encode(&plan, parts.iter().chain([root]))?
        }
        Recipe::Chain {
            middlewares,
            on,
            around,
            also_export,
            with,
            prefer,
        } => {
            let middlewares = ingredients.copies(middlewares)?;
            let parts = ingredients.copies(with)?;
            let app = ingredients.get(around)?;
            let options = LinkOptions {
                prefer: prefer.clone(),
                also_export: also_export.clone(),
            };
            let plan = chain(on, &middlewares, app, &parts, &options)?;
            encode(&plan, middlewares.iter().chain(&parts).chain([app]))?
        }
        Recipe::Swap { app, replace } => {
            let replacements = replace
                .iter()
                .map(|(part, component)| {
                    Ok(Component::new(part, ingredients.get(component)?.bytes())?)
                })
                .collect::<Result<_, BuildErrorKind>>()?;
            let (plan, components) = swap(ingredients.get(app)?, replacements)?;
            encode(&plan, &components)?
        }
        Recipe::Wac { path, with, wit } => {
            let (text, parts) = (ingredients.text(path)?, ingredients.copies(with)?);
            let bytes = run_wac_with_wit(path, text, &parts, &ingredients.texts(wit)?)?;
            (record(name, bytes)?, Report::default())
        }
        Recipe::Fuse { component } => (fuse(ingredients.get(component)?)?.bytes, Report::default()),
    };
    let component = Component::new(name, bytes)?;
    let structure = Structure::of(&component);
    deny_imports(&structure, &declared.deny_imports).into_result()?;
    if let Some(world) = &declared.world {
        let file: Vec<String> = world.file().map(str::to_owned).into_iter().collect();
        let world = world.find(&ingredients.texts(&file)?)?;
        check(&component, &world).into_result()?;
    }
    Ok(Made {
        component,
        structure,
        warnings,
    })
}

fn encode<'c>(
    plan: &Plan,
    components: impl IntoIterator<Item = &'c Component>,
) -> Result<(Vec<u8>, Report), BuildErrorKind> {
    let composed = plan.encode(components)?;
    Ok((composed.bytes, composed.report))
}

/// What there is to make a component of.
#[derive(Clone, Copy)]
struct Ingredients<'i> {
    made: &'i BTreeMap<&'i str, Component>,
    files: &'i Files,
}

impl<'i> Ingredients<'i> {
    fn get(self, name: &str) -> Result<&'i Component, BuildErrorKind> {
        // A manifest only names its own components, in order.
        let found = self.made.get(name);
        found.ok_or_else(|| BuildErrorKind::Unread(name.to_owned()))
    }

    fn copies(self, names: &[String]) -> Result<Vec<Component>, BuildErrorKind> {
        names.iter().map(|name| self.get(name).cloned()).collect()
    }

    fn bytes(self, path: &str) -> Result<&'i [u8], BuildErrorKind> {
        let found = self.files.get(path).map(Vec::as_slice);
        found.ok_or_else(|| BuildErrorKind::Unread(path.to_owned()))
    }

    fn text(self, path: &str) -> Result<&'i str, BuildErrorKind> {
        std::str::from_utf8(self.bytes(path)?).map_err(|_| BuildErrorKind::NotText(path.to_owned()))
    }

    fn texts(self, paths: &[String]) -> Result<Vec<(String, String)>, BuildErrorKind> {
        let text = |path: &String| Ok((path.clone(), self.text(path)?.to_owned()));
        paths.iter().map(text).collect()
    }
}
