//! A server whose gate follows its database.

use agent_studio::gate;
use agent_studio::gate::index::Basis;
use agent_studio::server::state::App;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// A server that follows; it stops when this is dropped.
pub struct Following(tokio::task::JoinHandle<()>);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub async fn follow(app: &Arc<App>) -> Following {
    let following = Following(tokio::spawn(gate::follower::follow(app.clone())));
    trusted(app).await;
    following
}

pub async fn trusted(app: &App) {
    let waited = timeout(Duration::from_secs(30), async {
        while app.gate.basis() != Basis::Index {
            sleep(Duration::from_millis(10)).await;
        }
    });
    waited.await.unwrap();
}
