use super::finding::Finding;
use crate::server::settings::Settings;
use reqwest::{Client, StatusCode};
use serde_json::Value;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(5);
/// Share of requests, in percent, from which on the proxy setting is judged.
const NEARLY_ALL: u64 = 95;

pub async fn check(settings: &Settings) -> Vec<Finding> {
    let client = match client() {
        Ok(client) => client,
        Err(error) => return vec![Finding::failure("server", error, "Report this.")],
    };
    let mut findings = Vec::new();
    let address = format!("http://{}", settings.listen());
    match readiness(&client, &address).await {
        Ok((status, answer)) => findings.extend(server(&address, status, &answer)),
        Err(error) => {
            findings.push(Finding::failure(
                "server",
                format!("{address} does not answer: {error}"),
                "Start it, or correct --listen.",
            ));
            return findings;
        }
    }
    findings.push(proxy(settings, &client).await);
    findings.push(public_url(settings, &client).await);
    findings
}

/// An error unless the server is ready.
pub async fn ready(settings: &Settings) -> Result<(), String> {
    let client = client().map_err(|e| e.to_string())?;
    match readiness(&client, &format!("http://{}", settings.listen())).await {
        Ok((status, _)) if status.is_success() => Ok(()),
        Ok((_, answer)) => Err(format!("not ready: {answer}")),
        Err(error) => Err(error.to_string()),
    }
}

fn client() -> Result<Client, reqwest::Error> {
    // The only provider in this program.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().timeout(TIMEOUT).build()
}

async fn readiness(client: &Client, address: &str) -> Result<(StatusCode, Value), reqwest::Error> {
    let answer = client.get(format!("{address}/readyz")).send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    Ok((status, serde_json::from_str(&text).unwrap_or_default()))
}

fn server(address: &str, status: StatusCode, answer: &Value) -> Vec<Finding> {
    let text = |name: &str| answer[name].as_str().unwrap_or("unknown").to_owned();
    let ready = match status.is_success() {
        true => Finding::ok("server", format!("{address} is ready")),
        false => Finding::failure(
            "server",
            format!("{address} is not ready: the database {}, writes: {}", text("database"), text("writes")),
            "The server's log has the cause.",
        ),
    };
    let (gate, keys) = (text("gate"), &answer["keys"]);
    let gate = match gate.as_str() {
        "index" => Finding::ok("gate", format!("{keys} keys in memory, which follow the database")),
        "database" => Finding::warning(
            "gate",
            "calls are decided by asking the database",
            "Look at /readyz again in a minute; if it stays, at the log.",
        ),
        other => Finding::failure(
            "gate",
            format!("calls are decided by {other}"),
            "Look at the database and at the server's log.",
        ),
    };
    vec![ready, gate]
}

/// Compares the proxy setting with the headers that have arrived since the start.
async fn proxy(settings: &Settings, client: &Client) -> Finding {
    let check = "proxy";
    let address = settings.metrics_address();
    let metrics = match client.get(format!("http://{address}/metrics")).send().await {
        Ok(answer) => answer.text().await.unwrap_or_default(),
        Err(error) => {
            return Finding::warning(
                check,
                format!("no metrics at {address}: {error}"),
                "Set --metrics-listen for doctor too.",
            );
        }
    };
    let counted = |header: &str| {
        let name = format!("agent_studio_forwarded_requests_total{{header=\"{header}\"}} ");
        metrics.lines().find_map(|line| line.strip_prefix(&name)?.parse::<u64>().ok()).unwrap_or(0)
    };
    let (with, without) = (counted("present"), counted("absent"));
    let found = format!("{with} requests with X-Forwarded-For, {without} without");
    let nearly_all = |part: u64| part > 0 && part * 100 >= NEARLY_ALL * (with + without);
    match settings.behind_proxy.unwrap_or(false) {
        true if nearly_all(without) => {
            Finding::failure(check, found, "Let the proxy set X-Forwarded-For, or unset --behind-proxy.")
        }
        false if nearly_all(with) => {
            Finding::failure(check, found, "Set --behind-proxy: now every client seems to have the proxy's address.")
        }
        _ => Finding::ok(check, found),
    }
}

/// Sends a request through the public URL as a browser would: with its origin.
async fn public_url(settings: &Settings, client: &Client) -> Finding {
    let check = "public URL";
    let Some(url) = settings.public_url.as_deref().map(|url| url.trim_end_matches('/')) else {
        return match settings.listen().ip().is_loopback() {
            true => Finding::ok(check, "not set; the server can be reached from this machine only"),
            false => {
                Finding::warning(check, "not set", "Set --public-url to the address that browsers use, with https.")
            }
        };
    };
    let sent = client.post(format!("{url}/api/nothing")).header("origin", url).send().await;
    match sent {
        Err(error) => Finding::failure(check, format!("{url}: {error}"), "Look at DNS, the proxy and its certificate."),
        Ok(answer) if answer.status() == StatusCode::FORBIDDEN => Finding::failure(
            check,
            format!("{url} leads to a server that has another public URL"),
            "Give the running server the same --public-url.",
        ),
        Ok(answer) if answer.status().is_server_error() => {
            let advice = "The proxy does not reach the server: compare its address with --listen.";
            Finding::failure(check, format!("{url} answers {}", answer.status()), advice)
        }
        Ok(_) if !url.starts_with("https://") => {
            Finding::warning(check, format!("{url} answers, without TLS"), "Put a proxy with TLS in front.")
        }
        Ok(_) => Finding::ok(check, format!("{url} answers")),
    }
}
