//! Lower bounds of the time until `N` clients have a file of `F` bytes.
//!
//! A server alone uploads `N F` bytes, and the slowest client downloads `F`:
//! `D_cs >= max(N F / u_s, F / d_min)`. With peers, the server uploads `F` at least once, the slowest client downloads
//! `F`, and all together upload `N F`: `D_p2p >= max(F / u_s, F / d_min, N F / (u_s + u_1 + ... + u_N))`.
//! (Kumar and Ross, "Peer-assisted file distribution: the minimum distribution time", 2006, where it is shown that fluid
//! reaches the second bound.)
//!
//! For no clients at all both are zero: nobody waits, whatever the formulas say of an empty minimum.

/// What decides the bounds. Rates and sizes are of one unit, bytes and bytes a second, or shares of a file and an hour.
#[derive(Clone, PartialEq, Debug)]
pub struct Setting {
    /// Size of the file, `F`.
    pub file: f64,
    /// Upload rate of the server, `u_s`.
    pub server_up: f64,
    /// Upload rates of clients, `u_i`: the first client has the first, and after the last they begin again.
    pub up: Vec<f64>,
    /// Download rates of clients, `d_i`, in the same way.
    pub down: Vec<f64>,
}

/// What a bound comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    /// The server's upload.
    Server,
    /// The slowest download.
    Download,
    /// The upload of all together.
    Everybody,
    /// Nobody downloads.
    Nothing,
}

/// A lower bound, and what it comes from.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Bound {
    /// In units of size divided by rate.
    pub time: f64,
    /// The largest of its terms.
    pub limit: Limit,
}

impl Setting {
    /// The picture of the textbooks: `F / u` is one hour, `u_s` is ten times `u`, downloads are no limit.
    pub fn textbook() -> Setting {
        Setting { file: 1.0, server_up: 10.0, up: vec![1.0], down: vec![10.0] }
    }

    /// Upload rate of a client, counted from 0.
    pub fn up_of(&self, client: usize) -> f64 {
        cycled(&self.up, client)
    }

    /// Download rate of a client, counted from 0.
    pub fn down_of(&self, client: usize) -> f64 {
        cycled(&self.down, client)
    }

    fn slowest_download(&self, clients: usize) -> f64 {
        (0..clients.min(self.down.len())).map(|client| self.down_of(client)).fold(f64::INFINITY, f64::min)
    }

    /// `D_cs` for so many clients.
    pub fn client_server(&self, clients: usize) -> Bound {
        largest(
            clients,
            [
                (clients as f64 * self.file / self.server_up, Limit::Server),
                (self.file / self.slowest_download(clients), Limit::Download),
            ],
        )
    }

    /// `D_p2p` for so many clients.
    pub fn peer_to_peer(&self, clients: usize) -> Bound {
        let uploads: f64 = (0..clients).map(|client| self.up_of(client)).sum();
        largest(
            clients,
            [
                (self.file / self.server_up, Limit::Server),
                (self.file / self.slowest_download(clients), Limit::Download),
                (clients as f64 * self.file / (self.server_up + uploads), Limit::Everybody),
            ],
        )
    }
}

/// A size or a rate as the whole number of bytes that it was before, or is nearest to. Negative and odd values become 0, and what
/// is too large the largest.
#[expect(clippy::cast_possible_truncation, reason = "a cast of a float stops at both ends")]
pub fn whole(value: f64) -> u64 {
    value.round() as u64
}

fn cycled(rates: &[f64], client: usize) -> f64 {
    if rates.is_empty() { f64::INFINITY } else { rates[client % rates.len()] }
}

/// The first of the largest.
fn largest<const TERMS: usize>(clients: usize, terms: [(f64, Limit); TERMS]) -> Bound {
    let start = Bound { time: 0.0, limit: Limit::Nothing };
    if clients == 0 {
        return start;
    }
    terms
        .into_iter()
        .fold(start, |largest, (time, limit)| if time > largest.time { Bound { time, limit } } else { largest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_textbook_has_its_numbers() {
        let setting = Setting::textbook();
        assert_eq!(setting.client_server(30), Bound { time: 3.0, limit: Limit::Server });
        assert_eq!(setting.peer_to_peer(30), Bound { time: 0.75, limit: Limit::Everybody });
        assert_eq!((setting.client_server(10).time, setting.peer_to_peer(10).time), (1.0, 0.5));
        assert_eq!((setting.client_server(1).time, setting.peer_to_peer(1).time), (0.1, 0.1));
    }

    #[test]
    fn nobody_waits_where_nobody_is() {
        let none = Bound { time: 0.0, limit: Limit::Nothing };
        assert_eq!((Setting::textbook().client_server(0), Setting::textbook().peer_to_peer(0)), (none, none));
    }

    #[test]
    fn each_term_can_be_the_largest() {
        let slow = Setting { down: vec![4.0, 0.25, 4.0], ..Setting::textbook() };
        assert_eq!(slow.client_server(1).time, 0.25, "the slow one has not come yet");
        assert_eq!(slow.client_server(2), Bound { time: 4.0, limit: Limit::Download });
        assert_eq!(slow.peer_to_peer(8), Bound { time: 4.0, limit: Limit::Download });
        let rich = Setting { up: vec![100.0, 0.0], ..Setting::textbook() };
        assert_eq!(rich.peer_to_peer(10), Bound { time: 0.1, limit: Limit::Server });
        assert_eq!((rich.up_of(0), rich.up_of(1), rich.up_of(2)), (100.0, 0.0, 100.0));
    }

    #[test]
    fn peers_never_take_longer_than_a_server_alone_and_never_less_than_the_server_needs_once() {
        let setting = Setting { file: 7.0, server_up: 3.0, up: vec![0.0, 1.5, 0.2], down: vec![5.0, 2.0] };
        for clients in 1..200 {
            let (alone, together) = (setting.client_server(clients).time, setting.peer_to_peer(clients).time);
            assert!(together <= alone && together >= 7.0 / 3.0);
        }
    }
}
