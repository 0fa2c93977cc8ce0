//! Execution of the recipes of a manifest.

use std::collections::BTreeMap;
use std::error::Error;

use super::entry::Recipe;
use super::{Declared, Manifest};
use crate::check::import_policy::deny_imports;
use crate::check::world::check;
use crate::generate::environment::{EnvironmentError, environment_for};
use crate::generate::stub::{StubError, StubSource, stub};
use crate::inspect::provenance::record;
use crate::model::component::Component;
use crate::model::component_error::ComponentError;
use crate::model::composition::Composition;
use crate::model::plan::Plan;
use crate::model::report::Report;
use crate::plan::chain::chain;
use crate::plan::link::link;
use crate::plan::planner::LinkOptions;
use crate::plan::swap::swap;
use crate::wac::{WacError, run_wac_with_wit};
use crate::wit::world::WorldError;

/// A component with an output.
#[derive(Debug, Clone)]
pub struct BuiltOutput {
    /// Its name in the manifest.
    pub name: String,
    /// Its output path, as in the manifest.
    pub path: String,
    /// Its binary form.
    pub bytes: Vec<u8>,
    /// Its nodes, wires, imports and exports.
    pub composition: Composition,
    /// Warnings.
    pub report: Report,
}

/// Why a component of a manifest was not built.
#[derive(Debug, thiserror::Error)]
#[error("`components.{name}`")]
pub struct BuildError {
    /// The component.
    pub name: String,
    /// The reason.
    #[source]
    pub kind: BuildErrorKind,
}

/// The kinds of reasons why a component of a manifest was not built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildErrorKind {
    /// The contents of a file are missing.
    #[error("the file `{0}` was not read")]
    Unread(String),
    /// A text file is not UTF-8.
    #[error("the file `{0}` is not UTF-8 text")]
    NotText(String),
    /// A component is invalid.
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// The parts are incompatible, or the result is incompatible with its world.
    #[error(transparent)]
    Report(#[from] Report),
    /// An `env` recipe failed.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// A `stub` recipe failed.
    #[error(transparent)]
    Stub(#[from] StubError),
    /// A `wac` recipe failed.
    #[error(transparent)]
    Wac(#[from] WacError),
    /// A `fuse` recipe failed.
    #[error(transparent)]
    Fuse(Box<dyn Error + Send + Sync>),
    /// The `world` is unavailable.
    #[error(transparent)]
    World(#[from] WorldError),
}

/// File contents by the paths in the manifest.
type Files = BTreeMap<String, Vec<u8>>;

/// Fuses a component.
type Fuse<'f> = dyn Fn(&Component) -> Result<Vec<u8>, BuildErrorKind> + 'f;

impl Manifest {
    /// Builds all components and returns those with an output, sorted by name.
    ///
    /// `files` has the contents of [`Self::files`], by the same paths. `fuse` returns the
    /// fused bytes of a component: the library does not fuse, because that depends on the
    /// internals of wasmtime.
    ///
    /// # Errors
    ///
    /// Returns a [`BuildError`] for the first component that cannot be built.
    pub fn build<E: Into<Box<dyn Error + Send + Sync>>>(
        &self,
        files: &Files,
        fuse: impl Fn(&Component) -> Result<Vec<u8>, E>,
    ) -> Result<Vec<BuiltOutput>, BuildError> {
        let fuse = |component: &Component| {
            fuse(component).map_err(|error| BuildErrorKind::Fuse(error.into()))
        };
        let mut built = BTreeMap::new();
        let mut outputs = Vec::new();
        for (name, declared) in &self.components {
            let failed = |kind| BuildError {
                name: name.clone(),
                kind,
            };
            let Built {
                component,
                composition,
                warnings,
            } = build(
                name,
                declared,
                Inputs {
                    built: &built,
                    files,
                },
                &fuse,
            )
            .map_err(failed)?;
            if let Some(path) = &declared.output {
                outputs.push(BuiltOutput {
                    name: name.clone(),
                    path: path.clone(),
                    bytes: component.bytes().to_vec(),
                    composition,
                    report: warnings,
                });
            }
            built.insert(name.as_str(), component);
        }
        outputs.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(outputs)
    }
}

/// A built component.
struct Built {
    component: Component,
    composition: Composition,
    warnings: Report,
}

fn build(
    name: &str,
    declared: &Declared,
    inputs: Inputs<'_>,
    fuse: &Fuse<'_>,
) -> Result<Built, BuildErrorKind> {
    let (bytes, warnings) = match &declared.recipe {
        Recipe::File { path } => (inputs.bytes(path)?.to_vec(), Report::default()),
        Recipe::Env {
            variables,
            importers,
        } => {
            let importers = inputs.copies(importers)?;
            let bytes = environment_for(variables.clone(), &importers)?;
            (bytes, Report::default())
        }
        Recipe::Stub {
            interfaces,
            imports_of,
            wit,
        } => {
            let texts = inputs.texts(wit)?;
            let source = match imports_of {
                Some(component) => StubSource::ImportsOf(inputs.get(component)?),
                None => StubSource::Wit(&texts),
            };
            (stub(interfaces, source)?, Report::default())
        }
        Recipe::Link { root, with, prefer } => {
            let parts = inputs.copies(with)?;
            let root = inputs.get(root)?;
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
            let middlewares = inputs.copies(middlewares)?;
            let parts = inputs.copies(with)?;
            let app = inputs.get(around)?;
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
                .map(|(part, component)| Ok(Component::new(part, inputs.get(component)?.bytes())?))
                .collect::<Result<_, BuildErrorKind>>()?;
            let (plan, components) = swap(inputs.get(app)?, replacements)?;
            encode(&plan, &components)?
        }
        Recipe::Wac { path, with, wit } => {
            let (text, parts) = (inputs.text(path)?, inputs.copies(with)?);
            let bytes = run_wac_with_wit(path, text, &parts, &inputs.texts(wit)?)?;
            (record(name, bytes)?, Report::default())
        }
        Recipe::Fuse { component } => (fuse(inputs.get(component)?)?, Report::default()),
    };
    let component = Component::new(name, bytes)?;
    let composition = Composition::of(&component);
    deny_imports(&composition, &declared.deny_imports).into_result()?;
    if let Some(world) = &declared.world {
        let file: Vec<String> = world.file().map(str::to_owned).into_iter().collect();
        let world = world.find(&inputs.texts(&file)?)?;
        check(&component, &world).into_result()?;
    }
    Ok(Built {
        component,
        composition,
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

/// The inputs of recipes: the components built so far, and the files.
#[derive(Clone, Copy)]
struct Inputs<'i> {
    built: &'i BTreeMap<&'i str, Component>,
    files: &'i Files,
}

impl<'i> Inputs<'i> {
    fn get(self, name: &str) -> Result<&'i Component, BuildErrorKind> {
        // A parsed manifest refers only to its own components, in order.
        let found = self.built.get(name);
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
