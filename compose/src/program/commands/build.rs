//! The command that makes what a file says.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use compose::{Component, Manifest, Part, Plan};

use super::compose::describe_composed;
use super::describe::{Description, answer, print_structure, print_text, print_warnings};
use crate::program::cli::Build;
use crate::program::failure::Failure;
use crate::program::files::{components_of, is_plan, parse_plan, read, text, write_output};

pub(super) fn build(arguments: &Build) -> Result<(), Failure> {
    let path = &arguments.file;
    let bytes = read(path)?;
    if is_plan(&bytes) {
        let plan = parse_plan(path, &bytes)?;
        return build_plan(&plan, arguments);
    }
    let text = text(path, &bytes)?;
    build_manifest(&text, arguments).map_err(|failure| failure.context(path.display().to_string()))
}

fn build_plan(plan: &Plan, arguments: &Build) -> Result<(), Failure> {
    let components: Vec<Component> = components_of(plan)?;
    let composed = plan.encode(&components)?;
    match &arguments.output {
        _ if arguments.dry_run => {
            print_warnings(&composed.report);
            answer(plan, arguments.format, |_, out| {
                print_structure(&composed.structure, "", out)
            })
        }
        Some(output) => {
            write_output(output, &composed.bytes)?;
            describe_composed(&composed, arguments.format, output)
        }
        None => Err(Failure::usage(anyhow!(
            "a plan does not say where its result goes; add `-o OUT`"
        ))),
    }
}

fn build_manifest(text: &str, arguments: &Build) -> Result<(), Failure> {
    if arguments.output.is_some() {
        return Err(Failure::usage(anyhow!(
            "a manifest says itself where its results go; leave out `--output`"
        )));
    }
    let manifest = Manifest::parse(text)?;
    let folder = arguments.file.parent().unwrap_or(Path::new(""));
    let mut files = BTreeMap::new();
    for path in manifest.files() {
        let place = folder.join(path);
        let bytes = read(&place)?;
        files.insert(path.to_owned(), bytes);
    }
    let outputs = manifest.build(&files)?;
    let mut descriptions = Vec::new();
    for output in &outputs {
        let place: PathBuf = folder.join(&output.path);
        if is_same_file(&place, &arguments.file) {
            return Err(Failure::usage(anyhow!(
                "`components.{}.output` is the manifest itself; name another file",
                output.name
            )));
        }
        if !arguments.dry_run {
            create_folder(&place)?;
            write_output(&place, &output.bytes)?;
        }
        let description = Description {
            whole: Part::new(&output.name, &output.bytes),
            output: Some(place.display().to_string()),
            structure: &output.structure,
            report: &output.report,
        };
        descriptions.push(description);
    }
    answer(&descriptions, arguments.format, |descriptions, out| {
        let mut descriptions = descriptions.iter();
        descriptions.try_for_each(|description| print_text(description, out))
    })
}

fn is_same_file(a: &Path, b: &Path) -> bool {
    let same = |a: &Path, b: &Path| Some(a.canonicalize().ok()? == b.canonicalize().ok()?);
    same(a, b).unwrap_or(false)
}

fn create_folder(file: &Path) -> Result<(), Failure> {
    let Some(folder) = file.parent() else {
        return Ok(());
    };
    fs::create_dir_all(folder)
        .with_context(|| format!("cannot create `{}`", folder.display()))
        .map_err(Failure::io)
}
