use super::finding::Finding;
use crate::api_keys::service::SealReport;
use crate::base::clock::Clock;
use crate::base::time::Timestamp;
use crate::db::{Db, Snapshot};
use crate::server::settings::Settings;
use std::time::Instant;

/// Difference between the clocks of server and database, in seconds, from which on expiries are judged wrongly.
const CLOCK_DIFFERENCE: i64 = 5;

pub async fn check(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    let name = settings.named_location();
    let location = match settings.location() {
        Ok(location) => location,
        Err(error) => return vec![Finding::failure("database", error, "Correct the setting.")],
    };
    let asked = Instant::now();
    let mut snapshot = match Snapshot::open(&location).await {
        Ok(snapshot) => snapshot,
        Err(error) => {
            return vec![Finding::failure(
                "database",
                format!("{name}: {error}"),
                "Correct the setting, or start the database.",
            )];
        }
    };
    findings.push(Finding::ok("database", format!("{name} answers in {} ms", asked.elapsed().as_millis())));
    if let Ok(Some(there)) = snapshot.clock().await {
        findings.push(clock(there, Clock::System.now()));
    }
    let version = snapshot.schema_version().await;
    let _ = snapshot.close().await;
    let here = Db::latest_schema();
    match version {
        Ok(version) if version == here => findings.push(Finding::ok("schema", format!("version {version}"))),
        Ok(version) if version < here => {
            let found = format!("version {version}, and this program has {here}");
            findings.push(Finding::warning(
                "schema",
                found,
                "Back up, then start the server: it migrates the database.",
            ));
            return findings;
        }
        Ok(version) => {
            let found = format!("version {version}, and this program has {here}");
            findings.push(Finding::failure("schema", found, "Use the later program that has migrated the database."));
            return findings;
        }
        Err(_) => {
            findings.push(Finding::failure("schema", "there are no tables", "Start the server: it makes them."));
            return findings;
        }
    }
    findings.push(sealed_values(settings).await);
    findings
}

fn clock(there: Timestamp, here: Timestamp) -> Finding {
    let difference = (there.0 - here.0).abs() / 1_000_000;
    let found = format!("the database's differs by {difference} s");
    match difference > CLOCK_DIFFERENCE {
        true => {
            Finding::failure("clock", found, "Let both machines follow a time server (NTP): expiries depend on it.")
        }
        false => Finding::ok("clock", found),
    }
}

/// Whether every sealed value opens under the master keys of the settings.
async fn sealed_values(settings: &Settings) -> Finding {
    let check = "master key";
    if !settings.has_master_key() {
        return Finding::failure(check, "there is none", "Restore master.key, or set --master-key.");
    }
    let report = match settings.open().await {
        Ok(services) => services.api_keys.check_seals().await.map_err(|e| e.to_string()),
        Err(error) => Err(error),
    };
    match report {
        Err(error) => Finding::failure(check, error, "Correct the setting."),
        Ok(SealReport { open, other_master_key: 0, damaged: 0 }) => {
            Finding::ok(check, format!("all {open} stored values of keys open"))
        }
        Ok(SealReport { open, other_master_key, damaged }) => Finding::failure(
            check,
            format!("{open} stored values open, {other_master_key} need another master key, {damaged} are damaged"),
            "Set the master key that they were stored with (--master-key NEW,OLD), or rotate these keys.",
        ),
    }
}
