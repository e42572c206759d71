//! Scheduling priority of threads. Threads for background work get less processor time than those that answer API
//! calls.

use std::thread;

/// A thread's share of the processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuShare {
    /// Time that no other thread wants (SCHED_IDLE). Such a thread is preempted at once, while a thread with a high
    /// niceness runs until the next tick. It may get no time at all on a busy machine.
    Leftover,
    /// About a tenth of the time of a normal thread (niceness 9).
    Tenth,
    /// About a third of the time of a normal thread (niceness 4).
    Third,
}

/// Limits the current thread to this share for the rest of its life. Does nothing where the system has no priorities
/// for single threads, or does not allow the change.
pub fn limit_this_thread(share: CpuShare) {
    #[cfg(target_os = "linux")]
    {
        use thread_priority::{NormalThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue};
        use thread_priority::{ThreadSchedulePolicy, unix};
        // The scale runs from 0 (niceness 19) to 99 (niceness -20).
        let priority =
            |value: u8| ThreadPriorityValue::try_from(value).map_or(ThreadPriority::Min, ThreadPriority::Crossplatform);
        let (policy, priority) = match share {
            CpuShare::Leftover => (NormalThreadSchedulePolicy::Idle, ThreadPriority::Min),
            CpuShare::Tenth => (NormalThreadSchedulePolicy::Other, priority(25)),
            CpuShare::Third => (NormalThreadSchedulePolicy::Other, priority(38)),
        };
        let policy = ThreadSchedulePolicy::Normal(policy);
        let _ = unix::set_thread_priority_and_policy(unix::thread_native_id(), priority, policy);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = share;
    // A new priority alone does not make the scheduler switch to a thread that is already waiting.
    thread::yield_now();
}
