//! Random words that nobody guesses.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::crypto::ring::default_provider;

/// 256 random bits of the kernel, as 43 characters that survive URLs, cookies and headers.
pub(in crate::api) fn fresh() -> String {
    let mut bytes = [0; 32];
    // fails only on kernels without getrandom(2), which this program does not run on
    default_provider().secure_random.fill(&mut bytes).expect("the kernel has random numbers");
    URL_SAFE_NO_PAD.encode(bytes)
}
