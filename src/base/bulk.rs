//! Bulk work: large answers are made by threads of their own that give way to short calls, which would otherwise wait for a
//! worker that is in the middle of one.

use crate::base::thread_share::{Share, limit_this_thread};
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
        .on_thread_start(|| limit_this_thread(Share::Tenth))
        .enable_all()
        .build()
});

/// Begins work there. It ends with what is returned: a client that goes away ends what was made for it.
#[must_use = "the work ends when this is dropped"]
pub fn begin(work: impl Future<Output = ()> + Send + 'static) -> JoinSet<()> {
    // What it logs is the request's.
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

/// Does work there, and waits for it; `None` where it panicked.
pub async fn run<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Option<T> {
    let (done, result) = tokio::sync::oneshot::channel();
    let _tasks = begin(async move {
        let _ = done.send(work.await);
    });
    result.await.ok()
}
