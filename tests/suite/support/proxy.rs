//! Real proxies in front of a server under test.

use super::program::tool;
use axum::Router;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Child;
use tokio::net::TcpListener;

/// A process that is killed when this is dropped.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Serves a router on a port of its own.
pub async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Path of a program that `scripts/setup.sh test` installs.
pub fn program(in_tools: &str, name: &str) -> PathBuf {
    let candidates = [tool(in_tools), Path::new("/usr/sbin").join(name), PathBuf::from(name)];
    candidates.iter().find(|path| path.is_file()).unwrap_or(&candidates[2]).clone()
}
