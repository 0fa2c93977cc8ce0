//! The commands that compose several components.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::anyhow;
use compose::{
    Component, Composed, Composition, LinkOptions, Node, Plan, Report, deny_imports, record,
    run_wac_with_wit,
};

use super::describe::{Description, describe, print_composition, print_result, print_warnings};
use crate::args::{Chain, Compose, Format, Input, Link, Run, Swap};
use crate::failure::Failure;
use crate::files::{read_component, read_components, read_text, read_wit, write_output};

pub(super) fn link(arguments: &Link) -> Result<(), Failure> {
    let root = read_component(&arguments.root)?;
    let parts = read_components(&arguments.parts)?;
    let options = options(&arguments.prefer, &arguments.parts)?;
    let plan = compose::link(&root, &parts, &options)?;
    let components: Vec<&Component> = parts.iter().chain([&root]).collect();
    let inputs = arguments.parts.iter().chain([&arguments.root]);
    execute(plan, &components, inputs, &arguments.compose)
}

pub(super) fn chain(arguments: &Chain) -> Result<(), Failure> {
    let middlewares = read_components(&arguments.middlewares)?;
    let app = read_component(&arguments.app)?;
    let parts = read_components(&arguments.parts)?;
    let options = LinkOptions {
        also_export: arguments.also_export.clone(),
        ..options(&arguments.prefer, &arguments.parts)?
    };
    let plan = compose::chain(&arguments.on, &middlewares, &app, &parts, &options)?;
    let components: Vec<&Component> = middlewares.iter().chain(&parts).chain([&app]).collect();
    let inputs = arguments.middlewares.iter().chain(&arguments.parts);
    let inputs = inputs.chain([&arguments.app]);
    execute(plan, &components, inputs, &arguments.compose)
}

pub(super) fn swap(arguments: &Swap) -> Result<(), Failure> {
    let app = read_component(&arguments.app)?;
    let replacements = read_components(&arguments.replace)?;
    let (plan, components) = compose::swap(&app, replacements)?;
    let components: Vec<&Component> = components.iter().collect();
    execute(plan, &components, &arguments.replace, &arguments.compose)
}

pub(super) fn run(arguments: &Run) -> Result<(), Failure> {
    let path = &arguments.file;
    let text = read_text(path)?;
    let parts = read_components(&arguments.parts)?;
    let mut texts = Vec::new();
    for path in &arguments.wit {
        texts.extend(read_wit(path)?);
    }
    let bytes = run_wac_with_wit(&path.display().to_string(), &text, &parts, &texts)?;
    let name = path.file_stem().unwrap_or(path.as_os_str());
    let bytes = record(&name.to_string_lossy(), bytes)?;
    let component = Component::new(name.to_string_lossy(), bytes)?;
    let composition = Composition::of(&component);
    deny(&composition, &arguments.report.deny_imports)?;
    write_output(&arguments.output, component.bytes())?;
    let description = Description {
        whole: Node::new(component.name(), component.bytes()),
        output: None,
        composition: &composition,
        report: &Report::default(),
    };
    describe(&description, arguments.report.format, &arguments.output)
}

/// Resolves the files of `--prefer` to parts.
fn options(prefer: &[(String, String)], parts: &[Input]) -> Result<LinkOptions, Failure> {
    let mut preferred = BTreeMap::new();
    for (interface, file) in prefer {
        let part = parts.iter().find(|part| part.is_named(file));
        let part = part.ok_or_else(|| {
            Failure::usage(anyhow!(
                "`--prefer {interface}={file}` is not one of the parts; give it with `--with` as \
                 well"
            ))
        })?;
        preferred.insert(interface.clone(), part.name());
    }
    Ok(LinkOptions {
        prefer: preferred,
        ..LinkOptions::default()
    })
}

fn deny(composition: &Composition, patterns: &[String]) -> Result<(), Failure> {
    let report = deny_imports(composition, patterns);
    if report.has_errors() {
        return Err(report.into());
    }
    Ok(())
}

/// Encodes the plan, and writes the result or prints its description.
fn execute<'i>(
    mut plan: Plan,
    components: &[&Component],
    inputs: impl IntoIterator<Item = &'i Input>,
    arguments: &Compose,
) -> Result<(), Failure> {
    if let Some(stem) = arguments.output.as_deref().and_then(Path::file_stem) {
        plan.name = stem.to_string_lossy().into_owned();
    }
    for input in inputs {
        let name = input.name();
        let mut planned = plan.components.iter_mut();
        if let Some(component) = planned.find(|component| component.name == name) {
            component.file = Some(input.path.display().to_string());
        }
    }
    let composed = plan.encode(components.iter().copied())?;
    deny(&composed.composition, &arguments.report.deny_imports)?;
    let Some(output) = &arguments.output else {
        return show(&plan, &composed, arguments.report.format);
    };
    write_output(output, &composed.bytes)?;
    describe_composed(&composed, arguments.report.format, output)
}

pub(super) fn describe_composed(
    composed: &Composed,
    format: Format,
    output: &Path,
) -> Result<(), Failure> {
    let description = Description {
        whole: Node::new(&composed.composition.name, &composed.bytes),
        output: None,
        composition: &composed.composition,
        report: &composed.report,
    };
    describe(&description, format, output)
}

fn show(plan: &Plan, composed: &Composed, format: Format) -> Result<(), Failure> {
    print_warnings(&composed.report);
    print_result(plan, format, |_, out| {
        print_composition(&composed.composition, "", out)
    })
}
