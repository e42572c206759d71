//! Tests of the command line: the output that scripts rely on, on both databases.

use crate::support::program::{Place, Server, text};
use crate::support::{MASTER_KEY, conversation};
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_script_on_sqlite() {
    a_script(Place::on_sqlite());
}

#[tokio::test]
async fn a_script_on_postgres() {
    a_script(Place::on_postgres().await);
}

#[tokio::test]
async fn the_demo_on_sqlite() {
    the_demo(Place::on_sqlite());
}

#[tokio::test]
async fn the_demo_on_postgres() {
    the_demo(Place::on_postgres().await);
}

/// The demo's keys open what they say, and a second demo stands beside the first.
fn the_demo(place: Place) {
    let made = place.json(&["demo", "--json"]);
    let (workspace, keys) = (made["workspace"].as_str().unwrap(), made["keys"].as_array().unwrap());
    let agents = place.json(&["agent", "list", "--workspace", workspace, "--json"]);
    let agents = agents.as_array().unwrap();
    assert_eq!(agents.iter().map(|agent| agent["conversations"].as_u64().unwrap()).sum::<u64>(), 500);

    let listed = |options: &[&str]| {
        let all = place.json(&[&["key", "list", "--workspace", workspace, "--json"], options].concat());
        all.as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(listed(&["--status", "rotating"]), ["Warehouse export"]);
    assert_eq!(listed(&["--status", "paused"]), ["Contact centre"]);
    assert_eq!(listed(&["--tag", "voice"]), ["Contact centre"]);
    let all = place.json(&["key", "list", "--workspace", workspace, "--json"]);
    for key in all.as_array().unwrap().iter().filter(|key| !key["last_used_at"].is_null()) {
        let shown = place.json(&["key", "show", "--workspace", workspace, key["id"].as_str().unwrap(), "--json"]);
        let month = &shown["requests"]["30_days"];
        assert!(month["accepted"].as_u64().unwrap() > 50 && month["refused"].as_u64().unwrap() > 5, "{shown}");
    }

    let server = place.serve();
    let conversations = format!("/v3/{workspace}/{}/conversations?limit=1", agents[0]["slug"].as_str().unwrap());
    assert_eq!(server.status(&conversations, keys[0].as_str().unwrap()), 200);
    assert_eq!(server.status(&conversations, keys[1].as_str().unwrap()), 403);

    let again = place.json(&["demo", "--json"]);
    assert!(again["workspace"] != made["workspace"] && again["email"] != made["email"], "{again}");
}

fn a_script(place: Place) {
    let workspace = place.json(&["workspace", "create", "--name", "Acme UK", "--json"]);
    assert_eq!(workspace["slug"], "acme-uk");
    let id = workspace["id"].as_str().unwrap();
    let agent =
        place.json(&["agent", "create", "--workspace", "acme-uk", "--name", "Hotel", "--slug", "hotel", "--json"]);
    assert_eq!(agent["slug"], "hotel");

    let key = place.json(&[
        "key",
        "create",
        "--workspace",
        "acme-uk",
        "--name",
        "CRM",
        "--agents",
        "hotel",
        "--permissions",
        "conversations,handoff",
        "--expires-in",
        "90d",
        "--json",
    ]);
    let value = key["key"].as_str().unwrap();
    assert!(value.len() == 42 && value.starts_with("ask_"), "{value}");
    assert_eq!(key["agents"], serde_json::json!([agent["id"]]));
    let key_id = key["id"].as_str().unwrap();
    for args in [vec!["key", "list", "--workspace", id, "--json"], vec!["key", "show", "--workspace", id, key_id]] {
        let printed = text(&place.run(&args).stdout);
        assert!(printed.contains(key_id) && !printed.contains(value), "{printed}");
    }

    let token = place.json(&["runtime-token", "create", "--workspace", "acme-uk", "--name", "platform", "--json"]);
    let (token_id, token) = (token["id"].as_str().unwrap(), token["token"].as_str().unwrap());
    let listed = text(&place.run(&["runtime-token", "list", "--workspace", "acme-uk"]).stdout);
    assert!(token.starts_with("ast_") && listed.contains(token_id) && !listed.contains(token), "{listed}");
    assert!(place.run(&["runtime-token", "revoke", "--workspace", "acme-uk", token_id]).status.success());
    let again = place.refusal(&["runtime-token", "revoke", "--workspace", "acme-uk", token_id]);
    assert!(again.contains("there is no runtime token"), "{again}");

    // A running server applies changes that the command line makes.
    let server = place.serve();
    let path = "/v3/acme-uk/hotel/conversations";
    assert_eq!(server.status(path, value), 200);
    let deleted = place.run(&["key", "delete", "--workspace", "acme-uk", key_id]);
    assert!(deleted.status.success());
    let since = Instant::now();
    while server.status(path, value) != 401 {
        assert!(since.elapsed() < Duration::from_secs(1), "still accepted");
    }
    let made = place.json(&[
        "key",
        "create",
        "--workspace",
        id,
        "--name",
        "Second",
        "--agents",
        "all",
        "--permissions",
        "conversations",
        "--expires-in",
        "2s",
        "--json",
    ]);
    let short = made["key"].as_str().unwrap();
    assert_eq!(server.status(path, short), 200);
    std::thread::sleep(Duration::from_millis(2_100));
    assert_eq!(server.status(path, short), 401, "expired");

    let mut user = place.command(&[
        "user",
        "create",
        "--workspace",
        id,
        "--email",
        "Ada@example.com",
        "--role",
        "admin",
        "--password-stdin",
        "--json",
    ]);
    let mut child = user.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"correct horse battery staple\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(text(&output.stdout).contains("ada@example.com"));
    assert!(text(&place.run(&["user", "list"]).stdout).contains("ada@example.com"));
    assert!(text(&place.run(&["workspace", "list"]).stdout).contains("Acme UK"));
    assert!(text(&place.run(&["agent", "list", "--workspace", id]).stdout).contains("hotel"));

    people_and_names(&place, id);

    for (args, names) in [
        (vec!["key", "delete", "--workspace", id, key_id], key_id),
        (vec!["key", "show", "--workspace", "nowhere", key_id], "nowhere"),
        (vec!["agent", "create", "--workspace", id, "--name", "x", "--slug", "hotel"], "taken"),
        (vec!["agent", "create", "--workspace", id, "--name", " "], "name"),
        (
            vec!["key", "create", "--workspace", id, "--name", "x", "--agents", "nobody", "--permissions", "handoff"],
            "nobody",
        ),
        (vec!["key", "create", "--workspace", id, "--name", "x", "--agents", "all", "--permissions", "root"], "root"),
        (
            vec![
                "key",
                "create",
                "--workspace",
                id,
                "--name",
                "x",
                "--agents",
                "all",
                "--permissions",
                "handoff",
                "--expires-in",
                "200y",
            ],
            "100 years",
        ),
        (vec!["import", "--workspace", id, "--agent", "hotel", "/nowhere.jsonl"], "/nowhere.jsonl"),
        (vec!["workspace", "list", "--config", "/nowhere.toml"], "/nowhere.toml"),
    ] {
        let said = place.refusal(&args);
        assert!(said.contains(names), "{args:?}: {said}");
    }
}

/// Ada, an admin of Acme UK with an account, joins another workspace, where she may not be the last admin to go.
fn people_and_names(place: &Place, acme: &str) {
    let other = place.json(&["workspace", "create", "--name", "Other", "--json"]);
    let other = other["id"].as_str().unwrap();
    let add = |workspace: &str, email: &str, role: &str| {
        place.run(&["user", "create", "--workspace", workspace, "--email", email, "--role", role])
    };
    let added = add(other, "ada@example.com", "admin");
    assert!(added.status.success(), "{}", text(&added.stderr));
    assert!(text(&added.stderr).contains("has an account"), "{}", text(&added.stderr));
    assert!(text(&add(other, "ada@example.com", "viewer").stderr).contains("already a user of this workspace"));
    assert!(text(&add(other, "new@example.com", "viewer").stderr).contains("--password-stdin"));

    let set_role = ["user", "set-role", "--workspace", other, "--email", "ada@example.com", "--role", "viewer"];
    assert!(place.refusal(&set_role).contains("last admin"));
    let remove = ["user", "remove", "--workspace", other, "--email", "ada@example.com"];
    assert!(place.refusal(&remove).contains("last admin"));
    assert!(add(acme, "ada@example.com", "viewer").status.code() == Some(1), "a member already");
    assert!(place.refusal(&["user", "remove", "--workspace", other, "--email", "bob@example.com"]).contains("no user"));

    assert!(place.run(&["workspace", "rename", "--workspace", other, "--name", "Renamed Ltd"]).status.success());
    let listed = text(&place.run(&["workspace", "list"]).stdout);
    assert!(listed.contains("Renamed Ltd") && listed.contains("other"), "the slug stays: {listed}");
    assert!(place.refusal(&["workspace", "rename", "--workspace", other, "--name", " "]).contains("name"));

    let help = text(&place.run(&["user", "set-role", "--help"]).stdout);
    let (own, settings) = help.split_once("Settings of the server:").unwrap();
    assert!(own.contains("--role <ROLE>") && settings.contains("--data-dir"), "{help}");
}

#[test]
fn a_bad_line_is_reported_and_does_not_stop_the_rest() {
    let place = Place::on_sqlite();
    place.json(&["workspace", "create", "--name", "Acme", "--json"]);
    place.json(&["agent", "create", "--workspace", "acme", "--name", "Hotel", "--json"]);
    let file = place.dir.path().join("conversations.jsonl");
    // Some programs write a byte order mark first.
    let lines = format!("\u{FEFF}{}not json\n\n{{\"id\":\"x\"}}\n{}", conversation("CA1", 1), conversation("CA2", 2));
    std::fs::write(&file, lines).unwrap();
    let args = ["import", "--workspace", "acme", "--agent", "hotel", "--json", file.to_str().unwrap()];
    let output = place.run(&args);
    assert_eq!(text(&output.stdout).trim(), r#"{"imported":2,"rejected":2,"replaced":0}"#);
    let said = text(&output.stderr);
    assert!(said.contains("line 2: ") && said.contains("line 4: `started_at` is missing"), "{said}");
    assert!(!output.status.success());

    let dry = place.run(&[&args[..5], &["--dry-run", file.to_str().unwrap()]].concat());
    let reasons = text(&dry.stdout);
    assert!(reasons.contains("1  `started_at` is missing; an ISO 8601 date and time is expected"), "{reasons}");
    assert!(text(&dry.stderr).contains("2 conversations would not be imported"), "{}", text(&dry.stderr));
    let mut piped = place.command(&["import", "--workspace", "acme", "--agent", "hotel", "--json", "-"]);
    let mut piped = piped.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    piped.stdin.take().unwrap().write_all(format!("[{}]", conversation("CA3", 3)).as_bytes()).unwrap();
    let output = piped.wait_with_output().unwrap();
    assert_eq!(text(&output.stdout).trim(), r#"{"imported":1,"rejected":0,"replaced":0}"#);
}

#[test]
fn a_second_server_on_the_same_directory_refuses() {
    let place = Place::on_sqlite();
    let _first = place.serve();
    let said = place.refusal(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(said.contains("another server is running"), "{said}");
}

#[tokio::test]
async fn two_servers_share_postgres() {
    let place = Place::on_postgres().await;
    let (first, second) = (place.serve(), place.serve());
    let json = |args: &str| place.json(&args.split(' ').collect::<Vec<_>>());
    json("workspace create --name Acme --json");
    json("agent create --workspace acme --name Hotel --json");
    // Both servers know at once that a key was created or deleted, whichever program did it.
    for round in 0..3 {
        let key = json("key create --workspace acme --name CRM --agents all --permissions conversations --json");
        let (id, value) = (key["id"].as_str().unwrap(), key["key"].as_str().unwrap());
        let both = || [&first, &second].map(|server| server.status("/v3/acme/hotel/conversations", value));
        assert_eq!(both(), [200, 200], "made, round {round}");
        assert!(place.run(&["key", "delete", "--workspace", "acme", id]).status.success());
        assert_eq!(both(), [401, 401], "deleted, round {round}");
    }
    assert_eq!(
        (first.status("/v3/acme/hotel/conversations", ""), second.status("/v3/acme/hotel/conversations", "")),
        (401, 401)
    );
}

#[test]
fn a_bad_setting_stops_the_start_and_is_named() {
    let place = Place::on_sqlite();
    for (name, value, named) in [
        ("DATABASE_URL", "mysql://localhost/x", "DATABASE_URL"),
        ("DATABASE_URL", "postgres://127.0.0.1:1/x", "AGENT_STUDIO_MASTER_KEY"),
        ("AGENT_STUDIO_MASTER_KEY", "short", "AGENT_STUDIO_MASTER_KEY"),
        ("AGENT_STUDIO_PUBLIC_URL", "keys.example.com", "AGENT_STUDIO_PUBLIC_URL"),
        ("AGENT_STUDIO_DATA_DIR", "/proc/nowhere", "--data-dir"),
    ] {
        let mut command = place.command(&["serve"]);
        // A valid master key, so that only the tested setting is wrong.
        if value.starts_with("mysql") {
            command.env("AGENT_STUDIO_MASTER_KEY", MASTER_KEY);
        }
        let output = command.env(name, value).output().unwrap();
        let said = text(&output.stderr);
        assert!(!output.status.success() && said.contains(named), "{name}={value}: {said}");
        assert_eq!(said.trim_end().lines().count(), 1, "{said}");
        assert!(!said.contains("short") || name != "AGENT_STUDIO_MASTER_KEY", "a secret in {said}");
    }
    let output = place.command(&["serve"]).env("AGENT_STUDIO_LISTEN", "nowhere").output().unwrap();
    assert!(text(&output.stderr).contains("--listen"));
    let help = text(&place.run(&["--help"]).stdout);
    for setting in ["DATABASE_URL", "AGENT_STUDIO_MASTER_KEY", "AGENT_STUDIO_LISTEN", "AGENT_STUDIO_DATA_DIR"] {
        assert!(help.contains(setting), "{setting}");
    }
}

#[test]
fn secrets_and_data_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::on_sqlite();
    place.json(&["workspace", "list", "--json"]);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place.dir.path().join("master.key")), 0o600);
    assert_eq!(mode(&place.dir.path().join("agent-studio.db")) & 0o077, 0, "the database");
}

/// The error says what is wrong with the database and what to do.
#[tokio::test]
async fn a_database_that_cannot_be_reached_has_a_reason() {
    let place = Place::on_postgres().await;
    let url = place.command(&[]).get_envs().find(|(name, _)| *name == "DATABASE_URL").unwrap().1.unwrap().to_owned();
    let url = url.into_string().unwrap();
    let server = url.rsplit_once('/').unwrap().0;
    for (url, says) in [
        ("postgres://postgres@127.0.0.1:1/x".to_owned(), "it refuses connections. Start it, or correct host and port."),
        (format!("{server}/nothing"), "it has no database of this name. Create it with `createdb`"),
        (server.replace("postgres@", "nobody@") + "/postgres", "it does not accept this user and password."),
        ("postgres://postgres@no-such-host.invalid/x".to_owned(), "it cannot be found under this host name."),
    ] {
        let said = place.refusal(&["workspace", "list", "--database-url", &url]);
        assert!(said.contains(says) && !said.contains("postgres@"), "{url}: {said}");
    }
}

#[tokio::test]
async fn a_backup_moves_to_the_other_engine() {
    let (from, to) = (Place::on_sqlite(), Place::on_postgres().await);
    move_by_backup(&from, &to);
    let (from, to) = (to, Place::on_sqlite());
    move_by_backup(&from, &to);
}

/// Loads the demo, unless it is there, and moves it.
fn move_by_backup(from: &Place, to: &Place) {
    let made = from.json(&["demo", "--json"]);
    let workspace = made["workspace"].as_str().unwrap();
    let key = made["keys"][0].as_str().unwrap();
    let file = from.dir.path().join("move.backup");
    let file = file.to_str().unwrap();
    let written = from.json(&["backup", file, "--json"]);
    assert!(from.refusal(&["backup", file]).contains("exists already"));
    let checked = to.json(&["backup", "--verify", file, "--json"]);
    assert_eq!(checked["conversations"], written["rows"]["conversations"]);

    // Without a word on what would give access again, nothing is restored.
    let refused = to.run(&["restore", file]);
    assert!(!refused.status.success());
    let listed = text(&refused.stdout);
    assert!(listed.contains("CRM sync") && listed.contains("admin@example.com"), "{listed}");
    assert!(!listed.contains(key), "only the masked value is shown");
    assert!(text(&refused.stderr).contains("nothing was restored"), "{}", text(&refused.stderr));

    let restored = to.json(&["restore", file, "--keep-live", "--json"]);
    assert_eq!(restored["restored"], written["rows"]);
    assert!(to.refusal(&["restore", file, "--keep-live"]).contains("not empty"));
    let server = to.serve();
    let said = to.refusal(&["restore", file, "--keep-live"]);
    assert!(said.contains("not empty") || said.contains("another server is running"), "{said}");
    let conversations = format!("/v3/{workspace}/hotel-reservations/conversations?limit=1");
    assert_eq!(server.status(&conversations, key), 200);
}

#[tokio::test]
async fn doctor_finds_what_is_wrong_on_sqlite() {
    doctor_finds_what_is_wrong(Place::on_sqlite());
}

#[tokio::test]
async fn doctor_finds_what_is_wrong_on_postgres() {
    doctor_finds_what_is_wrong(Place::on_postgres().await);
}

fn doctor_finds_what_is_wrong(place: Place) {
    let states = |options: &[&str]| {
        let output = place.run(&[&["doctor", "--json"], options].concat());
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = found["findings"].as_array().unwrap().clone();
        let has_failed = findings.iter().any(|finding| finding["state"] == "failure");
        assert_eq!(output.status.success(), !has_failed, "{findings:?}");
        for finding in &findings {
            assert_eq!(finding["state"] == "ok", finding["advice"] == "", "{finding}");
        }
        let mut states = std::collections::BTreeMap::new();
        for finding in findings {
            let (check, state) = (finding["check"].as_str().unwrap(), finding["state"].as_str().unwrap());
            let worst = states.entry(check.to_owned()).or_insert_with(|| state.to_owned());
            if state != "ok" {
                *worst = state.to_owned();
            }
        }
        states
    };
    place.json(&["demo", "--json"]);
    let backups = place.dir.path().join("backups");
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]);
    let server = Server::start(command.env("AGENT_STUDIO_BACKUP_TO", &backups));
    let listen = server.address.clone();
    let ready = ["ready", "--listen", &listen];
    while !place.run(&ready).status.success() {
        std::thread::sleep(Duration::from_millis(50));
    }
    while std::fs::read_dir(&backups).map_or(0, |entries| {
        entries.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|e| e == "backup")).count()
    }) == 0
    {
        std::thread::sleep(Duration::from_millis(50));
    }
    let address = ["--listen", listen.as_str(), "--backup-to", backups.to_str().unwrap()];
    let healthy = states(&address);
    for check in ["backups", "database", "schema", "master key", "server", "gate", "public URL"] {
        assert_eq!(healthy.get(check).map(String::as_str), Some("ok"), "{check}: {healthy:?}");
    }
    let foreign = states(&[&address[..], &["--public-url", "https://localhost:1"]].concat());
    assert_eq!(foreign["public URL"], "failure");
    let other_key = "//////////////////////////////////////////8=";
    assert_eq!(states(&[&address[..], &["--master-key", other_key]].concat())["master key"], "failure");
    assert_eq!(states(&["--listen", "127.0.0.1:1"])["server"], "failure");
    assert_eq!(states(&["--listen", "127.0.0.1:1"])["backups"], "warning");
    drop(server);
    assert!(!place.run(&ready).status.success());
}

/// Keys that are made and copied while the master key is changed, in a server that knows nothing of it.
#[tokio::test]
async fn the_master_key_changes_while_the_server_runs() {
    let place = Place::on_sqlite();
    place.json(&["demo", "--json"]);
    let before = std::fs::read_to_string(place.dir.path().join("master.key")).unwrap();
    let _server = place.serve();
    let rotated = place.json(&["master-key", "rotate", "--json"]);
    assert_eq!((&rotated["sealed_again"], &rotated["not_opened"]), (&6.into(), &0.into()));
    let after = std::fs::read_to_string(place.dir.path().join("master.key")).unwrap();
    assert_eq!(after.lines().count(), 1);
    assert_ne!(before, after);

    let place = Place::on_postgres().await;
    place.json(&["demo", "--json"]);
    assert!(place.refusal(&["master-key", "rotate"]).contains("NEW,OLD"));
    let keys = format!("//////////////////////////////////////////8=,{MASTER_KEY}");
    let rotated = place.json(&["master-key", "rotate", "--json", "--master-key", &keys]);
    assert_eq!((&rotated["sealed_again"], &rotated["not_opened"]), (&6.into(), &0.into()));
}
