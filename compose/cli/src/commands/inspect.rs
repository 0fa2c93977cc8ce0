//! The commands that describe or check a component.

use std::io::{self, Write};
use std::path::Path;

use compose::{
    Composition, CoreFeature, GraphFormat, InspectedPart, Inspection, Report, Verification,
    WorldName,
};
use compose_fuse::{Cost, cost};
use sanitize::line;
use serde::Serialize;

use super::describe::print_result;
use super::generate::print_cost;
use crate::args::{Check, Diff, Format, Graph, Inspect, Picture, Verify};
use crate::failure::{Failure, exit_of};
use crate::files::{read, read_component, read_composition, read_expanded, read_wit, write_output};

/// The result of a check.
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
        return report_as_json(&checked, &checked.report);
    }
    if checked.report.has_errors() {
        let context = format!("`{component}` does not run on a host that provides only `{world}`");
        return Err(Failure::Report(Some(context), checked.report));
    }
    print_result(&checked, arguments.format, |_, out| {
        let (component, world) = (line(component), line(world));
        let hosts = if checked.features.is_empty() {
            "any host of"
        } else {
            "hosts with the core features below and"
        };
        writeln!(out, "`{component}` runs on {hosts} `{world}`")?;
        for feature in &checked.features {
            writeln!(out, "{feature}")?;
        }
        for import in &checked.imports {
            writeln!(out, "import {}", line(import))?;
        }
        Ok(())
    })
}

/// Prints a result as JSON, and fails because of the errors in its report.
fn report_as_json(result: &impl Serialize, report: &Report) -> Result<(), Failure> {
    print_result(result, Format::Json, |_, _| Ok(()))?;
    Err(Failure::Reported(exit_of(report)))
}

/// An inspection with the cost of an instance.
#[derive(Serialize)]
struct Inspected {
    #[serde(flatten)]
    inspection: Inspection,
    /// `None` if it cannot be counted.
    cost: Option<Cost>,
}

pub(super) fn inspect(arguments: &Inspect) -> Result<(), Failure> {
    let component = read_component(&arguments.file)?;
    let inspected = Inspected {
        inspection: compose::inspect(&component),
        cost: cost(&component),
    };
    print_result(&inspected, arguments.format, print_inspected)
}

fn print_inspected(inspected: &Inspected, out: &mut dyn Write) -> io::Result<()> {
    let Inspected { inspection, cost } = inspected;
    writeln!(out, "{}", inspection.whole)?;
    for part in &inspection.parts {
        print_part(part, 1, out)?;
    }
    let mark = |interface: &str| match inspection.async_interfaces.get(interface) {
        Some(features) => format!(" [{features}]"),
        None => String::new(),
    };
    for wire in &inspection.wires {
        writeln!(out, "{wire}{}", mark(&wire.import))?;
    }
    for import in &inspection.imports {
        let (part, interface) = (line(&import.importer), line(&import.import));
        let mark = mark(&import.import);
        if import.import == import.name {
            writeln!(out, "{part} -- {interface} --> (host){mark}")?;
        } else {
            let name = line(&import.name);
            writeln!(out, "{part} -- {interface} --> (host, as {name}){mark}")?;
        }
    }
    for export in &inspection.exports {
        let (name, provider) = (line(&export.name), line(&export.provider));
        let mark = mark(&export.name);
        writeln!(out, "export {name} of {provider}{mark}")?;
    }
    for import in inspection.host_imports_for_types() {
        writeln!(out, "import {}, for its types", line(import))?;
    }
    for undescribed in &inspection.undescribed {
        writeln!(out, "not shown: {}", line(undescribed))?;
    }
    match cost {
        Some(cost) => print_cost("an instance", *cost, out),
        None => writeln!(out, "an instance: cannot be counted"),
    }
}

fn print_part(part: &InspectedPart, depth: usize, out: &mut dyn Write) -> io::Result<()> {
    let indent = "  ".repeat(depth);
    writeln!(out, "{indent}{}", part.node)?;
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
    let format = match arguments.format {
        Picture::Svg => GraphFormat::Svg,
        Picture::Mermaid => GraphFormat::Mermaid,
        Picture::Dot => GraphFormat::Dot,
        Picture::Json => GraphFormat::Json,
    };
    let picture = if format == GraphFormat::Json {
        // Not expanded, so that the composition can be rebuilt from it.
        compose::graph(&read_composition(&arguments.file)?, format)
    } else {
        let (composition, async_interfaces) = read_expanded(&arguments.file)?;
        compose::graph_with(&composition, &async_interfaces, format)
    };
    write_output(&arguments.output, picture.as_bytes())
}

pub(super) fn diff(arguments: &Diff) -> Result<(), Failure> {
    let before = read_component(&arguments.before)?;
    let after = read_component(&arguments.after)?;
    let diff = compose::diff(&Composition::of(&before), &Composition::of(&after));
    print_result(&diff, arguments.format, |diff, out| {
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
    // Not parsed as a component, because it may be damaged.
    let bytes = read(path)?;
    let verification = compose::verify(&arguments.file.name(), &bytes);
    if verification.report.has_errors() && arguments.format == Format::Json {
        return report_as_json(&verification, &verification.report);
    }
    if verification.report.has_errors() {
        return Err(verification.report.into());
    }
    print_result(&verification, arguments.format, print_verification)
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
