//! Who used a key, a permission or an agent lately, in words.

use crate::usage::service::RecentUse;
use std::fmt::Write as _;

/// Who would be refused. `what` names the calls: `Its calls`.
pub fn in_words(used: &RecentUse, what: &str) -> String {
    let Some(last) = used.last else { return format!("{what}: none in 30 days.") };
    let mut text = format!("{what}: {} in 7 days, the last one {}", used.calls, last.ago(used.now));
    for (at, client) in used.clients.iter().enumerate() {
        text.push_str(if at == 0 { ", from " } else { "; " });
        text.push_str(if client.address.is_empty() { "an unknown address" } else { &client.address });
        if !client.program.is_empty() {
            let _ = write!(text, " ({})", client.program);
        }
    }
    text.push('.');
    text
}
