//! How much of the processor a thread asks for, so that calls with keys go first.

use std::thread;

/// A share of the processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// What no other thread wants: SCHED_IDLE is interrupted at once where a thread merely nice to others runs on until the next
    /// tick, but may wait for ever.
    Leftover,
    /// A tenth of what another thread gets that wants as much: a niceness of 9.
    Tenth,
    /// A third of it: a niceness of 4.
    Third,
}

/// Makes this thread ask for no more than this share, for as long as it lives. Where the system has no such thing for a single
/// thread, or does not allow it, the thread works on as it is.
pub fn limit_this_thread(share: Share) {
    #[cfg(target_os = "linux")]
    {
        use thread_priority::{NormalThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue};
        use thread_priority::{ThreadSchedulePolicy, unix};
        // From 0, a niceness of 19, to 99, one of -20.
        let priority =
            |value: u8| ThreadPriorityValue::try_from(value).map_or(ThreadPriority::Min, ThreadPriority::Crossplatform);
        let (policy, priority) = match share {
            Share::Leftover => (NormalThreadSchedulePolicy::Idle, ThreadPriority::Min),
            Share::Tenth => (NormalThreadSchedulePolicy::Other, priority(25)),
            Share::Third => (NormalThreadSchedulePolicy::Other, priority(38)),
        };
        let policy = ThreadSchedulePolicy::Normal(policy);
        let _ = unix::set_thread_priority_and_policy(unix::thread_native_id(), priority, policy);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = share;
    // Whoever waits already is not let in by that alone.
    thread::yield_now();
}
