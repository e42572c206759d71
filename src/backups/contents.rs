use crate::backups::format::{BackupError, BackupReader, Column, Header, Part, RowValue, TableHeader};
use crate::base::time::{Timestamp, parse_instant};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

/// What a backup contains.
#[derive(Debug)]
pub struct Contents {
    pub header: Header,
    /// Number of rows in each table.
    pub rows: BTreeMap<String, u64>,
    /// What would give access if the backup were restored now.
    pub live: Vec<LiveItem>,
    /// Ids of the audit entries of the minute before the backup, and later ones that it has.
    pub last_entries: HashSet<String>,
}

/// An audit entry has the time at which its transaction began, by its server's clock: this long before a backup, in
/// seconds, its time does not tell whether the backup has it.
const UNCERTAIN_SECONDS: i64 = 60;

/// A kind of item that gives access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LiveKind {
    ApiKey,
    RuntimeToken,
    User,
    Invitation,
}

/// Something that gives access to a workspace.
#[derive(Clone, Debug, Serialize)]
pub struct LiveItem {
    pub kind: LiveKind,
    /// Name of the workspace in URLs.
    pub workspace: String,
    #[serde(skip)]
    pub workspace_id: String,
    pub id: String,
    /// A key's or token's name, or an e-mail address.
    pub name: String,
    /// A key's masked value, or a role.
    pub detail: String,
    pub is_paused: bool,
    /// When it was made; for a key, when its present value was made, if that is later.
    #[serde(serialize_with = "as_iso")]
    pub made_at: Timestamp,
}

fn as_iso<S: serde::Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.iso())
}

impl Contents {
    /// Reads and checks a whole backup. Blocks.
    pub fn read(path: &Path, now: Timestamp) -> Result<Self, BackupError> {
        let (header, mut reader) = BackupReader::open(path)?;
        let certain_before = made_at(&header).plus_seconds(-UNCERTAIN_SECONDS);
        let (mut table, mut found, mut last_entries) = (None, LiveItems::new(now), HashSet::new());
        while let Some(part) = reader.next()? {
            match (part, &table) {
                (Part::Table(header), _) => table = Some(header),
                (Part::Row(cells), Some(table)) => {
                    let row = RowView { table, cells: &cells };
                    if table.table == "audit_entries" && row.time("at") >= certain_before {
                        last_entries.insert(row.text("id"));
                    }
                    found.add(&row);
                }
                (Part::Row(_), None) => {}
            }
        }
        Ok(Self { header, rows: reader.rows().clone(), live: found.items, last_entries })
    }

    /// When the backup was made.
    pub fn made_at(&self) -> Timestamp {
        made_at(&self.header)
    }

    /// Whether an audit entry was written after the backup was made.
    pub fn is_later(&self, entry: &str, at: Timestamp) -> bool {
        at >= self.made_at().plus_seconds(-UNCERTAIN_SECONDS) && !self.last_entries.contains(entry)
    }
}

fn made_at(header: &Header) -> Timestamp {
    parse_instant(&header.made_at).unwrap_or_default()
}

/// A row and the names of its columns. A column that an earlier schema did not have is empty or 0.
struct RowView<'a> {
    table: &'a TableHeader,
    cells: &'a [RowValue],
}

impl RowView<'_> {
    fn cell(&self, name: &str) -> Option<&RowValue> {
        let at = self.table.columns.iter().position(|Column(column, _)| column == name)?;
        self.cells.get(at)
    }

    fn text(&self, name: &str) -> String {
        match self.cell(name) {
            Some(RowValue::Text(text)) => text.clone(),
            _ => String::new(),
        }
    }

    fn time(&self, name: &str) -> Timestamp {
        match self.cell(name) {
            Some(RowValue::Integer(at)) => Timestamp(*at),
            _ => Timestamp(0),
        }
    }
}

struct LiveItems {
    now: Timestamp,
    /// Names of workspaces in URLs, by id.
    slugs: HashMap<String, String>,
    /// E-mail addresses by the user's id.
    emails: HashMap<String, String>,
    items: Vec<LiveItem>,
}

impl LiveItems {
    fn new(now: Timestamp) -> Self {
        Self { now, slugs: HashMap::new(), emails: HashMap::new(), items: Vec::new() }
    }

    fn add(&mut self, row: &RowView<'_>) {
        let item = |kind, name: String, detail: String| {
            let workspace_id = row.text("workspace_id");
            let workspace = self.slugs.get(&workspace_id).cloned().unwrap_or_default();
            let made_at = row.time("created_at").max(row.time("value_created_at"));
            let is_paused = row.time("paused_at") > Timestamp(0);
            LiveItem { kind, workspace, workspace_id, id: row.text("id"), name, detail, is_paused, made_at }
        };
        let found = match row.table.table.as_str() {
            "workspaces" => {
                self.slugs.insert(row.text("id"), row.text("slug"));
                return;
            }
            "users" => {
                self.emails.insert(row.text("id"), row.text("email"));
                return;
            }
            "memberships" => {
                let id = row.text("user_id");
                let email = self.emails.get(&id).cloned().unwrap_or_default();
                LiveItem { id, ..item(LiveKind::User, email, row.text("role")) }
            }
            "invitations" if row.time("expires_at") > self.now => {
                item(LiveKind::Invitation, row.text("email"), row.text("role"))
            }
            "api_keys" if row.time("expires_at") > self.now && row.time("deleted_at") == Timestamp(0) => {
                item(LiveKind::ApiKey, row.text("name"), row.text("masked"))
            }
            "runtime_tokens" => item(LiveKind::RuntimeToken, row.text("name"), String::new()),
            _ => return,
        };
        self.items.push(found);
    }
}
