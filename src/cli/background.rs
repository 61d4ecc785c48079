//! Long work on another thread, watched while it goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;

/// Between two looks at how far it has come.
const LOOK: Duration = Duration::from_millis(500);

/// Runs `work`, which is given a count to add its bytes to and a flag that tells it to end early, and shows the count twice a
/// second. What came of it, and the count at its end. Dropped, it has the work end.
pub(crate) async fn watched<T: Send + 'static>(
    work: impl FnOnce(Arc<AtomicU64>, Arc<AtomicBool>) -> T + Send + 'static,
    mut show: impl FnMut(u64),
) -> anyhow::Result<(T, u64)> {
    let (done, cancel) = (Arc::new(AtomicU64::new(0)), Cancel(Arc::default()));
    let job = {
        let (done, cancel) = (done.clone(), cancel.0.clone());
        move || work(done, cancel)
    };
    let mut running = tokio::task::spawn_blocking(job);
    let mut tick = tokio::time::interval(LOOK);
    tick.tick().await;
    loop {
        tokio::select! {
            result = &mut running => {
                return Ok((result.context("hashing failed")?, done.load(Ordering::Relaxed)));
            }
            _ = tick.tick() => show(done.load(Ordering::Relaxed)),
        }
    }
}

/// Ends the work when nobody waits for it any more.
struct Cancel(Arc<AtomicBool>);

impl Drop for Cancel {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
