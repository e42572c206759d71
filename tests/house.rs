//! Checks the `use` lines and paths in `src/` against the import rules of `docs/architecture.md`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails, and says where")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const DOORS: [&str; 5] = ["web", "api", "forward_auth", "cli", "server"];
const MIDDLE: [&str; 2] = ["gate", "usage"];
const NOUNS: [&str; 16] = [
    "agents",
    "api_keys",
    "audit",
    "backups",
    "configuration",
    "conversations",
    "deployments",
    "external_events",
    "handoff",
    "key_requests",
    "recordings",
    "runtime_tokens",
    "sessions",
    "users",
    "variants",
    "workspaces",
];
/// From the lowest layer up.
const GROUND: [&str; 3] = ["base", "db", "http"];

/// A path in a source file that names a module of this crate.
struct Import {
    file: PathBuf,
    line: usize,
    /// Without `crate`: `["users", "store"]`.
    path: Vec<String>,
}

fn source_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            source_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The module path of a file: `["users", "store"]`.
fn module_of(file: &Path) -> Vec<String> {
    let relative = file.strip_prefix(root()).unwrap().with_extension("");
    relative.iter().map(|part| part.to_str().unwrap().to_owned()).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Finds every path to a module of this crate, also in braces, except in comments and tests: paths after `crate::` and
/// `super::`, and after the name of a child module or of an imported module.
fn imports() -> Vec<Import> {
    let mut files = Vec::new();
    source_files(&root(), &mut files);
    let mut imports = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("\n#[cfg(test)]").next().unwrap();
        let code: String = code
            .lines()
            .map(|line| if line.trim_start().starts_with("//") { "\n".to_owned() } else { format!("{line}\n") })
            .collect();
        let here = module_of(&file);
        let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in code.lines() {
            if let Some((_, child)) =
                line.split_once("mod ").filter(|(before, _)| before.is_empty() || *before == "pub ")
            {
                let child = child.trim_end_matches(';').to_owned();
                names.insert(child.clone(), [here.clone(), vec![child]].concat());
            }
        }
        let mut found = Vec::new();
        for (word, base) in [("crate::", Vec::new()), ("super::", here[..here.len() - 1].to_vec())] {
            for (at, _) in code.match_indices(word).filter(|(at, _)| !code[..*at].ends_with([':', '$', '_'])) {
                for path in paths(&code[at + word.len()..]) {
                    let path = [base.clone(), path].concat();
                    // An imported module.
                    if let [.., last] = path.as_slice()
                        && last != "self"
                        && last.starts_with(char::is_lowercase)
                    {
                        names.insert(last.clone(), path.clone());
                    }
                    found.push((at, path));
                }
            }
        }
        for (name, base) in &names {
            let word = format!("{name}::");
            let begins =
                |at: usize| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '<');
            for (at, _) in code.match_indices(&word).filter(|(at, _)| begins(*at)) {
                for path in paths(&code[at + word.len()..]) {
                    found.push((at, [base.clone(), path].concat()));
                }
            }
        }
        for (at, mut path) in found {
            path.retain(|part| part != "self");
            imports.push(Import { file: file.clone(), line: code[..at].lines().count().max(1), path });
        }
    }
    assert!(imports.len() > 1_000, "{} imports were read", imports.len());
    imports
}

/// The paths at the beginning of a text: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn paths(text: &str) -> Vec<Vec<String>> {
    let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let rest = &text[name.len()..];
    if let Some(group) = text.strip_prefix('{') {
        return group_items(group).into_iter().flat_map(paths).collect();
    }
    let with_name = |mut path: Vec<String>| {
        path.insert(0, name.clone());
        path
    };
    match rest.strip_prefix("::") {
        Some(rest) if !rest.starts_with('<') => paths(rest).into_iter().map(with_name).collect(),
        _ => vec![vec![name]],
    }
}

fn group_items(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut items) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                items.push(group[start..at].trim());
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(group[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    items.into_iter().filter(|item| !item.is_empty()).collect()
}

/// The layer of a module. A module must not import from a higher layer. Nouns may import each other, and so may `gate`
/// and `usage`.
fn floor(module: &str) -> Option<usize> {
    if let Some(at) = GROUND.iter().position(|name| *name == module) {
        return Some(at);
    }
    match module {
        _ if NOUNS.contains(&module) => Some(3),
        _ if MIDDLE.contains(&module) => Some(4),
        "server" => Some(7),
        // The command line starts the server, so it is above it.
        "cli" => Some(8),
        _ if DOORS.contains(&module) => Some(6),
        _ => None,
    }
}

fn say(import: &Import, rule: &str) -> String {
    let file = import.file.strip_prefix(root()).unwrap();
    format!("src/{}:{}: `crate::{}`: {rule}", file.display(), import.line, import.path.join("::"))
}

#[test]
fn every_module_has_a_layer() {
    let mut files = Vec::new();
    source_files(&root(), &mut files);
    let modules: BTreeSet<String> = files.iter().map(|file| module_of(file)[0].clone()).collect();
    let without: Vec<&String> =
        modules.iter().filter(|name| floor(name).is_none() && !["lib", "main"].contains(&name.as_str())).collect();
    assert!(without.is_empty(), "{without:?}");
}

#[test]
fn imports_run_downward() {
    let mut broken = Vec::new();
    for import in imports() {
        let from = module_of(&import.file);
        let (Some(here), Some(there)) = (floor(&from[0]), floor(&import.path[0])) else { continue };
        let same_room = from[0] == import.path[0];
        if there > here {
            broken.push(say(&import, "imports run downward only: doors, then gate and usage, then nouns, then ground"));
        } else if here == there && here >= 6 && !same_room {
            broken.push(say(&import, "a door does not know another door"));
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn a_store_is_used_by_its_own_service_alone() {
    let mut broken = Vec::new();
    for import in imports() {
        let from = module_of(&import.file);
        let reaches_a_store = import.path.get(1).is_some_and(|part| part == "store");
        if reaches_a_store && from[0] != import.path[0] {
            broken.push(say(&import, "a noun is reached through its service or its model, never through its store"));
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let mut files = Vec::new();
    source_files(&root(), &mut files);
    let modules: BTreeSet<String> = files.iter().map(|file| module_of(file).join("::")).collect();
    let mut arrows: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for import in imports() {
        let from = module_of(&import.file).join("::");
        // The longest prefix of the path that is a file.
        let to = (1..=import.path.len()).rev().map(|n| import.path[..n].join("::")).find(|to| modules.contains(to));
        if let Some(to) = to.filter(|to| *to != from && *to != "lib") {
            arrows.entry(from).or_default().insert(to, say(&import, "is part of a circle of files"));
        }
    }
    let reaches = |start: &str, goal: &str| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![start.to_owned()]);
        while let Some(module) = next.pop() {
            if module == goal {
                return true;
            }
            if seen.insert(module.clone()) {
                next.extend(arrows.get(&module).into_iter().flat_map(|to| to.keys().cloned()));
            }
        }
        false
    };
    let mut broken = Vec::new();
    for (from, targets) in &arrows {
        for (to, line) in targets {
            if reaches(to, from) {
                broken.push(line.clone());
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}
