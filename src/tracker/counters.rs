//! What the servers count. Each field is only ever added to, relaxed: they are read by people, not by code.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Counters that all threads add to.
        #[derive(Default)]
        pub(super) struct Counters {
            $(pub(super) $name: AtomicU64,)+
        }

        /// The counters at one moment.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
        pub struct Counts {
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        impl Counters {
            pub(super) fn read(&self) -> Counts {
                Counts { $($name: self.$name.load(Ordering::Relaxed),)+ }
            }

            /// Adds what one thread counted on its own.
            pub(super) fn add(&self, counts: &Counts) {
                $(if counts.$name > 0 {
                    self.$name.fetch_add(counts.$name, Ordering::Relaxed);
                })+
            }
        }
    };
}

counters! {
    /// Connection ids given out over UDP.
    udp_connects,
    /// Announces answered over UDP.
    udp_announces,
    /// Scrapes answered over UDP.
    udp_scrapes,
    /// UDP requests answered with an error.
    udp_errors,
    /// Datagrams that are no request of the protocol; not answered.
    udp_dropped,
    /// Answers that the kernel did not take.
    udp_unsent,
    /// TCP connections taken.
    http_connections,
    /// Announces answered over HTTP.
    http_announces,
    /// Scrapes answered over HTTP.
    http_scrapes,
    /// HTTP requests answered with a failure reason.
    http_failures,
}

/// Adds one.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
