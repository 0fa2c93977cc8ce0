//! A component that exports `wasi:cli/environment` with fixed variables, of WASI 0.2, of 0.3, or
//! of both.

use std::collections::BTreeSet;
use std::error::Error;

use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, ExportKind, ExportSection, Function, FunctionSection,
    MemorySection, MemoryType, Module, TypeSection, ValType,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

use crate::check::wasi_release::{ENVIRONMENT_0_2, ENVIRONMENT_0_3};
use crate::model::component::Component;
use crate::model::version_track::same_track;
use crate::wit::{WitError, parse_with_wasi};

/// A version of the interface; `wit/deps` defines them.
#[derive(Clone, Copy)]
struct Version {
    /// The interface, on its version track.
    track: &'static str,
    interface: &'static str,
    /// The function that returns the working directory; the others have the same names in all
    /// versions.
    initial_cwd: &'static str,
}

const VERSIONS: [Version; 2] = [
    Version {
        track: ENVIRONMENT_0_2,
        interface: "wasi:cli/environment@0.2.12",
        initial_cwd: "initial-cwd",
    },
    Version {
        track: ENVIRONMENT_0_3,
        interface: "wasi:cli/environment@0.3.0",
        initial_cwd: "get-initial-cwd",
    },
];

/// The address of 16 zero bytes: an empty list, and an option that is `none`.
const NOTHING: u32 = 0;
/// The address of the list of variables: a pointer and a length.
const VARIABLES: u32 = 16;
/// The address of the first element of that list.
const FIRST_VARIABLE: u32 = 24;
/// Two strings, each a pointer and a length.
const VARIABLE_SIZE_BYTES: usize = 16;
const PAGE_SIZE_BYTES: u64 = 65_536;

/// Why no component can be generated for the variables.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvironmentError {
    /// The name of a variable is empty.
    #[error("the variable with the value `{value}` has an empty name")]
    EmptyName {
        /// Its value.
        value: String,
    },
    /// A name contains `=`, which separates name and value elsewhere.
    #[error("the name of the variable `{name}` contains `=`")]
    EqualsSignInName {
        /// The name.
        name: String,
    },
    /// A name or a value contains a NUL byte, which terminates strings in C.
    #[error("the variable `{}` contains a NUL byte", name.escape_default())]
    Nul {
        /// The name.
        name: String,
    },
    /// Two variables have the same name.
    #[error("duplicate variable `{name}`")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// The variables do not fit into a 32-bit memory.
    #[error("the variables take more than 4 GiB")]
    TooLarge,
    /// The built-in WIT cannot be parsed.
    #[error(transparent)]
    Wit(#[from] WitError),
    /// Encoding failed.
    #[error("cannot encode the environment component")]
    Encode(#[source] Box<dyn Error + Send + Sync>),
}

/// Generates a component that exports `wasi:cli/environment@0.2.12` and has no imports.
///
/// `get-environment` returns `variables` in order, `get-arguments` an empty list, and the
/// working directory is `none`. The component has no mutable state: its memory has one page
/// (64 KiB), or as many as the variables require, and never grows.
///
/// # Errors
///
/// Returns an [`EnvironmentError`] if a name is empty, contains `=` or occurs
/// twice, or if a name or a value contains NUL.
pub fn environment<N, V>(
    variables: impl IntoIterator<Item = (N, V)>,
) -> Result<Vec<u8>, EnvironmentError>
where
    N: Into<String>,
    V: Into<String>,
{
    generate(variables, &VERSIONS[..1])
}

/// Like [`environment()`], for `importers`: the component exports `wasi:cli/environment@0.2.12`,
/// `wasi:cli/environment@0.3.0` or both, each if one of them imports it. If none does, it exports
/// that of WASI 0.2.
///
/// # Errors
///
/// Returns an [`EnvironmentError`] for the reasons of [`environment()`].
pub fn environment_for<'c, N, V>(
    variables: impl IntoIterator<Item = (N, V)>,
    importers: impl IntoIterator<Item = &'c Component>,
) -> Result<Vec<u8>, EnvironmentError>
where
    N: Into<String>,
    V: Into<String>,
{
    let imports: Vec<&str> = importers.into_iter().flat_map(Component::imports).collect();
    let is_imported = |version: &Version| imports.iter().any(|i| same_track(i, version.track));
    let versions: Vec<Version> = VERSIONS.into_iter().filter(is_imported).collect();
    if versions.is_empty() {
        return environment(variables);
    }
    generate(variables, &versions)
}

fn generate<N, V>(
    variables: impl IntoIterator<Item = (N, V)>,
    versions: &[Version],
) -> Result<Vec<u8>, EnvironmentError>
where
    N: Into<String>,
    V: Into<String>,
{
    let variables: Vec<(String, String)> = variables
        .into_iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    reject_invalid_variables(&variables)?;

    let exports = versions.iter().map(|version| version.interface);
    let exports: Vec<&str> = exports.flat_map(|name| ["export ", name, ";"]).collect();
    let exports = exports.concat();
    let text = format!("package compose:environment; world environment {{ {exports} }}");
    let (resolve, package) = parse_with_wasi("environment.wit", &text)?;
    let world = resolve
        .select_world(&[package], None)
        .map_err(|error| EnvironmentError::Encode(error.into()))?;
    let mut module = core_module(memory_image(&variables)?, versions);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .and_then(|()| {
            ComponentEncoder::default()
                .validate(true)
                .module(&module)?
                .encode()
        })
        .map_err(|error| EnvironmentError::Encode(error.into()))
}

fn reject_invalid_variables(variables: &[(String, String)]) -> Result<(), EnvironmentError> {
    let mut names = BTreeSet::new();
    for (name, value) in variables {
        if name.is_empty() {
            let value = value.clone();
            return Err(EnvironmentError::EmptyName { value });
        }
        let name = name.clone();
        if name.contains('=') {
            return Err(EnvironmentError::EqualsSignInName { name });
        }
        if name.contains('\0') || value.contains('\0') {
            return Err(EnvironmentError::Nul { name });
        }
        if !names.insert(name.clone()) {
            return Err(EnvironmentError::Duplicate { name });
        }
    }
    Ok(())
}

/// The memory contents from address 0, in the layout of the canonical ABI: pointers and
/// lengths are little-endian 32-bit integers.
fn memory_image(variables: &[(String, String)]) -> Result<Vec<u8>, EnvironmentError> {
    let u32_bytes = |number: usize| {
        let number = u32::try_from(number).map_err(|_| EnvironmentError::TooLarge)?;
        Ok::<_, EnvironmentError>(number.to_le_bytes())
    };
    let mut image = vec![0; VARIABLES as usize];
    image.extend(FIRST_VARIABLE.to_le_bytes());
    image.extend(u32_bytes(variables.len())?);

    // All pointers and lengths precede the strings.
    let strings_at = image.len() + variables.len() * VARIABLE_SIZE_BYTES;
    let mut strings = Vec::new();
    for (name, value) in variables {
        for string in [name, value] {
            image.extend(u32_bytes(strings_at + strings.len())?);
            image.extend(u32_bytes(string.len())?);
            strings.extend(string.bytes());
        }
    }
    image.extend(strings);
    u32_bytes(image.len())?;
    Ok(image)
}

/// The functions of an interface, with the addresses of their results.
fn functions(version: &Version) -> [(&'static str, u32); 3] {
    [
        ("get-environment", VARIABLES),
        ("get-arguments", NOTHING),
        (version.initial_cwd, NOTHING),
    ]
}

/// A module whose functions return addresses in a constant memory, so that it needs no
/// allocator.
fn core_module(image: Vec<u8>, versions: &[Version]) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], [ValType::I32]);

    let pages = (image.len() as u64).div_ceil(PAGE_SIZE_BYTES);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: pages,
        maximum: Some(pages),
        memory64: false,
        shared: false,
        page_size_log2: None,
    });

    let mut functions = FunctionSection::new();
    let mut exports = ExportSection::new();
    let mut code = CodeSection::new();
    exports.export("memory", ExportKind::Memory, 0);
    let all = versions.iter().flat_map(|version| {
        let named = |(name, result)| (format!("{}#{name}", version.interface), result);
        self::functions(version).map(named)
    });
    for (index, (name, result)) in (0..).zip(all) {
        functions.function(0);
        exports.export(&name, ExportKind::Func, index);
        let mut function = Function::new([]);
        function
            .instructions()
            .i32_const(result.cast_signed())
            .end();
        code.function(&function);
    }

    let mut data = DataSection::new();
    data.active(0, &ConstExpr::i32_const(0), image);

    let mut module = Module::new();
    module
        .section(&types)
        .section(&functions)
        .section(&memories)
        .section(&exports)
        .section(&code)
        .section(&data);
    module.finish()
}
