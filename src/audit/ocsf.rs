//! Audit entries as events of the Open Cybersecurity Schema Framework, version 1.3 (<https://schema.ocsf.io/1.3.0>).

use crate::audit::service::AuditEntry;
use serde_json::{Value, json};

const VERSION: &str = "1.3.0";
/// Category and class of an event.
const AUTHENTICATION: (u32, u32) = (3, 3002);
const ACCOUNT_CHANGE: (u32, u32) = (3, 3001);
const API_ACTIVITY: (u32, u32) = (6, 6003);
/// `activity_id` of all classes for what has no number of its own.
const OTHER: u32 = 99;

/// The event of an entry of this workspace. `metadata.uid` is the entry's id: an event that is delivered twice has the
/// same.
pub fn event(workspace: &str, entry: &AuditEntry) -> Value {
    let ((category, class), activity) = classify(&entry.action);
    let details: Value = serde_json::from_str(&entry.details).unwrap_or_default();
    let address = (!entry.address.is_empty()).then_some(entry.address.as_str());
    let actor = json!({ "name": entry.actor, "type_id": if address.is_some() { 1 } else { 3 } });
    let mut event = json!({
        "category_uid": category,
        "class_uid": class,
        "activity_id": activity,
        "activity_name": entry.action,
        "type_uid": class * 100 + activity,
        "severity_id": 1,
        "status_id": 1,
        // Milliseconds since 1970.
        "time": entry.at.0 / 1_000,
        "metadata": {
            "version": VERSION,
            "uid": entry.id,
            "event_code": entry.action,
            "tenant_uid": workspace,
            "product": {
                "name": "Agent Studio API Keys",
                "vendor_name": "Agent Studio",
                "version": env!("CARGO_PKG_VERSION"),
            },
        },
        "src_endpoint": match address {
            Some(address) => json!({ "ip": address }),
            None => json!({ "name": "the server's own machine" }),
        },
        "unmapped": details,
    });
    let more = match (category, class) {
        API_ACTIVITY => json!({
            "actor": { "user": actor },
            "api": { "operation": entry.action, "service": { "name": "Agent Studio API Keys" } },
            "resources": [{ "uid": entry.subject_id, "name": entry.subject }],
        }),
        ACCOUNT_CHANGE => json!({
            "actor": { "user": actor },
            "user": { "uid": entry.subject_id, "name": entry.subject },
        }),
        _ => json!({
            "user": { "uid": entry.subject_id, "name": entry.subject },
            "service": { "name": "Agent Studio API Keys" },
            "is_remote": true,
        }),
    };
    if let (Some(event), Value::Object(more)) = (event.as_object_mut(), more) {
        event.extend(more);
    }
    event
}

/// Category, class and `activity_id` of an action.
fn classify(action: &str) -> ((u32, u32), u32) {
    let (noun, verb) = action.split_once('-').unwrap_or((action, ""));
    match (noun, verb) {
        ("signed", _) => (AUTHENTICATION, 1),
        ("user", "added") => (ACCOUNT_CHANGE, 1),
        ("user", "removed") => (ACCOUNT_CHANGE, 6),
        ("password", _) => (ACCOUNT_CHANGE, 3),
        ("user" | "invitation", _) => (ACCOUNT_CHANGE, OTHER),
        (_, "created" | "published" | "requested") => (API_ACTIVITY, 1),
        (_, "copied") => (API_ACTIVITY, 2),
        (_, "deleted" | "revoked") => (API_ACTIVITY, 4),
        _ => (API_ACTIVITY, 3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Action;

    #[test]
    fn every_action_has_a_class() {
        let class = |action: &str| classify(action).0.1;
        assert_eq!(class("signed-in"), 3002);
        assert_eq!(class("user-removed"), 3001);
        for (_, id, _) in Action::ALL {
            let ((category, class), activity) = classify(id);
            assert!([3, 6].contains(&category) && [3001, 3002, 6003].contains(&class) && activity > 0, "{id}");
        }
    }
}
