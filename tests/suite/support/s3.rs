//! An S3-compatible server (moto) with a bucket.

use crate::support::program::tool;
use agent_studio::recordings::storage::RecordingStorage;
use object_store::aws::AmazonS3Builder;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const NAME: &str = "recordings";

/// A bucket. Its server ends with it.
pub struct Bucket {
    url: String,
    server: Child,
}

impl Drop for Bucket {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Starts a server and makes a bucket.
pub async fn new_bucket() -> Bucket {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = Command::new("python3")
        .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()])
        .env("PYTHONPATH", tool("s3-server"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let bucket = Bucket { url: format!("http://127.0.0.1:{port}"), server };
    // This makes the provider for TLS known, without which there is no client.
    bucket.storage("");
    for _ in 0..200 {
        let made = reqwest::Client::new().put(format!("{}/{NAME}", bucket.url)).send().await;
        if made.is_ok_and(|answer| answer.status().is_success()) {
            return bucket;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("the S3 server did not start: scripts/setup.sh test installs it");
}

impl Bucket {
    /// The bucket as a storage, below a prefix.
    pub fn storage(&self, prefix: &str) -> RecordingStorage {
        storage(&self.url, prefix)
    }

    /// The names of all objects.
    pub async fn keys(&self) -> Vec<String> {
        let list = reqwest::get(format!("{}/{NAME}?list-type=2", self.url)).await.unwrap().text().await.unwrap();
        let keys = list.split("<Key>").skip(1).map(|rest| rest.split("</Key>").next().unwrap().to_owned());
        keys.collect()
    }
}

/// A bucket of a server that is not there.
pub fn unreachable() -> RecordingStorage {
    storage("http://127.0.0.1:9", "")
}

fn storage(url: &str, prefix: &str) -> RecordingStorage {
    let settings = AmazonS3Builder::new()
        .with_endpoint(url)
        .with_allow_http(true)
        .with_region("us-east-1")
        .with_access_key_id("test")
        .with_secret_access_key("test");
    RecordingStorage::of_bucket(settings, &format!("s3://{NAME}/{prefix}")).unwrap()
}
