//! HTTP/1.1 as far as serving files takes (RFC 9110, RFC 9112): heads of requests are read, heads of answers are written.
//!
//! A head is looked at only as a whole and only up to [`limits::HTTP_HEAD`](crate::limits::HTTP_HEAD) bytes; what is read
//! borrows from the input. It is strict where two programs could read the same bytes differently: lines end with CRLF and
//! nothing else, no line is folded, no space stands before a colon, a request has no content (`Content-Length` other than
//! 0 and every `Transfer-Encoding` are refused). After each [`Refusal`] the connection is to be closed, since nobody knows
//! where the next request would begin. Nothing here panics, whatever the bytes are.
//!
//! Answers carry no `Date`: nothing here has a clock (RFC 9110, 6.6.1).

mod answer;
mod listing;
mod path;
mod range;
mod request;
#[cfg(test)]
mod tests;

pub use answer::{Answer, EntityTag, Status};
pub use listing::listing;
pub use path::{decode_path, encode_path};
pub use range::{ByteRange, Selection};
pub use request::{Beginning, Method, Refusal, Request};
