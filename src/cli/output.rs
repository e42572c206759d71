//! Printing results: JSON for scripts, tables for people.

use serde_json::Value;

/// Prints one object as JSON, or with one line for each field.
pub fn one(json: bool, value: &Value) {
    if json {
        println!("{value}");
        return;
    }
    let empty = serde_json::Map::new();
    let fields = value.as_object().unwrap_or(&empty);
    let width = fields.keys().map(String::len).max().unwrap_or(0);
    for (name, value) in fields {
        println!("{name:width$}  {}", plain(value));
    }
}

/// Prints several objects as a JSON array, or as a table with these columns.
pub fn many(json: bool, columns: &[&str], values: &[Value]) {
    if json {
        println!("{}", Value::Array(values.to_vec()));
        return;
    }
    let rows: Vec<Vec<String>> =
        values.iter().map(|value| columns.iter().map(|column| plain(&value[*column])).collect()).collect();
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).chain([columns[at].len()]).max();
    let widths: Vec<usize> = (0..columns.len()).filter_map(width).collect();
    let line = |cells: Vec<String>| {
        let padded: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        println!("{}", padded.join("  ").trim_end());
    };
    line(columns.iter().map(|column| column.to_uppercase()).collect());
    rows.into_iter().for_each(line);
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}
