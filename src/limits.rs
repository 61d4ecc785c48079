//! Every fixed bound of the program, with its reason. Lengths from the network meet one of these before they meet an
//! allocator or an index.

/// Bytes a request usually names; every client in use asks for 16 KiB.
pub const BLOCK: u32 = 16 * 1024;
/// Longest block that a request may name. BEP 3 lets implementations close beyond 2^14; some clients ask for 32 KiB
/// and more, and libtorrent, Transmission and rTorrent serve up to 128 KiB.
pub const BLOCK_MAX: u32 = 128 * 1024;
/// Bytes that one send carries. 16 blocks measured best: 8 blocks 14.2 GB/s, 16 blocks 17.0, 32 blocks 16.2.
pub const CHUNK: u32 = 256 * 1024;
/// Requests that wait for one peer; announced as `reqq`. libtorrent asks for up to 500, some clients for 2,000.
pub const REQUESTS_PER_PEER: usize = 2_000;
/// Bytes that are kept of a peer that asks for more than may wait: what was received already when receiving stopped.
pub const HELD_INPUT: usize = 4 * 1024 * 1024;
/// Bytes that are kept of a connection that waits for its torrent to be read from disk: a handshake, an extension handshake and the
/// bitfield of 400,000 pieces, which is all that is said before we have answered. With [`HANDSHAKES`] of them it is 64 MiB.
pub const AWAITING_INPUT: usize = 64 * 1024;
/// Requests that we keep waiting at one peer: 8 MiB. Transmission drops more silently, libtorrent takes 500 by default.
pub const REQUESTS_IN_FLIGHT: usize = 500;
/// Pieces that a download has under way at least, whatever memory it may use: fewer would stop it whenever a peer stops.
pub const BEGUN_PIECES_MIN: usize = 8;
/// Bytes that a peer may send which nobody asked for (any more) before it is taken for a flood, beside half of what was kept.
/// What crosses our cancels is no more than what is in flight.
pub const UNWANTED_BYTES: u64 = 2 * REQUESTS_IN_FLIGHT as u64 * BLOCK as u64;
/// Requests that a peer may refuse in a row while it serves us, before it is asked no more.
pub const REJECTS_IN_A_ROW: u32 = 1_000;
/// Addresses banned from one download. Beyond, bad peers are closed and may come again.
pub const BANNED_ADDRESSES: usize = 4_096;
/// Peers whose address is remembered after they left a download, in case what they sent turns out to be bad.
pub const DEPARTED_PEERS: usize = 256;
/// Pieces of one torrent. 2^22 of 16 MiB are 64 TiB; the table of hashes is then 80 MiB.
pub const PIECES: u32 = 1 << 22;
/// Longest piece: BEP 3 names none, 128 MiB is the largest that clients in use create.
pub const PIECE_LENGTH_MAX: u32 = 128 * 1024 * 1024;
/// A .torrent file: hashes of the largest torrent and a long list of files.
pub const TORRENT_FILE: usize = 128 * 1024 * 1024;
/// Files in one torrent.
pub const FILES: usize = 1 << 20;
/// Nesting of bencoded values; torrent files in use need 6.
pub const BENCODE_DEPTH: usize = 32;
/// Tracker and web seed URLs of one torrent or magnet link, each list by itself; the longest lists going round have some 200.
pub const URLS: usize = 1_024;
/// Bytes of one URL; passkeys and signed web seeds stay below 2 KiB.
pub const URL_LENGTH: usize = 8 * 1024;
/// Bytes of a comment and of the other texts for humans in a torrent file.
pub const TEXT_LENGTH: usize = 1024 * 1024;
/// Bytes of one file name: NAME_MAX of Linux file systems.
pub const NAME_LENGTH: usize = 255;
/// Bytes of a path inside a torrent: PATH_MAX of Linux, less its closing NUL.
pub const PATH_LENGTH: usize = 4_095;
/// Bytes of a magnet link: command lines and clipboards carry more, but nothing needs it.
pub const MAGNET_LENGTH: usize = 64 * 1024;
/// Peers that one magnet link may name.
pub const MAGNET_PEERS: usize = 256;

const _: () = assert!(CHUNK.is_multiple_of(BLOCK));
const _: () = assert!(BLOCK <= UNSENT_MIN / 2);
const _: () = assert!(BLOCK_MAX <= CHUNK, "a turn carries at least one block");

/// Longest message of any kind: a bitfield of [`PIECES`] bits, which is longer than a block.
pub const MESSAGE: u32 = PIECES / 8 + 1;
/// Payload of an extension message: 16 KiB of metadata and its dictionary fit twice.
pub const EXTENDED_MESSAGE: usize = 32 * 1024;
/// A message of unknown kind is skipped if it is short; a long one is an attempt to be buffered.
pub const UNKNOWN_MESSAGE: usize = 4 * 1024;
/// Bytes of metadata in one message (BEP 9).
pub const METADATA_PIECE: usize = 16 * 1024;

const _: () = assert!(BLOCK_MAX + 9 <= MESSAGE);
/// Bytes of answers (rejects, metadata) that wait for a peer that does not read. Choking a peer with a full queue
/// rejects 2,000 requests of 17 bytes; metadata stops at half.
pub const CONTROL_BUFFER: usize = 256 * 1024;

const _: () = assert!(CONTROL_BUFFER / 2 > REQUESTS_PER_PEER * 17 + METADATA_PIECE);

/// A tracker URL. Passkeys and queries in use stay under 300 bytes.
pub const TRACKER_URL: usize = 2_048;
/// Trackers of one torrent; public lists that people paste in hold about 100.
pub const TRACKERS: usize = 256;
/// A tracker's answer over HTTP, after decompression: 1,000 peers in the old dictionary form are about 80 KB, 74
/// scraped torrents about 10 KB.
pub const TRACKER_BODY: usize = 256 * 1024;
/// A tracker's answer over UDP: 200 IPv6 peers are 3,620 bytes.
pub const TRACKER_DATAGRAM: usize = 8 * 1024;
/// Redirects that one announce follows.
pub const TRACKER_REDIRECTS: usize = 5;
/// Characters of a tracker's message that are kept.
pub const TRACKER_TEXT: usize = 200;
/// Bytes of a `tracker id`, which is sent back with every announce.
pub const TRACKER_ID: usize = 256;
/// Peers that are believed from one answer.
pub const TRACKER_PEERS: usize = 1_000;
/// Addresses of peers that a download keeps, to try them again.
pub const KNOWN_PEERS: usize = 1_000;
/// Peers that one announce asks for at most; trackers in use give no more.
pub const PEERS_WANTED: u32 = 200;
/// Shortest announce interval that is obeyed: a tracker that says 0 must not make us storm it.
pub const ANNOUNCE_INTERVAL_SECONDS_MIN: u64 = 60;
/// Longest: twice what trackers in use say. Beyond, a torrent would vanish from a tracker that made a mistake.
pub const ANNOUNCE_INTERVAL_SECONDS_MAX: u64 = 2 * 60 * 60;
/// Announces in flight to one HTTP tracker; each keeps a connection alive.
pub const ANNOUNCES_PER_HTTP_HOST: usize = 4;
/// Announces in flight to one UDP tracker: two datagrams each and no connection.
pub const ANNOUNCES_PER_UDP_HOST: usize = 64;
/// Announces over HTTP in flight in all, and so connections in use (idle ones close after 30 s).
pub const ANNOUNCE_CONNECTIONS: usize = 256;
/// Hosts and names that are remembered at a time.
pub const TRACKER_HOSTS: usize = 4_096;
/// Answers with peers that may wait to be taken; further ones are dropped and counted.
pub const FOUND_QUEUE: usize = 256;
/// Torrents in one UDP scrape (BEP 15).
pub const SCRAPE_HASHES: usize = 74;

/// Web seeds of one torrent that are used at once; more servers would rarely be faster than these.
pub const WEB_SEEDS: usize = 8;
/// Requests that a web seed queues: two ranges of blocks, so that the next one waits when one has come.
pub const WEB_SEED_REQUESTS: usize = 500;
/// Bytes that one request to a web seed names: few enough requests for any server's log, and the answer is lost quickly
/// where others were faster.
pub const WEB_SEED_RANGE: u64 = 4 * 1024 * 1024;
/// Redirects that one request to a web seed follows; mirror networks need one or two.
pub const WEB_SEED_REDIRECTS: usize = 5;

const _: () = assert!(WEB_SEED_REQUESTS as u64 * BLOCK as u64 > WEB_SEED_RANGE, "a range can be asked for in full");

/// Files that one block may lie in. A 16 KiB block of a source tree lies in a handful; each may cost an open and a map on
/// the reactor, so a torrent made of thousands of one-byte files must not take it over.
pub const FILES_PER_BLOCK: usize = 256;
/// Maps (and with them descriptors) that one reactor keeps open. `vm.max_map_count` is 65,530 by default for all of them.
pub const MAPS_PER_REACTOR: usize = 4096;
/// Blocks in one chunk, however short they are.
pub const BLOCKS_PER_CHUNK: usize = 16;
/// Least bound of a connection's unsent bytes: the kernel wakes at half of it, and a block should fit then.
pub const UNSENT_MIN: u32 = 64 * 1024;
/// Pipes of one reactor. Each takes two descriptors; one is in use at a time, the others hold what sockets did not take.
pub const PIPES_PER_REACTOR: usize = 64;
/// Pages of a pipe that holds a whole chunk: a header, and a block that begins within a page, for each.
pub const PIPE_PAGES: usize = (BLOCKS_PER_CHUNK * (1 + BLOCK as usize / 4096 + 1)).next_power_of_two();
/// Torrents that the embedded tracker knows. An empty one costs about 200 bytes, so the table stays near 200 MiB when
/// strangers fill it (`--open`); beyond, announces of further torrents are refused with a reason.
pub const TRACKER_TORRENTS: usize = 1 << 20;
/// Peers of one torrent in the tracker; the largest public swarms ever counted are about this large. A peer beyond is
/// answered like any other, only not listed.
pub const TRACKER_PEERS_PER_TORRENT: usize = 1 << 17;
/// Peers of all torrents in the tracker; 32 bytes each with IPv4, so a full tracker takes near 200 MiB for them.
pub const TRACKER_PEERS_IN_ALL: usize = 1 << 22;
/// Parts that the tracker's torrents are spread over, each behind a lock of its own: with a handful of threads that
/// hold a lock for 200 ns an announce, two of them rarely want the same one.
pub const TRACKER_SHARDS: usize = 16;
/// Peers in one answer of the tracker. 200 IPv4 addresses still fit one unfragmented datagram.
pub const TRACKER_PEERS_IN_ANSWER: usize = 200;
/// IPv6 peers in one answer over UDP: 20 + 68 * 18 bytes fit the 1,280 bytes that every IPv6 path carries.
pub const TRACKER_PEERS_IN_ANSWER_UDP6: usize = 66;
/// Peers in an answer when the client names no number; what most trackers and clients use.
pub const TRACKER_PEERS_BY_DEFAULT: usize = 50;
/// Torrents in one scrape (BEP 15: "up to about 74").
pub const TRACKER_SCRAPE: usize = 74;
/// Connections of the HTTP tracker at once; each may hold a request head. More wait in the listen queue.
pub const TRACKER_CONNECTIONS: usize = 8_192;
/// Connections of the HTTP tracker from one address (IPv6: one /64), so that nobody alone can fill the places. Clients
/// hold theirs for milliseconds; this is enough for a provider that puts thousands of them behind one address.
pub const TRACKER_CONNECTIONS_PER_ADDRESS: usize = 256;
/// Bytes of one HTTP request's head: a scrape of 74 torrents with every byte escaped is 5.3 KiB.
pub const TRACKER_REQUEST_HEAD: usize = 16 * 1024;

const _: () =
    assert!(TRACKER_PEERS_IN_ALL / TRACKER_SHARDS >= TRACKER_PEERS_PER_TORRENT, "a full swarm fits its shard");
/// Operations that the disk thread keeps in flight: enough for a striped array of NVMe drives at [`READ_STEP`] each; more
/// only makes each of them slower.
pub const DISK_DEPTH: u32 = 64;
/// Bytes that one read of the disk thread asks for: long enough for a rotating disk to be worth the seek.
pub const READ_STEP: u32 = 1024 * 1024;
/// Buffers of [`READ_STEP`] that one hasher owns: four to hash and four being read.
pub const READS_PER_HASHER: usize = 8;
/// Bytes of each piece that are hashed before the next are read, where all is in the page cache: four pieces take a
/// quarter of a core's second-level cache.
pub const WARM_STEP: usize = 32 * 1024;
/// Pieces of content taken on trust that wait to be looked at, of all torrents; beyond, the peers that want them wait for that.
pub const LAZY_CHECKS: usize = 1_024;
/// Such pieces that one reactor has asked for and not heard of.
pub const LAZY_CHECKS_PER_REACTOR: usize = 64;
/// Bytes of such a piece that are read and hashed at a time: they stay in the core's own cache.
pub const LAZY_READ: usize = 256 * 1024;
/// Files that one hasher keeps open.
pub const FILES_PER_HASHER: usize = 32;
/// Files of one download that are kept open for writing. Pieces come from all over a torrent; a file that is closed costs an open,
/// 3 us, for the next piece that has bytes in it.
pub const FILES_PER_TARGET: usize = 64;
/// Seconds of downloading that a power cut may cost: so often what was written is synced and noted. Syncing gains nothing from
/// being rarer (the kernel begins to write after 5 s anyway), and the note is small.
pub const CHECKPOINT_SECONDS: u64 = 5;
/// Seconds after a checkpoint's own time up to which a change of a file is taken for our own writing: the time to the next
/// checkpoint, and what syncing takes on a busy disk.
pub const CHECKPOINT_MARGIN_SECONDS: u64 = 15;

const _: () = assert!(CHECKPOINT_MARGIN_SECONDS >= 2 * CHECKPOINT_SECONDS);
const _: () = assert!(LAZY_READ.is_multiple_of(64), "SHA-1 blocks");
const _: () = assert!(READ_STEP.is_multiple_of(64) && WARM_STEP.is_multiple_of(64), "SHA-1 blocks");
/// Connections of one reactor; a place number has 24 bits in a kernel token.
pub const CONNECTIONS: usize = 1 << 20;
/// Connections whose handshake has not come yet, on one reactor. Beyond it new ones are refused, so a flood of silent
/// connections costs a flat amount.
pub const HANDSHAKES: usize = 1_024;
/// Seconds for a handshake: the slowest real link needs about three round trips.
pub const HANDSHAKE_SECONDS: u64 = 15;
/// Seconds of silence after which a peer is given up. Clients send a keep-alive every two minutes (BEP 3).
pub const SILENCE_SECONDS: u64 = 180;
/// Seconds after which we send a keep-alive.
pub const KEEP_ALIVE_SECONDS: u64 = 100;
/// Seconds for which a peer may take not a single byte of what waits for it.
pub const STALL_SECONDS: u64 = 120;
/// Seconds of quiet after which the kernel asks a peer's host whether it is still there. One packet a minute for a peer that
/// says nothing; most translations of addresses remember a connection for longer.
pub const PROBE_AFTER_SECONDS: u64 = 60;
/// Seconds between two such questions.
pub const PROBE_EVERY_SECONDS: u64 = 10;
/// Seconds after which a host is dead that answers neither questions nor data: long enough for a router to be started
/// again, short enough that the place of a peer that vanished is soon another's. It also ends a connection whose peer's host lives
/// and whose program has taken nothing for that long.
pub const DEAD_SECONDS: u64 = 90;
/// Connections from one address: a household or a small company behind one.
pub const CONNECTIONS_PER_ADDRESS: u16 = 64;
/// Connections of all reactors unless told otherwise.
pub const CONNECTIONS_BY_DEFAULT: u32 = 20_000;
/// Connections that wait to be accepted, of each listener; the kernel may allow fewer (`net.core.somaxconn`, 4096 by default).
pub const LISTEN_BACKLOG: i32 = 4_096;
/// Reactor threads unless told otherwise, on machines with more cores.
pub const REACTORS_BY_DEFAULT: usize = 8;
/// Descriptors of one reactor that are not for connections: two for each pipe, a ring, a listener and what belongs to them.
pub const DESCRIPTORS_PER_REACTOR: usize = 2 * PIPES_PER_REACTOR + 8;
/// Descriptors of the rest of the program: trackers, files.
pub const DESCRIPTORS_BESIDE: usize = 256;

/// Bytes of the daemon's configuration; the generated file with every key documented has 12 KiB.
pub const CONFIG_FILE: u64 = 1024 * 1024;

/// Bytes of the head of an HTTP request to a peer port. Browsers send up to 2 KiB beside the path; what is left holds a path of
/// 2,000 bytes, all of them escaped.
pub const HTTP_HEAD: usize = 8 * 1024;
/// Fields of such a head; browsers send about 20.
pub const HTTP_FIELDS: usize = 64;
/// Bytes of requests that wait while an earlier one is answered. Hardly any client sends a request before it has the answer
/// to the last; a connection that sends more than this ahead is closed.
pub const HTTP_AHEAD: usize = 4 * HTTP_HEAD;
/// Bytes of answers beyond which no further request is looked at until the socket has taken them.
pub const HTTP_ANSWERS: usize = 4 * 1024;
/// Bytes of a page that lists the files of a torrent: several hundred files. It waits as a whole in memory.
pub const HTTP_LISTING: usize = 64 * 1024;
/// Seconds for which an HTTP connection without a request stays. Browsers and download tools keep theirs for about a minute.
pub const HTTP_IDLE_SECONDS: u64 = 60;

const _: () = assert!(HTTP_ANSWERS + HTTP_LISTING < CONTROL_BUFFER);
const _: () = assert!(CONNECTIONS <= 1 << 24);
const _: () = assert!(PROBE_AFTER_SECONDS + 3 * PROBE_EVERY_SECONDS <= DEAD_SECONDS, "one lost probe kills nobody");
const _: () = assert!(DEAD_SECONDS < STALL_SECONDS && DEAD_SECONDS < SILENCE_SECONDS);

/// Sessions of browsers and programs that logged in; the one that was not used for longest makes room for another.
pub const API_SESSIONS: usize = 256;
/// Addresses whose wrong tokens are counted: 100 bytes each.
pub const API_GUESSERS: usize = 4_096;
/// Connections to the daemon's APIs at once. More wait in the listen queue.
pub const API_CONNECTIONS: usize = 512;
/// Connections to the daemon's APIs from one address (IPv6: one /64): a page holds six at most, and a machine that runs everything
/// else of a seedbox some dozens.
pub const API_CONNECTIONS_PER_ADDRESS: usize = 128;
/// Bytes of the head of a request: cookies of all that runs on this host beside the token.
pub const API_HEAD: usize = 32 * 1024;
/// Bytes of a request's body, forms and JSON: thirty thousand hashes, or a torrent file of two hundred thousand pieces in base64.
pub const API_BODY: usize = 10 * 1024 * 1024;
/// Bytes of an upload of files: some hundred torrents at once, or one of the largest.
pub const API_UPLOAD: usize = 64 * 1024 * 1024;
/// Fields of a form, parts included: an upload of some hundred torrents has one part each.
pub const API_FORM_FIELDS: usize = 4_096;
/// Links and addresses that one request adds; each address is fetched before the next.
pub const API_ADDRESSES: usize = 256;
/// Views that are kept for clients of `sync/maindata`, two a client. When every torrent changes all the time, one of 10,000 torrents
/// costs 3 MB; a client whose view went is sent everything again.
pub const API_VIEWS: usize = 16;
/// Seconds for which such a view is kept; clients ask every few seconds.
pub const API_VIEW_SECONDS: i64 = 10 * 60;
/// Values in a request of the Transmission RPC: ids of a hundred thousand torrents, twice over. A body of commas alone would take
/// sixteen times its length in memory.
pub const RPC_VALUES: usize = 1 << 18;
/// Lines of the log that clients can be shown, and bytes of each.
pub const API_JOURNAL: usize = 1_000;
/// See [`API_JOURNAL`].
pub const API_JOURNAL_LINE: usize = 1_000;
/// Clients that hear of events; each costs a little text a second.
pub const API_LISTENERS: usize = 64;

/// Ranges of addresses that are blocked: four times the longest lists there are, 32 MB.
pub const FILTER_RANGES: usize = 4_000_000;
/// Bytes of a list of blocked addresses, unpacked; the longest have a tenth of it.
pub const FILTER_BYTES: u64 = 1 << 30;
/// Bytes of a line of such a list, names of organizations included.
pub const FILTER_LINE: usize = 4 * 1024;
/// Lines that are named, of those that could not be read.
pub const FILTER_BAD_LINES: usize = 10;
