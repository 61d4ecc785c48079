//! Content that was taken on trust.

use super::*;
use crate::limits::LAZY_CHECKS;

fn lay_out(scene: &Scene) -> Arc<Content> {
    let content = Content::below(&scene.torrent, scene.folder.path()).expect("a place");
    let mut rest = &scene.stream[..];
    for (file, index) in scene.torrent.files().iter().zip(0..) {
        let (bytes, after) = rest.split_at(usize::try_from(file.length()).expect("small"));
        rest = after;
        if !file.is_padding() {
            let path = content.path(crate::ids::FileIndex(index));
            fs::create_dir_all(path.parent().expect("below a folder")).expect("a folder");
            fs::write(path, bytes).expect("space");
        }
    }
    Arc::new(content)
}

/// Asks for a piece; the answer comes through the channel.
fn ask(check: &LazyCheck, piece: u32, answers: &channel::Sender<(u32, Found)>) -> bool {
    let answers = answers.clone();
    check.check(PieceIndex(piece), Box::new(move |found| drop(answers.send((piece, found))))).is_ok()
}

#[test]
fn each_piece_is_looked_at_once_however_many_ask() {
    let scene = Scene::new();
    let content = lay_out(&scene);
    let hashers = LazyHashers::start(Engine::detect(), 2).expect("threads");
    let check = LazyCheck::new(&hashers, content.clone(), Arc::new(scene.torrent.clone()), &[]);
    let pieces = scene.torrent.geometry().pieces();
    let (sender, answers) = channel::unbounded();
    std::thread::scope(|scope| {
        (0..8).for_each(|_| drop(scope.spawn(|| (0..pieces).for_each(|piece| assert!(ask(&check, piece, &sender))))));
    });
    let all: Vec<(u32, Found)> = (0..8 * pieces).map(|_| answers.recv().expect("an answer")).collect();
    assert!(all.iter().all(|(_, found)| *found == Found::Right), "padding and files across pieces included");
    assert_eq!(hashers.hashed(), u64::from(pieces));
    let right = check.right();
    assert_eq!(right.iter().map(|byte| byte.count_ones()).sum::<u32>(), pieces);

    let later = LazyCheck::new(&hashers, content, Arc::new(scene.torrent.clone()), &right);
    assert!(ask(&later, 3, &sender) && answers.recv().expect("an answer") == (3, Found::Right));
    assert_eq!(hashers.hashed(), u64::from(pieces), "what was found is taken along");
}

#[test]
fn what_does_not_match_is_named_and_looked_at_again() {
    let scene = Scene::new();
    let content = lay_out(&scene);
    let hashers = LazyHashers::start(Engine::detect(), 1).expect("threads");
    let check = LazyCheck::new(&hashers, content.clone(), Arc::new(scene.torrent.clone()), &[]);
    let (sender, answers) = channel::unbounded();
    let file = content.path(crate::ids::FileIndex(u32::try_from(H).expect("few")));
    let good = fs::read(&file).expect("a file");
    let mut bad = good.clone();
    *bad.last_mut().expect("a byte") ^= 1;
    fs::write(&file, &bad).expect("space");
    let last = scene.torrent.geometry().pieces() - 1;
    let found = || {
        assert!(ask(&check, last, &sender));
        answers.recv().expect("an answer").1
    };
    let Found::Wrong(cause) = found() else { panic!("one bit is wrong") };
    assert!(cause.contains(&format!("piece {last} ")) && cause.contains(&file.display().to_string()), "{cause}");
    fs::remove_file(&file).expect("it is there");
    let Found::Wrong(cause) = found() else { panic!("it is not there") };
    assert!(cause.contains(&file.display().to_string()), "{cause}");
    fs::write(&file, &good).expect("space");
    assert_eq!(found(), Found::Right, "once it was put right");
}

#[test]
fn too_many_questions_are_given_back_and_none_is_waited_for_at_the_end() {
    let scene = Scene::new();
    let content = lay_out(&scene);
    let hashers = LazyHashers::start(Engine::detect(), 1).expect("threads");
    let torrent = Arc::new(scene.torrent.clone());
    let (sender, answers) = channel::unbounded();
    // the thread is kept busy by an answer that waits, perhaps before it has taken its question out of the queue
    let (gate, wait) = channel::bounded::<()>(0);
    let first = LazyCheck::new(&hashers, content.clone(), torrent.clone(), &[]);
    let held = first.check(PieceIndex(0), Box::new(move |_| _ = wait.recv()));
    assert!(held.is_ok());
    let one_each = || LazyCheck::new(&hashers, content.clone(), torrent.clone(), &[]);
    let checks: Vec<LazyCheck> = (0..LAZY_CHECKS + 2).map(|_| one_each()).collect();
    let taken = checks.iter().filter(|check| ask(check, 1, &sender)).count();
    assert!((LAZY_CHECKS - 1..=LAZY_CHECKS).contains(&taken), "{taken}");
    drop(gate);
    drop(hashers);
    assert!(answers.try_iter().count() <= taken);
    assert!(!ask(&first, 2, &sender), "nobody is left to look");
}
