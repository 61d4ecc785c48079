//! A page that lists files, for people: BEP 19 has no use for it.

use std::fmt::Write;

use crate::limits::HTTP_LISTING;

use super::path::encode_path;

/// Bytes of a line besides the path, which stands there twice and takes at most eight times its length.
const LINE: usize = 128;

/// A page with a link to each of `files` (path and length) below `base`, which is no longer than a few words. It ends before
/// [`HTTP_LISTING`] bytes, however many files there are.
pub fn listing<P: AsRef<[u8]>>(base: &str, files: impl Iterator<Item = (P, u64)>) -> String {
    let mut page = "<!DOCTYPE html>\n<meta charset=\"utf-8\">\n<title>Files</title>\n<ul>\n".to_owned();
    for (path, length) in files {
        let path = path.as_ref();
        if page.len() + LINE + 8 * path.len() > HTTP_LISTING - LINE {
            page.push_str("<li>and more\n");
            break;
        }
        page.extend(["<li><a href=\"", base]);
        encode_path(path, &mut page);
        page.push_str("\">");
        push_text(path, &mut page);
        writeln!(page, "</a> {length} bytes").expect("memory takes everything");
    }
    page
}

/// Names are a stranger's: none of their characters may become markup.
fn push_text(name: &[u8], page: &mut String) {
    for character in String::from_utf8_lossy(name).chars() {
        match character {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            control if control.is_control() => page.push('\u{fffd}'),
            other => page.push(other),
        }
    }
}
