//! The command `master-key`.

use crate::cli::output;
use crate::server::settings::Settings;
use crate::server::state::Services;
use clap::Subcommand;
use serde_json::json;
use std::time::Duration;

/// Time in which a request that began with the old key stores its value.
const LAST_REQUESTS: Duration = Duration::from_secs(2);

/// `master-key …`
#[derive(Subcommand)]
pub enum MasterKeyCommand {
    /// Encrypt every stored value again under a new master key, also while servers run.
    ///
    /// With the file of the data directory, the command makes the new key and takes the old one out of the file in the
    /// end. With --master-key, first let every server have `NEW,OLD`, then run this, then take OLD away.
    Rotate {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl MasterKeyCommand {
    pub async fn run(self, settings: &Settings, services: &Services) -> Result<(), String> {
        let Self::Rotate { json } = self;
        let _lock = settings.lock_master_keys()?;
        let in_file = settings.add_master_key()?.is_some();
        if !in_file && !settings.has_several_master_keys() {
            return Err("AGENT_STUDIO_MASTER_KEY (--master-key) has one key. Set it to `NEW,OLD` on every server and \
                        restart them, then run this again. `openssl rand -base64 32` prints a new key."
                .to_owned());
        }
        let mut count = 0;
        loop {
            // Servers seal with the new key from now on, but for requests that are under way.
            tokio::time::sleep(LAST_REQUESTS).await;
            let keys = services.api_keys.seal_again().await.map_err(|e| e.to_string())?;
            let shown = services.shown_once.seal_again().await.map_err(|e| e.to_string())?;
            if keys + shown == 0 {
                break;
            }
            count += keys + shown;
        }
        let left = services.api_keys.foreign_seals().await.map_err(|e| e.to_string())?;
        if left == 0 {
            settings.drop_old_master_keys()?;
        }
        output::one(json, &json!({ "master_key": services.sealing.id(), "sealed_again": count, "not_opened": left }));
        match (left, in_file) {
            (0, true) => eprintln!("The old key is no longer in the file. Backups from before need it to copy keys."),
            (0, false) => eprintln!("The old key can be taken out of AGENT_STUDIO_MASTER_KEY on every server."),
            (left, _) => {
                return Err(format!(
                    "{left} values do not open under any of the master keys; `doctor` says why. The old keys are kept."
                ));
            }
        }
        Ok(())
    }
}
