//! Printing results: JSON for scripts, tables for people.

use comfy_table::{Table, presets};
use serde_json::Value;
use std::fmt::Display;
use std::io::Write as _;

/// Prints one object as JSON, or with one line for each field.
pub fn one(json: bool, value: &Value) {
    if json {
        line(value);
        return;
    }
    let mut table = plain_table();
    for (name, value) in value.as_object().into_iter().flatten() {
        table.add_row([name, &plain(value)]);
    }
    print(table);
}

/// Prints several objects as a JSON array, or as a table with these columns.
pub fn many(json: bool, columns: &[&str], values: &[Value]) {
    if json {
        line(&Value::Array(values.to_vec()));
        return;
    }
    let mut table = plain_table();
    table.set_header(columns.iter().map(|column| column.to_uppercase()));
    for value in values {
        table.add_row(columns.iter().map(|column| plain(&value[*column])));
    }
    print(table);
}

/// A table without lines, which scripts and eyes can both read.
fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table
}

fn print(mut table: Table) {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    line(&table.trim_fmt());
}

/// Prints a line. That its reader has closed the pipe, as `head` does, is no error.
pub fn line(text: &dyn Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}
