//! A separate tokio runtime with low-priority threads for large responses. On the main runtime, a short call would wait
//! for a worker thread that is busy with a large response.

use crate::base::cpu_share::{CpuShare, limit_this_thread};
use std::future::Future;
use std::sync::LazyLock;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinSet;
use tracing::Instrument as _;

static RUNTIME: LazyLock<std::io::Result<Runtime>> = LazyLock::new(|| {
    let threads = std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2));
    Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("bulk")
        .on_thread_start(|| limit_this_thread(CpuShare::Tenth))
        .enable_all()
        .build()
});

/// Starts work on the bulk runtime. Dropping the returned set aborts the work, so a client that disconnects ends it.
#[must_use = "the work ends when this is dropped"]
pub fn begin(work: impl Future<Output = ()> + Send + 'static) -> JoinSet<()> {
    // Log lines of the work carry the request's id.
    let work = work.in_current_span();
    let mut tasks = JoinSet::new();
    match &*RUNTIME {
        Ok(runtime) => drop(tasks.spawn_on(work, runtime.handle())),
        Err(error) => {
            tracing::error!(%error, "there are no threads for bulk work; others do it");
            drop(tasks.spawn_on(work, &Handle::current()));
        }
    }
    tasks
}

/// Runs work on the bulk runtime and waits for its result; `None` if it panicked.
pub async fn run<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Option<T> {
    let (done, result) = tokio::sync::oneshot::channel();
    let _tasks = begin(async move {
        let _ = done.send(work.await);
    });
    result.await.ok()
}
