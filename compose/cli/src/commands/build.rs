//! The command `build`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use compose::{Component, Manifest, Node, Plan};
use compose_fuse::{FuseError, fuse};

use super::compose::describe_composed;
use super::describe::{Description, print_composition, print_result, print_text, print_warnings};
use crate::args::Build;
use crate::failure::Failure;
use crate::files::{components_of, is_plan, parse_plan, read, text, write_output};

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
            print_result(plan, arguments.format, |_, out| {
                print_composition(&composed.composition, "", out)
            })
        }
        Some(output) => {
            write_output(output, &composed.bytes)?;
            describe_composed(&composed, arguments.format, output)
        }
        None => Err(Failure::usage(anyhow!(
            "the result of a plan has no output; add `-o OUT`"
        ))),
    }
}

fn build_manifest(text: &str, arguments: &Build) -> Result<(), Failure> {
    if arguments.output.is_some() {
        return Err(Failure::usage(anyhow!(
            "`--output` does not apply to a manifest, which declares its outputs; remove it"
        )));
    }
    let manifest = Manifest::parse(text)?;
    let folder = arguments.file.parent().unwrap_or(Path::new(""));
    let mut files = BTreeMap::new();
    for path in manifest.files() {
        let bytes = read(&folder.join(path))?;
        files.insert(path.to_owned(), bytes);
    }
    let outputs = manifest.build(&files, |component| {
        Ok::<_, FuseError>(fuse(component)?.bytes)
    })?;
    let mut descriptions = Vec::new();
    for output in &outputs {
        let output_path: PathBuf = folder.join(&output.path);
        if is_same_file(&output_path, &arguments.file) {
            return Err(Failure::usage(anyhow!(
                "`components.{}.output` is the manifest itself; name another file",
                output.name
            )));
        }
        if !arguments.dry_run {
            create_folder(&output_path)?;
            write_output(&output_path, &output.bytes)?;
        }
        let description = Description {
            whole: Node::new(&output.name, &output.bytes),
            output: Some(output_path.display().to_string()),
            composition: &output.composition,
            report: &output.report,
        };
        descriptions.push(description);
    }
    print_result(&descriptions, arguments.format, |descriptions, out| {
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
