use proptest::prelude::*;

use super::*;
use crate::ids::{FileIndex, InfoHash};
use crate::limits::{HTTP_FIELDS, HTTP_HEAD, HTTP_LISTING};

fn read(head: &str) -> Request<'_> {
    let (request, length) = Request::decode(head.as_bytes()).expect("a good request").expect("a whole one");
    assert_eq!(length, head.len());
    request
}

fn refused(head: impl AsRef<[u8]>) -> Refusal {
    Request::decode(head.as_ref()).expect_err("it is to be refused")
}

/// A request with these fields beside `Host`.
fn with(fields: &str) -> String {
    format!("GET /a HTTP/1.1\r\nHost: b\r\n{fields}\r\n")
}

fn tag() -> EntityTag {
    EntityTag::new(InfoHash([0xab; 20]), FileIndex(7))
}

fn select(fields: &str, length: u64) -> Selection {
    Selection::new(&read(&with(fields)), length, &tag())
}

#[test]
fn a_request_is_read_and_every_prefix_of_it_waits_for_more() {
    let head = "HEAD /a%20b?c=d HTTP/1.1\r\nhOST: x:1\r\nRange:bytes=1-2 \r\nIf-Range: \"t\"\r\nX: \t yä\r\n\r\n";
    let request = read(head);
    assert_eq!((request.method, request.path, request.keep_alive), (Method::Head, &b"/a%20b"[..], true));
    assert_eq!((request.range, request.if_range), (Some(ByteRange::Within(1, 2)), Some(&b"\"t\""[..])));
    for cut in 0..head.len() {
        assert_eq!(Request::decode(&head.as_bytes()[..cut]), Ok(None), "after {cut} bytes");
    }
    let two = [head, head].concat();
    assert_eq!(Request::decode(two.as_bytes()).map(|read| read.map(|(_, length)| length)), Ok(Some(head.len())));
}

#[test]
fn connections_stay_as_the_version_and_the_client_have_it() {
    let stays = |head: &str| read(head).keep_alive;
    assert!(stays("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert!(!stays("GET / HTTP/1.1\r\nHost: a\r\nConnection: TE , Close\r\n\r\n"));
    assert!(!stays("GET / HTTP/1.0\r\n\r\n"));
    assert!(stays("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
    assert!(stays("GET / HTTP/1.7\r\nHost: a\r\n\r\n"), "read as the highest version known");
}

#[test]
fn the_form_for_proxies_names_the_same_path() {
    assert_eq!(read("GET HTTP://b:80/c?d HTTP/1.1\r\nHost: b\r\n\r\n").path, b"/c");
    assert_eq!(read("GET http://b HTTP/1.1\r\nHost: b\r\n\r\n").path, b"/");
}

#[test]
fn what_two_programs_could_read_differently_is_refused() {
    let malformed = [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        "GET /\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n: empty\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\0\r\n\r\n",
        "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\ta HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET a HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET ftp://a/b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/11\r\nHost: a\r\n\r\n",
        "GET / http/1.1\r\nHost: a\r\n\r\n",
        "G=T / HTTP/1.1\r\nHost: a\r\n\r\n",
    ];
    malformed.iter().for_each(|head| assert_eq!(refused(head), Refusal::Malformed, "{head:?}"));
    let smuggled = [
        "Content-Length: 5\r\n",
        "Content-Length: 0, 5\r\n",
        "Content-Length: +0\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Content-Length: 0\r\nTransfer-Encoding: identity\r\n",
        "Range: bytes=0-1\r\nRange: bytes=2-3\r\n",
    ];
    smuggled.iter().for_each(|fields| assert_eq!(refused(with(fields)), Refusal::Malformed, "{fields:?}"));
    read(&with("Content-Length: 0\r\n"));
}

#[test]
fn garbage_is_refused_before_its_end_is_seen() {
    assert_eq!(refused(b"GET \0\0"), Refusal::Malformed);
    assert_eq!(refused(b"GET / HTTP/1.1\n"), Refusal::Malformed);
    assert_eq!(refused(b"GET / HTTP/1.1\rX"), Refusal::Malformed);
}

#[test]
fn other_methods_and_versions_are_named_as_the_cause() {
    assert_eq!(refused("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"), Refusal::Method);
    assert_eq!(refused("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), Refusal::Method);
    assert_eq!(refused("get / HTTP/1.1\r\nHost: a\r\n\r\n"), Refusal::Method, "methods have a case");
    assert_eq!(refused("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), Refusal::Version);
}

#[test]
fn a_head_is_as_long_as_it_may_be_and_not_a_byte_longer() {
    let of = |length: usize| {
        let frame = "GET / HTTP/1.1\r\nHost: \r\n\r\n";
        let filler = "a".repeat(length - frame.len());
        frame.replace("Host: ", &format!("Host: {filler}"))
    };
    read(&of(HTTP_HEAD));
    assert_eq!(refused(of(HTTP_HEAD + 1)), Refusal::TooLong);
    assert_eq!(refused(&of(HTTP_HEAD + 1)[..HTTP_HEAD]), Refusal::TooLong, "without waiting for its end");
    read(&with(&"a: b\r\n".repeat(HTTP_FIELDS - 1)));
    assert_eq!(refused(with(&"a: b\r\n".repeat(HTTP_FIELDS))), Refusal::TooLong);
}

#[test]
fn http_is_told_by_its_first_bytes() {
    for method in ["GET ", "HEAD ", "POST ", "OPTIONS "] {
        (0..method.len()).for_each(|cut| assert_eq!(Beginning::of(&method.as_bytes()[..cut]), Beginning::Unknown));
        assert_eq!(Beginning::of(format!("{method}anything").as_bytes()), Beginning::Http);
    }
    for other in [&b"\x13BitTorrent protocol"[..], b"GETS", b"get ", b"\0", b"SSH-2.0"] {
        assert_eq!(Beginning::of(other), Beginning::Other);
    }
}

#[test]
fn one_range_is_served_and_its_ends_are_held_against_the_file() {
    let part = |range: &str, length| select(&format!("Range: {range}\r\n"), length);
    assert_eq!(part("bytes=0-0", 10), Selection::Part(0..1));
    assert_eq!(part("BYTES=3-7", 10), Selection::Part(3..8));
    assert_eq!(part("bytes=3-", 10), Selection::Part(3..10));
    assert_eq!(part("bytes=3-99999999999999999999999999", 10), Selection::Part(3..10));
    assert_eq!(part("bytes=-4", 10), Selection::Part(6..10));
    assert_eq!(part("bytes=-18446744073709551616", 10), Selection::Part(0..10));
    for none in ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=18446744073709551616-", "bytes=18446744073709551615-"] {
        assert_eq!(part(none, 10), Selection::Unsatisfiable, "{none}");
    }
    assert_eq!(part("bytes=0-0", 0), Selection::Unsatisfiable);
    assert_eq!(part("bytes=-1", 0), Selection::Whole);
    assert_eq!(part("bytes=0-", u64::MAX), Selection::Part(0..u64::MAX));
}

#[test]
fn what_is_not_one_range_of_bytes_is_passed_over() {
    let several = ["bytes=0-1,3-4", "bytes=0-,0-,0-,0-", "bytes=,1-2"];
    let malformed =
        ["bytes=", "bytes=-", "bytes=2-1", "bytes=a-b", "bytes=--1", "bytes=1--2", "bytes= 1 - 2", "bytes=0x1-2"];
    let others = ["lines=1-2", "1-2", "", "byte", "bytes"];
    for range in several.iter().chain(&malformed).chain(&others) {
        assert_eq!(select(&format!("Range: {range}\r\n"), 10), Selection::Whole, "{range}");
    }
    let head = read("HEAD / HTTP/1.1\r\nHost: a\r\nRange: bytes=1-2\r\n\r\n");
    assert_eq!(Selection::new(&head, 10, &tag()), Selection::Whole, "a range is part of GET alone");
}

#[test]
fn conditions_are_held_against_the_version() {
    let ours = format!("\"{}-7\"", "ab".repeat(20));
    let of = |fields: &str| select(&fields.replace("OURS", &ours), 10);
    assert_eq!(of("If-None-Match: \"a\", W/OURS\r\nRange: bytes=1-2\r\n"), Selection::NotModified);
    assert_eq!(of("If-None-Match: *\r\n"), Selection::NotModified);
    assert_eq!(of("If-None-Match: \"a\"\r\n"), Selection::Whole);
    assert_eq!(of("If-Match: \"a\"\r\n"), Selection::PreconditionFailed);
    assert_eq!(of("If-Match: \"a\",OURS\r\n"), Selection::Whole);
    assert_eq!(of("If-Range: OURS\r\nRange: bytes=1-2\r\n"), Selection::Part(1..3));
    assert_eq!(of("If-Range: W/OURS\r\nRange: bytes=1-2\r\n"), Selection::Whole, "RFC 9110, 13.1.5: strong ones alone");
    assert_eq!(of("If-Range: Sun, 06 Nov 1994 08:49:37 GMT\r\nRange: bytes=1-2\r\n"), Selection::Whole);
}

#[test]
fn paths_are_decoded_once() {
    assert_eq!(decode_path(b"/a%20b%2fc+%C3%a4"), Some(b"/a b/c+\xc3\xa4".to_vec()));
    assert_eq!(decode_path(b"/%252e%00"), Some(b"/%2e\0".to_vec()));
    for bad in [&b"%"[..], b"%2", b"%2g", b"%-1", b"a%%20"] {
        assert_eq!(decode_path(bad), None, "{}", bad.escape_ascii());
    }
}

fn encoded(answer: &Answer<'_>, keep_alive: bool, bodiless: bool) -> String {
    let mut out = Vec::new();
    answer.encode(keep_alive, bodiless, &mut out);
    String::from_utf8(out).expect("ASCII")
}

#[test]
fn answers_say_what_follows() {
    let tag = tag();
    let whole = encoded(&Answer::File { length: 10, part: None, tag: &tag }, true, false);
    assert!(
        whole.starts_with("HTTP/1.1 200 OK\r\n")
            && whole.ends_with("Content-Length: 10\r\nConnection: keep-alive\r\n\r\n")
    );
    assert!(whole.contains("Accept-Ranges: bytes\r\n") && whole.contains("ETag: \"abab"));
    let part = encoded(&Answer::File { length: 10, part: Some(3..8), tag: &tag }, false, false);
    assert!(part.starts_with("HTTP/1.1 206 ") && part.contains("Content-Range: bytes 3-7/10\r\nAccept"));
    assert!(part.contains("Content-Length: 5\r\nConnection: close\r\n"));
    let beyond = encoded(&Answer::Unsatisfiable { length: 10 }, true, true);
    assert!(beyond.contains("Content-Range: bytes */10\r\n") && beyond.ends_with("\r\n\r\n"));
    let refused = encoded(&Answer::Refused(Status::MethodNotAllowed), false, false);
    assert!(
        refused.contains("\r\nAllow: GET, HEAD\r\n")
            && refused.ends_with("Content-Length: 23\r\n\r\n405 Method Not Allowed\n")
    );
    assert!(!encoded(&Answer::NotModified { tag: &tag }, true, false).contains("Content-Length"));
}

#[test]
fn names_become_no_markup_and_a_page_ends_in_time() {
    let names = [&b"a&b<script>\"'.txt"[..], b"\xff\n%41", "ä".as_bytes()];
    let page = listing("/id/", names.iter().map(|name| (name, 7)));
    assert!(
        page.contains("<li><a href=\"/id/a%26b%3Cscript%3E%22%27.txt\">a&amp;b&lt;script&gt;\"'.txt</a> 7 bytes\n")
    );
    assert!(page.contains("<li><a href=\"/id/%FF%0A%2541\">\u{fffd}\u{fffd}%41</a> 7 bytes\n"));
    assert!(page.contains("<li><a href=\"/id/%C3%A4\">ä</a>"));
    for name in [&b"a"[..], &[b'&'; 4_000], &[0xff; 4_000]] {
        let base = format!("/{}/", InfoHash([1; 20]));
        let page = listing(&base, std::iter::repeat_n((name, u64::MAX), 1 << 20));
        assert!(page.len() <= HTTP_LISTING && page.ends_with("<li>and more\n"));
    }
}

proptest! {
    #[test]
    fn escaped_paths_are_read_back(path in prop::collection::vec(any::<u8>(), 0..100)) {
        let mut escaped = String::new();
        encode_path(&path, &mut escaped);
        prop_assert_eq!(decode_path(escaped.as_bytes()), Some(path));
    }

    #[test]
    fn no_bytes_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..400), start in 0usize..4) {
        let starts = [&b""[..], b"GET /", b"GET / HTTP/1.1\r\nHost: a\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nRange: bytes="];
        let input = [starts[start], &bytes, b"\r\n\r\n"].concat();
        let _ = Beginning::of(&input);
        if let Ok(Some((request, length))) = Request::decode(&input) {
            prop_assert!(length <= input.len() && request.path.starts_with(b"/"));
            let _ = decode_path(request.path);
            let length = bytes.len() as u64;
            if let Selection::Part(part) = Selection::new(&request, length, &tag()) {
                prop_assert!(part.start < part.end && part.end <= length);
            }
        }
    }

    /// What was refused stays refused when more comes, and what was read stays as it is: so it does not matter where the
    /// network cuts the stream.
    #[test]
    fn the_answer_does_not_depend_on_where_the_stream_is_cut(
        noise in prop::collection::vec(prop::sample::select(&b"GET / HTTP/1.1\r\n\r\nHost: a\r\nX:\t\0%"[..]), 0..80),
        good in any::<bool>(),
    ) {
        let start = if good { &b"GET /a HTTP/1.1\r\nHost: b\r\n"[..] } else { b"" };
        let input = [start, &noise, b"\r\n\r\n"].concat();
        let length = |bytes: &[u8]| Request::decode(bytes).map(|read| read.map(|(_, length)| length));
        let whole = length(&input);
        for cut in 0..input.len() {
            let early = length(&input[..cut]);
            if early != Ok(None) && whole.is_ok() {
                prop_assert_eq!(early, whole);
            } else if early != Ok(None) {
                prop_assert!(early.is_err());
            }
        }
    }
}
