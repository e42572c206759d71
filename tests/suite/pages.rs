//! Tests of pages and server functions, as browsers call them with and without JavaScript.

use crate::support::{Browser, PASSWORD, TestApp, conversation, new_key, on_both_engines};
use agent_studio::api_keys::secret::PlainKey;
use agent_studio::api_keys::{AgentScope, KeySettings};
use agent_studio::base::actor::Actor;
use agent_studio::base::error::{Error, Problem};
use agent_studio::base::id::ApiKeyId;
use agent_studio::users::Role;
use axum::body::Body;
use axum::http::Request;

on_both_engines! {
    signing_in_and_out,
    wrong_passwords_and_unknown_accounts_look_alike,
    attempts_are_throttled_per_account_and_address,
    sessions_expire,
    requests_from_elsewhere_are_refused,
    setting_up_needs_the_token,
    a_key_is_made_shown_once_and_ended_without_a_script,
    a_key_is_rotated_paused_deleted_and_restored_without_a_script,
    what_is_shown_once_is_shown_to_one_of_many,
    what_is_shown_once_outlives_requests_that_show_nothing,
    a_refused_form_keeps_what_was_typed,
    a_form_sent_after_the_session_ended_comes_back,
    a_form_sent_twice_makes_one_key,
    a_form_sent_twice_makes_one_agent,
    bad_input_is_answered_beside_its_field,
    viewers_change_nothing,
    invitations_work_once,
    the_last_admin_stays,
    show_once_destroys_what_was_sealed,
    an_agent_goes_after_its_name_was_typed,
    a_workspace_says_how_long_it_keeps_conversations,
    two_admins_delete_the_same_key,
    pages_have_their_headers_and_status,
    loads_of_a_page_take_their_connections_apart,
    pages_are_compressed_unless_they_show_a_secret,
}

fn error(answer: &crate::support::Answer) -> Error {
    serde_json::from_str(&answer.body).unwrap_or_else(|e| panic!("{e}: {} {}", answer.status, answer.body))
}

async fn signing_in_and_out(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    test.user(&workspace, "ada@example.com", Role::Admin).await;
    let mut browser = test.browser();
    let sent = browser.get("/acme/api-keys?sort=name").await;
    assert_eq!((sent.status, sent.location()), (302, "/sign-in?next=%2Facme%2Fapi-keys%3Fsort%3Dname"));

    let fields = [("email", "Ada@Example.com"), ("password", PASSWORD), ("next", "/acme/api-keys?sort=name")];
    let answer = browser.submit("/sign-in", "sign_in", &fields).await;
    assert_eq!((answer.status, answer.location()), (302, "/acme/api-keys?sort=name"));
    let cookie = answer.header("set-cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Path=/"), "{cookie}");
    assert_eq!(browser.get("/acme/api-keys").await.status, 200);

    let evil = [("email", "ada@example.com"), ("password", PASSWORD), ("next", "https://evil.example")];
    let before = browser.cookie().map(str::to_owned);
    assert_eq!(browser.submit("/sign-in", "sign_in", &evil).await.location(), "/");
    assert_ne!(browser.cookie().map(str::to_owned), before, "a new session id at each sign-in");

    let mut elsewhere = browser.fresh();
    elsewhere.submit("/sign-in", "sign_in", &fields).await;
    assert_eq!(browser.submit("/account", "sign_out", &[]).await.location(), "/sign-in?notice=signed-out");
    assert_eq!(browser.get("/acme/api-keys").await.status, 302);
    assert_eq!(elsewhere.get("/acme/api-keys").await.status, 200);
    let mut third = browser.fresh();
    third.submit("/sign-in", "sign_in", &fields).await;
    third.submit("/account", "sign_out_everywhere", &[]).await;
    assert_eq!(elsewhere.get("/acme/api-keys").await.status, 302);
}

async fn wrong_passwords_and_unknown_accounts_look_alike(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    test.user(&workspace, "ada@example.com", Role::Admin).await;
    let mut browser = test.browser();
    for (email, password) in
        [("ada@example.com", "wrong password"), ("nobody@example.com", PASSWORD), ("no address", PASSWORD), ("", "")]
    {
        let answer = browser.call("sign_in", &[("email", email), ("password", password)]).await;
        assert_eq!((answer.status, error(&answer)), (401, Error::WrongCredentials), "{email}");
    }
    let long = "x".repeat(100_000);
    let answer = browser.call("sign_in", &[("email", "ada@example.com"), ("password", &long)]).await;
    assert_eq!(answer.status, 401);
}

async fn attempts_are_throttled_per_account_and_address(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    test.user(&workspace, "ada@example.com", Role::Admin).await;
    let mut browser = test.browser();
    let wrong = [("email", "ada@example.com"), ("password", "wrong password")];
    for _ in 0..10 {
        assert_eq!(error(&browser.call("sign_in", &wrong).await), Error::WrongCredentials);
    }
    let right = [("email", "ada@example.com"), ("password", PASSWORD)];
    let refused = browser.call("sign_in", &right).await;
    assert_eq!(refused.status, 429);
    assert!(error(&refused).to_string().contains("15 minutes"), "{}", refused.body);

    // The account's owner can still sign in from another address.
    let request = Request::post("/api/sign_in")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("origin", "http://127.0.0.1:3000");
    let body = serde_html_form::to_string(right).unwrap();
    let answer = browser.fresh().send_from("198.51.100.1", request, Body::from(body)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    test.app.clock.advance_seconds(15 * 60 + 1);
    assert_eq!(browser.call("sign_in", &right).await.status, 200);
}

async fn sessions_expire(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let mut browser = test.signed_in(&workspace, "ada@example.com", Role::Admin).await;
    for _ in 0..14 {
        test.app.clock.advance_seconds(11 * 3_600);
        assert_eq!(browser.get("/acme/api-keys").await.status, 200, "in use, it lasts");
    }
    test.app.clock.advance_seconds(15 * 3_600);
    assert_eq!(browser.get("/acme/api-keys").await.status, 302, "but no longer than a week");
    browser.call("sign_in", &[("email", "ada@example.com"), ("password", PASSWORD)]).await;
    test.app.clock.advance_seconds(13 * 3_600);
    assert_eq!(browser.get("/acme/api-keys").await.status, 302, "unused, half a day");
}

async fn requests_from_elsewhere_are_refused(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let mut browser = test.signed_in(&workspace, "ada@example.com", Role::Admin).await;
    for origin in [Some("https://evil.example"), Some("null"), Some("http://127.0.0.1:3001"), None] {
        let mut request =
            Request::post("/api/create_agent").header("content-type", "application/x-www-form-urlencoded");
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let answer = browser.send(request, Body::from("workspace=acme&name=x")).await;
        assert_eq!(answer.status, 403, "{origin:?}");
    }
    assert_eq!(browser.call("list_agents", &[("workspace", "acme")]).await.json()[0], serde_json::json!([]));
    let get = Request::get("/api/create_agent?workspace=acme&name=x");
    assert_eq!(browser.send(get, Body::empty()).await.status, 405);
}

async fn setting_up_needs_the_token(test: TestApp) {
    let mut browser = test.browser();
    assert_eq!(browser.get("/sign-in").await.location(), "/set-up");
    let token = test.app.sealing.set_up_token().to_owned();
    let fields =
        |token| [("token", token), ("workspace", "Acme"), ("email", "ada@example.com"), ("password", PASSWORD)];
    let answer = browser.call("set_up", &fields("guess")).await;
    assert_eq!((answer.status, error(&answer)), (422, Problem::TokenWrong.into()));
    let answer = browser.submit("/set-up", "set_up", &fields(&token)).await;
    assert_eq!(answer.location(), "/acme/agents?notice=set-up");
    assert_eq!(browser.get("/acme/agents").await.status, 200);
    let again = browser.fresh().call("set_up", &fields(&token)).await;
    assert_eq!(again.status, 404);
    assert_eq!(browser.fresh().get("/set-up").await.location(), "/sign-in");
}

/// The fields of the form that creates a key.
const NEW_KEY: [(&str, &str); 5] = [
    ("workspace", "acme"),
    ("name", "CRM <b>sync</b>"),
    ("all_agents", "true"),
    ("permissions[]", "conversations"),
    ("expiry[choice]", "90d"),
];

async fn make_key(browser: &mut Browser) -> (String, String) {
    let made = browser.submit("/acme/api-keys/new", "create_api_key", &NEW_KEY).await;
    assert_eq!(made.status, 302, "{}", made.body);
    let place = made.location().to_owned();
    assert!(!place.contains("ask_"), "{place}");
    let page = browser.get(&place).await;
    assert_eq!(page.status, 200);
    let at = page.body.find("value=\"ask_").unwrap_or_else(|| panic!("no key in {}", page.body));
    let id = place.split('/').nth(3).unwrap().to_owned();
    (id, page.body[at + 7..at + 49].to_owned())
}

async fn a_key_is_made_shown_once_and_ended_without_a_script(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let agent = test.agent(&workspace, "Hotel").await;
    let mut browser = test.signed_in(&workspace, "ada@example.com", Role::Admin).await;
    let (id, value) = make_key(&mut browser).await;
    let again = browser.get(&format!("/acme/api-keys/{id}/created")).await;
    assert!(again.status == 200 && !again.body.contains(&value), "shown once");

    let list = browser.get("/acme/api-keys").await;
    assert!(list.body.contains("CRM &lt;b&gt;sync&lt;/b&gt;"), "{}", list.body);
    assert!(!list.body.contains("<b>sync</b>") && !list.body.contains(&value));
    let path = format!("/v3/acme/{agent}/conversations");
    assert_eq!(browser.api(&path, &value).await.status, 200);

    let copy = browser.submit("/acme/api-keys", "copy_api_key", &[("workspace", "acme"), ("key", &id)]).await;
    let place = copy.location().to_owned();
    assert_eq!((place.as_str(), copy.body.contains("ask_")), (format!("/acme/api-keys/{id}/copy").as_str(), false));
    assert!(browser.get(&place).await.body.contains(&value));
    assert!(!browser.get(&place).await.body.contains(&value));
    let copied = browser.call("copy_api_key", &[("workspace", "acme"), ("key", &id)]).await;
    assert_eq!((copied.json(), copied.header("cache-control")), (serde_json::json!(value), "no-store"));

    // Where it cannot be undone, the name has to be typed.
    let command_line = Actor::command_line();
    test.app.workspaces.set_undo_days(&workspace.id, &command_line, 0).await.unwrap();
    let page = format!("/acme/api-keys/{id}/delete");
    let delete = |name| [("workspace", "acme"), ("key", id.as_str()), ("name", name), ("list", "?sort=name")];
    let refused = browser.submit(&page, "delete_api_key", &delete("CRM")).await;
    assert!(refused.location().contains("__err="), "{}", refused.location());
    let again = browser.get(&page_of(refused.location())).await.body;
    assert!(again.contains("That is not its name"), "{again}");
    let deleted = browser.submit(&page, "delete_api_key", &delete(NEW_KEY[1].1)).await;
    assert_eq!(deleted.location(), "/acme/api-keys?sort=name&notice=key-deleted");
    assert_eq!(browser.api(&path, &value).await.status, 401);
}

async fn a_key_is_rotated_paused_deleted_and_restored_without_a_script(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let agent = test.agent(&workspace, "Hotel").await;
    let mut browser = test.signed_in(&workspace, "ada@example.com", Role::Admin).await;
    let (id, first) = make_key(&mut browser).await;
    let path = format!("/v3/acme/{agent}/conversations");
    let page = format!("/acme/api-keys/{id}");
    let this = [("workspace", "acme"), ("key", id.as_str())];

    assert!(browser.get(&format!("{page}/rotate")).await.body.contains("The old value works"));
    let rotate = [this[0], this[1], ("overlap", "date"), ("overlap_date", "2020-01-01"), ("expiry", "never")];
    let refused = browser.submit(&format!("{page}/rotate"), "rotate_api_key", &rotate).await;
    let again = browser.get(&page_of(refused.location())).await.body;
    assert!(again.contains("Choose until when the old value opens."), "{again}");
    let masked = PlainKey::parse(&first).unwrap().masked();
    let rotate = [this[0], this[1], ("overlap", "7d"), ("expiry", "1y"), ("seen", masked.as_str())];
    let rotated = browser.submit(&format!("{page}/rotate"), "rotate_api_key", &rotate).await;
    assert_eq!(rotated.location(), format!("{page}/rotated"));
    let shown = browser.get(rotated.location()).await.body;
    let second = shown.split("value=\"ask_").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let second = format!("ask_{second}");
    assert_eq!((browser.api(&path, &first).await.status, browser.api(&path, &second).await.status), (200, 200));
    let twice = browser.submit(&format!("{page}/rotate"), "rotate_api_key", &rotate).await;
    assert!(twice.location().contains("__err="), "one rotation at a time");
    let settings = browser.get(&format!("{page}/settings")).await.body;
    let seen = settings.split("name=\"seen\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    for (networks, refused) in [("10.0.0.0/33", true), ("10.0.0.0/8", false), ("", true)] {
        let form = [this[0], this[1], ("settings[networks]", networks), ("seen", seen.as_str())];
        let saved = browser.submit(&format!("{page}/settings"), "set_key_settings", &form).await;
        assert_eq!(saved.location().contains("__err="), refused, "{networks}: a stale form changes nothing");
    }
    assert!(browser.get(&page).await.body.contains("10.0.0.0/8"));
    test.app
        .api_keys
        .set(&workspace.id, &Actor::command_line(), &key_id(&id), &KeySettings::default(), None)
        .await
        .unwrap();
    let values = browser.get(&page).await.body;
    assert!(values.contains("Two values") && values.contains("End the old value"), "{values}");
    let mut viewer = test.signed_in(&workspace, "vic@example.com", Role::Viewer).await;
    let seen = viewer.get(&page).await.body;
    assert!(seen.contains("Two values") && !seen.contains("End the old value"), "{seen}");

    let question = browser.get(&format!("{page}/end-old-value")).await.body;
    assert!(question.contains("whoever still has it is refused at once") || question.contains("was not used"));
    let ended = browser.submit(&format!("{page}/end-old-value"), "end_old_value", &this).await;
    assert_eq!(ended.location(), format!("{page}?notice=old-value-ended"));
    assert_eq!((browser.api(&path, &first).await.status, browser.api(&path, &second).await.status), (401, 200));

    let pause = [this[0], this[1], ("reason", "<b>seen in a chat</b>")];
    let paused = browser.submit(&format!("{page}/pause"), "pause_api_key", &pause).await;
    assert_eq!(paused.location(), format!("{page}?notice=key-paused"));
    assert_eq!(browser.api(&path, &second).await.status, 401);
    let says = browser.get(&page).await.body;
    assert!(says.contains("&lt;b&gt;seen in a chat") && says.contains("Paused"), "{says}");
    assert!(browser.get("/acme/api-keys").await.body.contains("Paused"));
    browser.submit(&format!("{page}/resume"), "resume_api_key", &this).await;
    assert_eq!(browser.api(&path, &second).await.status, 200);

    let deleted = browser.submit(&format!("{page}/delete"), "delete_api_key", &this).await;
    assert_eq!(deleted.location(), "/acme/api-keys?notice=key-deleted-undo");
    assert_eq!((browser.api(&path, &second).await.status, browser.get(&page).await.status), (401, 404));
    let forbidden = viewer.get("/acme/api-keys/deleted").await.body;
    assert!(forbidden.contains("Only an admin") && !forbidden.contains("CRM"), "{forbidden}");
    let list = browser.get("/acme/api-keys/deleted").await.body;
    assert!(list.contains("CRM &lt;b&gt;sync&lt;/b&gt;") && list.contains("7 days"), "{list}");
    let restored = browser.submit("/acme/api-keys/deleted", "restore_api_key", &this).await;
    assert_eq!(restored.location(), format!("{page}?notice=key-restored"));
    assert_eq!(browser.api(&path, &second).await.status, 200);
    let safety = browser.get("/acme/safety").await.body;
    assert!(safety.contains("No owner") && safety.contains("Can be used from everywhere"), "{safety}");
    let one = browser.get("/acme/safety?concern=no-owner").await.body;
    assert!(one.contains("No owner") && !one.contains("Can be used from everywhere"), "{one}");
    assert!(!viewer.get("/acme/safety").await.body.contains("No owner"));
    let chosen = [("workspace", "acme"), ("keys[]", id.as_str()), ("action", "pause"), ("back", "safety")];
    let paused = browser.submit("/acme/safety", "change_api_keys", &chosen).await;
    assert!(paused.location().starts_with("/acme/safety?done="), "{}", paused.location());
    assert!(browser.get(paused.location()).await.body.contains("Paused 1 key."));
    assert_eq!(browser.api(&path, &second).await.status, 401);
    let chosen = [("workspace", "acme"), ("keys[]", id.as_str()), ("action", "delete"), ("back", "safety")];
    let deleted = browser.submit("/acme/safety", "change_api_keys", &chosen).await;
    let change = deleted.location().strip_prefix("/acme/safety?done=").unwrap().to_owned();
    assert_eq!(browser.get(&page).await.status, 404);
    let undone =
        browser.submit("/acme/safety", "undo_bulk_change", &[("workspace", "acme"), ("change", &change)]).await;
    assert_eq!(undone.location(), "/acme/api-keys?notice=keys-changed-back");
    assert_eq!(browser.get(&page).await.status, 200);
    let none = [("workspace", "acme"), ("action", "delete"), ("back", "safety")];
    let none = browser.submit("/acme/safety", "change_api_keys", &none).await;
    assert_eq!(none.location(), "/acme/safety?notice=no-keys-chosen");
    let days = [("workspace", "acme"), ("undo_days", "91")];
    let refused = browser.submit("/acme/api-keys/deleted/undo-days", "set_undo_days", &days).await;
    assert!(browser.get(&page_of(refused.location())).await.body.contains("Enter a number of days from 0 to 90."));
}

fn key_id(text: &str) -> ApiKeyId {
    ApiKeyId::parse(text).unwrap()
}

/// Path and query of an absolute URL.
fn page_of(location: &str) -> String {
    let rest = location.split_once("://").map_or(location, |(_, rest)| rest);
    rest.find('/').map_or("/", |at| &rest[at..]).to_owned()
}

async fn a_refused_form_keeps_what_was_typed(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let agent = test.agent(&workspace, "Hotel").await;
    let mut browser = test.signed_in(&workspace, "ada@example.com", Role::Admin).await;
    let long = format!("{}é", "x".repeat(10_000));
    let fields = [
        ("workspace", "acme"),
        ("name", long.as_str()),
        ("all_agents", "false"),
        ("agents[]", agent.as_str()),
        ("permissions[]", "handoff"),
        ("expiry[choice]", "date"),
        ("expiry[date]", "2020-01-01"),
    ];
    let refused = browser.submit("/acme/api-keys/new", "create_api_key", &fields).await;
    assert!(refused.status == 302 && !refused.location().contains("xxx"), "{}", refused.location());
    let page = browser.get(&page_of(refused.location())).await.body;
    assert!(page.contains(&format!("value=\"{long}\"")), "the name");
    assert!(page.contains("Use at most 100 characters") && page.contains("Choose a date in the future"), "the reasons");
    for checked in [format!("value=\"{agent}\" checked"), "value=\"handoff\" checked".to_owned()] {
        assert!(page.contains(&checked), "{checked}");
    }
    assert!(page.contains("value=\"2020-01-01\"") && page.contains("value=\"date\" selected"), "the expiry");
    assert!(!browser.get("/acme/api-keys/new").await.body.contains("xxx"), "kept for one page only");

    // Passwords are never stored in drafts.
    let fields = [("email", "ada@example.com"), ("password", "very secret typo")];
    let mut fresh = browser.fresh();
    let refused = fresh.submit("/sign-in", "sign_in", &fields).await;
    let page = fresh.get(&page_of(refused.location())).await.body;
    assert!(page.contains("value=\"ada@example.com\"") && !page.contains("very secret typo"));
}

async fn a_form_sent_after_the_session_ended_comes_back(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let mut browser = test.signed_in(&workspace, "ada@example.com", Role::Admin).await;
    // Signing out elsewhere ends this session.
    let mut elsewhere = test.browser();
    elsewhere.submit("/sign-in", "sign_in", &[("email", "ada@example.com"), ("password", PASSWORD)]).await;
    elsewhere.submit("/account", "sign_out_everywhere", &[]).await;
    assert_eq!(browser.get("/acme/api-keys/new").await.status, 302);

    let fields =
        [("workspace", "acme"), ("name", "Typed \"before\""), ("permissions[]", "handoff"), ("password", "secret")];
    let sent = browser.submit("/acme/api-keys/new", "create_api_key", &fields).await;
    assert_eq!((sent.status, sent.location()), (302, "/sign-in?next=%2Facme%2Fapi-keys%2Fnew"));
    let cookie = sent.header("set-cookie").to_owned();
    assert!(cookie.starts_with("unsent=") && cookie.contains("HttpOnly") && !cookie.contains("secret"), "{cookie}");
    assert!(!browser.get("/sign-in?next=%2Facme%2Fapi-keys%2Fnew").await.body.contains("Typed"), "a page of its own");
    // A refused attempt to sign in has a draft too, and does not replace this one.
    let wrong = [("email", "ada@example.com"), ("password", "wrong"), ("next", "/acme/api-keys/new")];
    browser.submit("/sign-in?next=%2Facme%2Fapi-keys%2Fnew", "sign_in", &wrong).await;
    let right = [("email", "ada@example.com"), ("password", PASSWORD), ("next", "/acme/api-keys/new")];
    browser.submit("/sign-in", "sign_in", &right).await;
    let page = browser.get("/acme/api-keys/new").await;
    assert!(page.body.contains("value=\"Typed &quot;before&quot;\""), "{}", page.body);
    assert!(page.body.contains("value=\"handoff\" checked") && !page.body.contains("secret"), "{}", page.body);
    assert!(page.header("set-cookie").starts_with("unsent=;"), "{}", page.header("set-cookie"));
    assert!(!browser.get("/acme/api-keys/new").await.body.contains("Typed"), "shown again once");
}

/// The value of the hidden field `id` of a page's form.
async fn id_in_form(browser: &mut Browser, page: &str) -> String {
    let page = browser.get(page).await.body;
    let (_, rest) = page.split_once("name=\"id\" value=\"").unwrap_or_else(|| panic!("no id in {page}"));
    rest.split('"').next().unwrap().to_owned()
}

async fn a_form_sent_twice_makes_one_key(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let mut browser = test.signed_in(&workspace, "ada@example.com", Role::Admin).await;
    let id = id_in_form(&mut browser, "/acme/api-keys/new").await;
    let fields = [NEW_KEY.as_slice(), &[("id", id.as_str())]].concat();
    let (mut first, mut second) = (browser.tab(), browser.tab());
    let created = tokio::join!(
        first.submit("/acme/api-keys/new", "create_api_key", &fields),
        second.submit("/acme/api-keys/new", "create_api_key", &fields),
    );
    let place = format!("/acme/api-keys/{id}/created");
    assert_eq!((created.0.location(), created.1.location()), (place.as_str(), place.as_str()));
    let again = browser.submit("/acme/api-keys/new", "create_api_key", &fields).await;
    assert_eq!(again.location(), place);
    assert!(browser.get(&place).await.body.contains("value=\"ask_"), "the one value is shown");
    let keys = browser.call("list_api_keys", &[("workspace", "acme")]).await.json();
    assert_eq!(keys["page"]["keys"].as_array().map(Vec::len), Some(1), "{keys}");

    // Another form under the same id, as a browser may fill it in after "back", makes another key.
    let mut other = fields.clone();
    other[1].1 = "Other";
    let other = browser.submit("/acme/api-keys/new", "create_api_key", &other).await;
    assert!(other.status == 302 && other.location() != place, "{}", other.location());
    assert!(browser.get(other.location()).await.body.contains("value=\"ask_"));
    // An id that this server did not make is passed over.
    let mut foreign = fields.clone();
    foreign[5].1 = "settings";
    let made = browser.submit("/acme/api-keys/new", "create_api_key", &foreign).await;
    assert!(made.location().starts_with("/acme/api-keys/key-"), "{}", made.location());
}

async fn a_form_sent_twice_makes_one_agent(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let mut browser = test.signed_in(&workspace, "ada@example.com", Role::Admin).await;
    let id = id_in_form(&mut browser, "/acme/agents/new").await;
    for name in ["Hotel", "Hotel", "Harbour"] {
        let fields = [("workspace", "acme"), ("id", id.as_str()), ("name", name)];
        let sent = browser.submit("/acme/agents/new", "create_agent", &fields).await;
        assert_eq!(sent.location(), "/acme/agents?notice=agent-created");
    }
    let agents = browser.call("list_agents", &[("workspace", "acme")]).await.json();
    let mut names: Vec<_> = agents[0].as_array().unwrap().iter().map(|agent| agent["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["Harbour", "Hotel"]);
}

async fn bad_input_is_answered_beside_its_field(test: TestApp) {
    let (workspace, other) = (test.workspace("Acme").await, test.workspace("Other").await);
    test.agent(&workspace, "Hotel").await;
    let theirs = test.agent(&other, "Theirs").await;
    let mut browser = test.signed_in(&workspace, "ada@example.com", Role::Admin).await;
    let long = "x".repeat(101);
    let with = |changes: &[(&'static str, &str)]| -> Vec<(&str, String)> {
        let kept = NEW_KEY.iter().filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
        let changed = changes.iter().filter(|(_, value)| *value != "-");
        kept.copied().chain(changed.copied()).map(|(n, v)| (n, v.to_owned())).collect()
    };
    for (changes, problems) in [
        (with(&[("name", "  ")]), vec![Problem::NameMissing]),
        (with(&[("name", &long)]), vec![Problem::NameTooLong]),
        (with(&[("permissions[]", "-")]), vec![Problem::PermissionsMissing]),
        (with(&[("permissions[]", "root")]), vec![Problem::PermissionsMissing]),
        (with(&[("all_agents", "false")]), vec![Problem::AgentsMissing]),
        (with(&[("all_agents", "false"), ("agents[]", theirs.as_str())]), vec![Problem::AgentsUnknown]),
        (with(&[("all_agents", "false"), ("agents[]", "' OR 1=1")]), vec![Problem::AgentsUnknown]),
        (with(&[("expiry[choice]", "never")]), vec![Problem::ExpiryUnreadable]),
        (with(&[("expiry[choice]", "date"), ("expiry[date]", "2020-01-01")]), vec![Problem::ExpiryPast]),
        (with(&[("expiry[choice]", "date"), ("expiry[date]", "9999-12-31")]), vec![Problem::ExpiryTooFar]),
        (with(&[("name", ""), ("permissions[]", "-")]), vec![Problem::NameMissing, Problem::PermissionsMissing]),
    ] {
        let fields: Vec<(&str, &str)> = changes.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let answer = browser.call("create_api_key", &fields).await;
        assert_eq!((answer.status, error(&answer)), (422, Error::Invalid(problems)), "{fields:?}");
    }
    for (fields, expected) in [
        (vec![("nonsense", "1")], 400),
        (vec![("workspace", "acme"), ("name", "x"), ("agents[a][b][c][d][e][f][g]", "1")], 400),
        (vec![("workspace", "nowhere"), ("name", "x")], 404),
    ] {
        let answer = browser.call("create_api_key", &fields).await;
        assert_eq!(answer.status, expected, "{fields:?}: {}", answer.body);
    }
    let big = "x".repeat(300_000);
    assert_eq!(browser.call("create_api_key", &[("name", &big)]).await.status, 413);
    for forged in ["key-nowhere", "../../etc", "", &"k".repeat(500)] {
        let fields = [("workspace", "acme"), ("key", forged), ("name", "x"), ("permissions[]", "handoff")];
        assert_eq!(browser.call("edit_api_key", &fields).await.status, 404, "{forged}");
        assert_eq!(browser.call("delete_api_key", &fields).await.status, 404, "{forged}");
    }
    for query in
        ["after=x", "sort=%00&q=%00", "q=%27%22%25", "before=key-1~99999999999999999999999", "__err=x&__path=y"]
    {
        let answer = browser.get(&format!("/acme/api-keys?{query}")).await;
        assert!(answer.status < 500, "{query}: {}", answer.status);
    }
}

async fn an_agent_goes_after_its_name_was_typed(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let agent = test.agent(&workspace, "Hotel").await;
    test.import(&workspace, &agent, &(conversation("CA1", 1) + &conversation("CA2", 2))).await;
    let mut narrow = new_key("Narrow");
    narrow.scope = AgentScope::Chosen(vec![agent.clone()]);
    test.key(&workspace, narrow).await;
    test.app.workspaces.set_undo_days(&workspace.id, &Actor::command_line(), 0).await.unwrap();
    let mut browser = test.signed_in(&workspace, "ada@example.com", Role::Admin).await;
    let dialog = format!("/acme/agents/{agent}/delete");
    let page = browser.get(&dialog).await.body;
    assert!(page.contains("Its 2 conversations are erased with it. One API key covers this agent alone"), "{page}");
    let delete = |name| [("workspace", "acme"), ("agent", agent.as_str()), ("name", name)];
    let refused = browser.submit(&dialog, "delete_agent", &delete("hotel")).await;
    assert!(browser.get(refused.location()).await.body.contains("That is not its name"));
    let deleted = browser.submit(&dialog, "delete_agent", &delete("Hotel")).await;
    assert_eq!(deleted.location(), "/acme/agents?notice=agent-deleted");
    let page = browser.get(deleted.location()).await.body;
    assert!(page.contains("Agent deleted") && page.contains("No agents yet"));
    assert_eq!(browser.get(&dialog).await.status, 404);
}

async fn a_workspace_says_how_long_it_keeps_conversations(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let mut browser = test.signed_in(&workspace, "ada@example.com", Role::Admin).await;
    assert!(browser.get("/acme/agents").await.body.contains("Conversations are kept until they are deleted."));
    let set = |days, destroy| [("workspace", "acme"), ("days", days), ("destroy", destroy)];
    for (days, destroy, problem) in [
        ("90", "", Problem::ConfirmationMissing),
        ("0", "true", Problem::DaysInvalid),
        ("ninety", "true", Problem::DaysInvalid),
    ] {
        assert_eq!(error(&browser.call("set_retention", &set(days, destroy)).await), problem.into(), "{days}");
    }
    let saved = browser.submit("/acme/agents/retention", "set_retention", &set("90", "true")).await;
    assert_eq!(saved.location(), "/acme/agents?notice=settings-saved");
    assert!(browser.get("/acme/agents").await.body.contains("Conversations are erased 90 days after they began."));
    assert!(browser.get("/acme/agents/retention").await.body.contains("value=\"90\""));
    assert_eq!(browser.call("set_retention", &set("", "")).await.status, 200);
    assert!(browser.get("/acme/agents").await.body.contains("Conversations are kept until they are deleted."));
}

async fn viewers_change_nothing(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let agent = test.agent(&workspace, "Hotel").await;
    let key = test.key(&workspace, new_key("CRM")).await;
    test.user(&workspace, "ada@example.com", Role::Admin).await;
    let mut viewer = test.signed_in(&workspace, "vic@example.com", Role::Viewer).await;
    let page = viewer.get("/acme/api-keys").await;
    assert!(page.status == 200 && page.body.contains("CRM") && page.body.contains(&key.value.masked()));
    assert!(!page.body.contains("Copy CRM") && !page.body.contains("Delete CRM") && !page.body.contains("/new"));
    let (id, agent) = (key.id.as_str(), agent.as_str());
    for (function, fields) in changing_calls("acme", id, agent, "user-1", "inv-1") {
        let answer = viewer.call(function, &fields).await;
        assert_eq!((answer.status, error(&answer)), (403, Error::AdminsOnly), "{function}");
    }
}

/// A call of each server function that changes a workspace or returns a secret.
pub fn changing_calls<'a>(
    workspace: &'a str,
    key: &'a str,
    agent: &'a str,
    user: &'a str,
    invitation: &'a str,
) -> Vec<(&'static str, Vec<(&'static str, &'a str)>)> {
    let w = ("workspace", workspace);
    let permission = ("permissions[]", "handoff");
    vec![
        ("create_api_key", vec![w, ("name", "x"), ("all_agents", "true"), permission, ("expiry[choice]", "7d")]),
        ("take_created_api_key", vec![w, ("key", key)]),
        ("copy_api_key", vec![w, ("key", key)]),
        ("take_copied_api_key", vec![w, ("key", key)]),
        ("edit_api_key", vec![w, ("key", key), ("name", "x"), permission]),
        ("get_key_form", vec![w, ("key", key), ("action", "pause")]),
        ("rotate_api_key", vec![w, ("key", key), ("overlap", "7d"), ("expiry", "90d")]),
        ("set_key_settings", vec![w, ("key", key), ("settings[owner]", "x")]),
        ("end_old_value", vec![w, ("key", key)]),
        ("cancel_rotation", vec![w, ("key", key)]),
        ("pause_api_key", vec![w, ("key", key), ("reason", "x")]),
        ("resume_api_key", vec![w, ("key", key)]),
        ("delete_api_key", vec![w, ("key", key), ("name", "CRM")]),
        ("restore_api_key", vec![w, ("key", key)]),
        ("change_api_keys", vec![w, ("keys[]", key), ("action", "pause")]),
        ("undo_bulk_change", vec![w, ("change", "x")]),
        ("set_key_policy", vec![w, ("policy[max_lifetime]", "30")]),
        ("approve_key_request", vec![w, ("request", "key-1")]),
        ("decline_key_request", vec![w, ("request", "key-1")]),
        ("restore_agent", vec![w, ("agent", agent)]),
        ("set_undo_days", vec![w, ("undo_days", "3")]),
        ("set_keys_copyable", vec![w, ("copyable", "false"), ("destroy", "true")]),
        ("set_configuration", vec![w, ("agent", agent), ("metrics[]", "*"), ("transcript", "true")]),
        ("copy_configuration", vec![w, ("agent", agent), ("from", agent)]),
        ("apply_configuration_to_all", vec![w, ("agent", agent)]),
        ("create_agent", vec![w, ("name", "x")]),
        ("rename_agent", vec![w, ("agent", agent), ("name", "x")]),
        ("delete_agent", vec![w, ("agent", agent), ("name", "Hotel")]),
        ("get_agent_form", vec![w, ("agent", agent), ("part", "variants"), ("item", ""), ("action", "new")]),
        ("save_variant", vec![w, ("agent", agent), ("name", "x")]),
        ("delete_variant", vec![w, ("agent", agent), ("item", "variant-1")]),
        ("save_attribute", vec![w, ("agent", agent), ("name", "x")]),
        ("delete_attribute", vec![w, ("agent", agent), ("item", "attr-1")]),
        ("publish_agent", vec![w, ("agent", agent), ("environment", "live")]),
        ("promote_deployment", vec![w, ("agent", agent), ("item", "dep-1"), ("environment", "live")]),
        ("roll_back_deployment", vec![w, ("agent", agent), ("item", "dep-1")]),
        ("set_retention", vec![w, ("days", "1"), ("destroy", "true")]),
        ("invite_user", vec![w, ("email", "eve@example.com"), ("role", "admin")]),
        ("take_invitation_link", vec![w]),
        ("change_role", vec![w, ("user", user), ("role", "viewer")]),
        ("remove_user", vec![w, ("user", user)]),
        ("withdraw_invitation", vec![w, ("invitation", invitation)]),
    ]
}

fn invitation_token(page: &str) -> String {
    let (_, rest) = page.split_once("/invitation/").unwrap();
    rest.chars().take_while(char::is_ascii_alphanumeric).collect()
}

async fn invitations_work_once(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let mut admin = test.signed_in(&workspace, "ada@example.com", Role::Admin).await;
    let invite = [("workspace", "acme"), ("email", "Bob@example.com"), ("role", "viewer")];
    let mut invite_bob = async || {
        assert_eq!(admin.submit("/acme/users/new", "invite_user", &invite).await.location(), "/acme/users/invited");
        invitation_token(&admin.get("/acme/users/invited").await.body)
    };
    let first = invite_bob().await;
    let token = invite_bob().await;
    let mut bob = test.browser();
    let join = |token| [("token", token), ("password", "another long password")];
    assert_eq!(error(&bob.call("accept_invitation", &join(&first)).await), Error::LinkSpent, "replaced");
    assert!(bob.get(&format!("/invitation/{token}")).await.body.contains("Acme"));
    let short = bob.call("accept_invitation", &[("token", &token), ("password", "short")]).await;
    assert_eq!(error(&short), Problem::PasswordTooShort.into());
    let joined = bob.submit(&format!("/invitation/{token}"), "accept_invitation", &join(&token)).await;
    assert_eq!(joined.location(), "/acme/api-keys?notice=welcome");
    assert_eq!(bob.get("/acme/api-keys").await.status, 200);
    assert_eq!(error(&bob.fresh().call("accept_invitation", &join(&token)).await), Error::LinkSpent, "used");
    assert_eq!(error(&admin.call("invite_user", &invite).await), Problem::EmailTaken.into());

    // A person with an account joins another workspace with the account's password only.
    let other = test.workspace("Other").await;
    let mut other_admin = test.signed_in(&other, "olga@example.com", Role::Admin).await;
    other_admin.call("invite_user", &[("workspace", "other"), ("email", "bob@example.com"), ("role", "admin")]).await;
    let page = other_admin.get("/other/users/invited").await.body;
    let token = invitation_token(&page);
    let wrong = bob.call("accept_invitation", &[("token", &token), ("password", "not bob's password")]).await;
    assert_eq!(error(&wrong), Error::WrongCredentials);
    assert_eq!(bob.call("accept_invitation", &join(&token)).await.status, 200);
    assert_eq!(bob.get("/other/users").await.status, 200);

    // An invitation's link expires after 7 days.
    other_admin.call("invite_user", &[("workspace", "other"), ("email", "late@example.com"), ("role", "admin")]).await;
    let page = other_admin.get("/other/users/invited").await.body;
    let token = invitation_token(&page);
    test.app.clock.advance_seconds(7 * 86_400);
    assert_eq!(error(&test.browser().call("accept_invitation", &join(&token)).await), Error::LinkSpent);
}

async fn the_last_admin_stays(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let mut ada = test.signed_in(&workspace, "ada@example.com", Role::Admin).await;
    let people = ada.call("list_users", &[("workspace", "acme")]).await.json();
    let own = people["members"][0]["id"].as_str().unwrap().to_owned();
    let demote = [("workspace", "acme"), ("user", own.as_str()), ("role", "viewer")];
    let answer = ada.call("change_role", &demote).await;
    assert_eq!((answer.status, error(&answer)), (409, Error::LastAdmin));
    assert_eq!(error(&ada.call("remove_user", &demote[..2]).await), Error::LastAdmin);

    test.user(&workspace, "bob@example.com", Role::Admin).await;
    assert_eq!(ada.call("change_role", &demote).await.status, 200);
    assert_eq!(error(&ada.call("change_role", &demote).await), Error::AdminsOnly, "at once");
}

async fn show_once_destroys_what_was_sealed(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let agent = test.agent(&workspace, "Hotel").await;
    let mut browser = test.signed_in(&workspace, "ada@example.com", Role::Admin).await;
    let old = test.key(&workspace, new_key("Old")).await;
    let set = |copyable, destroy| [("workspace", "acme"), ("copyable", copyable), ("destroy", destroy)];
    let unconfirmed = browser.call("set_keys_copyable", &set("false", "")).await;
    assert_eq!(error(&unconfirmed), Problem::ConfirmationMissing.into());
    assert_eq!(browser.call("set_keys_copyable", &set("false", "true")).await.status, 200);
    let copy = browser.call("copy_api_key", &[("workspace", "acme"), ("key", old.id.as_str())]).await;
    assert_eq!((copy.status, error(&copy)), (409, Error::NotCopyable));
    let (id, value) = make_key(&mut browser).await;
    assert_eq!(error(&browser.call("copy_api_key", &[("workspace", "acme"), ("key", &id)]).await), Error::NotCopyable);
    for value in [old.value.expose(), &value] {
        assert_eq!(
            browser.api(&format!("/v3/acme/{agent}/conversations"), value).await.status,
            200,
            "it keeps working"
        );
    }
    assert!(browser.get("/acme/api-keys").await.body.contains("Shown once"));
    assert_eq!(browser.call("set_keys_copyable", &set("true", "")).await.status, 200);
    let copy = browser.call("copy_api_key", &[("workspace", "acme"), ("key", &id)]).await;
    assert_eq!(error(&copy), Error::NotCopyable, "what was destroyed stays so");
}

async fn two_admins_delete_the_same_key(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let mut ada = test.signed_in(&workspace, "ada@example.com", Role::Admin).await;
    let mut bob = test.signed_in(&workspace, "bob@example.com", Role::Admin).await;
    let key = test.key(&workspace, new_key("CRM")).await;
    let fields = [("workspace", "acme"), ("key", key.id.as_str()), ("name", "CRM"), ("permissions[]", "handoff")];
    let (first, second) = tokio::join!(ada.call("delete_api_key", &fields), bob.call("delete_api_key", &fields));
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 404]);
    assert_eq!(error(&ada.call("edit_api_key", &fields).await), Error::NotFound, "a stale form");
    let page = format!("/acme/api-keys/{}/edit", key.id);
    let plain = bob.submit(&page, "edit_api_key", &fields).await;
    assert!(plain.status == 302 && plain.location().contains("__err="), "{}", plain.location());
    let page = bob.get(&page_of(plain.location())).await;
    assert!(page.status == 404 && page.body.contains("no longer does"), "{}", page.status);
}

/// As on a listener: in a task, for which debug builds check that it holds one database connection at a time.
async fn loads_of_a_page_take_their_connections_apart(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let mut browser = test.signed_in(&workspace, "ada@example.com", Role::Admin).await;
    let pages = tokio::spawn(async move {
        // Again and again, because only an open connection is taken at once.
        for page in ["agents", "activity", "usage"].repeat(10) {
            let answer = browser.get(&format!("/{}/{page}", workspace.slug)).await;
            assert_eq!(answer.status, 200, "{page}: {}", answer.body);
        }
    });
    pages.await.unwrap();
}

async fn pages_have_their_headers_and_status(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    test.workspace("Other").await;
    let mut browser = test.signed_in(&workspace, "ada@example.com", Role::Admin).await;
    let page = browser.get("/acme/api-keys").await;
    let policy = page.header("content-security-policy").to_owned();
    let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap();
    assert!(page.body.contains(&format!("nonce=\"{nonce}\"")), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe-inline"), "{policy}");
    assert_ne!(browser.get("/acme/api-keys").await.header("content-security-policy"), policy, "a nonce is used once");
    for (name, value) in
        [("x-content-type-options", "nosniff"), ("referrer-policy", "same-origin"), ("cache-control", "no-store")]
    {
        assert_eq!(page.header(name), value);
    }
    for (path, status) in [
        ("/other/api-keys", 404),
        ("/nowhere/agents", 404),
        ("/acme/nowhere", 404),
        ("/acme/api-keys/key-nowhere/edit", 404),
        ("/acme/api-keys/configuration", 200),
        ("/acme/agents/new", 200),
        ("/acme/users/new", 200),
        ("/account", 200),
        ("/sign-in", 302),
    ] {
        assert_eq!(browser.get(path).await.status, status, "{path}");
    }
}

/// Submits a form that creates a secret. Returns the page that shows it once, and the text by which the secret is
/// recognised.
async fn make_shown_once(browser: &mut Browser, kind: &str) -> (String, &'static str) {
    match kind {
        "key" => {
            let made = browser.submit("/acme/api-keys/new", "create_api_key", &NEW_KEY).await;
            (made.location().to_owned(), "value=\"ask_")
        }
        _ => {
            let fields = [("workspace", "acme"), ("email", "bob@example.com"), ("role", "viewer")];
            let made = browser.submit("/acme/users/new", "invite_user", &fields).await;
            (made.location().to_owned(), "/invitation/")
        }
    }
}

async fn what_is_shown_once_is_shown_to_one_of_many(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let mut browser = test.signed_in(&workspace, "ada@example.com", Role::Admin).await;
    for kind in ["key", "invitation"] {
        for round in 0..3 {
            let (place, sign) = make_shown_once(&mut browser, kind).await;
            let takers = (0..50).map(|_| {
                let (mut tab, place) = (browser.tab(), place.clone());
                tokio::spawn(async move { tab.get(&place).await })
            });
            let pages = futures_util::future::join_all(takers).await;
            let shown = pages.iter().filter(|page| page.as_ref().unwrap().body.contains(sign)).count();
            assert_eq!(shown, 1, "{kind}, round {round}");
        }
    }
}

/// A HEAD request, a prefetch, a cancelled request, an aborted response and other tabs do not use up the value.
async fn what_is_shown_once_outlives_requests_that_show_nothing(test: TestApp) {
    use axum::body::Body;
    use axum::http::Request;

    let workspace = test.workspace("Acme").await;
    let mut browser = test.signed_in(&workspace, "ada@example.com", Role::Admin).await;
    for kind in ["key", "invitation"] {
        let (place, sign) = make_shown_once(&mut browser, kind).await;
        let head = browser.send(Request::head(&place).header("accept", "text/html"), Body::empty()).await;
        assert_eq!(head.body, "");
        let prefetch = Request::get(&place).header("accept", "text/html").header("sec-purpose", "prefetch;prerender");
        assert!(!browser.send(prefetch, Body::empty()).await.body.contains(sign));
        for millis in [0, 1, 2, 5, 10, 20, 40, 80] {
            let mut tab = browser.tab();
            let given_up =
                tokio::time::timeout(std::time::Duration::from_millis(millis), tab.get_without_reading(&place));
            drop(given_up.await);
            // A separate task puts the value back.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        // Uses the session meanwhile, so that it is saved.
        test.app.clock.advance_seconds(6 * 60 - 299);
        browser.get("/acme/api-keys").await;
        assert!(browser.get(&place).await.body.contains(sign), "{kind}");
        assert!(!browser.get(&place).await.body.contains(sign), "{kind}");

        let (place, sign) = make_shown_once(&mut browser, kind).await;
        test.app.clock.advance_seconds(301);
        assert!(!browser.get(&place).await.body.contains(sign), "{kind}: after five minutes it is gone");
    }
}

async fn pages_are_compressed_unless_they_show_a_secret(test: TestApp) {
    let workspace = test.workspace("Acme").await;
    let mut browser = test.signed_in(&workspace, "ada@example.com", Role::Admin).await;
    async fn encoding(browser: &mut Browser, path: &str, accepted: &str) -> String {
        let request = Request::get(path).header("accept", "text/html").header("accept-encoding", accepted);
        let answer = browser.send(request, Body::empty()).await;
        assert_eq!(answer.status, 200, "{path}");
        answer.header("content-encoding").to_owned()
    }
    assert_eq!(encoding(&mut browser, "/acme/api-keys", "identity").await, "");
    assert_eq!(encoding(&mut browser, "/acme/api-keys", "gzip, deflate, br").await, "gzip");
    // As Chromium and Firefox send it.
    assert_eq!(encoding(&mut browser, "/acme/api-keys", "gzip, deflate, br, zstd").await, "zstd");
    assert_eq!(encoding(&mut browser.fresh(), "/sign-in", "gzip").await, "gzip");

    for kind in ["key", "invitation"] {
        let (place, _) = make_shown_once(&mut browser, kind).await;
        assert_eq!(encoding(&mut browser, &place, "gzip, zstd").await, "", "{kind}: shows the value");
        assert_eq!(encoding(&mut browser, &place, "gzip").await, "gzip", "{kind}: shows it no more");
    }
    // The address of an invitation holds its token, and so does its page.
    assert_eq!(encoding(&mut browser.fresh(), "/invitation/some-token", "gzip").await, "");

    let robots = test.browser().get("/robots.txt").await;
    assert_eq!((robots.status, robots.body.as_str()), (200, "User-agent: *\nDisallow: /\n"));
}
