//! The commands that say something about a component.

use std::io::{self, Write};
use std::path::Path;

use compose::{
    CoreFeature, GraphFormat, InspectedPart, Inspection, Report, Structure, Verification, WorldName,
};
use sanitize::line;
use serde::Serialize;

use super::describe::answer;
use super::make::print_cost;
use crate::program::cli::{Check, Diff, Format, Graph, Inspect, Picture, Verify};
use crate::program::failure::{Failure, exit_of};
use crate::program::files::{
    read, read_component, read_expanded, read_structure, read_wit, write_output,
};

/// What a check came to.
#[derive(Serialize)]
struct Checked {
    component: String,
    world: String,
    imports: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    features: Vec<CoreFeature>,
    report: Report,
}

pub(super) fn check(arguments: &Check) -> Result<(), Failure> {
    let component = read_component(&arguments.file)?;
    let texts = match &arguments.world {
        WorldName::Wit { file, .. } => read_wit(Path::new(file))?,
        _ => Vec::new(),
    };
    let world = arguments.world.find(&texts)?;
    let checked = Checked {
        component: component.name().to_owned(),
        world: world.name().to_owned(),
        imports: component.imports().map(str::to_owned).collect(),
        features: compose::core_features(&component),
        report: compose::check(&component, &world),
    };
    let Checked {
        component, world, ..
    } = &checked;
    if checked.report.has_errors() && arguments.format == Format::Json {
        return tell(&checked, &checked.report);
    }
    if checked.report.has_errors() {
        let remark = format!("`{component}` does not run on a plain host of `{world}`");
        return Err(Failure::Report(Some(remark), checked.report));
    }
    answer(&checked, arguments.format, |_, out| {
        let (component, world) = (line(component), line(world));
        let which = if checked.features.is_empty() {
            "any host of"
        } else {
            "hosts with the core features below and"
        };
        writeln!(out, "`{component}` runs on {which} `{world}`")?;
        for feature in &checked.features {
            writeln!(out, "{feature}")?;
        }
        for import in &checked.imports {
            writeln!(out, "import {}", line(import))?;
        }
        Ok(())
    })
}

/// Prints an answer as JSON although there are errors in its report.
fn tell(answered: &impl Serialize, report: &Report) -> Result<(), Failure> {
    answer(answered, Format::Json, |_, _| Ok(()))?;
    Err(Failure::Told(exit_of(report)))
}

pub(super) fn inspect(arguments: &Inspect) -> Result<(), Failure> {
    let component = read_component(&arguments.file)?;
    let inspection = compose::inspect(&component);
    answer(&inspection, arguments.format, |inspection, out| {
        print_inspection(inspection, out)
    })
}

fn print_inspection(inspection: &Inspection, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", inspection.whole)?;
    for part in &inspection.parts {
        print_part(part, 1, out)?;
    }
    for wire in &inspection.wires {
        writeln!(out, "{wire}")?;
    }
    for import in &inspection.imports {
        let (part, interface) = (line(&import.importer), line(&import.import));
        if import.import == import.name {
            writeln!(out, "{part} -- {interface} --> (host)")?;
        } else {
            let name = line(&import.name);
            writeln!(out, "{part} -- {interface} --> (host, as {name})")?;
        }
    }
    for export in &inspection.exports {
        let (name, provider) = (line(&export.name), line(&export.provider));
        writeln!(out, "export {name} of {provider}")?;
    }
    for import in inspection.host_imports_for_types() {
        writeln!(out, "import {}, for its types", line(import))?;
    }
    for undescribed in &inspection.undescribed {
        writeln!(out, "not shown: {}", line(undescribed))?;
    }
    match inspection.cost {
        Some(cost) => print_cost("an instance", cost, out),
        None => writeln!(out, "an instance: cannot be counted"),
    }
}

fn print_part(part: &InspectedPart, depth: usize, out: &mut dyn Write) -> io::Result<()> {
    let indent = "  ".repeat(depth);
    writeln!(out, "{indent}{}", part.part)?;
    for group in part.producers.chunk_by(|a, b| a.field == b.field) {
        let names = group.iter().map(|producer| {
            format!("{} {}", producer.name, producer.version)
                .trim()
                .to_owned()
        });
        let names: Vec<String> = names.collect();
        let (field, names) = (line(&group[0].field), line(names.join(", ")));
        writeln!(out, "{indent}  {field}: {names}")?;
    }
    for inner in &part.parts {
        print_part(inner, depth + 1, out)?;
    }
    Ok(())
}

pub(super) fn graph(arguments: &Graph) -> Result<(), Failure> {
    let read = match arguments.format {
        // What can be made into a composition again.
        Picture::Json => read_structure,
        _ => read_expanded,
    };
    let structure = read(&arguments.file)?;
    let format = match arguments.format {
        Picture::Svg => GraphFormat::Svg,
        Picture::Mermaid => GraphFormat::Mermaid,
        Picture::Dot => GraphFormat::Dot,
        Picture::Json => GraphFormat::Json,
    };
    let picture = compose::graph(&structure, format);
    write_output(&arguments.output, picture.as_bytes())
}

pub(super) fn diff(arguments: &Diff) -> Result<(), Failure> {
    let before = read_component(&arguments.before)?;
    let after = read_component(&arguments.after)?;
    let diff = compose::diff(&Structure::of(&before), &Structure::of(&after));
    answer(&diff, arguments.format, |diff, out| {
        if !diff.is_empty() {
            write!(out, "{diff}")
        } else if before.bytes() == after.bytes() {
            writeln!(out, "no difference")
        } else {
            writeln!(
                out,
                "no difference in parts, wires, imports and exports, but the files are not equal"
            )
        }
    })
}

pub(super) fn verify(arguments: &Verify) -> Result<(), Failure> {
    let path = &arguments.file.path;
    // Not as a component: a damaged one is what this is to find.
    let bytes = read(path)?;
    let verification = compose::verify(&arguments.file.name(), &bytes);
    if verification.report.has_errors() && arguments.format == Format::Json {
        return tell(&verification, &verification.report);
    }
    if verification.report.has_errors() {
        return Err(verification.report.into());
    }
    answer(&verification, arguments.format, print_verification)
}

fn print_verification(verification: &Verification, out: &mut dyn Write) -> io::Result<()> {
    let Some(provenance) = &verification.provenance else {
        return Ok(());
    };
    for part in &provenance.parts {
        writeln!(out, "{part}: as recorded")?;
    }
    writeln!(
        out,
        "composed by {} {}; all bytes and all wires are as recorded",
        line(&provenance.tool),
        line(&provenance.version),
    )
}
