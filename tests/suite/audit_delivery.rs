//! Delivery of audit entries: each at least once, also where the target is away for a while.

use crate::support::{NOW, TestApp, new_key, on_both_engines};
use agent_studio::audit::delivery::{AuditDelivery, AuditTarget};
use agent_studio::base::time::Timestamp;
use serde_json::Value;
use std::io::Read as _;
use std::net::TcpListener;

on_both_engines! {
    entries_reach_a_file_once,
    entries_wait_for_a_syslog_server,
}

/// Delivers everything that waits, and returns the number of entries.
async fn deliver(delivery: &AuditDelivery, lease: &mut Timestamp) -> usize {
    let mut count = 0;
    loop {
        match delivery.deliver(lease).await.unwrap() {
            0 => return count,
            some => count += some,
        }
    }
}

async fn entries_reach_a_file_once(test: TestApp) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    let before = test.workspace("Before").await;
    test.key(&before, new_key("From before")).await;
    let delivery = AuditDelivery::new(&test.app.db, AuditTarget::File(path.clone()));
    let mut lease = Timestamp(0);
    assert_eq!(deliver(&delivery, &mut lease).await, 0, "what was there before is not delivered");

    let workspace = test.workspace("Acme").await;
    for number in 0..250 {
        test.key(&workspace, new_key(&format!("key {number}"))).await;
    }
    assert_eq!(deliver(&delivery, &mut lease).await, 251);
    let text = std::fs::read_to_string(&path).unwrap();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 251);
    let created = events.iter().find(|event| event["resources"][0]["name"] == "key 7").unwrap();
    assert_eq!(created["class_uid"], 6003);
    assert_eq!(created["type_uid"], 600_301);
    assert_eq!(created["metadata"]["tenant_uid"], workspace.id.as_str());
    assert_eq!(created["time"], NOW.0 / 1_000);

    let other = AuditDelivery::new(&test.app.db, AuditTarget::File(path.clone()));
    test.workspace("Third").await;
    assert_eq!(other.deliver(&mut Timestamp(0)).await, Ok(0), "another server delivers");
    assert_eq!(deliver(&delivery, &mut lease).await, 1);
}

async fn entries_wait_for_a_syslog_server(test: TestApp) {
    // A port that nobody listens on yet.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let target = AuditTarget::Syslog { host: "127.0.0.1".to_owned(), port, tls: false };
    let delivery = AuditDelivery::new(&test.app.db, target.clone());
    let mut lease = Timestamp(0);
    assert_eq!(delivery.deliver(&mut lease).await, Ok(0));
    let workspace = test.workspace("Acme").await;
    let odd = "a \"name\" with ÿ";
    test.key(&workspace, new_key(odd)).await;
    delivery.deliver(&mut lease).await.unwrap_err();

    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let received = std::thread::spawn(move || {
        let mut text = String::new();
        listener.accept().unwrap().0.read_to_string(&mut text).unwrap();
        text
    });
    assert_eq!(delivery.deliver(&mut lease).await, Ok(2));
    let text = received.join().unwrap();
    let mut rest = text.as_str();
    let mut names = Vec::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_once(' ').unwrap();
        let (message, after) = after.split_at(length.parse().unwrap());
        rest = after;
        let parts: Vec<&str> = message.splitn(8, ' ').collect();
        assert_eq!((parts[0], parts[1], parts[3], parts[6]), ("<110>1", "2027-01-15T08:00:00Z", "agent-studio", "-"));
        let event: Value = serde_json::from_str(parts[7]).unwrap();
        assert_eq!(event["metadata"]["event_code"], parts[5]);
        names.push(event["resources"][0]["name"].as_str().unwrap().to_owned());
    }
    names.sort();
    assert_eq!(names, ["Acme", odd]);
}
