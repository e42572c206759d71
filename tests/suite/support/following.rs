//! Starting a gate's follower in tests.

use agent_studio::gate;
use agent_studio::gate::state::DecisionSource;
use agent_studio::server::state::Services;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// A running follower, which stops when this is dropped.
pub struct Following(tokio::task::JoinHandle<()>);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub async fn follow(app: &Services) -> Following {
    let following = Following(tokio::spawn(gate::follower::follow(app.gate.clone())));
    trusted(app).await;
    following
}

pub async fn trusted(app: &Services) {
    let waited = timeout(Duration::from_secs(30), async {
        while app.gate.decision_source() != DecisionSource::Index {
            sleep(Duration::from_millis(10)).await;
        }
    });
    waited.await.unwrap();
}
