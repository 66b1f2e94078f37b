//! `hookdrill schema`: the JSON Schema of a file format, for an editor.

use super::{
    Failure,
    args::{SchemaArgs, SchemaOf},
    exit::Exit,
    voice::print,
};
use crate::{drive::project, scenario::schema};

/// Prints the schema.
///
/// # Errors
/// [`Failure::Broken`] when it cannot be written.
pub fn schema(args: &SchemaArgs) -> Result<Exit, Failure> {
    let schema = match args.of {
        SchemaOf::Scenario => schema::scenario(),
        SchemaOf::Stories => schema::stories(),
        SchemaOf::Project => project::schema(),
        SchemaOf::Double => schema::double(),
    };
    let text = serde_json::to_string_pretty(&schema).map_err(|error| Failure::Broken(error.to_string()))?;
    print(&(text + "\n")).map_err(|error| Failure::Broken(error.to_string()))?;
    Ok(Exit::Pass)
}
