//! The guard as a whole.

use std::net::SocketAddr;

use super::*;

const TOKEN: &str = "an-honest-token-of-length";

fn guard() -> Guard {
    Guard::new(Token::new(TOKEN).expect("a good token"))
}

fn caller() -> Caller {
    Caller::Tcp(SocketAddr::from(([192, 0, 2, 7], 40_000)))
}

fn headers(name: axum::http::HeaderName, value: &str) -> HeaderMap {
    HeaderMap::from_iter([(name, HeaderValue::try_from(value).expect("a header"))])
}

fn basic(text: &str) -> HeaderMap {
    headers(AUTHORIZATION, &format!("Basic {}", STANDARD.encode(text)))
}

#[test]
fn the_token_opens_in_every_spelling_and_nothing_else_does() {
    let guard = guard();
    assert_eq!(guard.check(&HeaderMap::new(), caller()), Err(Denied::Nobody));
    assert_eq!(guard.check(&HeaderMap::new(), Caller::Unix), Ok(()));
    assert_eq!(guard.check(&basic(&format!("sower:{TOKEN}")), caller()), Ok(()));
    assert_eq!(guard.check(&headers(AUTHORIZATION, &format!("Bearer {TOKEN}")), caller()), Ok(()));
    assert_eq!(guard.check(&headers(AUTHORIZATION, &format!("bearer  {TOKEN}")), caller()), Ok(()));
    for wrong in [format!("admin:{TOKEN}"), "sower:".into(), format!("sower:{TOKEN}x"), ":".into()] {
        assert_eq!(guard.check(&basic(&wrong), caller()), Err(Denied::Wrong), "{wrong}");
    }
    for nonsense in ["Basic ????", "Basic", "Digest username=sower", &format!("Bearer {}", "x".repeat(5_000))] {
        assert_eq!(guard.check(&headers(AUTHORIZATION, nonsense), caller()), Err(Denied::Nobody), "{nonsense}");
    }
}

#[test]
fn a_session_lasts_until_its_logout_and_through_the_guesses_of_others() {
    let guard = guard();
    assert_eq!(guard.login("sower", "wrong", caller()), Err(Denied::Wrong));
    let sid = guard.login("sower", TOKEN, caller()).expect("the right token");
    let cookie = headers(COOKIE, &format!("theme=dark; SID=outdated; SID={sid}"));
    let key = guard.session(&cookie).expect("a session");
    assert_ne!(guard.login("sower", TOKEN, caller()).expect("another"), sid);
    (0..100).for_each(|number| drop(guard.login("sower", &number.to_string(), caller())));
    assert!(matches!(guard.login("sower", TOKEN, caller()), Err(Denied::Guessing { .. })), "not even the right one");
    assert_eq!(guard.check(&cookie, caller()), Ok(()));
    assert_eq!(guard.session(&cookie), Some(key), "the same one");
    guard.logout(&sid);
    assert_eq!(guard.check(&cookie, caller()), Err(Denied::Nobody));
}

#[test]
fn the_cookie_stays_with_us() {
    let text = Guard::cookie("abc");
    assert_eq!(text, "SID=abc; HttpOnly; SameSite=Strict; Path=/");
    assert_eq!(Guard::sid(&headers(COOKIE, "a=b; SID=abc")), Some("abc"));
}

#[test]
fn a_token_is_made_once_for_its_owner_alone() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let folder = tempfile::tempdir().expect("a folder");
    let made = Token::of_folder(folder.path()).expect("made");
    let path = folder.path().join("token");
    assert_eq!(std::fs::metadata(&path).expect("it is there").mode() & 0o777, 0o600);
    assert!(made.reveal().len() >= 43);
    assert_eq!(Token::of_folder(folder.path()).expect("read").reveal(), made.reveal());
    assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 1, "nothing is left beside it");
    assert!(!format!("{made:?}").contains(made.reveal()));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("ours");
    assert!(matches!(Token::of_folder(folder.path()), Err(TokenError::Open(_))));
    std::fs::write(&path, "short").expect("ours");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("ours");
    assert!(matches!(Token::of_folder(folder.path()), Err(TokenError::Bad(_))));
}
